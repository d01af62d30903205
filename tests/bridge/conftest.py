"""A simulated charger with its one owner, for every bridge.

def test_power(server, charger):
    server.inject(lambda faults: faults.change_setting("CHCUR", 100))   # somebody else changes it
    wait_until(lambda: charger.snapshot.charging_current == 10)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from evse_host.bridge import energy_follower
from evse_host.bridge.charger import SharedCharger
from evse_host.simulator import Car, Charger, PtyServer

from .mqtt_support import Client, Mosquitto
from .support import shared, wait_until

CHARGING_S = 30.0  # how long, when a test begins


@pytest.fixture
def quick_total(monkeypatch: pytest.MonkeyPatch) -> None:
    """The charger's total is asked for ten times as often as else, for tests that wait until it is shown."""
    monkeypatch.setattr(energy_follower, "CHARGING_S", energy_follower.CHARGING_S / 10)
    monkeypatch.setattr(energy_follower, "IDLE_S", energy_follower.IDLE_S / 10)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PtyServer]:
    """A simulated charger at which a car charges; its line is as fast as the computer.

    Behind a link: the number of a pseudo terminal is soon another's, and an owner opens its port again and again.
    """
    model = Charger(car=Car(plugged=True))
    model.advance(CHARGING_S)
    with PtyServer(model, tmp_path / "charger-port") as running:
        yield running


@pytest.fixture
def charger(server: PtyServer, share: Callable[..., SharedCharger]) -> SharedCharger:
    """Its owner, online."""
    return share(server)


@pytest.fixture
def share() -> Iterator[Callable[..., SharedCharger]]:
    """``share(server, name="charger", timeout=3.0)`` starts an owner, waits until it is online, stops it at the end."""
    with ExitStack() as running:

        def start(server: PtyServer, name: str = "charger", timeout: float = 3.0) -> SharedCharger:
            owner = shared(server, name, timeout)
            owner.start()
            running.callback(owner.stop)
            wait_until(lambda: owner.snapshot.online, "the charger is online")
            return owner

        yield start


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """It asks for no password."""
    with Mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def client(broker: Mosquitto) -> Iterator[Client]:
    """It sees all that passes at the broker."""
    with Client(broker) as running:
        yield running
