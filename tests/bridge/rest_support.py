"""The REST API on a real port, and a client for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from evse_host.bridge.charger import SharedCharger
from evse_host.bridge.rest_app import make_app
from evse_host.bridge.rest_server import RestServer
from evse_host.simulator import Car, Charger, PtyServer

from .support import shared, wait_until

API = "/api/v1"
JSON = {"content-type": "application/json"}  # as EVCC sends it


@contextmanager
def serving(
    charger: SharedCharger | dict[str, SharedCharger], credentials=None, energies="Wh"
) -> Iterator[httpx.Client]:
    """A client without credentials of a server that has some, or none."""
    server = RestServer(make_app(charger, credentials, energies), port=0)
    server.start()
    try:
        with httpx.Client(base_url=server.url, timeout=20) as client:
            yield client
    finally:
        server.stop()


@contextmanager
def kept_charger() -> Iterator[tuple[PtyServer, SharedCharger]]:
    """One for all tests that write nothing to it, or hardly anything: its server and its owner."""
    with PtyServer(Charger(car=Car(plugged=True))) as server:
        owner = shared(server)
        owner.start()
        try:
            wait_until(lambda: owner.snapshot.online)
            yield server, owner
        finally:
            owner.stop()


def begin(server: PtyServer, owner: SharedCharger) -> None:
    """Of a test with a charger that is kept: nothing is written yet; online, though a computer may stand still."""
    wait_until(lambda: owner.snapshot.online, "the charger is online")
    server.call(lambda charger: charger.journal.clear())


def post(client: httpx.Client, path: str, body: str, **options) -> httpx.Response:
    """`POST /api/v1/state/<path>` with a JSON body; the empty path is the whole object."""
    options.setdefault("headers", JSON)
    return client.post(f"{API}/state/{path}".rstrip("/"), content=body, **options)


def state(client: httpx.Client) -> dict:
    answer = client.get(f"{API}/state")
    assert answer.status_code == 200, answer.text
    return answer.json()


def orders(server: PtyServer) -> list[str]:
    """Every write and run that the charger executed, in order: `ENABLE=0`, `AUTH`."""
    commands = server.call(lambda charger: list(charger.journal.commands))
    names = [command.removeprefix("AT+") for command in commands if "?" not in command]
    return [name for name in names if not name.startswith(("SUB", "UNSUB", "AT")) or name == "AUTH"]


def value(server: PtyServer, name: str):
    """What the charger itself holds."""
    return server.call(lambda charger: charger.value(name))
