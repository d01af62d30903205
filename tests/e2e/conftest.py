"""Nodes and chargers on clocks of their own: ten seconds of them take a moment, and no test depends on the computer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from evse_host.simulator import Board, Car, Charger
from tests.conftest import VARIANT
from tools.build import node as nodes
from tools.run.clocked_node import ClockedCharger, ClockedNode

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def actions_program() -> Path:
    return nodes.build(HERE / "actions.yaml", VARIANT)


@pytest.fixture(scope="session")
def minimal_program() -> Path:
    """The one program that ESPHome itself builds, as people do."""
    return nodes.build(HERE / "minimal.yaml", "esphome")


@pytest.fixture(scope="module")
def charger(request):
    """A charger with every feature, on a line as slow as a real one."""
    return ClockedCharger(Charger(board=Board(proximity=True, socket_lock=True), car=Car()))


@pytest.fixture(scope="module")
def node(full_node_program, charger, tmp_path_factory):
    with charger.node(full_node_program, tmp_path_factory.mktemp("node")) as node:
        node.connect()
        node.wait_for("binary_sensor.Connected", True)
        yield node


@pytest.fixture
def start_charger() -> Callable[..., ClockedCharger]:
    return ClockedCharger


@pytest.fixture
def start_node(tmp_path: Path) -> Iterator[Callable[..., ClockedNode]]:
    """Starts a program on a charger's line: ``start_node(program, charger)``, each with a home of its own.

    The test fails if a node stopped by itself, be it only at its end.
    """
    homes = (tmp_path / f"node-{number}" for number in range(100))
    with ExitStack() as running:

        def start(program: Path, charger: ClockedCharger) -> ClockedNode:
            node = running.enter_context(charger.node(program, next(homes)))
            node.connect()
            return node

        yield start
