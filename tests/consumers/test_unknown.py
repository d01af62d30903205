"""What consumers see of a charger that is silent, and that it is true again when it answers."""

from __future__ import annotations

import pytest

from tests.consumers.conftest import House

#: Filters of ESPHome that keep unknown to themselves, and what no outage can make unknown.
KEPT = {
    "sensor.Temperature delta", "sensor.Voltage or zero", "sensor.Heap with timeout", "sensor.Current averaged",
    "sensor.Last session energy", "sensor.Last session time",
    "binary_sensor.Connected", "text_sensor.Charge status", "text_sensor.Network found", "text_sensor.Command line",
}  # fmt: skip
MOVING = ("binary_sensor.Unlock repeated", "text_sensor.Clock", "text_sensor.Total energy exact")
#: Filters that say something only every so often.
OWN_TIME = {"sensor.Temperature heartbeat", "sensor.Current averaged"}
PLATFORMS = ("sensor", "binary_sensor", "text_sensor", "number", "select", "text")


def ours(house: House) -> set[str]:
    foreign = {"Daily energy", "Barks", "States seen", "Powers seen", "Power with timeout", "Energy left",
               "Energy right", "Energy trapezoid"}  # fmt: skip
    names = (name for name in house.node.states() if name.partition(".")[0] in PLATFORMS)
    return {name for name in names if name.partition(".")[2] not in foreign}


def test_nothing_of_a_silent_charger_looks_alive(house: House) -> None:
    house.charger.car.plug()
    house.node.run(60)
    before = house.node.states()
    house.faults.cable_out()
    house.node.wait_for("Connected", False, 20)
    house.node.run(15)
    known = {name for name in ours(house) if house.node.value(name) is not None}
    assert known <= KEPT
    assert house.node.value("Charge status") == "Charger not responding"
    house.node.run(60)
    assert {name for name in ours(house) if house.node.value(name) is not None} <= KEPT, "a filter's timer let it out"

    house.faults.cable_in()
    house.node.wait_for("Connected", True, 70)
    house.node.run(5)
    after = house.node.states()
    for name in ours(house) - OWN_TIME:
        assert (after[name] is None) == (before[name] is None), name
        if not name.startswith("sensor.") and name not in MOVING:
            assert after[name] == before[name], name


def test_nothing_of_a_charger_that_answers_errors_only_looks_alive(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A noise byte before every command spoils it, and nothing is pushed."""
    receive = house.faults.receive
    house.charger.car.plug()
    house.node.run(60)
    monkeypatch.setattr(house.faults, "receive", lambda data, now: receive(b"\xff" + data, now))
    house.faults.lose_subscriptions()
    house.node.wait_for("Connected", False, 40)
    house.node.run(15)
    assert {name for name in ours(house) if house.node.value(name) is not None} <= KEPT
    monkeypatch.undo()
    house.node.wait_for("Connected", True, 70)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_noisy_line_is_no_silent_charger(house: House, seed: int) -> None:
    """One byte of a hundred is spoilt: a charger that answers now and then is there, and no automation is told else."""
    house.faults._dice.seed(seed)
    seen = len(house.node.changes)
    house.faults.flip(0.01)
    house.node.run(90)
    assert house.since(seen, "Connected") == []
    house.faults.cable_out()
    house.node.wait_for("Connected", False, 12)


def test_a_value_that_changed_meanwhile_goes_through_the_filters(house: House) -> None:
    house.node.run(30)
    assert house.node.value("Vehicle delayed") is False
    house.faults.cable_out()
    house.node.wait_for("Connected", False, 20)
    house.charger.car.plug()
    house.node.run(5)
    house.faults.cable_in()
    house.node.wait_for("Connected", True, 70)
    house.node.wait_for("Not charging", False, 5)
    assert house.node.value("Vehicle delayed") is None, "it is delayed by 10 s"
    house.node.wait_for("Vehicle delayed", True, 12)


def test_a_delay_that_ends_in_the_outage(house: House) -> None:
    """A filter's timer must not bring a silent charger to life."""
    house.charger.set("CHTIMELIM", 1)
    house.charger.car.plug()
    house.node.wait_for("Limit delayed off", True, 60)
    house.charger.set("CHTIMELIM", 0)
    house.node.run(2)
    house.faults.cable_out()
    house.node.wait_for("Connected", False, 20)
    seen = len(house.node.changes)
    house.node.run(30)
    late = [c for c in house.node.changes[seen:] if c.name == "binary_sensor.Limit delayed off" and c.value is not None]
    assert not late


def test_watchdog_and_timeout_of_an_idle_hour(house: House) -> None:
    """They are fed by equal values, and bite only when the charger is silent."""
    house.node.run(3600)
    assert house.node.value("Barks") == 0
    assert None not in house.node.history("Power with timeout")[1:]
    assert house.node.value("Powers seen") >= 0.95 * 3600 / 5
    house.faults.cable_out()
    house.node.run(60)
    assert house.node.value("Barks") == 1
    assert house.node.value("Power with timeout") is None


def test_on_state_fires_on_a_change_only(house: House) -> None:
    house.node.run(10)
    seen = house.node.value("States seen")
    for _ in range(2):
        house.faults.cable_out()
        house.node.wait_for("Connected", False, 20)
        house.faults.cable_in()
        house.node.wait_for("Connected", True, 70)
        house.node.run(10)
    assert house.node.value("States seen") == seen
    house.charger.car.plug(wants_charge=False)
    house.node.wait_for("States seen", seen + 1, 10)


def test_a_state_of_a_newer_firmware_is_unknown(house: House) -> None:
    house.node.wait_for("Charge status", "No vehicle connected", 10)
    house.charger.override("STATE", 9)
    house.node.wait_for("Charge status", None, 10)
    house.node.wait_for("text_sensor.State", None, 10)
    house.charger.override("STATE")
    house.node.wait_for("Charge status", "No vehicle connected", 10)


def test_authorization_means_nothing_in_state_e(house: House) -> None:
    house.charger.override("PENDAUTH", 1)
    house.charger.override("STATE", 7)
    house.node.wait_for("text_sensor.State", "E", 10)
    house.node.run(10)
    assert house.node.value("Authorization lambda") is True, "its lambda turns it over"
    assert house.node.value("Charge status") == "Fault"
    house.charger.override("STATE", 1)
    house.node.wait_for("Authorization lambda", False, 5)


def test_a_fault_ends_without_a_wait_for_an_authorization(house: House) -> None:
    """What the charger said in state E is forgotten when it has left it: its new word may come later."""
    house.charger.override("PENDAUTH", 1)
    house.charger.override("STATE", 7)
    house.node.wait_for("text_sensor.State", "E", 10)
    house.node.run(10)
    begin = house.node.now
    house.node.faults.late_answer(0.9, "PENDAUTH")
    house.charger.override("PENDAUTH", 0)
    house.charger.override("STATE", 1)
    house.node.run(10)
    assert "Vehicle connected" in told(house, "Charge status", begin)
    assert "Waiting for authorization" not in told(house, "Charge status", begin)


def test_a_fault_begins_without_a_wait_for_an_authorization(house: House) -> None:
    """The bit of a session that is cut off may come before the state: energy still seems to flow."""
    house.charger.override("STATE", 4)
    house.node.wait_for("text_sensor.State", "C2", 10)
    begin = house.node.now
    house.charger.override("PENDAUTH", 1)
    house.node.run(10)
    house.charger.override("STATE", 7)
    house.node.run(10)
    assert False not in told(house, "Authorization lambda", begin), "its lambda turns it over"
    house.charger.override("STATE", 1)
    house.node.wait_for("Authorization lambda", False, 5)
    house.node.wait_for("Charge status", "Waiting for authorization", 5)


def test_another_car_waits_for_an_authorization_only_if_the_charger_says_so(house: House) -> None:
    """What was said of the car before it is forgotten, be the new word lost."""
    house.charger.override("PENDAUTH", 1)
    house.charger.override("STATE", 1)
    house.node.wait_for("Charge status", "Waiting for authorization", 10)
    begin = house.node.now
    house.node.faults.missing_answer("PENDAUTH", count=5)
    house.charger.override("PENDAUTH", 0)
    house.charger.override("STATE", 0)
    house.node.wait_for("Charge status", "No vehicle connected", 2)
    house.charger.override("STATE", 1)
    house.node.run(20)
    assert told(house, "Charge status", begin) == ["No vehicle connected", "Vehicle connected"]


def told(house: House, name: str, begin: float) -> list:
    """What an entity has shown since ``begin`` (s)."""
    return [change.value for change in house.node.changes if change.time > begin and change.name.endswith(name)]


def test_the_first_start_is_no_restart(house: House) -> None:
    assert not [line for line in house.node.log if "Charger restarted" in line]
