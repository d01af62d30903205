"""A node that runs through a whole module, with its charger."""

from __future__ import annotations

from pathlib import Path

import pytest

from evse_host.catalog import BAUD_RATE
from evse_host.simulator import Board, Car, Charger, PtyServer
from tools.build import node as nodes
from tools.run.host_node import Node

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def actions_program() -> Path:
    return nodes.build(HERE / "actions.yaml")


@pytest.fixture(scope="session")
def minimal_program() -> Path:
    return nodes.build(HERE / "minimal.yaml")


@pytest.fixture(scope="module")
def charger(request):
    """A charger with every feature, on a line as slow as a real one."""
    with PtyServer(Charger(board=Board(proximity=True, socket_lock=True), car=Car()), baud_rate=BAUD_RATE) as server:
        yield server


@pytest.fixture(scope="module")
def node(full_node_program, charger, tmp_path_factory):
    with Node(full_node_program, charger.path, tmp_path_factory.mktemp("node")) as node:
        node.wait_for("binary_sensor.Charger connected", True)
        yield node
