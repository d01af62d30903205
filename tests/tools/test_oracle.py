"""What the oracle of the long runs finds, and what it does not take for a fault."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from evse_host.catalog import ENTITY, STATES
from evse_host.simulator import Charger
from tools.soak.oracle import restarts
from tools.soak.oracle.history import History
from tools.soak.oracle.shown import is_true
from tools.soak.oracle.unasked import Kept

PENDING = ENTITY["binary_sensor", "pending_authorization"]


def told_by(boots: list[float], looks: list[tuple[float, float]]) -> list[str]:
    """Kinds of the findings when the counter is looked at: at which moment (s), and what it shows then."""
    node = SimpleNamespace(now=0.0, values=dict.fromkeys(restarts.COUNTERS, 0.0))
    found: list[str] = []
    counters = restarts.Counters(node, lambda kind, _what, _text: found.append(kind))
    for node.now, node.values[restarts.REBOOTS] in looks:
        counters.judge([boot for boot in boots if boot <= node.now])
    return found


@pytest.mark.parametrize(
    ("boots", "looks", "found"),
    [
        ([100], [(90, 0), (130, 0), (166, 0), (172, 1)], []),
        ([100], [(101, 1)], []),
        ([100], [(169, 0)], ["restarts miscounted"]),
        ([100], [(90, 1)], ["restarts miscounted"]),
        ([100], [(172, 2)], ["restarts miscounted"]),
        ([100, 103], [(180, 1)], []),  # nothing on the line tells that there were two
        ([100, 103], [(180, 0)], ["restarts miscounted"]),
        ([100, 200], [(180, 1), (260, 0)], ["counter falls", "restarts miscounted"]),
    ],
)
def test_a_restart_is_counted_once_and_told_within_a_minute(boots, looks, found) -> None:
    assert told_by(boots, looks) == found


@pytest.mark.parametrize(
    ("state", "bit", "shown"),
    [("B1", 1, True), ("B1", 0, False), ("E", 1, False), ("E", 0, False), ("C2", 1, False), ("C1", 1, False)],
)
def test_a_car_waits_for_an_authorization_before_it_charges(state: str, bit: int, shown: bool) -> None:
    charger = Charger()
    history = History(charger)
    charger.advance(5)
    charger.override("STATE", STATES.index(state))
    charger.override("PENDAUTH", bit)
    history.sample(5.0)
    assert is_true(PENDING, shown, history, 5.0, 5.0)
    assert not is_true(PENDING, not shown, history, 5.0, 5.0)


@pytest.mark.parametrize(
    ("held", "maximum", "after", "found"),
    [(400, 63, 400, []), (400, 40, 180, ["CHCUR"]), (400, 39, 180, []), (320, 32, 180, ["CHCUR"])],
)
def test_a_current_is_kept_unless_the_charger_would_refuse_it(held, maximum, after, found) -> None:
    charger = Charger()
    history = History(charger)
    charger.advance(5)
    charger.override("CHCUR", held)
    charger.override("MAXCHCUR", maximum)
    history.sample(5.0)
    kept = Kept(charger, history)
    kept.note_start(5.0, 0.0)
    charger.override("CHCUR", after)
    missed: list[str] = []
    kept.judge(lambda _kind, name, _text: missed.append(name))
    assert missed == found
