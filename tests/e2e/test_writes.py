"""Each writable entity writes, and shows what the charger then holds."""

from __future__ import annotations

import pytest

from evse_host import catalog
from evse_host.catalog import ENTITY

NUMBERS = {
    "charging_current": 10.5,
    "default_charging_current": 13.0,
    "maximum_charging_current": 25.0,
    "consumption_limit": 12.3,
    "default_consumption_limit": 40.0,
    "charging_time_limit": 2.5,
    "default_charging_time_limit": 8.0,
    "under_power_limit": 1.4,
    "default_under_power_limit": 65.5,
    "emeter_voltage": 231.0,
}
TEXTS = {"host_name": "garage-left", "instance_name": 'Wall "box" \\ A, ü'}


def writes(charger, command):
    return charger.call(lambda charger: charger.journal.writes(command))


def clear(charger):
    charger.call(lambda charger: charger.journal.clear())


def holds(charger, command, value, field=0):
    charger.wait_for(lambda charger: charger.value(command)[field] == value)


def test_every_number_and_text_is_tried():
    assert set(NUMBERS) == {entity.key for entity in catalog.entities("number")}
    assert set(TEXTS) == {entity.key for entity in catalog.entities("text")}


@pytest.mark.parametrize("entity", catalog.entities("switch"), ids=lambda entity: entity.key)
def test_a_switch_is_one_write_and_shows_what_is_held(node, charger, entity):
    before = node.value(entity)
    for wanted in (not before, before):
        clear(charger)
        node.command(entity, wanted)
        node.wait_for(entity, wanted)
        holds(charger, entity.command, int(wanted), entity.field_index)
        assert writes(charger, entity.command) == [f"AT+{entity.command}={int(wanted)}"]


@pytest.mark.parametrize("entity", catalog.entities("number"), ids=lambda entity: entity.key)
def test_a_number_is_one_write_and_shows_what_is_held(node, charger, entity):
    clear(charger)
    wanted = NUMBERS[entity.key]
    node.command(entity, wanted)
    node.wait_for(entity, wanted)
    wire = round(wanted * entity.multiplier)
    holds(charger, entity.command, wire)
    assert writes(charger, entity.command) == [f"AT+{entity.command}={wire}"]


@pytest.mark.parametrize("entity", catalog.entities("text"), ids=lambda entity: entity.key)
def test_a_text_arrives_as_it_was_typed(node, charger, entity):
    wanted = TEXTS[entity.key]
    node.command(entity, wanted)
    node.wait_for(entity, wanted)
    holds(charger, entity.command, wanted)


@pytest.mark.parametrize(("key", "option"), [("emeter_mode", "current"), ("timezone", "Asia/Tokyo")])
def test_a_choice_arrives_and_is_shown(node, charger, key, option):
    entity = ENTITY["select", key]
    node.command(entity, option)
    node.wait_for(entity, option)
    holds(charger, entity.command, entity.options.index(option) if key == "emeter_mode" else option)


def test_a_flash_value_that_is_there_already_is_not_written(node, charger):
    entity = ENTITY["number", "maximum_charging_current"]
    value = charger.call(lambda charger: charger.value("MAXCHCUR")[0])
    clear(charger)
    node.command(entity, float(value))
    charger.wait_for(lambda charger: "AT+MAXCHCUR?" in charger.journal.commands)
    node.command(ENTITY["number", "charging_current"], 9.0)
    node.wait_for(ENTITY["number", "charging_current"], 9.0)
    assert writes(charger, "MAXCHCUR") == []


# --- a refusal is a change: unknown, then what the charger holds ------------------------------------------------------


def test_number_above_the_maximum_is_saturated(node, charger):
    """MAXCHCUR is lower than what is wished: the maximum is nearer to it than the old current may be."""
    charger.call(lambda charger: (charger.set("MAXCHCUR", 20), charger.set("CHCUR", 160)))
    entity = ENTITY["number", "charging_current"]
    node.command("button.Refresh")
    node.wait_for(entity, 16.0)
    seen = len(node.history(entity))
    node.command(entity, 32.0)
    node.wait_until(lambda: len(node.history(entity)) > seen + 1)
    assert node.history(entity)[seen:] == [None, 20.0]
    node.wait_for_log("did not take CHCUR: out of range")
    holds(charger, "CHCUR", 200)


def test_a_refused_choice_shows_what_is_held(node, charger):
    charger.call(lambda charger: charger.override("TZ", "Europe/Berlin"))
    entity = ENTITY["select", "timezone"]
    node.command("button.Refresh")
    node.wait_for(entity, "Europe/Berlin")
    seen = len(node.history(entity))
    node.command(entity, "Asia/Dubai")
    node.wait_until(lambda: len(node.history(entity)) > seen + 1)
    assert node.history(entity)[seen:] == [None, "Europe/Berlin"]
    charger.call(lambda charger: charger.override("TZ"))


@pytest.mark.parametrize("text", ["x" * 32, "ü" * 16, "a\nAT+RST", "tab\there", "nul\0", ""], ids=repr)
def test_text_that_is_no_text_is_never_sent(node, charger, text):
    entity = ENTITY["text", "host_name"]
    before = node.value(entity)
    clear(charger)
    node.command(entity, text)
    for ampere in (8.0, 9.0):
        node.command(ENTITY["number", "charging_current"], ampere)
        node.wait_for(ENTITY["number", "charging_current"], ampere)
    assert writes(charger, "HOSTNAME") == [] and not charger.call(lambda charger: charger.journal.writes("RST"))
    node.wait_for(entity, before)


def test_error_after_an_applied_value_shows_the_value(node, charger):
    charger.inject(lambda faults: faults.error_after_apply("CHCUR"))
    node.command(ENTITY["number", "charging_current"], 11.0)
    node.wait_for(ENTITY["number", "charging_current"], 11.0)
    holds(charger, "CHCUR", 110)


def test_the_newest_of_several_wishes_wins(node, charger):
    entity = ENTITY["number", "charging_current"]
    for ampere in (7.0, 8.0, 9.0, 10.0, 12.0):
        node.command(entity, ampere)
    node.wait_for(entity, 12.0)
    holds(charger, "CHCUR", 120)


@pytest.mark.parametrize("gap_ms", range(90, 132, 3))
def test_a_wish_right_after_another_is_not_shown_before_the_charger_holds_it(node, charger, gap_ms):
    """At any moment of the turn in which ESPHome's API sends the states that it has collected for 100 ms."""
    entity = ENTITY["number", "default_charging_time_limit"]
    first, second = 1.0 + gap_ms % 2, 5.0
    node.command(entity, first)
    charger.wait_for(lambda charger: charger.value("DEFCHTIMELIM")[0] == first * 3600)
    charger.run(gap_ms / 1000)
    seen = len(node.history(entity))
    node.command(entity, second)
    charger.run(0.3)
    assert charger.call(lambda charger: charger.value("DEFCHTIMELIM")[0]) == first * 3600, "held back: for the flash"
    assert second not in node.history(entity)[seen:]
    node.wait_for(entity, second, 15)


def test_a_change_by_somebody_else_shows(node, charger):
    charger.call(lambda charger: charger.set("ENABLE", 0))
    node.wait_for(ENTITY["switch", "enable"], False)
    charger.call(lambda charger: charger.set("ENABLE", 1))
    node.wait_for(ENTITY["switch", "enable"], True)


# --- buttons ----------------------------------------------------------------------------------------------------------


def test_the_authorize_button_lets_a_waiting_car_charge(node, charger):
    charger.call(lambda charger: (charger.set("REQAUTH", 1), charger.car.plug()))
    node.wait_for("binary_sensor.Waiting for authorization", True)
    node.wait_for("text_sensor.Charge status", "Waiting for authorization")
    clear(charger)
    node.command("button.Authorize")
    node.wait_for("text_sensor.State", "C2")
    assert charger.call(lambda charger: charger.journal.commands).count("AT+AUTH") == 1
    charger.call(lambda charger: (charger.car.unplug(), charger.set("REQAUTH", 0)))
    node.wait_for("text_sensor.State", "A")


def test_the_access_point_button_starts_it(node, charger):
    charger.call(lambda charger: charger.set("WIFIAPCFG", 0))
    node.command("button.Start access point")
    holds(charger, "WIFIAPCFG", 1)


def test_the_reset_button_begins_the_total_at_nothing(node, charger):
    node.command("button.Refresh")
    node.wait_for("text_sensor.Total energy exact", lambda text: text is not None and int(text) > 1000)
    clear(charger)
    node.command("button.Reset total energy")
    node.wait_for("text_sensor.Total energy exact", "0")
    node.wait_for("sensor.Total energy", 0.0)
    assert writes(charger, "EMETERTOTCONSUM") == ["AT+EMETERTOTCONSUM=0"]


def test_the_scan_button_scans_and_wishes_go_on(node, charger):
    clear(charger)
    node.command("button.Scan for Wi-Fi")
    charger.wait_for(
        lambda charger: ("AT+WIFIAPSCAN", "OK") in [(e.command, e.result) for e in charger.journal.entries]
    )
    node.command(ENTITY["number", "charging_current"], 14.0)
    node.wait_for(ENTITY["number", "charging_current"], 14.0)


def test_restart_is_sent_once(node, charger):
    clear(charger)
    restarts = node.value("sensor.Restarts")
    node.command("button.Restart")
    node.wait_for("sensor.Restarts", restarts + 1, timeout=20)
    assert charger.call(lambda charger: charger.journal.commands).count("AT+RST") == 1


def test_nothing_dangerous_was_sent(charger):
    """Last in this module: over all that happened."""
    assert charger.call(lambda charger: charger.journal.violations) == []
