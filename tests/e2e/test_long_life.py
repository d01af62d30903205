"""A night of a node, and the moment when its millisecond clock wraps around. `python -m tools long-life` lives many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evse_host.simulator import Charger
from tools.measure import cost
from tools.run.clocked_node import ClockedNode
from tools.soak.long_life import story
from tools.soak.long_life.life import Life
from tools.soak.oracle.truth import SLOW_S

CURRENT = "number.Charging current"


@pytest.fixture(scope="module")
def program() -> Path:
    return cost.build()


def test_a_night_with_a_restart_is_shown_as_it_was(program: Path, tmp_path: Path) -> None:
    """A car charges, people change settings, things go wrong, and the charger restarts."""
    life = Life(story.plan, program, tmp_path, days=1, seed=1, hours=4)
    life.run(lambda _: None)
    assert not life.findings, "\n".join(map(str, life.findings))
    counts = life.counts  # looked at closely
    assert counts["wishes proven"] >= 3 and counts["checks of all entities"] > 180 and counts["sessions"] >= 1
    assert counts["settings restored"]
    assert life.growth[0]["unread"] < 1024


def live(program: Path, home: Path, plan: Callable[[Life, int], None], hours: float) -> Life:
    """A part of a day, of which the judge finds nothing wrong."""
    life = Life(plan, program, home, days=1, seed=1, hours=hours)
    life.run(lambda _: None)
    assert not life.findings, "\n".join(map(str, life.findings))
    return life


def test_restarts_are_counted_whenever_they_are_told(program: Path, tmp_path: Path) -> None:
    """A counter comes once a minute: it may be looked at before it is told of the last restart."""

    def plan(life: Life, _day: int) -> None:
        for number in range(4):
            life.at(100 + 157 * number, lambda seen=number % 2 == 0: story.crash(life, seen))

    assert live(program, tmp_path, plan, hours=0.2).counters.reboots == 4


def test_who_is_cut_off_by_a_fault_waits_for_no_authorization(program: Path, tmp_path: Path) -> None:
    """The charger's bit says so, and means nothing in state E."""

    def plan(life: Life, _day: int) -> None:
        point = life.charger.point
        life.at(60, lambda: story.plug(life, 3, 16))
        life.at(150, lambda: point.set_fault("rcm_triggered"))
        life.at(280, lambda: life.counts.update(told=point.state == "E" and point.pending_authorization))
        life.at(280, lambda: point.clear_fault("rcm_triggered"))

    assert live(program, tmp_path, plan, hours=0.15).counts["told"] == 1


def test_what_another_party_changes_is_waited_for(program: Path, tmp_path: Path) -> None:
    """It takes until the next heartbeat; what was held a moment ago is not taken for it."""

    def plan(life: Life, _day: int) -> None:
        for number in range(6):
            life.at(60 + 11.3 * number, lambda: story.other_party_changes(life))

    seconds = live(program, tmp_path, plan, hours=0.04).latencies["settings"]
    assert len(seconds) == 6 and all(0 < wait <= SLOW_S for wait in seconds)


def mid_write(node: ClockedNode) -> None:
    """The answer to a write is lost: time-out, barrier, read-back."""
    node.faults.missing_answer("CHCUR")
    node.command(CURRENT, 12.5)
    node.run(10)
    assert node.charger.value("CHCUR") == (125,)
    assert node.value(CURRENT) == 12.5


def mid_settling(node: ClockedNode) -> None:
    """RDY comes after two seconds, and a wish while nothing may be written."""
    node.faults.reboot()
    node.run(2.3)
    node.command(CURRENT, 12.5)
    node.run(12)
    assert node.charger.value("CHCUR") == (125,)


def mid_silence(node: ClockedNode) -> None:
    """The line is cut for twenty seconds."""
    node.faults.cable_out()
    node.run(20)
    assert node.value("binary_sensor.Connected") is False
    node.faults.cable_in()
    node.charger.set("CHCUR", 125)
    node.run(15)
    assert node.value(CURRENT) == 12.5


def mid_loss(node: ClockedNode) -> None:
    """Subscriptions are lost and renewed."""
    subscribed = {entry.name for entry in node.charger.subscriptions}
    node.faults.lose_subscriptions()
    node.run(10)
    assert subscribed and {entry.name for entry in node.charger.subscriptions} == subscribed


def play(program: Path, home: Path, script: Callable[[ClockedNode], None], wrap_at: float) -> list:
    """What the node sends, and when."""
    with ClockedNode(program, Charger(), home, zero_at=wrap_at) as node:
        node.connect()
        node.run_until(10)
        script(node)
        assert not node.charger.journal.violations
        return node.sent


FAR_S = 1e6
#: s from the script's start to the wrap-around
WRITE = (-0.001, 0, 0.003, 0.02, 0.05, 0.5, 1.0, 1.04, 1.5, 5.0)
SETTLING = (2.0, 2.2, 2.4, 2.6, 2.8, 3.0, 3.2, 3.24)
SILENCE = (0, 1.0, 2.3, 5.0, 9.2, 20.0, 20.7, 25.3)
LOSS = (0, 0.24, 0.96, 1.92, 3.84)


@pytest.mark.parametrize(
    ("script", "moments"),
    [(mid_write, WRITE), (mid_settling, SETTLING), (mid_silence, SILENCE), (mid_loss, LOSS)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrap_around_changes_nothing(program: Path, tmp_path: Path, script: Callable, moments: tuple) -> None:
    """To the microsecond the node does what it does when its clock is far from wrapping around."""
    expected = play(program, tmp_path / "far", script, FAR_S)
    for moment in moments:
        sent = play(program, tmp_path / f"{moment}", script, 10 + moment)
        assert sent == expected, f"the clock wraps {moment} s after the start"
