"""What goes wrong in a house: the meter, the charger, its own page, a person. On a node, end to end."""

from __future__ import annotations

import pytest

from tests.balance.conftest import VOLTAGE, living


def value(house, name: str) -> int:
    return house.charger.call(lambda charger: charger.value(name)[0])


def restart(house) -> None:
    house.charger.call(lambda charger: charger.reboot(charger.now))


def pause_by_overload(house) -> None:
    house.loads[0] = 27.0
    house.live_until(lambda: not house.enabled(), 60)


# --- meter ------------------------------------------------------------------------------------------------------------


def test_one_phase_that_is_silent_is_a_silent_meter(charging):
    charging.silent = True
    for _ in range(18):
        for phase in (1, 3):
            charging.node.command(f"number.Meter L{phase}", round((2 + charging.current()) * VOLTAGE))
        charging.node.run(1.0)
    assert not charging.enabled()
    assert charging.reason == "Meter silent"


def test_one_phase_that_says_nan_is_a_silent_meter(charging):
    for _ in range(18):
        charging.sample()
        charging.node.command("button.Meter NaN")  # after its number, before the loop has seen it
        charging.node.run(1.0)
    for _ in range(18):
        charging.node.command("button.Meter NaN")
        for phase in (2, 3):
            charging.node.command(f"number.Meter L{phase}", round((2 + charging.current()) * VOLTAGE))
        charging.node.run(1.0)
    assert not charging.enabled()
    assert charging.reason == "Meter silent"


def test_a_meter_with_gaps_opens_no_contactor(charging):
    for _ in range(20):
        charging.silent = True
        charging.live(13)
        charging.silent = False
        charging.live(2)
        assert charging.enabled()
    assert charging.current() > 15.5


def test_a_meter_that_comes_and_goes_lets_the_charger_rest(charging):
    """A silence of 20 s every two minutes: one pause, not one for each."""
    changes, before = 0, True
    for second in range(1200):
        charging.silent = second % 120 < 20
        charging.live(1)
        changes += charging.enabled() != before
        before = charging.enabled()
    assert changes == 1


def test_a_meter_that_counts_backwards_is_found_when_the_car_starts(program, charger, tmp_path):
    charger.call(lambda charger: charger.set("ENABLE", 0))
    with living(program, charger, tmp_path) as house:
        said = []
        for _ in range(120):
            for phase in (1, 2, 3):
                house.node.command(f"number.Meter L{phase}", round((-2 - house.current()) * VOLTAGE))
            house.node.run(1.0)
            said.append(house.reason)
        assert "Meter counts backwards: check its sign" in said
        assert not house.enabled()
        assert house.node.value("binary_sensor.Meter valid") is False


def test_a_phase_that_stands_still_while_the_car_changes_is_found(charging):
    """The other two live on; it is believed again as soon as it moves."""
    charging.node.command("number.Charging current", 8.0)
    for _ in range(60):
        for phase in (1, 2):
            charging.node.command(f"number.Meter L{phase}", round((2 + charging.current()) * VOLTAGE))
        charging.node.command("number.Meter L3", 18 * VOLTAGE)
        charging.node.run(1.0)
    assert not charging.enabled()
    assert charging.reason == "Meter stands still"
    charging.live_until(charging.enabled, 300)


def test_triggers_tell_that_the_meter_fell_silent_and_speaks(charging):
    charging.silent = True
    charging.live(18)
    charging.silent = False
    charging.live(5)
    charging.node._read_log()
    log = "\n".join(charging.node.log)
    assert "Reason of 0: Meter silent" in log
    assert "Meter fell silent" in log
    assert log.count("Meter speaks") == 2


# --- charger ----------------------------------------------------------------------------------------------------------


def test_a_charger_that_restarts_in_the_managers_pause_is_paused_again(charging):
    pause_by_overload(charging)
    restart(charging)
    charging.live(90)  # an error, as the car wants to charge while it starts
    assert not charging.enabled()
    assert charging.reason.startswith("Main fuse L1")
    assert charging.node.value("switch.Charging enabled") is True


@pytest.mark.parametrize("limit", [0, 86400])
def test_a_charger_that_restarts_gets_its_lease_again(charging, limit):
    charging.charger.call(lambda charger: charger.set("DEFCHTIMELIM", limit))
    restart(charging)
    charging.live(15)
    assert 0 < value(charging, "CHTIMELIM") <= 120


def test_a_person_sets_a_current_while_the_charger_restarts(charging):
    restart(charging)
    charging.live(3)
    charging.node.command("number.Charging current", 9.0)
    charging.live(90)  # an error, as the car wants to charge while it starts
    assert charging.offer() <= 9
    assert charging.node.value("number.Charging current") == 9


# --- the charger's own page -------------------------------------------------------------------------------------------


def test_who_switches_on_at_the_page_does_not_end_the_managers_pause(charging):
    pause_by_overload(charging)
    charging.live(5)
    charging.set("ENABLE", 1)
    charging.live(15)
    assert not charging.enabled()


def test_a_maximum_that_the_page_lowers_and_raises_is_kept(charging):
    charging.set("MAXCHCUR", 10)
    charging.live(70)
    assert charging.offer() == 10
    assert charging.reason == "Charger's maximum"
    charging.set("MAXCHCUR", 13)
    charging.live(90)
    assert charging.offer() == 13


@pytest.fixture
def about_to_rise(charging):
    """At 6 A with room for 15 A; the next sample lets it rise by several A, as the last one is so old."""
    charging.live(40)
    charging.node.command("number.Charging current", 6.0)
    charging.live(5)
    charging.loads = [9.0, 9.0, 9.0]
    charging.live(5)
    charging.node.command("number.Charging current", 16.0)
    return charging


def load_comes(house) -> None:
    """It leaves 6 A."""
    house.loads = [18.6, 18.6, 18.6]
    house.sample()
    house.node.run(0.06)


@pytest.mark.parametrize("moment", [0, 20, 50, 100, 150, 300, 600, 900])
def test_a_current_that_the_charger_refuses_never_becomes_more_than_there_is_room_for(about_to_rise, moment):
    """The page has lowered the maximum to 9 A; the manager asks for more, is refused, and then a load comes."""
    about_to_rise.set("MAXCHCUR", 9)
    about_to_rise.node.run(3.8)
    about_to_rise.sample()
    about_to_rise.node.run(moment / 1000)
    load_comes(about_to_rise)
    for _ in range(200):
        assert about_to_rise.offer() <= 6.01
        about_to_rise.node.run(0.01)


@pytest.mark.parametrize("silence", [0.3, 1.0, 3.0])
def test_a_rise_that_was_lost_is_not_made_up_for_when_a_load_has_come(about_to_rise, silence):
    about_to_rise.node.run(3.8)
    about_to_rise.charger.inject(lambda faults: faults.silence(silence))
    about_to_rise.sample()
    about_to_rise.node.run(0.1)
    load_comes(about_to_rise)
    for _ in range(600):
        assert about_to_rise.offer() <= 6.01
        about_to_rise.node.run(0.01)


# --- a person ---------------------------------------------------------------------------------------------------------


def test_a_persons_time_limit_outlives_both_restarts(program, charger, tmp_path):
    with living(program, charger, tmp_path) as house:
        house.node.command("number.Time limit", 10 / 60)
        house.live(3)
    with living(program, charger, tmp_path) as house:
        assert house.node.value("number.Time limit") == pytest.approx(10 / 60, abs=0.01)
        restart(house)
        house.live(90)
        assert house.node.value("number.Time limit") == pytest.approx(10 / 60, abs=0.01)
        assert 0 < value(house, "CHTIMELIM") <= value(house, "EMETERCHTIME") + 121
        house.live_until(lambda: house.reason == "Your time limit", 700)
        assert 600 <= value(house, "EMETERCHTIME") <= 605


def test_a_person_ends_the_own_time_limit(charging):
    charging.node.command("number.Time limit", 1 / 60)
    charging.live_until(lambda: charging.reason == "Your time limit", 120)
    charging.node.command("number.Time limit", 0)
    charging.live_until(lambda: charging.current() > 5, 30)
    assert 0 < value(charging, "CHTIMELIM") <= value(charging, "EMETERCHTIME") + 121


def test_a_person_who_switches_on_during_an_overload_waits_as_well(charging):
    charging.node.command("switch.Charging enabled", False)
    charging.live_until(lambda: not charging.enabled(), 5)
    charging.loads[2] = 24.0
    charging.live(5)
    charging.node.command("switch.Charging enabled", True)
    charging.live(60)
    assert not charging.enabled()
    assert charging.reason == "Main fuse L3, waits for room"
    assert charging.node.value("switch.Charging enabled") is True
