"""A node that logs all it can, with its charger, for a whole module."""

from __future__ import annotations

from pathlib import Path

import pytest

from evse_host.catalog import BAUD_RATE
from evse_host.simulator import Charger, PtyServer
from tools.build import node as nodes
from tools.run.host_node import Node

CONFIG = Path(__file__).with_name("node.yaml")


@pytest.fixture(scope="session")
def security_program() -> Path:
    return nodes.build(CONFIG)


@pytest.fixture(scope="module")
def charger():
    with PtyServer(Charger(), baud_rate=BAUD_RATE) as server:
        yield server


@pytest.fixture(scope="module")
def node(security_program, charger, tmp_path_factory):
    with Node(security_program, charger.path, tmp_path_factory.mktemp("node")) as node:
        node.wait_for("binary_sensor.Charger connected", True)
        yield node
