"""The rule for two masters, each sentence of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from evse_host.bridge.ocpp.masters import AVAILABLE, CURRENT, ENABLE, RETRY_S, STOPPED, Masters


class Charger:
    """Takes what is written and shows it; people write, too."""

    def __init__(self, saved=None) -> None:
        self.values = {ENABLE: 1, CURRENT: 320, AVAILABLE: 1}
        self.masters, self.writes = Masters(saved), []
        self.settle()

    def settle(self) -> None:
        """Until nothing is to be written any more."""
        for _ in range(10):
            for name, value in self.values.items():
                self.masters.see(name, value)
            orders = self.masters.orders(0)
            if not orders:
                return
            for name, value in orders:
                self.values[name] = value
                self.writes.append((name, value))
                self.masters.see(name, value)
                self.masters.written(name, True, 0)
        raise AssertionError(f"it never ends: {self.writes}")

    def limit(self, ampere: float | None) -> None:
        self.masters.limit = ampere
        self.settle()

    def person(self, name: str, value: int, told: bool = True) -> None:
        """``told``: through another bridge of this program; else at the charger itself."""
        self.values[name] = value
        self.masters.see(name, value)
        if told:
            self.masters.asked(name, value)
        self.settle()

    def restart(self) -> None:
        self.values.update({ENABLE: 1, CURRENT: 320, AVAILABLE: 1})
        self.settle()


@pytest.fixture
def charger() -> Charger:
    return Charger()


def test_without_a_central_systems_bound_nothing_is_ever_written(charger):
    for name, value in ((CURRENT, 100), (ENABLE, 0), (AVAILABLE, 0), (ENABLE, 1)):
        charger.person(name, value, told=False)
    charger.restart()
    assert charger.writes == []


def test_a_limit_is_an_upper_bound(charger):
    charger.limit(16.0)
    assert charger.values[CURRENT] == 160
    charger.person(CURRENT, 200)
    assert charger.values[CURRENT] == 160
    charger.person(CURRENT, 100)
    assert charger.values[CURRENT] == 100
    charger.limit(20.0)
    assert charger.values[CURRENT] == 100


def test_when_the_limit_ends_the_persons_current_is_there_again(charger):
    charger.person(CURRENT, 250)
    charger.limit(10.0)
    charger.limit(None)
    assert charger.values[CURRENT] == 250


def test_below_6_a_charging_pauses_and_goes_on(charger):
    charger.limit(5.9)
    assert charger.values == {ENABLE: 0, CURRENT: 320, AVAILABLE: 1}
    assert charger.masters.words == "paused by the central system"
    charger.limit(8.0)
    assert charger.writes == [(ENABLE, 0), (CURRENT, 80), (ENABLE, 1)], "the current before the start"
    assert charger.masters.words == "limited by the central system to 8 A"


@pytest.mark.parametrize("told", [True, False])
def test_a_persons_pause_stays(charger, told):
    charger.person(ENABLE, 0, told)
    charger.limit(0)
    charger.limit(16)
    charger.limit(None)
    assert charger.values[ENABLE] == 0


def test_a_pause_that_a_person_asks_for_while_the_central_system_pauses_stays(charger):
    charger.limit(0)
    charger.person(ENABLE, 0)
    charger.limit(16)
    assert charger.values[ENABLE] == 0


@pytest.mark.parametrize("told", [True, False])
def test_a_persons_start_waits_for_the_central_system(charger, told):
    charger.limit(0)
    charger.person(ENABLE, 1, told)
    assert charger.values[ENABLE] == 0
    charger.limit(16)
    assert charger.values[ENABLE] == 1


def test_unavailability_of_the_central_system_stays_over_a_restart(charger):
    charger.masters.unavailable.add(0)
    charger.settle()
    charger.restart()
    charger.person(AVAILABLE, 1)
    assert charger.values[AVAILABLE] == 0
    charger.masters.unavailable.clear()
    charger.settle()
    assert charger.values[AVAILABLE] == 1


def test_a_persons_unavailability_stays(charger):
    charger.person(AVAILABLE, 0)
    assert charger.masters.person_made_unavailable
    charger.masters.unavailable.add(1)
    charger.settle()
    charger.masters.unavailable.clear()
    charger.settle()
    assert charger.values[AVAILABLE] == 0


def test_the_chargers_restart_does_not_lift_a_bound(charger):
    charger.limit(10)
    charger.masters.holds.add(STOPPED)
    charger.settle()
    charger.restart()
    assert charger.values == {ENABLE: 0, CURRENT: 320, AVAILABLE: 1} or charger.values[CURRENT] == 100
    assert charger.values[ENABLE] == 0


def test_this_programs_restart_forgets_nothing(charger):
    charger.person(CURRENT, 250)
    charger.limit(10)
    charger.limit(0)
    saved = json.loads(json.dumps(charger.masters.as_dict()))
    values = dict(charger.values)
    again = Charger.__new__(Charger)
    again.values, again.masters, again.writes = values, Masters(saved), []
    again.limit(0)
    assert again.writes == []
    again.limit(None)
    assert again.values == {ENABLE: 1, CURRENT: 250, AVAILABLE: 1}


def test_the_start_waits_until_the_current_is_down(charger):
    charger.limit(0)
    charger.masters.limit = 8.0
    assert charger.masters.orders(0) == [(CURRENT, 80)]
    charger.masters.written(CURRENT, False, 0)
    assert charger.masters.orders(1) == [], "the charger did not take it"
    assert charger.masters.orders(RETRY_S) == [(CURRENT, 80)]


def fall(charger: Charger, name: str, value: int) -> None:
    """As silence.py has it written."""
    charger.values[name] = value
    charger.masters.see(name, value)
    charger.masters.fell(name, value)
    charger.settle()


@pytest.mark.parametrize(("name", "value", "normal"), [(CURRENT, 60, 160), (ENABLE, 0, 1)])
@pytest.mark.parametrize("restart", [False, True])
def test_what_silence_has_brought_ends_when_the_central_system_is_heard(charger, name, value, normal, restart):
    charger.limit(16)
    fall(charger, name, value)
    assert charger.values[name] == value
    if restart:
        charger.masters = Masters(json.loads(json.dumps(charger.masters.as_dict())))
    charger.limit(16)
    assert charger.values[name] == value
    charger.masters.heard()
    charger.settle()
    assert charger.values[name] == normal
    charger.limit(None)
    assert charger.values[CURRENT] == 320


def test_a_person_may_raise_what_silence_has_brought(charger):
    fall(charger, CURRENT, 60)
    charger.person(CURRENT, 200)
    charger.masters.heard()
    charger.settle()
    assert charger.values[CURRENT] == 200


# --- any sequence -----------------------------------------------------------------------------------------------------


class AnySequence(RuleBasedStateMachine):
    """Against what the rule says of the newest wish and the newest bound."""

    @initialize()
    def begin(self) -> None:
        self.charger = Charger()
        self.wish = dict(self.charger.values)

    @rule(ampere=st.none() | st.sampled_from((0, 5.9, 6, 10, 16, 32, 63)))
    def limit(self, ampere) -> None:
        self.charger.limit(ampere)

    @rule(name=st.sampled_from((ENABLE, AVAILABLE)), value=st.integers(0, 1))
    def person(self, name, value) -> None:
        self.wish[name] = value
        self.charger.person(name, value)

    @rule(value=st.integers(60, 320))
    def current(self, value) -> None:
        self.wish[CURRENT] = value
        self.charger.person(CURRENT, value)

    @rule(held=st.booleans())
    def hold(self, held) -> None:
        (self.charger.masters.holds.add if held else self.charger.masters.holds.discard)(STOPPED)
        self.charger.settle()

    @rule(unavailable=st.booleans())
    def availability(self, unavailable) -> None:
        (self.charger.masters.unavailable.add if unavailable else self.charger.masters.unavailable.discard)(0)
        self.charger.settle()

    @rule()
    def our_restart(self) -> None:
        limit, saved = self.charger.masters.limit, json.loads(json.dumps(self.charger.masters.as_dict()))
        self.charger.masters = Masters(saved)
        self.charger.limit(limit)

    @precondition(lambda self: not self.charger.masters.is_held and not self.charger.masters.unavailable)
    @invariant()
    def people_have_what_they_want(self) -> None:
        limit = self.charger.masters.limit
        assert self.charger.values[ENABLE] == self.wish[ENABLE]
        assert self.charger.values[AVAILABLE] == self.wish[AVAILABLE]
        assert self.charger.values[CURRENT] == min(self.wish[CURRENT], 630 if limit is None else int(limit * 10))

    @invariant()
    def the_bounds_hold(self) -> None:
        masters, values = self.charger.masters, self.charger.values
        assert not (masters.is_held and values[ENABLE])
        assert not (masters.unavailable and values[AVAILABLE])
        assert values[ENABLE] <= self.wish[ENABLE] and values[AVAILABLE] <= self.wish[AVAILABLE]


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
