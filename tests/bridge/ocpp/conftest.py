"""A simulated charger, its owner, a charge point and a central system."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from evse_host.bridge.charger import SharedCharger
from evse_host.bridge.ocpp.bridge import OcppBridge
from evse_host.bridge.ocpp.situation import Settings
from evse_host.bridge.ocpp.target import Target
from evse_host.simulator import Car, Charger, PtyServer

from ..support import shared, wait_until
from .central import Central


@pytest.fixture
def car() -> Car:
    return Car()


@pytest.fixture
def server(tmp_path: Path, car: Car) -> Iterator[PtyServer]:
    """A charger without a car."""
    model = Charger(car=car)
    model.advance(30)
    with PtyServer(model, tmp_path / "charger-port") as running:
        yield running


@pytest.fixture
def charger(server: PtyServer) -> Iterator[SharedCharger]:
    owner = shared(server)
    owner.start()
    wait_until(lambda: owner.snapshot.online, "the charger is online")
    yield owner
    owner.stop()


@pytest.fixture
def central() -> Iterator[Central]:
    """At its end nothing may have been wrong by the schemas."""
    with Central() as running:
        yield running
    assert running.wrong == []


@pytest.fixture
def start(charger: SharedCharger, tmp_path: Path) -> Iterator[Callable[..., OcppBridge]]:
    """``start(central, tag="HOME", ...)`` gives a charge point that runs; its journal stays for the next one."""
    with ExitStack() as running:

        def begin(central: Central, version: str = "1.6", key: str = "", url: str = "", **values) -> OcppBridge:
            options = {name: values.pop(name) for name in ("ca_file", "cert_file", "key_file") if name in values}
            target = Target.parse(url or central.url, "GARAGE", key, **options)
            bridge = OcppBridge(charger, target, tmp_path / "ocpp.sqlite3", Settings(**values), version)
            bridge.start()
            running.callback(bridge.stop)
            return bridge

        yield begin
