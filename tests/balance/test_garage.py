"""Three chargers of one node at one fuse, end to end: what one of them does wrong, and what the others get."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evse_host.simulator import Car, Charger
from tests.balance.conftest import VOLTAGE, Stand, heat_of
from tests.balance.reasons import Judge
from tests.e2e.conftest import start_charger, start_node  # noqa: F401  fixtures
from tools.build import node as nodes

HERE = Path(__file__).parent
FUSE = 40.0
FREE = FUSE - 0.5  # without the margin
NAMES = ("Left ", "Middle ", "Right ")


class Garage:
    """The node, its chargers, and the house before them; a sample a second."""

    def __init__(self, node, chargers) -> None:
        self.node = node
        self.stands = [Stand(node, charger, name) for charger, name in zip(chargers, NAMES, strict=True)]
        self.left, self.middle, self.right = self.stands
        self.judges = [Judge() for _ in self.stands]
        self.load = 2.0
        self.limit = FUSE
        self.above = 0  # s above the fuse
        self.heat = 0.0  # part of the way to the fuse's trip

    def mains(self) -> float:
        return self.load + sum(stand.current() for stand in self.stands)

    def live(self, seconds: int) -> None:
        for _ in range(seconds):
            for phase in (1, 2, 3):
                self.node.command(f"number.Meter L{phase}", round(self.mains() * VOLTAGE))
            self.node.run(1.0)
            self.above += self.mains() > self.limit + 0.01
            self.heat += heat_of(self.mains(), self.limit)
            for stand, judge in zip(self.stands, self.judges, strict=True):
                judge.look(stand.moment(), [self.load + self.others(stand)] * 3, self.node.now)

    def others(self, stand: Stand) -> float:
        """What all the other chargers may take now."""
        others = (other for other in self.stands if other is not stand)
        return sum(max(other.offer() * other.enabled(), other.current()) for other in others)

    def live_until(self, condition: Callable[[], object], timeout: int = 300) -> None:
        for _ in range(timeout):
            if condition():
                return
            self.live(1)
        raise AssertionError(f"not within {timeout} s; {self}")

    def told(self, stand: Stand) -> list[str]:
        """All reasons of a charger until now."""
        name = f"text_sensor.{stand.name}Reason"
        return [change.value for change in self.node.changes if change.name == name]

    def set_limit(self, ampere: float) -> None:
        self.node.command("number.Current limit", ampere)
        self.limit = ampere

    def __repr__(self) -> str:
        return "; ".join(
            f"{stand.name}{stand.current():.1f} of {stand.offer():.1f} A, {stand.reason}" for stand in self.stands
        )


@pytest.fixture(scope="session")
def garage_program() -> Path:
    return nodes.build(HERE / "garage.yaml")


@pytest.fixture
def plugged() -> tuple[bool, ...]:
    return (True, True, True)


@pytest.fixture
def silent() -> bool:
    """The middle charger, when the node starts."""
    return False


@pytest.fixture
def garage(plugged, silent, garage_program, start_charger, start_node):  # noqa: F811
    """Cars that charge already when the node begins."""
    chargers = []
    for car in plugged:
        charger = Charger(car=Car(plugged=car))
        charger.advance_to(30.0)
        chargers.append(start_charger(charger))
    if silent:
        chargers[1].inject(lambda faults: faults.cable_out())
    garage = Garage(start_node(garage_program, *chargers), chargers)
    yield garage
    assert not [judge.findings for judge in garage.judges if judge.findings]


@pytest.fixture
def sharing(garage):
    garage.live(240)
    garage.above, garage.heat = 0, 0.0
    return garage


def test_three_share_the_fuse(sharing):
    assert [stand.current() for stand in sharing.stands] == pytest.approx([12.5] * 3, abs=0.05)
    assert [stand.reason for stand in sharing.stands] == ["Main fuse L1"] * 3


# --- one is silent ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("silent", [True])
def test_one_that_is_silent_from_the_start_hides_no_meter(garage):
    """The others charge on, and have obeyed the fuse after some seconds; what it takes is the house's."""
    for second in range(120):
        garage.live(1)
        assert garage.left.enabled() and garage.right.enabled()
        assert not garage.left.reason.startswith("Meter")
        assert second < 6 or garage.mains() <= FUSE
    assert garage.middle.reason == "Charger does not answer"
    assert garage.mains() > FREE - 0.5


def test_one_that_falls_silent_keeps_its_current_and_the_others_share_the_rest(sharing):
    sharing.middle.charger.inject(lambda faults: faults.cable_out())
    sharing.live(60)
    sharing.load = 10.0
    for second in range(240):  # its lease ends the charge, and the house does not see why
        sharing.live(1)
        rest = FREE - sharing.load - 12.5
        assert second < 3 or sharing.left.offer() + sharing.right.offer() <= rest + 0.05
    assert sharing.middle.current() == 0
    assert sharing.left.offer() + sharing.right.offer() == pytest.approx(rest, abs=0.3)
    assert sharing.left.reason == sharing.right.reason == "Main fuse L1 is kept for a silent charger"
    assert sharing.above <= 2


def test_one_that_was_silent_for_long_comes_back_and_nothing_is_amiss(sharing):
    """Its lease was over; the new one is not refused."""
    sharing.middle.charger.inject(lambda faults: faults.cable_out())
    sharing.live(150)
    assert sharing.middle.current() == 0
    sharing.middle.charger.inject(lambda faults: faults.cable_in())
    for _ in range(60):
        sharing.live(1)
        assert "Lease" not in sharing.middle.reason and "Charger offers" not in sharing.middle.reason
    assert sharing.middle.current() == pytest.approx(12.5, abs=0.5)
    assert sharing.above == 0


@pytest.mark.parametrize("announce", [True, False])
@pytest.mark.parametrize("period", [8, 45])
def test_one_that_restarts_again_and_again_overloads_nothing(sharing, period, announce):
    """Each time it offers 32 A, until it may be written to."""
    for _ in range(6):
        sharing.middle.restart(announce)
        sharing.live(6)
        assert sharing.middle.offer() <= 13
        sharing.live(period - 6)
        assert sharing.left.enabled() and sharing.right.enabled()
    assert sharing.above <= 2 and sharing.heat < 0.001
    sharing.live(200)
    assert sharing.mains() > 33


# --- one does not do as it is told ------------------------------------------------------------------------------------


def test_one_that_takes_no_lower_current_is_paused_and_the_others_take_its_place(sharing):
    sharing.middle.refuse("CHCUR")
    sharing.load = 22.0
    sharing.live_until(lambda: not sharing.middle.enabled(), 60)
    assert sharing.middle.reason.startswith("Car takes more than it may")
    assert not [text for text in sharing.told(sharing.middle) if text.startswith("Another charger")]
    assert sharing.heat < 0.015
    sharing.above = 0
    sharing.live(100)
    assert sharing.left.enabled() and sharing.above == 0
    assert sharing.mains() > 37


def test_nothing_rises_into_what_one_still_draws_against_its_pause(sharing):
    sharing.middle.refuse("CHCUR", "ENABLE")
    sharing.load = 22.0
    sharing.live_until(lambda: sharing.middle.shown("sensor.Target current") == 0, 60)
    assert sharing.middle.enabled() and sharing.middle.reason == "Car takes more than it may"
    before = sharing.left.offer()
    while sharing.middle.current() > 0:
        sharing.live(1)
        assert sharing.left.offer() <= before
    assert sharing.heat < 0.02


def test_what_a_chargers_page_sets_is_nobodys_loss(sharing):
    """Once or twice it is set back, again and again the least of it holds; the others take the rest."""
    for ampere in (320, 60):
        sharing.middle.set("CHCUR", ampere)
        sharing.live(20)
        assert sharing.middle.offer() == 12.5
    for _ in range(4):
        sharing.middle.set("CHCUR", 320)
        sharing.live(7)
    assert sharing.middle.reason == "Something else sets the current"
    assert sharing.middle.current() == 6
    assert sharing.mains() > FREE - 0.5
    assert sharing.above <= 4 and sharing.heat < 0.002


# --- one may take less, or comes last ---------------------------------------------------------------------------------


def test_what_one_may_not_take_goes_to_the_others(sharing):
    """A charger's lower maximum, a person's bound, a person's pause."""
    sharing.middle.set("MAXCHCUR", 10)
    sharing.middle.restart()
    sharing.live_until(lambda: sharing.middle.reason == "Charger's maximum")
    sharing.left.command("number.Charging current", 8.0)
    sharing.live(200)
    assert sharing.left.reason == "Your limit"
    assert [stand.current() for stand in sharing.stands] == pytest.approx([8, 10, 16], abs=0.1)
    sharing.right.command("switch.Charging enabled", False)
    sharing.left.command("number.Charging current", 16.0)
    sharing.live(200)
    assert sharing.right.reason == "Paused by you"
    assert [stand.current() for stand in sharing.stands] == pytest.approx([16, 10, 0], abs=0.1)


def test_who_comes_last_waits_where_not_all_fit(sharing):
    sharing.set_limit(18.0)
    sharing.live(150)
    assert sharing.above <= 2
    assert sharing.right.reason == "Another charger first, waits for room"
    assert [stand.current() for stand in sharing.stands] == pytest.approx([7.7, 7.7, 0], abs=0.1)
    sharing.live(1000)  # longer than a turn
    assert sharing.right.current() == 0


@pytest.mark.parametrize("plugged", [(True, True, False)])
def test_one_is_unplugged_while_another_starts(sharing):
    sharing.set_limit(30.0)
    sharing.live(30)
    sharing.above = 0
    sharing.left.unplug()
    sharing.right.plug()
    sharing.live(30)
    assert [stand.current() for stand in sharing.stands] == pytest.approx([0, 13.7, 13.7], abs=0.1)
    sharing.left.plug()
    sharing.live(30)
    assert [stand.current() for stand in sharing.stands] == pytest.approx([9.1, 9.1, 9.1], abs=0.1)
    assert sharing.above == 0


@pytest.mark.parametrize("plugged", [(True, True, False)])
def test_a_charger_without_a_car_lets_nobody_wait_for_a_pause(sharing):
    for _ in range(60):
        sharing.live(1)
        assert sharing.left.reason == sharing.middle.reason == "Main fuse L1"


def test_a_start_announces_no_pause_of_the_others(sharing):
    """They make room in the same second."""
    sharing.left.command("switch.Charging enabled", False)
    sharing.live(200)
    sharing.left.command("switch.Charging enabled", True)
    sharing.live(30)
    assert not [text for stand in sharing.stands for text in sharing.told(stand) if ", pauses in" in text]
