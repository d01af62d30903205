"""The charging point, its meter and the car."""

import pytest

from evse_host.catalog import STATES
from evse_host.simulator import Board, Car


def state(bench):
    return STATES[int(bench.read("STATE"))]


def test_a_car_is_plugged_charges_and_leaves(bench):
    car = bench.charger.car
    car.plug(wants_charge=False)
    bench.wait_state("B1")
    bench.wait_state("B2", 1)
    bench.run(30)
    assert state(bench) == "B2"
    car.request()
    bench.wait_state("C2", 5)
    car.stop()
    bench.wait_state("B2", 5)
    car.unplug()
    bench.wait_state("A", 1)


def test_a_car_with_ventilation_goes_to_d(bench):
    bench.charger.car.ventilation = True
    bench.charger.car.plug()
    bench.wait_state("D2", 10)
    bench.run(10)
    assert int(bench.read("EMETERPOWER")) > 0
    bench.write("ENABLE", 0)
    bench.wait_state("D1", 1)
    bench.wait_state("B1", 6)


@pytest.mark.parametrize(
    ("name", "value"), [("ENABLE", 0), ("CONSUMLIM", 1), ("CHTIMELIM", 1), ("AVAILABLE", 0)]
)  # fmt: skip
def test_pausing_goes_c2_c1_b1(charging, name, value):
    charging.run(60)
    assert charging.write(name, value) == "OK"
    charging.wait_state("C1", 1)
    assert charging.charger.point.contactor
    assert 0 < charging.wait_state("B1", 6) < 6
    assert not charging.charger.point.contactor
    if name == "AVAILABLE":
        charging.wait_state("F", 1)


def test_the_contactor_opens_after_six_seconds_on_a_car_that_ignores_the_pilot(charging):
    charging.charger.car.ignores_pilot = True
    charging.write("ENABLE", 0)
    charging.wait_state("C1", 1)
    charging.run(5.5)
    assert charging.charger.point.contactor and charging.charger.car.current > 0
    charging.run(1)
    assert not charging.charger.point.contactor and charging.charger.car.current == 0
    assert state(charging) == "C1"


def test_unavailable_is_f_but_not_while_a_car_stays_in_c(charging):
    charging.charger.car.ignores_pilot = True
    charging.write("AVAILABLE", 0)
    charging.run(30)
    assert state(charging) == "C1"
    charging.charger.car.ignores_pilot = False
    charging.wait_state("F", 5)
    assert charging.write("AVAILABLE", 1) == "OK"
    charging.wait_state("C2", 10)


def test_an_empty_charger_goes_to_f_and_back(bench):
    bench.write("AVAILABLE", 0)
    bench.wait_state("F", 1)
    bench.write("AVAILABLE", 1)
    bench.wait_state("A", 1)


def test_an_enabled_charger_goes_on(charging):
    charging.write("ENABLE", 0)
    charging.wait_state("B1")
    assert charging.read("EMETERPOWER") == "0"
    charging.write("ENABLE", 1)
    charging.wait_state("C2", 5)


# --- authorization


def test_a_car_waits_for_authorization_and_every_plug_in_needs_a_new_one(bench):
    bench.write("REQAUTH", 1)
    for _ in range(2):
        bench.charger.car.plug()
        bench.run(10)
        assert (state(bench), bench.read("PENDAUTH")) == ("B1", "1")
        assert bench.ask("AT+AUTH") == ["OK"]
        bench.wait_state("C2", 5)
        assert bench.read("PENDAUTH") == "0"
        bench.charger.car.unplug()
        bench.wait_state("A")


@pytest.mark.parametrize(("seconds", "granted"), [(58, True), (62, False)])
def test_a_grant_without_a_car_is_valid_for_a_minute(bench, seconds, granted):
    bench.write("REQAUTH", 1)
    bench.ask("AT+AUTH")
    bench.run(seconds)
    bench.charger.car.plug()
    bench.run(10)
    assert state(bench) == ("C2" if granted else "B1")


def test_without_the_requirement_nothing_is_pending(bench):
    bench.charger.car.plug()
    bench.wait_state("B1")
    assert bench.charger.value("PENDAUTH") == (0,)


def test_requiring_authorization_does_not_stop_a_running_session(charging):
    charging.write("REQAUTH", 1)
    charging.run(5)
    assert (state(charging), charging.read("PENDAUTH")) == ("C2", "0")


@pytest.mark.parametrize("required", [0, 1])
def test_in_state_e_pending_authorization_means_nothing(new_bench, firmware, required):
    bench = new_bench(firmware=firmware, car=Car(plugged=True))
    bench.wait_state("C2")
    bench.write("REQAUTH", required)
    bench.charger.point.set_fault("rcm_triggered")
    bench.wait_state("E", 1)
    assert bench.read("PENDAUTH") == "1"  # whose session was cut off, whoever had to grant it
    bench.charger.car.unplug()
    bench.charger.point.clear_fault("rcm_triggered")
    bench.wait_state("A", 70)
    bench.charger.point.set_fault("rcm_triggered")
    bench.wait_state("E", 1)
    assert bench.read("PENDAUTH") == "0"


def test_a_cleared_temperature_error_needs_a_new_grant(new_bench, firmware):
    bench = new_bench(firmware=firmware)
    bench.write("REQAUTH", 1)
    bench.ask("AT+AUTH")
    bench.charger.car.plug()
    bench.wait_state("C2", 10)
    bench.charger.point.set_fault("temperature_high")
    bench.wait_state("E", 1)
    bench.run(10)
    bench.charger.point.clear_fault("temperature_high")
    bench.wait_state("B1", 2)
    bench.run(10)
    assert (state(bench), bench.read("PENDAUTH")) == ("B1", "1")
    bench.ask("AT+AUTH")
    bench.wait_state("C2", 5)


# --- limits


def test_the_energy_limit_is_compared_with_greater_than(charging):
    charging.write("CONSUMLIM", 1000)
    while int(charging.read("EMETERCONSUM")) < 1000:
        charging.run(0.2)
    assert (state(charging), charging.read("LIMREACH")) == ("C2", "0")
    charging.wait_state("B1", 30)
    assert (charging.read("EMETERCONSUM"), charging.read("LIMREACH")) == ("1001", "1")
    charging.write("CONSUMLIM", 5000)
    charging.wait_state("C2", 5)
    assert charging.read("LIMREACH") == "0"


def test_charging_ends_at_the_time_limit(charging):
    charging.write("CHTIMELIM", 100)
    charging.wait_state("C1", 101)
    assert charging.read("EMETERCHTIME") == "101"


def test_the_under_power_limit_acts_after_a_minute(charging):
    charging.write("UNDERPOWERLIM", 20_000)
    assert charging.wait_state("C1", 70) == pytest.approx(60, abs=1)
    assert charging.read("LIMREACH") == "1"


def test_power_above_the_limit_starts_the_minute_anew(charging):
    charging.write("UNDERPOWERLIM", 5000)
    charging.write("CHCUR", 60)
    charging.run(50)
    charging.write("CHCUR", 160)
    charging.run(10)
    charging.write("CHCUR", 60)
    charging.run(50)
    assert charging.read("LIMREACH") == "0"
    charging.wait_state("C1", 20)


def test_a_time_limit_below_the_charging_time_ends_charging_at_once_and_a_higher_one_resumes(new_bench, firmware):
    bench = new_bench(firmware=firmware, car=Car(plugged=True))
    bench.wait_state("C2")
    bench.run(100)
    bench.write("CHTIMELIM", 50)
    bench.wait_state("C1", 0.3)
    assert bench.read("LIMREACH") == "1"
    bench.wait_state("B1", 6)
    bench.write("CHTIMELIM", 200)
    bench.wait_state("C2", 1.5)
    assert bench.read("LIMREACH") == "0"


def test_the_under_power_bit_stays_until_the_car_is_gone(new_bench, firmware):
    bench = new_bench(firmware=firmware, car=Car(plugged=True))
    bench.wait_state("C2")
    bench.write("UNDERPOWERLIM", 20_000)
    bench.wait_state("B1", 80)
    for name, value in (("UNDERPOWERLIM", 0), ("ENABLE", 0), ("ENABLE", 1)):
        bench.write(name, value)
        bench.run(5)
        assert (state(bench), bench.read("LIMREACH")) == ("B1", "1")
    bench.charger.car.unplug()
    bench.wait_state("A", 1)
    assert bench.read("LIMREACH") == "0"
    bench.charger.car.plug()
    bench.wait_state("C2", 5)


def test_unplugging_clears_a_reached_limit(charging):
    charging.write("CHTIMELIM", 1)
    charging.wait_state("B1")
    charging.charger.car.unplug()
    charging.wait_state("A")
    assert charging.read("LIMREACH") == "0"


# --- errors


@pytest.mark.parametrize("key", ["pilot", "diode_short", "rcm_triggered", "rcm_self_test"])
def test_errors_that_clear_themselves_a_minute_after_the_cause(charging, key):
    charging.charger.point.set_fault(key)
    charging.wait_state("E", 1)
    charging.run(300)
    assert state(charging) == "E"
    charging.charger.point.clear_fault(key)
    assert charging.wait_state("A", 70) == pytest.approx(60, abs=1)
    charging.wait_state("C2", 10)


@pytest.mark.parametrize(
    ("key", "bit"),
    [("pilot", 1), ("diode_short", 2), ("lock", 4), ("unlock", 8), ("rcm_triggered", 16), ("rcm_self_test", 32),
     ("temperature_high", 64), ("temperature_sensor", 128)],
)  # fmt: skip
def test_each_error_has_its_bit_and_leads_to_e(bench, key, bit):
    bench.charger.point.set_fault(key)
    bench.run(0.2)
    assert (bench.read("ERROR"), state(bench)) == (str(bit), "E")


@pytest.mark.parametrize("key", ["temperature_high", "temperature_sensor"])
def test_temperature_errors_go_with_their_cause(bench, key):
    bench.charger.point.set_fault(key)
    bench.wait_state("E")
    bench.charger.point.clear_fault(key)
    bench.wait_state("A", 1)


@pytest.mark.parametrize("key", ["lock", "unlock"])
def test_lock_errors_stay_until_a_restart(bench, key):
    bench.charger.point.set_fault(key)
    bench.wait_state("E")
    bench.charger.point.clear_fault(key)
    bench.run(3600)
    assert state(bench) == "E"
    bench.charger.reboot(bench.now)
    bench.run(3)
    assert state(bench) == "A"


def test_an_error_ends_the_session_and_opens_the_contactor(charging):
    charging.run(600)
    charging.charger.point.set_fault("rcm_triggered")
    charging.run(0.2)
    assert not charging.charger.point.contactor
    assert [charging.read(name) for name in ("EMETERSESTIME", "EMETERCONSUM", "EMETERPOWER")] == ["0", "0", "0"]


# --- meter


def test_three_phases_are_metered_one_by_one(charging):
    assert charging.read("EMETERVOLTAGE") == "230000,231000,231000"  # these versions report L2 for L3
    assert charging.read("EMETERCURRENT") == "16000,16000,16000"
    assert charging.read("EMETERPOWER") == str(16 * (230 + 231 + 229))


def test_a_single_phase_meter_shows_one_phase(charging):
    charging.write("EMETERTHREEPHASE", 0)
    charging.run(0.2)
    assert charging.read("EMETERVOLTAGE") == "230000,0,0"
    assert charging.read("EMETERCURRENT") == "16000,0,0"
    assert charging.read("EMETERPOWER") == "3680"


def test_a_single_phase_car_draws_from_one_phase(new_bench):
    bench = new_bench(car=Car(plugged=True, phases=1))
    bench.wait_state("C2")
    bench.run(6)
    assert bench.read("EMETERCURRENT") == "16000,0,0"
    assert bench.read("EMETERPOWER") == "3680"


def test_each_mode_of_the_meter_has_its_beliefs(charging):
    charging.write("EMETERACVOLTAGE", 240)
    charging.write("EMETERMODE", 1)
    charging.run(0.2)
    assert charging.read("EMETERVOLTAGE") == "240000,240000,240000"
    assert charging.read("EMETERCURRENT") == "16000,16000,16000"
    charging.write("EMETERMODE", 0)
    charging.run(0.2)
    assert charging.read("EMETERCURRENT") == "32000,32000,32000"  # the dummy believes the set current


def test_nothing_is_shown_unless_energy_flows(bench):
    bench.charger.car.plug(wants_charge=False)
    bench.wait_state("B2")
    bench.run(10)
    assert [bench.read(f"EMETER{name}") for name in ("VOLTAGE", "CURRENT", "POWER")] == ["0,0,0", "0,0,0", "0"]
    assert bench.read("EMETERSESTIME") == "10"
    assert bench.read("EMETERCHTIME") == "0"


def test_a_session_is_counted_and_stored_at_its_end(charging):
    charging.run(3600 - 6)
    energy = int(charging.read("EMETERCONSUM"))
    assert energy == pytest.approx(11_040, abs=15)
    assert int(charging.read("EMETERTOTCONSUM")) == 1_234_567 + energy
    assert int(charging.read("EMETERCHTIME")) == pytest.approx(3600, abs=1)
    assert int(charging.read("EMETERSESTIME")) == pytest.approx(3602, abs=2)
    assert charging.charger.flash["total_ws"] == 1_234_567 * 3600
    charging.charger.car.unplug()
    charging.run(0.2)
    assert [charging.read(f"EMETER{name}") for name in ("SESTIME", "CHTIME", "CONSUM")] == ["0", "0", "0"]
    assert int(charging.read("EMETERTOTCONSUM")) == pytest.approx(1_234_567 + energy, abs=1)


def test_resetting_the_total_keeps_the_running_session(charging):
    charging.run(1800)
    session = int(charging.read("EMETERCONSUM"))
    assert charging.write("EMETERTOTCONSUM", 0) == "OK"
    assert int(charging.read("EMETERTOTCONSUM")) == pytest.approx(session, abs=1)


def test_a_car_follows_a_changed_current_within_five_seconds(charging):
    charging.write("CHCUR", 60)
    charging.run(1)
    assert 6 < charging.charger.car.current < 16
    charging.run(4.2)
    assert charging.read("EMETERCURRENT") == "6000,6000,6000"
    charging.charger.car.max_current = 10
    charging.write("CHCUR", 320)
    charging.run(5.2)
    assert charging.read("EMETERCURRENT") == "10000,10000,10000"


def test_pausing_keeps_the_session(charging):
    charging.run(600)
    charging.write("ENABLE", 0)
    charging.wait_state("B1")
    energy = charging.read("EMETERCONSUM")
    time = int(charging.read("EMETERSESTIME"))
    charging.run(100)
    assert energy != "0" and charging.read("EMETERCONSUM") == energy
    assert int(charging.read("EMETERSESTIME")) == pytest.approx(time + 100, abs=1)


def test_a_self_test_needs_the_monitor(new_bench):
    bench = new_bench(board=Board(rcm=False), car=Car(plugged=True))
    bench.wait_state("B1")
    assert bench.charger.point.busy_until <= bench.now - 0.05
