"""Charging sessions: events, what is caught before the charger forgets it, and the meter that never falls."""

from __future__ import annotations

import pytest

from evse_host.simulator import Board, Car, Charger

TOTAL = "text_sensor.Total energy exact"
A_CADENCE = 35  # s: energies are published every 30 s, and the total when it is saved, once a minute


@pytest.fixture
def charger(start_charger):
    return start_charger(Charger(board=Board(), car=Car()))


@pytest.fixture
def node(full_node_program, start_node, charger):
    node = start_node(full_node_program, charger)
    node.wait_for("text_sensor.State", "A")
    return node


def history(node, name):
    return [value for value in node.history(name) if value is not None]


def test_a_session_is_reported_with_its_energy_and_duration(node, charger):
    charger.call(lambda charger: charger.car.plug())
    node.wait_for("event.Session", "started")
    node.wait_for("text_sensor.State", "C2")
    node.wait_for("sensor.Session energy", lambda energy: energy is not None and energy >= 10, A_CADENCE)
    energy, duration = charger.call(
        lambda charger: (charger.value("EMETERCONSUM")[0], charger.value("EMETERSESTIME")[0], charger.car.unplug())[:2]
    )
    node.wait_for("event.Session", "finished")
    # The last push before the end may be 260 ms old: at 11 kW that is less than 1 Wh.
    assert energy - 1 <= node.wait_for("sensor.Last session energy", lambda value: value is not None) <= energy + 1
    minutes = node.wait_for("sensor.Last session time", lambda value: value is not None)
    assert minutes in (round((duration - 1) / 60), round((duration + 1) / 60))
    node.wait_for("sensor.Session energy", 0.0)
    node.wait_for("sensor.Power", 0.0)
    assert node.history("event.Session") == ["started", "finished"]


def test_no_event_for_the_session_that_runs_when_the_node_starts(full_node_program, start_charger, start_node):
    car = Car(plugged=True)
    charger = start_charger(Charger(car=car))
    charger.wait_for(lambda charger: charger.point.state == "C2")
    node = start_node(full_node_program, charger)
    node.wait_for("sensor.Power", lambda power: power is not None and power > 1000)
    assert node.history("event.Session") == []
    charger.call(lambda charger: charger.car.unplug())
    node.wait_for("event.Session", "finished")


def test_each_fault_is_one_event(node, charger):
    charger.call(lambda charger: charger.point.set_fault("rcm_triggered"))
    node.wait_for("event.Fault event", "rcm_triggered")
    node.wait_for("text_sensor.Charge status", "Fault: residual current")
    charger.call(lambda charger: charger.point.set_fault("temperature_high"))
    node.wait_for("event.Fault event", "temperature_high")
    assert node.history("event.Fault event") == ["rcm_triggered", "temperature_high"]


def test_lifetime_energy_never_falls_when_the_charger_restarts_in_a_session(node, charger):
    charger.call(lambda charger: charger.car.plug())
    node.wait_for("sensor.Session energy", lambda energy: energy is not None and energy >= 8, A_CADENCE)
    start = node.value(TOTAL)
    node.wait_for("sensor.Total energy", lambda total: total is not None and total > int(start) + 8, 2 * A_CADENCE)
    charger.call(lambda charger: (charger.journal.clear(), charger.reboot(charger.now)))
    # The total has been read again once the last facts have been, and the node is done with them when it takes a wish.
    charger.wait_for(lambda charger: "AT+AUXANALOGINPUTS?" in charger.journal.commands)
    node.command("number.Charging current", 7.0)
    node.wait_for("number.Charging current", 7.0)
    assert charger.call(lambda charger: charger.journal.commands).count("AT+EMETERTOTCONSUM?") >= 1
    fallen = charger.call(lambda charger: charger.value("EMETERTOTCONSUM")[0])
    assert node.value("sensor.Total energy") > fallen, "the charger took nothing back: this test would prove nothing"
    totals = [int(total) for total in history(node, TOTAL)]
    assert totals == sorted(totals)
    assert history(node, "sensor.Total energy") == sorted(history(node, "sensor.Total energy"))


def test_lifetime_energy_survives_a_power_cut_that_takes_both(actions_program, charger, tmp_path):
    """Up to the last flash write: a second's worth here, a minute's with ESPHome's default."""

    def run():
        return charger.node(actions_program, tmp_path / "one home")

    with run() as node:
        node.connect()
        node.wait_for("sensor.Total energy", lambda total: total is not None)
        charger.call(lambda charger: charger.car.plug())
        before = node.value("sensor.Total energy")
        node.wait_for("sensor.Total energy", lambda total: total >= before + 30, timeout=2 * A_CADENCE)
        stored = tmp_path / "one home/.esphome/prefs/evse-actions.prefs"
        assert node.wait_until(stored.exists, 5)
        shown = node.value("sensor.Total energy")
    charger.call(lambda charger: (charger.car.unplug(), charger.power_cycle(charger.now)))
    with run() as again:
        again.connect()
        total = again.wait_for("sensor.Total energy", lambda total: total is not None)
    fallen = charger.call(lambda charger: charger.value("EMETERTOTCONSUM")[0])
    assert fallen <= shown - 25, "the charger took nothing back: this test would prove nothing"
    assert total >= shown


def test_lifetime_energy_falls_after_the_reset(node, charger):
    node.wait_for(TOTAL, lambda text: text is not None)
    node.command("button.Reset total energy")
    node.wait_for(TOTAL, "0")
    charger.call(lambda charger: charger.car.plug())
    node.wait_for("sensor.Total energy", lambda total: 0 < total < 1000, 2 * A_CADENCE)


def test_lifetime_energy_follows_a_reset_at_the_charger_itself(node, charger):
    node.wait_for(TOTAL, lambda text: text is not None)
    charger.call(lambda charger: charger.set("EMETERTOTCONSUM", 0))
    node.command("button.Refresh")
    node.wait_for(TOTAL, "0")
