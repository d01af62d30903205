"""Houses of real people: their meters, clamps and suns, end to end."""

from __future__ import annotations

import pytest

from tests.balance.conftest import VOLTAGE, House, living

APART_S = 0.3


@pytest.fixture
def waiting(program, charger, tmp_path):
    """A car is plugged in, and charges as soon as the node knows the house."""
    charger.call(lambda charger: charger.set("ENABLE", 0))
    with living(program, charger, tmp_path) as house:
        yield house


# --- a meter that is asked for one phase after the other --------------------------------------------------------------


def sample_apart(house: House, sees) -> None:
    """A second in which each phase comes in a telegram of its own; ``sees`` makes of a current (A) what is said (A)."""
    for phase in range(3):
        house.node.command(f"number.Meter L{phase + 1}", round(sees(house.mains()[phase]) * VOLTAGE))
        house.node.run(APART_S)
    house.node.run(1.0 - 3 * APART_S)


def test_phases_apart_that_count_backwards_are_found(waiting):
    for _ in range(90):
        sample_apart(waiting, lambda ampere: -ampere)
    assert not waiting.enabled()
    assert waiting.reason == "Meter counts backwards: check its sign"


def test_phases_apart_in_kilowatts_that_are_called_watts_are_found(house):
    house.charger.call(lambda charger: charger.set("ENABLE", 1))
    for _ in range(60):
        sample_apart(house, lambda ampere: ampere / 1000)
    assert not house.enabled()
    assert house.reason == "Meter does not see the car: check its unit"


def test_phases_apart_of_which_one_stands_still_are_found(charging):
    charging.node.command("number.Charging current", 8.0)
    for _ in range(60):
        for phase in (1, 2):
            charging.node.command(f"number.Meter L{phase}", round(charging.mains()[phase - 1] * VOLTAGE))
            charging.node.run(APART_S)
        charging.node.command("number.Meter L3", 18 * VOLTAGE)
        charging.node.run(1.0 - 2 * APART_S)
    assert not charging.enabled()
    assert charging.reason == "Meter stands still"


@pytest.mark.parametrize("apart", [0.3, 3.0])
def test_phases_apart_show_a_car_on_another_phase(waiting, apart):
    """It begins when its own phase has been read already, so a round later is looked at."""
    waiting.charger.call(lambda charger: setattr(charger.car, "phases", 1))
    waiting.wired_to = (1, 2, 0)
    for _ in range(round(80 / apart)):
        for phase in (1, 2, 0):
            waiting.node.command(f"number.Meter L{phase + 1}", round(waiting.mains()[phase] * VOLTAGE))
            waiting.node.run(apart)
    assert waiting.reason.endswith(", car on another phase: check `phases`")


# --- clamps, which know no direction ----------------------------------------------------------------------------------


def test_a_sun_that_clamps_show_as_load_is_no_meter_put_on_backwards(waiting):
    """At noon 8 A flow into the grid, less as soon as the car begins; then the sun goes."""
    for second in range(600):
        sun = 10.0 if second < 300 else 0.0
        waiting.loads = [2.0 - sun] * 3
        for phase in range(3):
            waiting.node.command(f"number.Meter L{phase + 1}", round(abs(waiting.mains()[phase]) * VOLTAGE))
        waiting.node.run(1.0)
        assert not waiting.reason.startswith("Meter")
    assert waiting.current() > 15.5
