"""A day of the full node in virtual time, and the moment when its millisecond clock wraps around.

`python -m tools long-life` lives thirty days. Takes 20 s, and a minute more where the node has not been built yet.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evse_host.simulator import Charger, Faults
from tools.run.virtual_node import EPOCH, Rig, VirtualNode, build
from tools.soak.long_life.life import WRAP_MS, Life

STAMP_MS = 64  # the client counts some times in these units, so two clocks to compare must agree in the rest


@pytest.fixture(scope="module")
def library() -> Path:
    return build()


def test_a_day(library: Path, tmp_path: Path) -> None:
    life = Life(library, tmp_path, days=1, seed=1)
    life.run(lambda _: None)
    assert not life.findings, "\n".join(life.findings)
    # It was a full day, looked at closely.
    counts = life.counts
    assert counts["wishes proven"] >= 20 and counts["checks of all entities"] > 1200 and counts["sessions"] >= 1
    assert counts["settings restored"] and counts["clock set"] and counts["checks while the line is cut"]
    assert life.growth[0]["unread"] < 1024


def mid_write(rig: Rig) -> None:
    """The answer to a write is lost: time-out, barrier, read-back."""
    rig.faults.missing_answer("CHCUR")
    rig.node.command("number", "Charging current", 12.5)
    rig.run_to(rig.now + 10)
    assert rig.charger.value("CHCUR") == (125,)
    assert rig.node.states()["number", "Charging current"] == "12.5"


def mid_settling(rig: Rig) -> None:
    """RDY comes after two seconds, and a wish while nothing may be written."""
    rig.faults.reboot()
    rig.run_to(rig.now + 2.3)
    rig.node.command("number", "Charging current", 12.5)
    rig.run_to(rig.now + 12)
    assert rig.charger.value("CHCUR") == (125,)


def mid_silence(rig: Rig) -> None:
    """The line is cut for twenty seconds."""
    rig.faults.cable_out()
    rig.run_to(rig.now + 20)
    assert rig.node.states()["binary_sensor", "Charger connected"] == "0"
    rig.faults.cable_in()
    rig.charger.set("CHCUR", 125)
    rig.run_to(rig.now + 15)
    assert rig.node.states()["number", "Charging current"] == "12.5"


def mid_loss(rig: Rig) -> None:
    """Subscriptions are lost and renewed."""
    subscribed = {entry.name for entry in rig.charger.subscriptions}
    rig.faults.lose_subscriptions()
    rig.run_to(rig.now + 10)
    assert subscribed and {entry.name for entry in rig.charger.subscriptions} == subscribed


def play(library: Path, home: Path, script: Callable[[Rig], None], clock_ms: int) -> list:
    """What the node sends, and when, from ten seconds after its start on."""
    rig = Rig(VirtualNode(library, home, clock_ms), Faults(Charger(epoch=EPOCH)))
    rig.run_to(10)
    rig.sent = []
    script(rig)
    assert not rig.charger.journal.violations
    return rig.sent


#: ms from the script's start to the wrap-around
WRITE = (-1, 0, 1, 3, 20, 50, 500, 999, 1000, 1001, 1016, 1040, 1100, 1500, 2000, 5000)
SETTLING = (*range(1900, 3400, 110), 1999, 2000, 2001, 3199, 3200, 3201, 3240)
SILENCE = (*range(0, 34_000, 2300), 1000, 5000, 20_000)
LOSS = range(0, 4000, 240)


@pytest.mark.parametrize(
    ("script", "moments"),
    [(mid_write, WRITE), (mid_settling, SETTLING), (mid_silence, SILENCE), (mid_loss, LOSS)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrap_around_changes_nothing(library: Path, tmp_path: Path, script: Callable, moments: tuple) -> None:
    """To the microsecond the node does what it does when its clock is far from wrapping around."""
    for moment in moments:
        clock_ms = WRAP_MS - 10_000 - moment
        expected = play(library, tmp_path, script, clock_ms - WRAP_MS // 2)
        assert expected and (WRAP_MS // 2) % STAMP_MS == 0
        assert play(library, tmp_path, script, clock_ms) == expected, f"the clock wraps {moment} ms after the start"
