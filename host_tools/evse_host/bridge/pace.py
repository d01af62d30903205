"""How often a value that always moves is told, so that a recorder can bear it. Pure: no clock.

A measured value that was told before is held back until its time has come. At once comes what matters: a step of the
power or a current, a value that appears, vanishes, or goes to or from 0, and everything when the state changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STEP = 0.05  # of the value told before

State = Mapping[str, object]


@dataclass(frozen=True)
class Rule:
    """``every`` s; ``steps``: a change by more than STEP is told at once."""

    every: float
    steps: bool = False


#: What is not here is told at once.
RULES = {
    "power": Rule(5, steps=True),
    "current_l1": Rule(10, steps=True),
    "current_l2": Rule(10, steps=True),
    "current_l3": Rule(10, steps=True),
    "voltage_l1": Rule(30),
    "voltage_l2": Rule(30),
    "voltage_l3": Rule(30),
    "session_energy": Rule(30),
    "total_energy": Rule(30),
    "temperature": Rule(60),
    "session_time": Rule(60),
    "charging_time": Rule(60),
}
#: What these say is an event: the values that belong to it are told with it.
EVENTS = ("state", "charging")


class Pace:
    """``paced(state, now)`` is the state with the values that may be told; ``due`` is when a held back one may be."""

    def __init__(self) -> None:
        self._told: dict[str, object] = {}
        self._told_at: dict[str, float] = {}
        self.due = float("inf")

    def paced(self, state: State, now: float) -> dict[str, object]:
        event = any(state.get(key) != self._told.get(key) for key in EVENTS)
        self.due = float("inf")
        return {key: self._one(key, value, now, event) for key, value in state.items()}

    def _one(self, key: str, value: object, now: float, event: bool) -> object:
        told = self._told.get(key)
        if value == told:
            return value
        rule = RULES.get(key)
        due = self._told_at.get(key, float("-inf")) + (rule.every if rule else 0)
        if rule and not event and now < due and not _matters(told, value, rule):
            self.due = min(self.due, due)
            return told
        self._told[key], self._told_at[key] = value, now
        return value


def _matters(told: Any, value: Any, rule: Rule) -> bool:
    if not told or not value:  # None is unknown; 0 is an end or a beginning
        return True
    return bool(rule.steps and abs(value - told) > STEP * abs(told))
