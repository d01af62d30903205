"""Node and charger on one clock: the same orders give the same run, and time is what the clock says."""

from __future__ import annotations

import pytest

from evse_host.simulator import Car, Charger
from tools.run.host_clock import ClockedNode, _read_varint, _varint
from tools.run.host_node import NodeError

CURRENT = "number.Charging current"


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**32])
def test_varint(number: int) -> None:
    data = _varint(number)
    assert _read_varint(b"x" + data, 1) == (number, 1 + len(data))
    assert _read_varint(data[:-1], 0)[1] is None


def live(program, home, zero_at: float = 0.0) -> ClockedNode:
    with ClockedNode(program, Charger(car=Car()), home, zero_at=zero_at) as node:
        node.at(10.0, lambda: node.command(CURRENT, 10.0))
        node.at(20.0, node.charger.car.plug)
        node.run_until(30.0)
    return node


def test_the_same_orders_give_the_same_run(full_node_program, tmp_path):
    first, second = live(full_node_program, tmp_path / "1"), live(full_node_program, tmp_path / "2")
    assert (first.sent, first.received, first.changes) == (second.sent, second.received, second.changes)
    assert first.values[CURRENT] == 10.0 and first.values["text_sensor.State"] == "C2"
    assert first.charger.value("CHCUR") == (100,)


def test_a_byte_takes_its_time(full_node_program, tmp_path):
    node = live(full_node_program, tmp_path)
    sent_at = next(moment for moment, data in node.sent if data == b"AT+CHCUR=100\n")
    entry = next(entry for entry in node.charger.journal.entries if entry.command == "AT+CHCUR=100")
    assert entry.time == pytest.approx(sent_at + len(b"AT+CHCUR=100\n") * 10 / 115200, abs=1e-6)
    assert 10.0 <= sent_at <= 10.02


def test_the_millisecond_counter_begins_again(full_node_program, tmp_path):
    """At second 15, between a command and a car."""
    node = live(full_node_program, tmp_path, zero_at=15.0)
    assert node.values["text_sensor.State"] == "C2"
    assert max(later - earlier for (earlier, _), (later, _) in zip(node.sent, node.sent[1:], strict=False)) < 5.1


def test_a_program_that_ends_is_an_error(tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho gone\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(NodeError, match="gone"), ClockedNode(program, Charger(), tmp_path / "home"):
        pass
