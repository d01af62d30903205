"""What Home Assistant demands of an MQTT discovery message, after its documentation and schemas (2026).

https://www.home-assistant.io/integrations/mqtt/, .../sensor.mqtt/, .../binary_sensor.mqtt/, .../switch.mqtt/,
.../number.mqtt/ and the tables of device classes of sensor and binary sensor.
"""

from __future__ import annotations

import json
import re

import jinja2

#: device class of a sensor -> (units, state classes)
SENSOR_CLASSES = {
    "power": ({"mW", "W", "kW", "MW", "GW", "TW"}, {"measurement"}),
    "energy": ({"J", "kJ", "MJ", "GJ", "mWh", "Wh", "kWh", "MWh", "GWh", "TWh", "cal", "kcal", "Mcal", "Gcal"},
               {"total", "total_increasing"}),
    "temperature": ({"°C", "°F", "K"}, {"measurement"}),
    "current": ({"A", "mA"}, {"measurement"}),
    "voltage": ({"V", "mV", "kV"}, {"measurement"}),
    "duration": ({"d", "h", "min", "s", "ms"}, {"measurement", "total", "total_increasing"}),
}  # fmt: skip
BINARY_SENSOR_CLASSES = {
    "battery", "battery_charging", "carbon_monoxide", "cold", "connectivity", "door", "garage_door", "gas", "heat",
    "light", "lock", "moisture", "motion", "moving", "occupancy", "opening", "plug", "power", "presence", "problem",
    "running", "safety", "smoke", "sound", "tamper", "update", "vibration", "window",
}  # fmt: skip

COMMON = {
    "availability_topic", "default_entity_id", "device", "device_class", "entity_category", "icon", "name",
    "object_id", "qos", "state_topic", "unique_id", "value_template",
}  # fmt: skip
#: domain -> (required, optional besides COMMON)
KEYS = {
    "sensor": ({"state_topic"}, {"state_class", "unit_of_measurement", "expire_after", "suggested_display_precision"}),
    "binary_sensor": ({"state_topic"}, {"payload_on", "payload_off", "expire_after", "off_delay"}),
    "switch": ({"command_topic"}, {"payload_on", "payload_off", "state_on", "state_off", "optimistic", "retain"}),
    "number": (
        {"command_topic"}, {"min", "max", "step", "mode", "unit_of_measurement", "optimistic", "retain"},
    ),
}  # fmt: skip
DEVICE_KEYS = {
    "configuration_url", "connections", "hw_version", "identifiers", "manufacturer", "model", "model_id", "name",
    "serial_number", "suggested_area", "sw_version", "via_device",
}  # fmt: skip
DISCOVERY_TOPIC = re.compile(r"homeassistant/(\w+)/(?:([a-zA-Z0-9_-]+)/)?([a-zA-Z0-9_-]+)/config")
#: As Home Assistant renders them: what a template says is text.
TEMPLATES = jinja2.Environment(undefined=jinja2.StrictUndefined)


def check(topic: str, payload: str) -> tuple[str, dict]:
    """Domain and configuration of a discovery message that Home Assistant accepts; AssertionError otherwise."""
    match = DISCOVERY_TOPIC.fullmatch(topic)
    assert match, f"{topic}: no discovery topic"
    domain, config = match[1], json.loads(payload)
    required, optional = KEYS[domain]
    assert required <= config.keys(), f"{topic}: missing {required - config.keys()}"
    assert config.keys() <= COMMON | required | optional, f"{topic}: unknown {config.keys() - COMMON - optional}"
    for key in config.keys() & {"state_topic", "command_topic", "availability_topic"}:
        _check_topic(config[key])
    assert re.fullmatch(r"\w+\.[a-z0-9_]+", config["default_entity_id"])
    assert config["default_entity_id"].split(".")[0] == domain
    assert isinstance(config["unique_id"], str) and config["unique_id"]
    if "icon" in config:
        assert re.fullmatch(r"mdi:[a-z0-9-]+", config["icon"])
    _check_device(config["device"])
    _CHECKS[domain](config)
    return domain, config


def _check_topic(topic: str) -> None:
    assert isinstance(topic, str) and 0 < len(topic.encode()) < 65536 and not set(topic) & set("+#\0")


def _check_device(device: dict) -> None:
    assert device.keys() <= DEVICE_KEYS
    assert device.get("identifiers") or device.get("connections"), "a device needs something that identifies it"
    assert all(isinstance(device[key], str) for key in device.keys() - {"identifiers", "connections"})


def _check_sensor(config: dict) -> None:
    if "device_class" in config:
        units, state_classes = SENSOR_CLASSES[config["device_class"]]
        assert config["unit_of_measurement"] in units
        assert config["state_class"] in state_classes
    else:
        assert "state_class" not in config and "unit_of_measurement" not in config, "text has neither"


def _check_binary_sensor(config: dict) -> None:
    assert config["device_class"] in BINARY_SENSOR_CLASSES


def _check_switch(config: dict) -> None:
    assert config.get("payload_on", "ON") != config.get("payload_off", "OFF")


def _check_number(config: dict) -> None:
    assert all(isinstance(config[key], int | float) for key in ("min", "max", "step"))
    assert config["min"] < config["max"] and config["step"] >= 0.001
    assert config["mode"] in ("auto", "box", "slider")


_CHECKS = {
    "sensor": _check_sensor, "binary_sensor": _check_binary_sensor, "switch": _check_switch, "number": _check_number,
}  # fmt: skip


def shown(domain: str, config: dict, state: str) -> str | float | bool | None:
    """What Home Assistant shows after this message on the state topic; None: unknown. AssertionError: it would log an
    error."""
    text = TEMPLATES.from_string(config["value_template"]).render(value=state, value_json=json.loads(state))
    if text == "None":
        return None
    if domain in ("binary_sensor", "switch"):
        known = {config.get("payload_on", "ON"): True, config.get("payload_off", "OFF"): False}
        assert text in known, f"{text!r} is neither on nor off"
        return known[text]
    if domain == "number":
        value = float(text)
        assert config["min"] <= value <= config["max"], f"{value} is out of range"
        return value
    return float(text) if "unit_of_measurement" in config else text
