"""The closed loop in its short form: one day of each kind, and what our law reaches there."""

from __future__ import annotations

import pytest

from tools.balance import report, scenarios
from tools.balance.scenarios import CASES


def test_the_bounds_are_held_on_one_day_of_each_kind():
    assert report.main(["--short"]) == 0


def test_a_missed_bound_is_told(monkeypatch, capsys):
    monkeypatch.setattr(report, "CASES", CASES[:1])
    monkeypatch.setattr(report, "BOUNDS", (report.Bound("hard day", "energy", 101, at_least=True),))
    assert report.main(["--short"]) == 1
    assert "missed: hard day, 25 A, quick car: energy % >= 101" in capsys.readouterr().err


@pytest.mark.parametrize("law", ["nothing", *scenarios.PLAIN])
def test_the_others_overload_the_fuse_more(law):
    case = CASES[1]
    assert scenarios.compare(case, law, [1]).heat > scenarios.compare(case, "law", [1]).heat
