"""What Home Assistant's recorder and logbook get of the full example in an hour, counted from the API's states.

The logbook leaves out what has a unit or state class.
"""

from __future__ import annotations

from collections import Counter

import pytest

from evse_host.simulator import Board, Car, Charger
from tests.support.recorder import rows
from tools.run.api import label
from tools.run.clocked_node import ClockedNode

HOUR_S = 3600
A_WHILE_S = HOUR_S / 3  # long enough where something comes every few seconds


def logbook(node: ClockedNode, counted: Counter) -> dict[str, int]:
    """Those that are lines in the logbook."""
    continuous = {
        label(e) for e in node.entities if getattr(e, "unit_of_measurement", "") or getattr(e, "state_class", 0)
    }
    return {name: count for name, count in counted.items() if name not in continuous}


@pytest.fixture
def charger() -> Charger:
    return Charger(board=Board(proximity=True, socket_lock=True), car=Car())


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1])
def test_charging_makes_few_rows_and_no_logbook(full_node_program, charger, noisy, tmp_path, noise: float) -> None:
    if noise:
        noisy(charger, noise)
    with ClockedNode(full_node_program, charger, tmp_path) as node:
        node.connect()
        charger.car.plug()
        node.run(120)
        counted = rows(node, lambda: node.run(A_WHILE_S))
        print(counted.total(), counted)
        assert counted.total() * HOUR_S / A_WHILE_S <= 3000
        assert counted["sensor.Power"] >= 0.9 * A_WHILE_S / 5 or not noise
        assert not logbook(node, counted)


def test_an_idle_hour_makes_few_rows_and_no_logbook(full_node_program, charger, tmp_path) -> None:
    with ClockedNode(full_node_program, charger, tmp_path) as node:
        node.connect()
        node.run(120)
        counted = rows(node, lambda: node.run(HOUR_S))
        print(counted.total(), counted)
        assert counted.total() <= 250
        assert not logbook(node, counted)
