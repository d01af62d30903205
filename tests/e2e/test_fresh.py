"""How fresh the entities are without the user's help, and what that costs on the line."""

from __future__ import annotations

import statistics

from evse_host.catalog import SLOW_INTERVAL_MS
from evse_host.simulator import Car, Charger

LOOP = 0.260  # s, the charger's push loop on the head
API_BATCH = 0.100  # s, how long ESPHome's API collects changes
NODE_LOOP = 2 * 0.016  # s, until it sees the line, and until it sends


def test_a_change_shows_within_a_push(full_node_program, start_charger, start_node):
    charger = start_charger()
    node = start_node(full_node_program, charger)
    node.wait_for("switch.Charging enabled", True)
    node.run(5)  # its start is over
    delays = []
    for turn in range(12):
        wanted = turn % 2 == 1
        charger.call(lambda charger, wanted=wanted: charger.set("ENABLE", int(wanted)))
        start = node.time
        node.wait_for("switch.Charging enabled", wanted)
        delays.append(node.time - start)
    print(f"change to client: median {statistics.median(delays):.3f} s, worst {max(delays):.3f} s")
    assert max(delays) <= LOOP + API_BATCH + NODE_LOOP


def test_the_meter_is_pushed_fast_while_charging_only(full_node_program, start_charger, start_node):
    charger = start_charger(Charger(car=Car()))
    node = start_node(full_node_program, charger)
    node.wait_for("text_sensor.State", "A")
    meter = {"+EMETERPOWER", "+EMETERVOLTAGE", "+EMETERCURRENT", "+EMETERCONSUM", "+EMETERTOTCONSUM"}

    def slow(charger):
        return {entry.name for entry in charger.subscriptions if entry.period == SLOW_INTERVAL_MS}

    def fast(charger):
        return {entry.name for entry in charger.subscriptions if entry.period == 250}

    charger.wait_for(lambda charger: meter | {"+PENDAUTH", "+CHCUR"} <= slow(charger))
    assert charger.call(fast) == {"+STATE", "+ERROR", "+ENABLE"}
    charger.call(lambda charger: charger.car.plug())
    charger.wait_for(lambda charger: meter <= fast(charger))
    node.wait_for("sensor.Power", lambda power: power is not None and power > 1000)
    charger.call(lambda charger: charger.car.unplug())
    charger.wait_for(lambda charger: meter <= slow(charger))
    node.wait_for("sensor.Power", 0.0)


def test_only_what_is_configured_costs_air_time(minimal_program, start_charger, start_node):
    charger = start_charger()
    node = start_node(minimal_program, charger)
    node.wait_for("sensor.Temperature", lambda value: value is not None)
    node.wait_for("switch.Charging enabled", True)
    charger.wait_for(lambda charger: charger.journal.commands.count("AT+UPTIME?") >= 3, timeout=20)
    names = {
        line.partition("?")[0].partition("=")[0] for line in charger.call(lambda charger: charger.journal.commands)
    }
    assert names == {"AT+VER", "AT+UPTIME", "ATE0", "AT+UNSUB", "AT+ENABLE", "AT+TEMP", "AT+SUB"}
    assert charger.call(lambda charger: [s.name for s in charger.subscriptions]) == ["+TEMP", "+ENABLE"]


def test_a_setting_that_somebody_else_changes_shows_within_5_s(full_node_program, start_charger, start_node):
    charger = start_charger()
    node = start_node(full_node_program, charger)
    charger.wait_for(lambda charger: "+HOSTNAME" in {entry.name for entry in charger.subscriptions})
    for name, value, key, shown in (
        ("CHCUR", 100, "number.Charging current", 10.0),
        ("REQAUTH", 1, "switch.Require authorization", True),
        ("HOSTNAME", "garage", "text.Host name", "garage"),
    ):
        charger.call(lambda charger, name=name, value=value: charger.set(name, value))
        node.wait_for(key, shown, timeout=5.0 + API_BATCH)
