"""One byte of a hundred is spoilt while somebody changes settings: what is shown is true nevertheless."""

from __future__ import annotations

import random

import pytest

from evse_host.simulator import Board, Car, Charger
from tools.soak.fault_matrix.wishes import random_wish
from tools.soak.oracle.history import History
from tools.soak.oracle.shown import CHECKED, is_true

WRITES = 200
MOST_WRONG = 2
LATENCY_S = 6.0
ENTITY = {f"{entity.platform}.{entity.name}": entity for entity in CHECKED}


@pytest.mark.parametrize(("kind", "seed"), [("flip", 3), ("flip", 5), ("drop", 1), ("drop", 2), ("duplicate", 2)])
def test_none_of_200_writes_on_a_spoilt_line_is_believed_wrongly(
    full_node_program, start_charger, start_node, kind: str, seed: int
) -> None:
    server = start_charger(Charger(board=Board(proximity=True), car=Car()))
    node = start_node(full_node_program, server)
    charger, faults, dice = server.charger, server.faults, random.Random(seed)
    node.wait_for("binary_sensor.Connected", True)
    node.run(8)
    history, wrong, seen = History(charger), [], len(node.changes)
    faults._dice.seed(seed)

    def look() -> None:
        nonlocal seen
        history.sample(node.now)
        for change in node.changes[seen:]:
            entity = ENTITY.get(change.name)
            if entity is None or change.value is None:
                continue
            if not is_true(entity, change.value, history, node.now - LATENCY_S - entity.cadence, node.now):
                wrong.append((change.name, change.value))
        seen = len(node.changes)

    node.on_event.append(history.sample)
    node.on_turn.append(look)
    charger.car.plug()
    getattr(faults, kind)(0.01)
    for _ in range(WRITES):
        wish = random_wish(dice, node.now)
        if wish.command != "RST":
            node.command(wish.entity, wish.value)
        node.run(0.4)
    faults.calm()
    node.run(10)
    assert len(wrong) <= MOST_WRONG, wrong
    assert node.value("sensor.Restarts") == 0
