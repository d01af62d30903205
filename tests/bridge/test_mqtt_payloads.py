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
    "EMETERCONSUM": (1234,), "TEMP": (2, 3150, 2975), "EMETERTOTCONSUM": (8_589_934_592,), "EMETERSESTIME": (3600,),
    "EMETERCHTIME": (3500,), "EMETERVOLTAGE": (230_100, 231_000, 231_000), "EMETERCURRENT": (10_600, 10_700, 0),
    "AVAILABLE": (1,), "PENDAUTH": (0,), "LIMREACH": (0,), "CONSUMLIM": (30_000,), "CHTIMELIM": (0,),
    "UNDERPOWERLIM": (1400,),
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
        "session_energy": 1234, "temperature": 31.5, "total_energy": 8_589_934_592, "session_time": 3600,
        "charging_time": 3500, "current_l1": 10.6, "current_l2": 10.7, "current_l3": 0.0, "voltage_l1": 230.1,
        "voltage_l2": 231.0, "voltage_l3": 231.0, "available": True, "pending_authorization": False,
        "limit_reached": False, "consumption_limit": 30_000, "charging_time_limit": 0, "under_power_limit": 1400,
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


def test_the_entities_are_those_of_the_charger_itself_and_what_people_ask_for():
    configs = {topic.split("/", 1)[1]: json.loads(payload) for topic, payload in discovery(CHARGING).items()}
    assert {topic: set(config) for topic, config in configs.items()}.keys() == {
        "sensor/evse/state/config", "sensor/evse/power/config", "sensor/evse/session_energy/config",
        "sensor/evse/temperature/config", "binary_sensor/evse/charging/config", "binary_sensor/evse/error/config",
        "switch/evse/charging_enabled/config", "number/evse/charging_current_limit/config",
        "sensor/evse/total_energy/config", "sensor/evse/session_time/config", "sensor/evse/charging_time/config",
        "sensor/evse/current_l1/config", "sensor/evse/current_l2/config", "sensor/evse/current_l3/config",
        "sensor/evse/voltage_l1/config", "sensor/evse/voltage_l2/config", "sensor/evse/voltage_l3/config",
        "switch/evse/available/config", "number/evse/consumption_limit/config",
        "number/evse/charging_time_limit/config", "number/evse/under_power_limit/config",
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
        "sensor/evse/total_energy/config": {
            "unit_of_measurement": "Wh", "device_class": "energy", "state_class": "total_increasing"},
        "switch/evse/available/config": {"command_topic": "evse/available/set"},
        "number/evse/consumption_limit/config": {
            "command_topic": "evse/consumption_limit/set", "unit_of_measurement": "Wh", "min": 0},
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


MORE = {
    "total_energy": 8_589_934_592, "session_time": 3600, "charging_time": 3500, "current_l1": 10.6, "current_l2": 10.7,
    "current_l3": 0, "voltage_l1": 230.1, "voltage_l2": 231, "voltage_l3": 231, "available": True,
    "consumption_limit": 30_000, "charging_time_limit": 0, "under_power_limit": 1400,
}  # fmt: skip


def test_home_assistant_shows_what_the_charger_shows():
    assert shown(CHARGING) == {
        "state": "C2", "power": 7360, "session_energy": 1234, "temperature": 31.5, "charging": True, "error": False,
        "charging_enabled": True, "charging_current_limit": 16.5, **MORE,
    }  # fmt: skip
    stopped = Snapshot(True, VALUES | {"STATE": (1,), "ENABLE": (0,), "ERROR": (2,), "EMETERPOWER": (0,)})
    assert shown(stopped) == {
        "state": "B1", "power": 0, "session_energy": 1234, "temperature": 31.5, "charging": False, "error": True,
        "charging_enabled": False, "charging_current_limit": 16.5, **MORE,
    }  # fmt: skip


def test_home_assistant_shows_unknown_for_what_nobody_knows():
    values = shown(Snapshot(False, VALUES))
    assert values.pop("state") == "?"
    assert set(values.values()) == {None}


def test_the_number_waits_until_the_maximum_is_known():
    topics = discovery(without("MAXCHCUR"))
    assert not any("charging_current_limit" in topic for topic in topics)
    assert len(discovery(Snapshot())) == 7, "the charger has not answered yet"


@pytest.mark.parametrize(
    ("values", "slug", "least", "most"),
    [
        ({"CHCUR": (320,), "MAXCHCUR": (20,)}, "charging_current_limit", 6, 32),
        ({"CHCUR": (205,), "MAXCHCUR": (20,)}, "charging_current_limit", 6, 21),
        ({"CHCUR": (45,)}, "charging_current_limit", 4, 32),
        ({"CHCUR": (0,)}, "charging_current_limit", 6, 32),
        ({"CONSUMLIM": (4_294_967_295,)}, "consumption_limit", 0, 4_294_967_295),
        ({"CHTIMELIM": (4_294_967_295,)}, "charging_time_limit", 0, 4_294_967_295),
        ({"UNDERPOWERLIM": (65_535,)}, "under_power_limit", 0, 65_535),
    ],
)
def test_the_range_that_is_announced_holds_what_the_charger_holds(values, slug, least, most):
    """Home Assistant logs an error for every message otherwise."""
    snapshot = Snapshot(True, VALUES | values)
    topic, payload = next((t, p) for t, p in discovery(snapshot).items() if f"/{slug}/" in t)
    domain, config = model.check(topic, payload)
    model.shown(domain, config, json.dumps(home_assistant.state(snapshot)))
    assert (config["min"], config["max"]) == (least, most)


def test_every_topic_of_discovery_has_the_prefix_that_was_chosen():
    found = home_assistant.messages("evse", CHARGING, True, "ha/of mine")
    assert "ha/of mine/sensor/evse/power/config" in found and not any(t.startswith("homeassistant") for t in found)
    assert home_assistant.birth_topic("ha/of mine") == "ha/of mine/status"


@pytest.mark.parametrize("prefix", ["", "/", "/ha", "ha/", "ha//x", "+", "ha/#", "a\0b", "a\n"])
def test_what_is_no_discovery_prefix(prefix):
    with pytest.raises(UsageError, match="discovery prefix"):
        home_assistant.check_prefix(prefix)


def test_the_maximum_of_the_installation_is_that_of_the_slider():
    found = discovery(Snapshot(True, VALUES | {"MAXCHCUR": (13,), "CHCUR": (130,)}))
    assert json.loads(found["homeassistant/number/evse/charging_current_limit/config"])["max"] == 13


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
def test_an_address_of_a_broker_is_understood(uri: str, host: str, port: int, tls: bool):
    broker = Broker.parse(uri)
    assert (broker.host, broker.port, broker.tls) == (host, port, tls)
    assert Broker.parse(str(broker)) == broker


@pytest.mark.parametrize(
    "uri",
    ["", "broker", "broker:1883", "tcp://broker", "http://broker", "mqtt://", "mqtt://:1883", "mqtt://b:0",
     "mqtt://b:99999", "mqtt://b:x", "mqtt://b/topic", "mqtt://b?x=1", "mqtt://[::1"],
)  # fmt: skip
def test_an_address_that_is_no_broker_is_refused(uri: str):
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


@pytest.mark.parametrize("payload", [b"on", b"ON", b"On", b"1", b"true", b"TRUE", b"on\n", b" on", b"\ton\r\n"])
def test_what_switches_charging_on(payload: bytes):
    assert home_assistant.parse_enabled(payload) is True


@pytest.mark.parametrize("payload", [b"off", b"OFF", b"0", b"false", b"False\n", b" off "])
def test_what_switches_charging_off(payload: bytes):
    assert home_assistant.parse_enabled(payload) is False


@pytest.mark.parametrize(
    "payload", [b"2", b"yes", b"on!", b"\xff\xfe", b"onon", b"o n", b"\x00", b"null", b"-1", b"{}"]
)
def test_what_is_neither_on_nor_off_is_refused(payload: bytes):
    with pytest.raises(UsageError, match="is neither on nor off: on, 1, true, off, 0, false are allowed"):
        home_assistant.parse_enabled(payload)


@pytest.mark.parametrize("payload", [b"", b" ", b"\n", b"\r\n"])
def test_what_is_empty_asks_for_nothing(payload: bytes):
    assert home_assistant.is_empty(payload) and not home_assistant.is_empty(payload + b"0")


@pytest.mark.parametrize(
    ("key", "payload", "wire"),
    [("available", b"off", 0), ("consumption_limit", b"30000", 30_000), ("consumption_limit", b"99.5\n", 100),
     ("consumption_limit", b"0.4", 1), ("charging_time_limit", b"0.2", 1), ("under_power_limit", b"0.1", 1),
     ("consumption_limit", b"0.0", 0), ("consumption_limit", b"10.2", 11),
     ("charging_time_limit", b"3600.0", 3600), ("under_power_limit", b"65535", 65_535), ("current", b"8.25", 83)],
)  # fmt: skip
def test_each_command_becomes_what_the_wire_takes(key: str, payload: bytes, wire: int):
    assert home_assistant.command_topics("evse")[f"evse/{key}/set"].parse(payload, CHARGING) == wire


@pytest.mark.parametrize(
    ("key", "payload"),
    [("consumption_limit", b"-1"), ("consumption_limit", b"4294967296"), ("consumption_limit", b"all"),
     ("under_power_limit", b"65536"), ("charging_time_limit", b"1e3"), ("available", b"maybe")],
)  # fmt: skip
def test_other_commands_that_are_refused(key: str, payload: bytes):
    with pytest.raises(UsageError):
        home_assistant.command_topics("evse")[f"evse/{key}/set"].parse(payload, CHARGING)


@pytest.mark.parametrize(
    ("payload", "tenths"),
    [(b"6", 60), (b"16", 160), (b"10.5", 105), (b" 31.9 ", 319), (b"32", 320), (b"32.0", 320), (b"10.1", 101),
     (b"16.04", 160), (b"10.0999999", 101), (b"8.", 80), (b"8.25", 83), (b"8.35", 84), (b"8.45", 85), (b"6.05", 61),
     (b"8.249999", 82)],
)  # fmt: skip
def test_a_current_becomes_tenths_of_amperes(payload: bytes, tenths: int):
    assert CHARGING.current_to_write(home_assistant.parse_current(payload)) == tenths


@pytest.mark.parametrize("payload", [b"5.9", b"5.99", b"0", b"-6", b"32.01", b"33", b"99999999999999999999999"])
def test_a_current_out_of_range(payload: bytes):
    with pytest.raises(UsageError, match="out of range, 6 to 32 A"):
        CHARGING.current_to_write(home_assistant.parse_current(payload))


@pytest.mark.parametrize(
    "payload", [b"", b"a", b"nan", b"inf", b"1e1", b"1_6", b"0x10", b"16A", b"1,5", "١٦".encode(), b"\xff", b"16" * 40]
)
def test_what_is_no_current_is_refused_and_said(payload: bytes):
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
