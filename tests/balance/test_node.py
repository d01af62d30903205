"""The load manager on a node, end to end: a meter's samples in, the simulated charger's currents out, and a person."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from tests.balance.conftest import VOLTAGE, living

MINUTE = 60


def test_a_dummy_meter_is_told(charger, program, tmp_path):
    charger.call(lambda charger: charger.set("EMETERMODE", 0))
    with living(program, charger, tmp_path) as house:
        house.live(10)
        assert "meter mode is `dummy`" in log_of(house)


def reason(house) -> str:
    return house.node.value("text_sensor.Reason")


def test_charges_within_the_limit_and_says_why(charging):
    assert reason(charging) in ("Charger's maximum", "Car takes less")
    charging.loads[1] = 15.0
    charging.live(1)
    assert charging.offer() == pytest.approx(9.5, abs=0.3)
    charging.live(6)  # the car has followed: house and car can be told apart
    assert reason(charging) == "Main fuse L2"
    assert charging.node.value("binary_sensor.Limiting") is True
    assert charging.node.value("sensor.Target current") == pytest.approx(charging.offer(), abs=0.06)


def test_pauses_on_a_long_overload_and_comes_back(charging):
    charging.loads[0] = 27.0
    charging.live_until(lambda: not charging.enabled(), 60)
    assert reason(charging) == "Main fuse L1, waits for room"
    charging.loads[0] = 2.0
    charging.live_until(charging.enabled, 300)
    assert charging.offer() <= 7
    charging.live_until(lambda: charging.current() > 15.5)


def test_the_managers_pause_is_not_a_persons(charging):
    charging.loads[0] = 27.0
    charging.live_until(lambda: not charging.enabled(), 60)
    charging.live(10)
    assert charging.node.value("switch.Charging enabled") is True
    assert "Paused" not in charging.node.value("text_sensor.Charge status")


def test_a_persons_pause_stays_until_a_person_ends_it(charging):
    charging.node.command("switch.Charging enabled", False)
    charging.live_until(lambda: not charging.enabled(), 5)
    charging.live(400)
    assert not charging.enabled()
    assert reason(charging) == "Paused by you"
    assert charging.node.value("switch.Charging enabled") is False
    charging.node.command("switch.Charging enabled", True)
    charging.live_until(charging.enabled, 200)


def test_a_persons_current_is_the_upper_bound_and_stays_what_is_shown(charging):
    charging.node.command("number.Charging current", 10.0)
    charging.live(3)
    assert charging.offer() == 10
    charging.loads[0] = 17.0
    charging.live(3)
    assert charging.offer() < 8
    charging.loads[0] = 2.0
    charging.live(300)
    assert charging.offer() == 10
    assert charging.node.value("number.Charging current") == 10
    assert reason(charging) == "Your limit"


def test_a_silent_meter_pauses(charging):
    charging.silent = True
    charging.live(14)
    assert charging.enabled()
    charging.live(4)
    assert not charging.enabled()
    assert reason(charging) == "Meter silent"
    assert charging.node.value("binary_sensor.Meter valid") is False


def test_a_charger_that_restarts_in_a_pause_is_paused_again(charging):
    charging.node.command("switch.Charging enabled", False)
    charging.live_until(lambda: not charging.enabled(), 5)
    charging.charger.call(lambda charger: charger.reboot(charger.now))
    charging.live(20)
    assert not charging.enabled()
    assert charging.node.value("switch.Charging enabled") is False


def test_a_charger_that_restarts_with_a_high_default_is_lowered_at_once(charging):
    charging.loads[0] = 17.0
    charging.live(5)
    charging.charger.call(lambda charger: (charger.set("DEFCHCUR", 160), charger.reboot(charger.now)))
    charging.live(10)
    assert charging.offer() <= 8


def test_switching_off_on_the_chargers_own_page_is_a_persons_pause(charging):
    charging.charger.call(lambda charger: charger.set("ENABLE", 0))
    charging.live(300)
    assert not charging.enabled()
    assert charging.node.value("switch.Charging enabled") is False
    assert reason(charging).startswith("Paused at the charger")


def test_a_current_from_the_chargers_own_page_does_not_stay(charging):
    charging.loads[0] = 17.0
    charging.live(5)
    charging.charger.call(lambda charger: charger.set("CHCUR", 160))
    charging.live(15)
    assert charging.offer() <= 8


def test_a_time_limit_from_the_chargers_own_page_does_not_stay(charging):
    """It would outlive the node."""
    charging.charger.call(lambda charger: charger.set("CHTIMELIM", 0))
    charging.live(20)
    assert 0 < charging.charger.call(lambda charger: charger.value("CHTIMELIM")[0]) <= 20 + 60 + 120


def log_of(house) -> str:
    house.node._read_log()
    return "\n".join(house.node.log)


def test_two_managers_at_one_charger_raise_nothing_and_say_so(charging):
    """Another node writes its own idea again and again: the lower of both holds, for the other may know why."""
    for _ in range(6):
        charging.charger.call(lambda charger: charger.set("CHCUR", 100))
        charging.live(7)
    assert charging.offer() == 10
    assert reason(charging) == "Something else sets the current"
    assert "Something else has set the charging current to 10.0 A" in log_of(charging)
    charging.loads[0] = 17.0
    charging.charger.call(lambda charger: charger.set("CHCUR", 160))
    charging.live(8)
    assert charging.offer() <= 8
    assert charging.node.value("switch.Charging enabled") is True
    charging.loads[0] = 2.0
    charging.live(700)  # the other is gone
    assert charging.current() > 15.5


def test_a_meter_that_says_nan_is_silent(charging):
    for _ in range(17):
        charging.sample()
        charging.node.command("button.Meter NaN")
        charging.node.run(1.0)
    # a number came each second, too; only NaN from now on
    for _ in range(17):
        charging.node.command("button.Meter NaN")
        charging.node.run(1.0)
    assert not charging.enabled()
    assert reason(charging) == "Meter silent"


@pytest.mark.parametrize("watt", [90000, -20000])
def test_an_absurd_meter_is_silent(charging, watt):
    """A wrong unit: 90 kW on a phase of 25 A."""
    for _ in range(17):
        charging.node.command("number.Meter L1", watt)
        charging.node.run(1.0)
    assert not charging.enabled()
    assert reason(charging) == "Meter silent"


def test_kilowatts_that_are_called_watts_are_found(house):
    house.charger.call(lambda charger: charger.set("ENABLE", 1))
    for _ in range(60):
        for phase, load in enumerate(house.loads):
            house.node.command(f"number.Meter L{phase + 1}", round((load + house.current()) * VOLTAGE / 1000))
        house.node.run(1.0)
    assert not house.enabled()
    assert reason(house) == "Meter does not see the car: check its unit"


def test_a_meter_ten_seconds_late_does_not_make_the_charger_swing(charging):
    """The configuration says 1 s: the car's own changes are then taken for loads, and nothing may come of that."""
    late = [(list(charging.loads), charging.current())] * 10
    states = []
    for second in range(400):
        charging.loads[0] = 17.0 if 60 <= second < 200 else 2.0
        late.append((list(charging.loads), charging.current()))
        loads, own = late.pop(0)
        for phase, load in enumerate(loads):
            charging.node.command(f"number.Meter L{phase + 1}", round((load + own) * VOLTAGE))
        charging.node.run(1.0)
        states.append(charging.enabled())
        if 90 <= second < 200:
            assert charging.loads[0] + charging.current() <= 25
    assert sum(one != other for one, other in pairwise(states)) <= 2


def test_a_load_that_has_gone_leaves_no_swing(charging):
    """The meter sees the car rise as soon as it does."""
    charging.loads = [15.0, 2.0, 2.0]
    charging.live(60)
    charging.loads = [10.0, 2.0, 2.0]
    charging.live(170)
    offers = set()
    for _ in range(60):
        charging.live(1)
        offers.add(charging.offer())
    assert offers == {14.5}


def test_a_blocked_loop_raises_nothing(charging):
    charging.loads[0] = 17.0
    charging.live(10)
    charging.loads[0] = 2.0
    before = charging.offer()
    charging.node.command("number.Block", 8)
    charging.node.run(9.0)
    charging.sample()
    charging.node.run(0.2)
    assert charging.offer() <= before
    assert charging.enabled()


def test_when_the_api_is_gone_what_came_over_it_is_silent(charging):
    charging.node.disconnect()
    charging.node.run(14)
    assert charging.enabled()
    charging.node.run(6)
    assert not charging.enabled()


def test_a_car_that_uses_one_phase_is_not_stopped_for_another(charging):
    charging.charger.call(lambda charger: setattr(charger.car, "phases", 1))
    charging.live(20)
    charging.loads[1] = 24.0
    charging.live(60)
    assert charging.enabled() and charging.current() > 15


def test_a_limit_below_what_flows_acts_at_once(charging):
    charging.node.command("number.Current limit", 12.0)
    charging.live(2)
    assert charging.offer() <= 12 - 0.5 - 2 + 0.01
    charging.node.command("number.Current limit", 6.0)
    charging.live_until(lambda: not charging.enabled(), 120)
    assert reason(charging).startswith("Main fuse L")
    assert charging.node.value("binary_sensor.Meter valid") is True


def test_safe_defaults_are_written_when_somebody_asks(charging):
    def values() -> list[int]:
        return charging.charger.call(lambda charger: [charger.value(row)[0] for row in ("DEFCHCUR", "DEFCHTIMELIM")])

    before = values()
    charging.live(60)
    assert values() == before
    charging.node.command("button.Safe defaults")
    charging.live(5)
    assert values() == [60, 120]


@pytest.mark.parametrize("firmware", ["head", "v2.1.1"])
@pytest.mark.parametrize("seed", range(4))
def test_a_node_that_dies_ends_the_charge_within_the_lease(program, charger, tmp_path, seed):
    with living(program, charger, tmp_path) as house:
        house.live(random.Random(seed).randrange(1, 150))
        assert house.current() > 15
    charger.run(121.0)
    assert charger.call(lambda charger: charger.point.state) not in ("C2", "D2")


def test_the_lease_is_renewed_as_long_as_the_node_lives(charging):
    for _ in range(6):
        charging.live(MINUTE)
        assert charging.current() > 15


def test_a_persons_time_limit_is_kept_beside_the_lease(charging):
    charging.node.command("number.Time limit", 5 / 60)
    charging.live(2)
    assert charging.node.value("number.Time limit") == pytest.approx(5 / 60, abs=0.01)
    charging.live_until(lambda: charging.current() == 0, 400)
    spent = charging.charger.call(lambda charger: charger.value("EMETERCHTIME")[0])
    assert 300 <= spent <= 305


def test_a_restarted_node_knows_the_persons_word_and_opens_no_contactor(program, charger, tmp_path):
    with living(program, charger, tmp_path) as house:
        house.node.command("number.Charging current", 10.0)
        house.node.command("select.Mode", "manual")
        house.live(5)
    with living(program, charger, tmp_path) as house:
        for _ in range(60):
            house.live(1)
            assert charger.call(lambda charger: charger.point.state) == "C2"
        assert house.node.value("number.Charging current") == 10
        assert house.node.value("select.Mode") == "manual"
        assert house.offer() <= 10


def test_a_sample_reaches_the_charger_within_60_ms(charging):
    """From the sample to the charger's confirmed current, the node's loop of 16 ms in it."""
    slowest = 0.0
    for load in (15.0, 16.0, 17.0, 18.0):
        charging.loads[0] = load
        before = charging.offer()
        charging.sample()
        start = charging.node.now
        charging.charger.wait_for(lambda _, before=before: charging.offer() < before, 1.0)
        slowest = max(slowest, charging.node.now - start)
        charging.live(10)  # until the car has followed
    assert slowest <= 0.060
