"""What Home Assistant and a charger say to each other over MQTT: topics, payloads, discovery. Pure."""

from __future__ import annotations

import functools
import json
import re

from ..errors import UsageError
from .snapshot import MIN_CURRENT, Snapshot

INTERVAL_S = 5.0  # between two states that are the same
BIRTH_TOPIC, BIRTH = "homeassistant/status", "online"
ONLINE, OFFLINE = "online", "offline"

_BOOL = "{{{{ none if value_json.{0} is none else 'ON' if value_json.{0} else 'OFF' }}}}"

#: (domain, slug, key of the state, what Home Assistant is told about it)
ENTITIES: tuple[tuple[str, str, str, dict[str, object]], ...] = (
    ("sensor", "state", "state", {"name": "State", "icon": "mdi:ev-station"}),
    ("sensor", "power", "power", {
        "name": "Power", "device_class": "power", "state_class": "measurement", "unit_of_measurement": "W"}),
    ("sensor", "session_energy", "session_energy", {
        "name": "Session energy", "device_class": "energy", "state_class": "total_increasing",
        "unit_of_measurement": "Wh"}),
    ("sensor", "temperature", "temperature", {
        "name": "Temperature", "device_class": "temperature", "state_class": "measurement",
        "unit_of_measurement": "°C"}),
    ("binary_sensor", "charging", "charging", {"name": "Charging", "device_class": "battery_charging"}),
    ("binary_sensor", "error", "error", {"name": "Error", "device_class": "problem"}),
    ("switch", "charging_enabled", "enabled", {"name": "Charging enabled", "icon": "mdi:ev-plug-type2"}),
    ("number", "charging_current_limit", "current", {
        "name": "Charging current limit", "step": 0.1, "unit_of_measurement": "A", "mode": "slider"}),
)  # fmt: skip


def check_identifier(text: str) -> str:
    """In lower case. Raises UsageError."""
    if not re.fullmatch("[A-Za-z0-9]+", text):
        raise UsageError(f"identifier {text!r}: only the letters a to z and digits are allowed, at least one")
    return text.lower()


def state_topic(identifier: str) -> str:
    return f"{identifier}/state"


def availability_topic(identifier: str) -> str:
    return f"{identifier}/availability"


def enabled_topic(identifier: str) -> str:
    return f"{identifier}/enabled/set"


def current_topic(identifier: str) -> str:
    return f"{identifier}/current/set"


def availability(snapshot: Snapshot) -> str:
    return ONLINE if snapshot.online else OFFLINE


def state(snapshot: Snapshot) -> dict[str, object]:
    """None where nobody knows: of a silent charger everything."""
    known = snapshot if snapshot.online else Snapshot()
    return {
        "state": known.state or "?",
        "charging": known.charging,
        "enabled": known.flag("ENABLE"),
        "error": None if known.faults is None else known.faults != 0,
        "power": known.power,
        "current": known.charging_current,
        "session_energy": known.session_energy,
        "temperature": known.temperature,
    }


def messages(identifier: str, snapshot: Snapshot, discovery: bool) -> dict[str, str]:
    """Topic -> payload of all that the broker is to retain, in the order in which it is sent."""
    found = dict(_discovery(identifier, snapshot.maximum_current)) if discovery else {}
    found[state_topic(identifier)] = json.dumps(state(snapshot))
    found[availability_topic(identifier)] = availability(snapshot)
    return found


@functools.lru_cache
def _discovery(identifier: str, maximum: int | None) -> tuple[tuple[str, str], ...]:
    """The number waits until the charger has told its range."""
    return tuple(
        (
            f"homeassistant/{domain}/{identifier}/{slug}/config",
            json.dumps(_config(identifier, domain, slug, key, maximum) | about, ensure_ascii=False),
        )
        for domain, slug, key, about in ENTITIES
        if domain != "number" or maximum is not None
    )


def _config(identifier: str, domain: str, slug: str, key: str, maximum: int | None) -> dict[str, object]:
    name = f"{identifier}_{slug}"
    config: dict[str, object] = {
        "unique_id": name,
        "object_id": name,  # up to Home Assistant 2026.3
        "default_entity_id": f"{domain}.{name}",  # since 2025.10
        "state_topic": state_topic(identifier),
        "value_template": f"{{{{ value_json.{key} }}}}",
        "availability_topic": availability_topic(identifier),
        "device": {
            "identifiers": [identifier], "name": identifier, "manufacturer": "esp32-evse", "model": "esp32-evse",
        },
    }  # fmt: skip
    if domain in ("binary_sensor", "switch"):
        config["value_template"] = _BOOL.format(key)
    if domain == "switch":
        config |= {"command_topic": enabled_topic(identifier), "payload_on": "ON", "payload_off": "OFF"}
    if domain == "number":
        config |= {"command_topic": current_topic(identifier), "min": MIN_CURRENT, "max": maximum}
    return config


def parse_enabled(payload: bytes) -> bool:
    """`on`, `1`, `true` in any case; anything else is off."""
    return payload.lower() in (b"on", b"1", b"true")


def parse_current(payload: bytes) -> float:
    """A. Raises UsageError: not a number."""
    text = payload.decode("utf-8", "replace").strip()
    if len(text) > 40 or not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?", text):
        raise UsageError(f"charging current {text[:40]!r} is not a number of A")
    return float(text)
