"""The command `evse-host` at a simulated charger on a pseudo terminal."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evse_host.simulator import PtyServer

from .commands import Ran, run


@pytest.fixture
def charger(start_charger) -> PtyServer:
    return start_charger()


@pytest.fixture
def evse_host(charger: PtyServer) -> Callable[..., Ran]:
    """``evse_host("get", "CHCUR")`` on the fixture ``charger``."""
    return lambda *arguments: run("--port", charger.path, *arguments)
