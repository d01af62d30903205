"""Node and charger on one clock: the same orders give the same run, and time is what the clock says."""

from __future__ import annotations

import subprocess
import sys

import pytest

from evse_host.simulator import Car, Charger
from tools.build.node import ROOT
from tools.run.api import NodeError
from tools.run.clocked_node import ClockedNode

CURRENT = "number.Charging current"


def live(program, home, zero_at: float = 0.0) -> ClockedNode:
    with ClockedNode(program, Charger(car=Car()), home, zero_at=zero_at) as node:
        node.connect()
        node.at(10.0, lambda: node.command(CURRENT, 10.0))
        node.at(20.0, node.charger.car.plug)
        node.run_until(30.0)
    return node


def changes(node: ClockedNode) -> list[tuple]:
    return [(change.time, change.name, change.value) for change in node.changes]


def test_the_same_orders_give_the_same_run(full_node_program, tmp_path):
    first, second = live(full_node_program, tmp_path / "1"), live(full_node_program, tmp_path / "2")
    assert (first.sent, first.received, changes(first)) == (second.sent, second.received, changes(second))
    assert first.values[CURRENT] == 10.0 and first.values["text_sensor.State"] == "C2"
    assert first.charger.value("CHCUR") == (100,)


def test_a_byte_takes_its_time(full_node_program, tmp_path):
    node = live(full_node_program, tmp_path)
    sent_at = next(moment for moment, data in node.sent if data == b"AT+CHCUR=100\n")
    entry = next(entry for entry in node.charger.journal.entries if entry.command == "AT+CHCUR=100")
    assert entry.time == pytest.approx(sent_at + len(b"AT+CHCUR=100\n") * 10 / 115200, abs=2e-6)
    assert 10.0 <= sent_at <= 10.02


def test_the_millisecond_counter_begins_again(full_node_program, tmp_path):
    """At second 15, between a command and a car."""
    node = live(full_node_program, tmp_path, zero_at=15.0)
    assert node.values["text_sensor.State"] == "C2"
    assert max(later - earlier for (earlier, _), (later, _) in zip(node.sent, node.sent[1:], strict=False)) < 5.1


def test_bytes_on_their_way_can_be_lost_and_others_lie_there_at_once(full_node_program, tmp_path):
    with ClockedNode(full_node_program, Charger(), tmp_path) as node:
        node.run_until(10.0)
        read = node.all_read
        node.port.receive_at_once(b"\n" * 300)
        node.run(0.05)
        assert node.most_unread >= 300 and node.all_read >= read + 300
        while not node.port.on_the_way:
            node.run(0.001)
        told = sum(len(data) for _, data in node.received)
        node.port.lose()
        assert sum(len(data) for _, data in node.received) < told and not node.port.on_the_way


def test_a_program_that_ends_is_an_error(tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho gone\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(NodeError, match="gone"), ClockedNode(program, Charger(), tmp_path / "home"):
        pass


KILLED = """
import os, signal, sys
from pathlib import Path
from evse_host.simulator import Charger
from tools.run.clocked_node import ClockedNode
node = ClockedNode(Path(sys.argv[1]), Charger(), Path(sys.argv[2])).__enter__()
print(node._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_node_ends_with_whoever_started_it(full_node_program, tmp_path):
    """Even when that is killed: the conversation has no other end."""
    command = [sys.executable, "-c", KILLED, full_node_program, tmp_path]
    result = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": "host_tools:."}, capture_output=True, text=True)
    assert subprocess.run(["tail", f"--pid={result.stdout.strip()}", "-f", "/dev/null"], timeout=20).returncode == 0
