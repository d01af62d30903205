"""Faults beside the known ones: what a meter, a charger's page or another system may do as well."""

from __future__ import annotations

from collections import deque

import pytest

from tests.balance.conftest import VOLTAGE, heat_of, living
from tests.balance.reasons import MEMORY_S


def tell(house, phase: int, factor: float = 1.0) -> None:
    """What the meter says of a phase, counted from 1."""
    house.node.command(f"number.Meter L{phase}", round((house.loads[phase - 1] + house.current()) * VOLTAGE * factor))


@pytest.mark.parametrize("phases", [(1, 2, 3), (2,)])
def test_kilowatts_that_are_called_watts_from_one_moment_to_the_next(charging, phases):
    """Somebody has chosen another unit in Home Assistant; it passes when the unit is right again."""
    charging.loads = [10.0, 10.0, 10.0]
    charging.live(60)
    for _ in range(40):
        for phase in (1, 2, 3):
            tell(charging, phase, 0.001 if phase in phases else 1.0)
        charging.pass_second()
        assert max(charging.loads) + charging.current() <= 1.13 * 25
    assert not charging.enabled()
    assert charging.reason == "Meter does not see the car: check its unit"
    charging.loads = [2.0, 2.0, 2.0]
    charging.live_until(charging.enabled)


def test_a_filter_that_hides_nan_does_not_hide_a_silent_meter(charging):
    charging.silent = True
    for _ in range(18):
        for phase in (1, 3):
            tell(charging, phase)
        charging.node.command("button.Meter NaN L2")
        charging.pass_second()
    assert not charging.enabled()
    assert charging.reason == "Meter silent"


def test_of_import_and_export_one_alone_is_no_meter(charging):
    charging.silent = True
    for _ in range(18):
        for phase in (1, 2):
            tell(charging, phase)
        charging.node.command("number.Export L3", 0)
        charging.pass_second()
    assert not charging.enabled()
    assert charging.reason == "Meter silent"


def test_another_system_that_pauses_is_no_person(charging):
    for enabled in (0, 1, 0, 1):
        charging.set("ENABLE", enabled)
        charging.live(20)
        assert not charging.enabled()
        assert charging.reason == "Paused at the charger: switch it on here"
    charging.node.command("switch.Charging enabled", True)
    charging.live_until(lambda: charging.current() > 5)
    charging.node.command("switch.Charging enabled", False)
    charging.live(3)
    assert charging.reason == "Paused by you"


@pytest.mark.parametrize("announce", [True, False])
@pytest.mark.parametrize("word", ["person", "page", "off", "load"])
def test_a_charger_that_restarts_twice_in_a_pause(charging, word, announce):
    if word == "load":
        charging.loads[0] = 27.0
    elif word == "off":
        charging.node.command("select.Mode", "off")
    elif word == "page":
        charging.set("ENABLE", 0)
    else:
        charging.node.command("switch.Charging enabled", False)
    charging.live_until(lambda: not charging.enabled(), 60)
    charging.live(5)  # until the node has seen it as well
    before = charging.reason
    for _ in range(2):
        charging.charger.call(lambda charger: charger.reboot(charger.now, announce=announce))
        charging.live(8)
        for _ in range(15):
            charging.live(1)
            assert not charging.enabled()
    assert charging.reason == before


# --- the node stands still --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("queued", [True, False])
@pytest.mark.parametrize("seconds", [5, 15])
def test_a_load_that_comes_while_the_loop_stands_still_is_met_at_once(charging, seconds, queued):
    """At the fuse's limit. The meter's samples wait for the node, or a meter that is asked has said nothing."""
    charging.loads = [8.4] * 3
    charging.live(60)
    assert charging.current() > 15.5
    charging.node.command("number.Block", seconds)
    for second in range(seconds):
        charging.loads = [8.4 + 8 * (second + 1) / seconds] * 3
        if queued:
            charging.sample()
        charging.node.run(1.0)
    charging.sample()
    charging.charger.wait_for(lambda _: charging.offer() <= 8.1 or not charging.enabled(), 0.3)
    for _ in range(200):
        charging.live(1)
        assert charging.offer() <= 8.1
    assert charging.enabled()


# --- the charger does not do as it is told ----------------------------------------------------------------------------


@pytest.mark.parametrize("values", [(160,), (60,), (160, 60)])
@pytest.mark.parametrize("period", [1, 3, 20])
def test_a_second_manager_makes_no_fight_above_the_limit(charging, period, values):
    charging.loads = [17.0] * 3
    charging.live(20)
    heat, told = 0.0, set()
    for second in range(400):
        if second % period == 0:
            charging.set("CHCUR", values[second // period % len(values)])
        charging.live(1)
        heat += heat_of(17.0 + charging.current())
        told.add(charging.reason)
    assert heat <= 0.001
    assert told & {"Something else sets the current", "Main fuse L1, something else sets it, too"}


@pytest.mark.parametrize("period", [1, 2, 7])
def test_something_that_switches_on_again_and_again_opens_and_closes_nothing(charging, period):
    """In the manager's pause; the car would need a second to begin."""
    charging.loads[0] = 27.0
    charging.live_until(lambda: not charging.enabled(), 60)
    charging.live(10)
    for second in range(120):
        if second % period == 0:
            charging.set("ENABLE", 1)
            charging.set("CHCUR", 160)
        charging.live(1)
        assert charging.current() == 0 and not charging.enabled()
    assert charging.reason == "Main fuse L1, waits for room"


def test_a_charger_whose_clamps_count_too_much_overloads_nothing(charging):
    charging.loads = [14.0] * 3
    for second in range(400):
        shown = round(charging.current() * 1300)
        charging.charger.call(lambda charger, shown=shown: charger.override("EMETERCURRENT", shown, shown, shown))
        charging.live(1)
        if second > 30:
            assert 14.0 + charging.current() <= 25
    assert charging.current() > 9


def test_a_charger_that_takes_no_lower_current_is_paused(charging):
    charging.refuse("CHCUR")
    charging.loads = [17.0] * 3
    heat = 0.0
    for _ in range(120):
        charging.live(1)
        heat += heat_of(17.0 + charging.current())
    assert heat <= 0.06
    assert charging.reason.startswith("Car takes more than it may, tries again in")


def test_a_charger_that_takes_no_pause_either_gets_no_longer_lease(charging):
    charging.refuse("ENABLE")
    charging.loads[0] = 27.0
    charging.live_until(lambda: charging.reason == "Car takes more than it may", 60)
    charging.judge.findings.clear()  # for some seconds it had time to obey
    charging.live_until(lambda: charging.current() == 0, 130)


def test_a_lease_that_the_charger_does_not_take_is_the_reason(charging):
    writes = charging.charger.call(lambda charger: charger.device.write)
    charging.refuse("CHTIMELIM")
    charging.live_until(lambda: charging.current() == 0, 130)
    charging.live(10)
    assert charging.reason == "Lease over: charger takes no new time limit"
    charging.live(60)
    assert charging.reason == "Lease over: charger takes no new time limit"
    charging.charger.call(lambda charger: setattr(charger.device, "write", writes))
    charging.live_until(lambda: charging.current() > 5, 30)
    charging.live(60)
    assert "Lease" not in charging.reason


@pytest.mark.parametrize(("announce", "within"), [(True, 1.5), (False, 2.6)])
def test_a_default_above_the_limit_lasts_no_longer_than_it_must(charging, announce, within):
    """s after RDY: for the first of them the charger must be left alone, which the oracle judges."""
    charging.set("DEFCHCUR", 320)
    charging.loads = [24.0] * 3
    charging.live_until(lambda: not charging.enabled(), 60)
    charging.live(10)
    for _ in range(6):
        charging.node.run(0.37)
        charging.charger.call(lambda charger: charger.reboot(charger.now, announce=announce))
        charging.node.run(2.1)
        ready = charging.node.now - 0.1
        charging.charger.wait_for(lambda _: charging.offer() == 6 and not charging.enabled(), 4)
        assert charging.node.now - ready <= within
        charging.live(20)


# --- a tariff's pause -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pause", "resume", "reason"),
    [
        (("select.Mode", "off"), ("select.Mode", "fast"), "Switched off"),
        (("select.Mode", "solar"), ("select.Mode", "fast"), "Waiting for sun"),
        (("switch.Charging enabled", False), ("switch.Charging enabled", True), "Paused by you"),
    ],
)
def test_a_tariffs_pause_outlives_restarts_of_both(program, charger, tmp_path, pause, resume, reason):
    with living(program, charger, tmp_path) as house:
        house.node.command(*pause)
        house.live_until(lambda: not house.enabled(), 1800)
    charger.run(20)
    with living(program, charger, tmp_path) as house:
        for _ in range(40):
            house.live(1)
            assert not house.enabled()
        house.charger.call(lambda charger: charger.reboot(charger.now))
        house.live(5)
        for _ in range(80):
            house.live(1)
            assert not house.enabled()
        assert house.reason == reason
    charger.call(lambda charger: charger.reboot(charger.now))
    charger.run(3)  # it is ready before the node
    with living(program, charger, tmp_path) as house:
        for _ in range(80):
            house.live(1)
            assert not house.enabled() and house.current() == 0
        assert house.reason == reason
        house.node.command(*resume)
        house.live_until(lambda: house.current() > 15.5, 300)


@pytest.mark.parametrize("wired_to", [(1, 2, 0), (2, 1, 0)])
def test_a_charger_on_other_phases_than_configured_overloads_none_and_says_so(program, charger, tmp_path, wired_to):
    """The meter sees the car start, but not on L1: from then on it counts on each phase."""
    charger.call(lambda charger: setattr(charger.car, "phases", 1))
    charger.call(lambda charger: charger.set("ENABLE", 0))
    with living(program, charger, tmp_path) as house:
        house.wired_to = wired_to
        house.judge.drawn = deque([0.0], maxlen=MEMORY_S)  # before it was known what the car is, it filled a phase
        house.live_until(lambda: house.current() > 15.5)
        for second in range(180):
            house.loads = [2.0 + second % 2 / 10] * 3
            house.live(1)
        real = wired_to[0]
        assert house.reason.endswith(", car on another phase: check `phases`")
        house.loads[real] = 15.0
        house.live(5)
        assert house.mains()[real] < 25
        assert house.reason.startswith(f"Main fuse L{real + 1}")
        house.loads[real] = 30.0
        house.live(60)
        assert not house.enabled()


def test_a_charger_that_takes_no_lower_current_is_no_meter_that_stands_still(charging):
    """The meter counts whole amperes, and nothing in the house changes."""
    charging.refuse("CHCUR")
    charging.live(20)  # it may still follow what it was told before
    charging.node.command("number.Charging current", 8.0)
    for second in range(120):  # not judged: in the first 20 s the car may still follow, and "Your limit" is said
        charging.sample()
        charging.node.run(1.0)
        assert charging.reason == "Your limit" if second < 10 else not charging.reason.startswith("Meter")
    assert charging.reason == "Car takes more than it may"
