"""What goes over MQTT between Home Assistant and a charger, without a broker."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evse_host.bridge import home_assistant
from evse_host.bridge.mqtt_link import Broker
from evse_host.bridge.snapshot import Snapshot
from evse_host.catalog import CHARGING_STATES, COMMAND, STATES
from evse_host.errors import UsageError

from . import home_assistant_model as model

VALUES = {
    "STATE": (4,), "ENABLE": (1,), "ERROR": (0,), "EMETERPOWER": (7360,), "CHCUR": (165,), "MAXCHCUR": (32,),
    "EMETERCONSUM": (1234,), "TEMP": (2, 3150, 2975),
}  # fmt: skip
CHARGING = Snapshot(True, VALUES)


def with_value(name: str, *fields: int) -> Snapshot:
    return Snapshot(True, {**VALUES, name: fields})


def without(*names: str) -> Snapshot:
    return Snapshot(True, {name: fields for name, fields in VALUES.items() if name not in names})


# --- state ------------------------------------------------------------------------------------------------------------


def test_the_state_in_the_units_of_people():
    assert home_assistant.state(CHARGING) == {
        "state": "C2", "charging": True, "enabled": True, "error": False, "power": 7360, "current": 16.5,
        "session_energy": 1234, "temperature": 31.5,
    }  # fmt: skip


@pytest.mark.parametrize("number", range(len(STATES)))
def test_every_state_has_its_name(number: int):
    shown = home_assistant.state(with_value("STATE", number))
    assert (shown["state"], shown["charging"]) == (STATES[number], STATES[number] in CHARGING_STATES)


def test_an_unknown_state_is_a_question_mark():
    shown = home_assistant.state(with_value("STATE", 99))
    assert (shown["state"], shown["charging"]) == ("?", None)


def test_any_fault_bit_is_an_error():
    assert home_assistant.state(with_value("ERROR", 1 << 30))["error"] is True


def test_a_board_without_a_sensor_has_no_temperature():
    assert home_assistant.state(with_value("TEMP", 0, 0, 0))["temperature"] is None
    assert home_assistant.state(without("TEMP"))["temperature"] is None


@pytest.mark.parametrize("snapshot", [Snapshot(), Snapshot(False, VALUES)])
def test_of_a_silent_charger_nobody_knows_anything(snapshot: Snapshot):
    shown = home_assistant.state(snapshot)
    assert shown.pop("state") == "?"
    assert set(shown.values()) == {None}
    assert home_assistant.availability(snapshot) == "offline"


# --- discovery --------------------------------------------------------------------------------------------------------


def discovery(snapshot: Snapshot, identifier: str = "evse") -> dict[str, str]:
    found = home_assistant.messages(identifier, snapshot, discovery=True)
    return {topic: payload for topic, payload in found.items() if topic.startswith("homeassistant/")}


def test_home_assistant_accepts_every_entity():
    for topic, payload in discovery(CHARGING, "garage2").items():
        domain, config = model.check(topic, payload)
        _, _, identifier, slug, _ = topic.split("/")
        assert identifier == "garage2"
        assert config["unique_id"] == config["object_id"] == f"garage2_{slug}"
        assert config["default_entity_id"] == f"{domain}.garage2_{slug}"
        assert config["state_topic"] == "garage2/state"
        assert config["availability_topic"] == "garage2/availability"
        assert config["device"] == {
            "identifiers": ["garage2"], "name": "garage2", "manufacturer": "esp32-evse", "model": "esp32-evse",
        }  # fmt: skip


def test_the_entities_are_those_of_the_charger_itself():
    configs = {topic.split("/", 1)[1]: json.loads(payload) for topic, payload in discovery(CHARGING).items()}
    assert {topic: set(config) for topic, config in configs.items()}.keys() == {
        "sensor/evse/state/config", "sensor/evse/power/config", "sensor/evse/session_energy/config",
        "sensor/evse/temperature/config", "binary_sensor/evse/charging/config", "binary_sensor/evse/error/config",
        "switch/evse/charging_enabled/config", "number/evse/charging_current_limit/config",
    }  # fmt: skip
    facts = {
        "sensor/evse/state/config": {"icon": "mdi:ev-station"},
        "sensor/evse/power/config": {
            "unit_of_measurement": "W", "device_class": "power", "state_class": "measurement"},
        "sensor/evse/session_energy/config": {
            "unit_of_measurement": "Wh", "device_class": "energy", "state_class": "total_increasing"},
        "sensor/evse/temperature/config": {"unit_of_measurement": "°C"},
        "binary_sensor/evse/charging/config": {"device_class": "battery_charging"},
        "binary_sensor/evse/error/config": {"device_class": "problem"},
        "switch/evse/charging_enabled/config": {
            "icon": "mdi:ev-plug-type2", "command_topic": "evse/enabled/set", "payload_on": "ON", "payload_off": "OFF"},
        "number/evse/charging_current_limit/config": {
            "min": 6, "max": 32, "step": 0.1, "unit_of_measurement": "A", "mode": "slider",
            "command_topic": "evse/current/set"},
    }  # fmt: skip
    for topic, expected in facts.items():
        assert expected.items() <= configs[topic].items(), topic


def shown(snapshot: Snapshot) -> dict[str, object]:
    """Slug -> what Home Assistant shows of it."""
    state = json.dumps(home_assistant.state(snapshot))
    return {
        topic.split("/")[3]: model.shown(*model.check(topic, payload), state)
        for topic, payload in discovery(CHARGING).items()
    }


def test_home_assistant_shows_what_the_charger_shows():
    assert shown(CHARGING) == {
        "state": "C2", "power": 7360, "session_energy": 1234, "temperature": 31.5, "charging": True, "error": False,
        "charging_enabled": True, "charging_current_limit": 16.5,
    }  # fmt: skip
    stopped = Snapshot(True, VALUES | {"STATE": (1,), "ENABLE": (0,), "ERROR": (2,), "EMETERPOWER": (0,)})
    assert shown(stopped) == {
        "state": "B1", "power": 0, "session_energy": 1234, "temperature": 31.5, "charging": False, "error": True,
        "charging_enabled": False, "charging_current_limit": 16.5,
    }  # fmt: skip


def test_home_assistant_shows_unknown_for_what_nobody_knows():
    values = shown(Snapshot(False, VALUES))
    assert values.pop("state") == "?"
    assert set(values.values()) == {None}


def test_the_number_waits_until_the_maximum_is_known():
    topics = discovery(without("MAXCHCUR"))
    assert len(topics) == 7 and not any("/number/" in topic for topic in topics)


def test_the_maximum_of_the_installation_is_that_of_the_slider():
    assert json.loads(discovery(with_value("MAXCHCUR", 13))["homeassistant/number/evse/charging_current_limit/config"])[
        "max"
    ] == 13  # fmt: skip


def test_without_discovery_there_are_state_and_availability():
    assert list(home_assistant.messages("evse", CHARGING, discovery=False)) == ["evse/state", "evse/availability"]


# --- identifier, interval, broker -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "identifier"), [("evse", "evse"), ("EVSE1", "evse1"), ("0", "0")])
def test_an_identifier_becomes_lower_case(text: str, identifier: str):
    assert home_assistant.check_identifier(text) == identifier


@pytest.mark.parametrize("text", ["", " ", "my-evse", "my_evse", "a/b", "a+", "#", "é", "\u212a", "evse\n", "ev se"])
def test_other_identifiers_are_refused(text: str):
    with pytest.raises(UsageError, match="only the letters a to z and digits"):
        home_assistant.check_identifier(text)


@given(st.text())
def test_an_identifier_is_always_safe_in_a_topic(text: str):
    try:
        identifier = home_assistant.check_identifier(text)
    except UsageError:
        return
    assert set(identifier) <= set("abcdefghijklmnopqrstuvwxyz0123456789") and identifier


@pytest.mark.parametrize(
    ("uri", "host", "port", "tls"),
    [
        ("mqtt://192.168.1.10:1883", "192.168.1.10", 1883, False),
        ("mqtt://broker", "broker", 1883, False),
        ("mqtts://broker.example/", "broker.example", 8883, True),
        ("mqtts://[fe80::1]:18883", "fe80::1", 18883, True),
    ],
)
def test_where_the_broker_is(uri: str, host: str, port: int, tls: bool):
    broker = Broker.parse(uri)
    assert (broker.host, broker.port, broker.tls) == (host, port, tls)
    assert Broker.parse(str(broker)) == broker


@pytest.mark.parametrize(
    "uri",
    ["", "broker", "broker:1883", "tcp://broker", "http://broker", "mqtt://", "mqtt://:1883", "mqtt://b:0",
     "mqtt://b:99999", "mqtt://b:x", "mqtt://b/topic", "mqtt://b?x=1", "mqtt://[::1"],
)  # fmt: skip
def test_what_is_no_broker(uri: str):
    with pytest.raises(UsageError, match="broker"):
        Broker.parse(uri)


@pytest.mark.parametrize("uri", ["mqtt://me:hunter2@broker", "mqtt://me:hunter2@broker:99999", "x://me:hunter2@b"])
def test_a_password_in_the_address_is_refused_and_not_repeated(uri: str):
    with pytest.raises(UsageError) as caught:
        Broker.parse(uri)
    assert "hunter2" not in str(caught.value)


def test_a_broker_shows_no_secret():
    broker = Broker.parse("mqtt://broker", "token", "hunter2")
    assert not any(secret in text for secret in ("token", "hunter2") for text in (str(broker), repr(broker)))


def test_what_does_not_go_together():
    with pytest.raises(UsageError, match="a password needs a user name"):
        Broker.parse("mqtt://broker", "", "hunter2")
    with pytest.raises(UsageError, match="mqtts:// only"):
        Broker.parse("mqtt://broker", ca_file="/etc/hostname")


# --- commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"on", b"ON", b"On", b"1", b"true", b"TRUE"])
def test_on(payload: bytes):
    assert home_assistant.parse_enabled(payload) is True


@pytest.mark.parametrize("payload", [b"off", b"OFF", b"0", b"false", b"", b"2", b"yes", b"on!", b"\xff\xfe", b"onon"])
def test_anything_else_is_off(payload: bytes):
    assert home_assistant.parse_enabled(payload) is False


@pytest.mark.parametrize(
    ("payload", "tenths"),
    [(b"6", 60), (b"16", 160), (b"10.5", 105), (b" 31.9 ", 319), (b"32", 320), (b"32.0", 320), (b"10.1", 101),
     (b"16.04", 160), (b"10.0999999", 101), (b"8.", 80)],
)  # fmt: skip
def test_a_current(payload: bytes, tenths: int):
    assert CHARGING.current_to_write(home_assistant.parse_current(payload)) == tenths


@pytest.mark.parametrize("payload", [b"5.9", b"5.99", b"0", b"-6", b"32.01", b"33", b"99999999999999999999999"])
def test_a_current_out_of_range(payload: bytes):
    with pytest.raises(UsageError, match="out of range, 6 to 32 A"):
        CHARGING.current_to_write(home_assistant.parse_current(payload))


@pytest.mark.parametrize(
    "payload", [b"", b"a", b"nan", b"inf", b"1e1", b"1_6", b"0x10", b"16A", b"1,5", "١٦".encode(), b"\xff", b"16" * 40]
)
def test_what_is_no_current(payload: bytes):
    with pytest.raises(UsageError, match="not a number of A"):
        home_assistant.parse_current(payload)


@given(st.binary(max_size=50))
def test_whatever_comes_is_a_writable_current_or_refused(payload: bytes):
    try:
        tenths = CHARGING.current_to_write(home_assistant.parse_current(payload))
    except UsageError as error:
        assert "\n" not in str(error)
        return
    assert 60 <= tenths <= 320


def test_without_a_known_maximum_the_protocol_bounds_the_current():
    low, high = COMMAND["CHCUR"].fields[0].range
    assert without("MAXCHCUR").current_to_write(high / 10) == high
    with pytest.raises(UsageError, match=f"{low // 10} to {high // 10} A"):
        without("MAXCHCUR").current_to_write(high / 10 + 0.1)
