"""A node that logs all it can, with its charger, for a whole module, on a clock of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.build import node as nodes
from tools.run.clocked_node import ClockedCharger

CONFIG = nodes.ROOT / "tests/e2e/actions.yaml"


@pytest.fixture(scope="session")
def security_program() -> Path:
    return nodes.build(CONFIG)


@pytest.fixture(scope="module")
def charger():
    return ClockedCharger()


@pytest.fixture(scope="module")
def node(security_program, charger, tmp_path_factory):
    with charger.node(security_program, tmp_path_factory.mktemp("node")) as node:
        node.connect()
        node.call_service("log_everything")
        node.wait_for("binary_sensor.Connected", True)
        yield node
