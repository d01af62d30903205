"""What the tests of all bridges share: waiting for a condition, and a charger that bridges can share."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from typing import TypeVar

from evse_host.bridge.charger import SharedCharger
from evse_host.line.client import Evse
from evse_host.simulator import Charger, PtyServer

T = TypeVar("T")

WAIT_S = 60.0


def wait_until(condition: Callable[[], T], what: str = "", timeout: float = WAIT_S) -> T:
    """Waits until ``condition()`` is true and returns it; AssertionError after ``timeout`` s."""
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {timeout} s: {what or condition}"
        time.sleep(0.005)
    return result


def end_of(connection: socket.socket, last: bytes) -> None:
    """Sends its last bytes and waits until the other side has closed it, which may come before they are all sent."""
    connection.settimeout(WAIT_S)
    with contextlib.suppress(ConnectionError):
        connection.sendall(last)
        with contextlib.suppress(OSError):  # no connection any more
            connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass


def shared(server: PtyServer, name: str = "charger", timeout: float = 3.0) -> SharedCharger:
    """A charger to share, not started; ``timeout`` (s) until a silent one is given up."""
    return SharedCharger(lambda: Evse.open(server.path, timeout=timeout), name)


def lower_the_maximum_unseen(server: PtyServer, ampere: int) -> None:
    """Somebody lowers it this moment: whoever reads it is shown the old one until the charger has been written to."""

    def lower(charger: Charger) -> None:
        shown, write = charger.value("MAXCHCUR"), charger.device.write

        def write_and_show(name: str, values: tuple) -> bool:
            charger.override("MAXCHCUR")
            charger.device.write = write
            return write(name, values)

        charger.set("MAXCHCUR", ampere)
        charger.override("MAXCHCUR", *shown)
        charger.device.write = write_and_show

    server.call(lower)
