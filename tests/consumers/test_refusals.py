"""What a person entered and the charger did not take is a change of state that a client sees, and is told."""

from __future__ import annotations

import math

import pytest

from tests.consumers.conftest import House


@pytest.mark.parametrize(
    ("name", "wish", "key"),
    [
        ("Time zone", "Mars/Olympus", "timezone"),
        ("Meter voltage", 101.0, "emeter_voltage"),
        ("Host name", "other", "host_name"),
        ("Charging current", 7.0, "charging_current"),
    ],
)
def test_a_refusal_is_a_change(house: House, refusing, name: str, wish, key: str) -> None:
    refusing(house)
    house.node.wait_until(lambda: house.node.value(name) is not None, 10)
    held = house.node.value(name)
    seen = len(house.node.changes)
    house.node.command(name, wish)
    house.node.run(10)
    values = house.since(seen, name)
    assert values[-2:] == [None, held]
    assert wish not in values
    assert any(f"on_write_failed {key}: " in line for line in house.node.log)


def test_a_refused_switch_tells_what_the_charger_holds(house: House, refusing) -> None:
    """A client that connects while the wish is pending is shown the wish: the end of it must be a message, too."""
    refusing(house)
    house.node.run(5)
    seen = len(house.node.changes)
    house.node.command("Charging enabled", False)
    house.node.run(10)
    assert house.since(seen, "Charging enabled") == [True]


def test_a_switch_that_nobody_answered_tells_what_the_charger_holds(house: House) -> None:
    house.node.run(5)
    seen = len(house.node.changes)
    house.faults.cable_out()
    house.node.run(1)
    house.node.command("Charging enabled", False)
    house.node.run(60)
    house.faults.cable_in()
    house.node.run(20)
    assert house.charger.value("ENABLE") == (1,)
    assert house.since(seen, "Charging enabled")[-1:] == [True]


def test_several_refusals_at_once_show_what_the_charger_holds(house: House, refusing) -> None:
    refusing(house)
    house.node.run(5)
    wishes = {"Host name": "other", "Meter voltage": 111.0, "Time zone": "Mars/Olympus", "Instance name": "new"}
    held = {name: house.node.value(name) for name in wishes}
    seen = len(house.node.changes)
    for name, wish in wishes.items():
        house.node.command(name, wish)
    house.node.run(15)
    for name in wishes:
        assert house.since(seen, name)[-2:] == [None, held[name]], name


def test_one_refusal_after_the_other_leaves_nothing_unknown(house: House) -> None:
    """As a loop does that asks for too much again and again."""
    house.node.run(5)
    held = house.node.value("Host name")
    house.node.command("Host name", "x" * 31)
    for _ in range(20):
        house.node.command("Charging current", 40.0)
        house.node.run(0.4)
    assert house.node.value("Host name") == held


def test_an_action_leaves_the_number_alone(house: House, refusing) -> None:
    """A control loop that asks every five seconds must not make it flicker."""
    refusing(house)
    house.node.run(5)
    seen = len(house.node.changes)
    house.node.call_service("set_current", current=9.0)
    house.node.run(10)
    assert None not in house.since(seen, "Charging current")
    assert any("on_write_failed charging_current" in line for line in house.node.log)


def test_a_control_loop_that_has_gone_mad(house: House) -> None:
    """Ten times a second, and what no charger takes: the nearest possible is written, the rest goes on."""
    node, charger = house.node, house.charger
    wild = (math.nan, math.inf, -math.inf, -5.0, 0.0, 1e30, 33.0, 5.94, 16.0)
    charger.journal.clear()
    seen = len(node.changes)
    for step in range(20 * len(wild)):
        node.call_service("set_current", current=wild[step % len(wild)])
        node.run(0.1)
    assert {line.partition("=")[2] for line in charger.journal.writes("CHCUR")} == {"60", "160", "320"}
    assert set(house.since(seen, "Charging current")) <= {6.0, 16.0, 32.0}
    assert len(house.since(seen, "Charging current")) > 20, "a wish in every loop must not starve the read-backs"
    assert house.since(seen, "Connected") == []
    charger.car.plug()
    node.wait_for("text_sensor.State", "C2", 10)
    node.wait_for("Charging current", 16.0, 5)
    assert charger.value("CHCUR") == (160,)


def test_what_a_silent_charger_did_not_take_is_told(house: House) -> None:
    house.node.run(5)
    house.faults.cable_out()
    house.node.command("Charging current", 9.0)
    line = house.node.wait_for_log("on_write_failed charging_current", 60)
    assert "silent" in line or "answer" in line


def test_what_is_taken_does_not_flicker(house: House) -> None:
    house.node.run(5)
    seen = len(house.node.changes)
    house.node.command("Charging current", 9.0)
    house.node.run(10)
    assert house.since(seen, "Charging current") == [9.0]


@pytest.fixture
def refusing():
    """The charger answers ERROR to every write."""

    def make(house: House) -> None:
        house.charger.device.write = lambda *_: False

    return make


@pytest.mark.parametrize(
    "data", [b"\xed\xa0\x80", b"\xe0\x80\x80", b"\xff", b"Stra\xdfe", b"\xf4\x90\x80\x80"], ids=repr
)
def test_text_that_is_no_utf8_reaches_every_client(house: House, data: bytes) -> None:
    """Home Assistant is cut off by a message that it cannot decode."""
    node, text = house.node, data.decode("utf-8", "replace")
    node.run(5)
    for name, line in (
        ("Network joined", b'WIFISTACFG=1,"' + data + b'",""'),
        ("Host name", b'HOSTNAME="' + data + b'"'),
    ):
        house.faults.to_client_now(b"\n+" + line + b"\n")
        node.wait_until(lambda name=name: text in node.history(name), 1)
        assert text in node.history(name)
    node.call_service("send", command="AT+WIFIAPSCAN")
    node.run(0.5)
    house.faults.to_client_now(b"\nx" + data + b"\n")
    node.wait_until(lambda: "x" + text in node.history("Command line"), 3)
    assert "x" + text in node.history("Command line")
    node.run(10)
    node.call_service("scan")
    node.run(1)
    house.faults.to_client_now(b'\n+WIFIAPSCAN="' + data + b'",0,-70\n')
    node.wait_until(lambda: text in node.history("Network found"), 5)
    assert text in node.history("Network found")
    assert not node.dropped
