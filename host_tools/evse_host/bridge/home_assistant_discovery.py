"""What Home Assistant is told of a charger's entities over MQTT: discovery. Pure."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from .snapshot import MIN_CURRENT, Snapshot

_BOOL = "{{{{ none if value_json.{0} is none else 'ON' if value_json.{0} else 'OFF' }}}}"


@dataclass(frozen=True)
class Entity:
    """One entity, which reads ``key`` of the state.

    ``needs``: AT command that the charger must have shown; empty: it is announced in any case. ``top`` of a number:
    what may be asked for at most, more when the charger holds more.
    """

    domain: str
    slug: str
    key: str
    about: Mapping[str, object]
    needs: str = ""
    top: int = 0


def _measured(slug: str, name: str, what: str, unit: str, needs: str = "", state_class: str = "measurement") -> Entity:
    about = {"name": name, "device_class": what, "state_class": state_class, "unit_of_measurement": unit}
    return Entity("sensor", slug, slug, about, needs)


def _limit(slug: str, name: str, what: str, unit: str, needs: str, step: int, top: int) -> Entity:
    about = {"name": name, "device_class": what, "unit_of_measurement": unit, "step": step, "mode": "box",
             "entity_category": "config"}  # fmt: skip
    return Entity("number", slug, slug, about, needs, top)


#: Those of the charger's own MQTT script.
BASIC = (
    Entity("sensor", "state", "state", {"name": "State", "icon": "mdi:ev-station"}),
    _measured("power", "Power", "power", "W"),
    _measured("session_energy", "Session energy", "energy", "Wh", state_class="total_increasing"),
    _measured("temperature", "Temperature", "temperature", "°C"),
    Entity("binary_sensor", "charging", "charging", {"name": "Charging", "device_class": "battery_charging"}),
    Entity("binary_sensor", "error", "error", {"name": "Error", "device_class": "problem"}),
    Entity("switch", "charging_enabled", "enabled", {"name": "Charging enabled", "icon": "mdi:ev-plug-type2"}),
    Entity("number", "charging_current_limit", "current", {
        "name": "Charging current limit", "step": 0.1, "unit_of_measurement": "A", "mode": "slider"}, "MAXCHCUR"),
)  # fmt: skip
MORE = (
    _measured("total_energy", "Total energy", "energy", "Wh", "EMETERTOTCONSUM", "total_increasing"),
    _measured("session_time", "Session time", "duration", "s", "EMETERSESTIME", "total_increasing"),
    _measured("charging_time", "Charging time", "duration", "s", "EMETERCHTIME", "total_increasing"),
    *(_measured(f"current_l{n}", f"Current L{n}", "current", "A", "EMETERCURRENT") for n in (1, 2, 3)),
    *(_measured(f"voltage_l{n}", f"Voltage L{n}", "voltage", "V", "EMETERVOLTAGE") for n in (1, 2, 3)),
    Entity("switch", "available", "available", {
        "name": "Available", "icon": "mdi:ev-station", "entity_category": "config"}, "AVAILABLE"),
    _limit("consumption_limit", "Energy limit", "energy", "Wh", "CONSUMLIM", 100, 200_000),
    _limit("charging_time_limit", "Charging time limit", "duration", "s", "CHTIMELIM", 60, 48 * 3600),
    _limit("under_power_limit", "Under-power limit", "power", "W", "UNDERPOWERLIM", 100, 65_500),
)  # fmt: skip
ENTITIES = BASIC + MORE

Ranges = tuple[tuple[str, int, int], ...]  # slug, least, most


def messages(identifier: str, snapshot: Snapshot, prefix: str) -> dict[str, str]:
    """Topic -> payload. A number waits until the charger has told its range."""
    known = tuple(entity.slug for entity in ENTITIES if not entity.needs or entity.needs in snapshot.values)
    return dict(_messages(identifier, prefix, known, _ranges(snapshot)))


def _ranges(snapshot: Snapshot) -> Ranges:
    """What may be asked for, and what the charger holds: Home Assistant complains about a value outside the range."""
    current = snapshot.charging_current or MIN_CURRENT
    least, most = min(MIN_CURRENT, math.floor(current)), max(snapshot.maximum_current or 0, math.ceil(current))
    limits = ((entity.slug, 0, max(entity.top, snapshot.get(entity.needs) or 0)) for entity in ENTITIES if entity.top)
    return (("charging_current_limit", least, most), *limits)


@functools.lru_cache(maxsize=256)
def _messages(identifier: str, prefix: str, known: tuple[str, ...], ranges: Ranges) -> tuple[tuple[str, str], ...]:
    between = {slug: {"min": least, "max": most} for slug, least, most in ranges}
    return tuple(
        (
            f"{prefix}/{entity.domain}/{identifier}/{entity.slug}/config",
            json.dumps(
                {**_config(identifier, entity), **entity.about, **between.get(entity.slug, {})}, ensure_ascii=False
            ),
        )
        for entity in ENTITIES
        if entity.slug in known
    )


def _config(identifier: str, entity: Entity) -> dict[str, object]:
    name = f"{identifier}_{entity.slug}"
    config: dict[str, object] = {
        "unique_id": name,
        "object_id": name,  # for Home Assistant before 2025.10; ignored since 2026.4
        "default_entity_id": f"{entity.domain}.{name}",  # since 2025.10
        "state_topic": f"{identifier}/state",
        "value_template": f"{{{{ value_json.{entity.key} }}}}",
        "availability_topic": f"{identifier}/availability",
        "device": {
            "identifiers": [identifier], "name": identifier, "manufacturer": "esp32-evse", "model": "esp32-evse",
        },
    }  # fmt: skip
    if entity.domain in ("binary_sensor", "switch"):
        config["value_template"] = _BOOL.format(entity.key)
    if entity.domain == "switch":
        config |= {"payload_on": "ON", "payload_off": "OFF"}
    if entity.domain in ("switch", "number"):
        config["command_topic"] = f"{identifier}/{entity.key}/set"
    return config
