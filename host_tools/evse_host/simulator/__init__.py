"""A simulated ESP32-EVSE charger, faithful to the byte, its dangers included.

``Charger`` is the model: pure, time is given to it. ``PtyServer`` and ``TcpServer`` run one in real time, ``Faults``
make it misbehave, its ``journal`` tells what reached it.
"""

from .board import Board, Network
from .car import Car
from .charger import Charger
from .faults import Faults
from .journal import Entry, Journal, Violation
from .server import PtyServer, TcpServer

__all__ = ["Board", "Car", "Charger", "Entry", "Faults", "Journal", "Network", "PtyServer", "TcpServer", "Violation"]
