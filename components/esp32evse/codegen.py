"""From the catalog to schemas and C++ tables: the same few functions for every platform.

While platforms, actions and options generate their code they ask for the commands they need and leave (row, entity)
pairs in `CORE.data`. When all are done, `emit_tables` writes for each hub two constant tables and one state array, and
only what is configured is in them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import esphome.codegen as cg
import esphome.config_validation as cv
from esphome.const import CONF_FILTERS, CONF_FORCE_UPDATE, CONF_ID, CONF_PLATFORM
from esphome.core import CORE, ID
from esphome.cpp_generator import MockObj, RawExpression, RawStatement
from esphome.types import ConfigType

from . import catalog, mistakes

DOMAIN = mistakes.DOMAIN
CONF_ESP32EVSE_ID = "esp32evse_id"

esp32evse_ns = cg.esphome_ns.namespace(DOMAIN)
EntityBlock = esp32evse_ns.struct("EntityBlock")  # a name in the YAML, nothing in the program

_SIGNATURE = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i8": "b", "i32": "i", "str": "s"}
_REPORTERS = {"STATE": "state_and_session", "ERROR": "error_and_report"}
_OWN_FUNCTION = ("gated", "lifetime", "bit", "name", "join", "time", "counter")


@dataclass
class Hub:
    """What one hub's tables will hold."""

    id: ID
    commands: set[str] = field(default_factory=set)
    bindings: list[tuple[catalog.Entity, MockObj, bool]] = field(default_factory=list)
    explicit: dict[str, int] = field(default_factory=dict)

    keeps_time: bool = False
    reports: set[str] = field(default_factory=set)  # commands whose changes are events

    def follower(self, command: catalog.Command) -> str:
        """The hub's own function for the command's values, "" if only entities are interested."""
        if command.role == "TIME" and not self.keeps_time:
            return ""
        if command.role == "TOTAL_ENERGY" and not any(entity.convert == "lifetime" for entity, _, _ in self.bindings):
            return ""
        if command.role in _REPORTERS and command.name in self.reports:
            return _REPORTERS[command.role]
        return "" if command.role == "NONE" else command.role.lower()

    def row(self, command: str) -> RawExpression:
        """The command's row, as a constant that emit_tables defines."""
        self.commands.add(command)
        if limit := catalog.COMMAND[command].limited_by:
            self.commands.add(limit)
        return RawExpression(_row_constant(self.id, command))


def _row_constant(hub_id: ID, command: str) -> str:
    return f"{hub_id}__{command}"


def hub_of(hub_id: ID) -> Hub:
    hubs: dict[str, Hub] = CORE.data.setdefault(DOMAIN, {})
    if hub_id.id not in hubs:
        hubs[hub_id.id] = Hub(hub_id, {"UPTIME"})
    return hubs[hub_id.id]


# --- schemas ----------------------------------------------------------------------------------------------------------


def presentation(entity: catalog.Entity, *keys: str) -> dict[str, Any]:
    """The entity's Home Assistant properties, as keyword arguments of ESPHome's schema functions."""
    names = {"unit": "unit_of_measurement", "category": "entity_category", "accuracy": "accuracy_decimals"}
    values = {names.get(key, key): getattr(entity, key) for key in keys}
    return {key: value for key, value in values.items() if value != ""}


def teach(key: str, allowed: str, validator):
    """The validator, with one message that names the key, what it takes, and what was given instead."""

    def taught(value):
        try:
            return validator(value)
        except cv.Invalid:
            given = "nothing" if value in (None, "") or isinstance(value, dict) else value
            raise cv.Invalid(f"{key} must be {allowed}, not {given}") from None

    return taught


def one_line(key: str, low: int, high: int):
    """A string of `low` to `high` bytes of UTF-8 in one line. Its messages do not show it: it may be a password."""

    def validator(value):
        value = cv.string_strict(value)
        size = len(value.encode())
        if not low <= size <= high:
            raise cv.Invalid(f"{key} must have {low} to {high} bytes, not {size}; UTF-8 counts in bytes")
        for character in value:
            if ord(character) < 0x20 or ord(character) == 0x7F:
                raise cv.Invalid(f"{key} must be one line without control characters, but has {character!r}")
        return value

    return validator


def charger_string(key: str, low: int):
    """A string field of the charger."""
    return one_line(key, low, catalog.MAX_STRING_BYTES)


def platform_schema(platform: str, hub_class: MockObj, make_schema) -> cv.Schema:
    """`make_schema(entity)` for each of the platform's rows, all optional, under the platform's hub key.

    The block may have an id of its own, by which `!extend` and `!remove` find it in a package.
    """
    keys = {cv.Optional(entity.key): make_schema(entity) for entity in catalog.entities(platform)}
    block = {cv.Optional(CONF_ID): cv.declare_id(EntityBlock), cv.GenerateID(CONF_ESP32EVSE_ID): cv.use_id(hub_class)}
    return cv.All(
        mistakes.in_entities(platform, {CONF_PLATFORM, *(str(key) for key in block)}),
        cv.Schema({**block, **keys}),
        cv.has_at_least_one_key(*(entity.key for entity in catalog.entities(platform))),
    )


async def platform_to_code(platform: str, config: ConfigType, make_entity) -> None:
    """`await make_entity(entity, config, hub)` for each configured row; binds what it returns, if anything."""
    hub_id = config[CONF_ESP32EVSE_ID]
    await cg.get_variable(hub_id)
    for entity in catalog.entities(platform):
        if (entity_config := config.get(entity.key)) is None:
            continue
        hub = hub_of(hub_id)
        if entity.platform == "event" or catalog.SESSION_DURATION in entity.needs:
            hub.reports.update(entity.needs)
        variable = await make_entity(entity, entity_config, hub)
        hub.commands.update(entity.commands)
        if variable is not None:
            every = bool(entity_config.get(CONF_FILTERS) or entity_config.get(CONF_FORCE_UPDATE))
            hub.bindings.append((entity, variable, every))


def names_array(id_: ID, suffix: str, names: tuple[str, ...]) -> MockObj:
    """A constant table of strings."""
    array_id = ID(f"{id_}_{suffix}", is_declaration=True, type=RawExpression("char *const"))
    return cg.static_const_array(array_id, cg.ArrayInitializer(*names))


def reserve_text(entity: catalog.Entity, variable: MockObj) -> None:
    """Room for the longest text that the entity can show: nothing takes heap after setup."""
    size = catalog.MAX_STRING_BYTES
    if entity.convert == "join":
        lines = catalog.COMMAND[entity.command].lines
        size = RawExpression("MAX_STATE_LEN") if lines else catalog.MAX_LINE_BYTES
    cg.add(variable.state.reserve(size))


# --- tables -----------------------------------------------------------------------------------------------------------


def _signature(command: catalog.Command) -> str:
    letters, optional = "", False
    for item in command.fields:
        if item.since_head and not optional:
            letters, optional = letters + "|", True
        letters += _SIGNATURE[item.type]
    return letters


def writable_range(command: catalog.Command) -> tuple[int, int]:
    """What the first field of a write may be: a number's smallest and largest value, a text's fewest and most bytes."""
    if not command.fields:
        return 0, 0
    first = command.fields[0]
    if first.type == "str":
        return first.minimum or 0, first.released_bytes or catalog.MAX_STRING_BYTES
    low, high = first.range
    return max(low, 0), min(high, 2**32 - 1)


def _traits(command: catalog.Command) -> str:
    traits = {
        "STORED": command.stored,
        "LINES": command.lines,
        "CLOCK": command.tolerance > 0,
        "UNPROVABLE": command.verify == 0,
        "LIVE": command.name in catalog.LIVE_SETTINGS,
        "CHARGING_CURRENT": bool(command.limited_by),
    }
    return " | ".join(f"esp32evse::{trait}" for trait, present in traits.items() if present) or "0"


def _publish(entity: catalog.Entity) -> str:
    if entity.convert == "derived":
        return f"esp32evse::publish_{entity.key}"
    if entity.convert == "join" and catalog.COMMAND[entity.command].lines:
        return f"esp32evse::publish_{entity.platform}_list"
    suffix = f"_{entity.convert}" if entity.convert in _OWN_FUNCTION else ""
    return f"esp32evse::publish_{entity.platform}{suffix}"


def _binding_line(entity: catalog.Entity, variable: MockObj, every: bool) -> str:
    parameter = entity.bit or entity.scale
    return f"  {{{variable}, {_publish(entity)}, {entity.field_index}, {parameter}, {str(every).lower()}}},"


def _command_line(hub: Hub, command: catalog.Command, first: int, count: int) -> str:
    low, high = writable_range(command)
    follower = hub.follower(command)
    follow = f"esp32evse::Esp32Evse::follow_{follower}" if follower else "nullptr"
    return (
        f'  {{"{command.name}", "{command.answer_name}", "{_signature(command)}", {follow}, {low}u, {high}u, '
        f"esp32evse::Refresh::{command.refresh.upper()}, {_traits(command)}, {first}, {count}}},"
    )


def _table(declaration: str, lines: list[str]) -> RawStatement:
    return RawStatement("\n".join([f"static const {declaration}[] = {{", *lines, "};"]))


def emit_tables(hub: Hub, variable: MockObj) -> None:
    """Writes one hub's tables, in the catalog's order, and hands them to the hub."""
    commands = [command for command in catalog.COMMANDS if command.name in hub.commands]
    command_lines, binding_lines = [], []
    for row, command in enumerate(commands):
        bound = [item for item in hub.bindings if item[0].command == command.name]
        command_lines.append(_command_line(hub, command, len(binding_lines), len(bound)))
        binding_lines += [_binding_line(*item) for item in bound]
        cg.add_global(RawStatement(f"static constexpr uint8_t {_row_constant(hub.id, command.name)} = {row};"))
    first_derived = len(binding_lines)
    binding_lines += [_binding_line(*item) for item in hub.bindings if not item[0].command]
    empty = ["  {nullptr, nullptr, 0, 0, false},"]
    cg.add_global(_table(f"esp32evse::CommandRow {hub.id}__rows", command_lines))
    cg.add_global(_table(f"esp32evse::Binding {hub.id}__bindings", binding_lines or empty))
    cg.add_global(RawStatement(f"static esp32evse::RowState {hub.id}__states[{len(commands)}];"))
    cg.add(
        variable.set_tables(
            RawExpression(f"{hub.id}__rows"),
            RawExpression(f"{hub.id}__states"),
            len(commands),
            RawExpression(f"{hub.id}__bindings"),
            len(binding_lines),
            first_derived,
        )
    )
    for name, period in hub.explicit.items():
        cg.add(variable.subscribe(RawExpression(_row_constant(hub.id, name)), period))
