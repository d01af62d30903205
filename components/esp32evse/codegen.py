"""From the catalog to schemas and C++ tables: the same few functions for every platform.

While platforms, actions and options generate their code they ask for the commands they need and leave (row, entity)
pairs in `CORE.data`. When all are done, `emit_tables` writes for each hub two constant tables and one state array, and
only what is configured is in them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import esphome.codegen as cg
import esphome.config_validation as cv
from esphome import automation
from esphome.const import CONF_FILTERS, CONF_FORCE_UPDATE, CONF_ID, CONF_MQTT_ID, CONF_PLATFORM
from esphome.core import CORE, ID
from esphome.cpp_generator import Expression, MockObj, RawExpression, RawStatement, StaticConstAssignmentExpression
from esphome.types import ConfigType

from . import catalog, mistakes

DOMAIN = mistakes.DOMAIN
CONF_ESP32EVSE_ID = "esp32evse_id"

esp32evse_ns = cg.esphome_ns.namespace(DOMAIN)
EntityBlock = esp32evse_ns.struct("EntityBlock")  # a name in the YAML, nothing in the program

_SIGNATURE = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i8": "b", "i32": "i", "str": "s"}
#: Of what a trigger hands over.
_TYPES = {"string": cg.std_string, "float": cg.float_, "uint32_t": cg.uint32, "int": cg.int_, "bool": cg.bool_}
_REPORTERS = {"STATE": "state_and_session", "ERROR": "error_and_report"}
#: What energy and sessions are counted from: the hub looks at it however seldom it is shown.
_WATCHED = ("STATE", "SESSION_TIME", "SESSION_ENERGY", "TOTAL_ENERGY")
_OWN_FUNCTION = ("gated", "lifetime", "bit", "pending", "name", "join", "time", "counter")

_CommandRow = esp32evse_ns.struct("CommandRow")
_RowState = esp32evse_ns.struct("RowState")
_Binding = esp32evse_ns.class_("Binding")
Pacer = esp32evse_ns.class_("Pacer")
_Refresh = esp32evse_ns.enum("Refresh", is_class=True)
# What is static in a class is written as what is in a namespace.
_NO_PACER = esp32evse_ns.namespace("Binding").NO_PACER
_FOLLOWERS = esp32evse_ns.namespace("Esp32Evse")


@dataclass
class Hub:
    """What one hub's tables will hold."""

    id: ID
    commands: set[str] = field(default_factory=set)
    bindings: list[tuple[catalog.Entity, MockObj, bool]] = field(default_factory=list)
    explicit: dict[str, int] = field(default_factory=dict)

    keeps_time: bool = False
    fast: bool = False  # the user chose how often the meter is pushed, and wants every value
    tells_failures: bool = False
    pushed: set[str] = field(default_factory=set)  # commands that somebody must hear of at once
    reports: set[str] = field(default_factory=set)  # commands whose changes are events
    traits: set[str] | None = None  # of its rows, once they are emitted

    def follower(self, command: catalog.Command) -> str:
        """The hub's own function for the command's values, "" if only entities are interested."""
        if command.role == "TIME" and not self.keeps_time:
            return ""
        if command.role == "TOTAL_ENERGY" and not self.counts_lifetime and command.name not in self.reports:
            return ""
        if command.role in _REPORTERS and command.name in self.reports:
            return _REPORTERS[command.role]
        return "" if command.role == "NONE" else command.role.lower()

    @property
    def counts_lifetime(self) -> bool:
        return any(entity.convert == "lifetime" for entity, _, _ in self.bindings)

    @property
    def rows(self) -> list[catalog.Command]:
        """The commands in the catalog's order, which is that of the table."""
        return [command for command in catalog.COMMANDS if command.name in self.commands]

    def row(self, command: str) -> Expression:
        """The command's row."""
        self.commands.add(command)
        if limit := catalog.COMMAND[command].limited_by:
            self.commands.add(limit)
        return _Row(self, command)

    def cadence(self, entity: catalog.Entity, every: bool) -> int:
        """How many seconds lie between two publications; 0: every value."""
        pushed = entity.command and catalog.COMMAND[entity.command].refresh in (catalog.PUSH, catalog.CHARGING)
        return 0 if every or (self.fast and pushed) else entity.cadence


class _Row(Expression):
    """The number of a command's row. It is settled when all entities, actions and options have asked for theirs."""

    def __init__(self, hub: Hub, command: str) -> None:
        self.hub = hub
        self.command = command

    def __str__(self) -> str:
        return f"{[command.name for command in self.hub.rows].index(self.command)} /* {self.command} */"


def hub_of(hub_id: ID) -> Hub:
    hubs: dict[str, Hub] = CORE.data.setdefault(DOMAIN, {})
    if hub_id.id not in hubs:
        hubs[hub_id.id] = Hub(hub_id, {"UPTIME"})
    return hubs[hub_id.id]


def use_part(name: str) -> None:
    """Bring one of the parts in parts.h into the program."""
    cg.add_define(f"USE_ESP32EVSE_{name}")


async def build_triggers(variable: MockObj, config: ConfigType, triggers: Iterable[catalog.Automation]) -> None:
    """Each of ``triggers`` that is configured, with a callback that C++ takes by `add_NAME_callback`."""
    callbacks = tuple(
        automation.CallbackAutomation(
            trigger.name,
            f"add_{trigger.name}_callback",
            [(_TYPES[argument.type], argument.key) for argument in trigger.arguments],
        )
        for trigger in triggers
    )
    await automation.build_callback_automations(variable, config, callbacks)


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


def charger_string(key: str, low: int, high: int = catalog.MAX_STRING_BYTES):
    """A string field of the charger."""
    return one_line(key, low, high)


def with_mqtt(schema: cv.Schema, name: str, base: MockObj) -> cv.Schema:
    """The platform's schema with our class for ESPHome's own MQTT, which tells that a value is unknown."""
    return schema.extend({cv.OnlyWith(CONF_MQTT_ID, "mqtt"): cv.declare_id(esp32evse_ns.class_(name, base))})


def platform_schema(platform: str, hub_class: MockObj, make_schema) -> cv.Schema:
    """`make_schema(entity)` for each of the platform's rows, all optional, under the platform's hub key.

    The block may have an id of its own, by which `!extend` and `!remove` find it in a package.
    """
    options = {entity.key: make_schema(entity) for entity in catalog.entities(platform)}
    keys = {
        cv.Optional(entity.key): mistakes.in_options(entity, options[entity.key])
        for entity in catalog.entities(platform)
    }
    block = {cv.Optional(CONF_ID): cv.declare_id(EntityBlock), cv.GenerateID(CONF_ESP32EVSE_ID): cv.use_id(hub_class)}
    return cv.All(
        mistakes.in_entities(platform, {CONF_PLATFORM, *(str(key) for key in block)}, options),
        mistakes.naming(cv.Schema({**block, **keys})),
        cv.has_at_least_one_key(*(entity.key for entity in catalog.entities(platform))),
    )


#: Filters that know no value but the present one: to them the cadence makes no difference.
_MEMORYLESS = {
    "calibrate_linear", "calibrate_polynomial", "clamp", "multiply", "offset", "round",
    "append", "map", "prepend", "substitute", "to_lower", "to_upper",
}  # fmt: skip


def wants_every_value(config: ConfigType) -> bool:
    """Whether it is forced, or some filter needs every value, as an average or a throttle does, or may: a lambda."""
    remembers = any(not _MEMORYLESS & {str(key) for key in item} for item in config.get(CONF_FILTERS, ()))
    return remembers or bool(config.get(CONF_FORCE_UPDATE))


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
            hub.bindings.append((entity, variable, wants_every_value(entity_config)))


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


def _traits(command: catalog.Command, counts: bool = False) -> list[str]:
    traits = {
        "STORED": command.stored,
        "LINES": command.lines,
        "CLOCK": command.tolerance > 0,
        "UNPROVABLE": command.verify == 0,
        "LIVE": command.name in catalog.LIVE_SETTINGS,
        "CHARGING_CURRENT": bool(command.limited_by),
        "STARTS_ON": command.name in catalog.LIVE_SETTINGS and command.fields[0].maximum == 1,
        "WATCHED": counts and command.role in _WATCHED,
    }
    return [trait for trait, present in traits.items() if present]


def _publish(entity: catalog.Entity) -> MockObj:
    if entity.convert == "derived":
        return getattr(esp32evse_ns, f"publish_{entity.key}")
    if entity.convert == "join" and catalog.COMMAND[entity.command].lines:
        return getattr(esp32evse_ns, f"publish_{entity.platform}_list")
    suffix = f"_{entity.convert}" if entity.convert in _OWN_FUNCTION else ""
    return getattr(esp32evse_ns, f"publish_{entity.platform}{suffix}")


def _command(hub: Hub, command: catalog.Command, first: int, count: int) -> cg.ArrayInitializer:
    low, high = writable_range(command)
    follower = hub.follower(command)
    traits = _traits(command, hub.counts_lifetime or "STATE" in hub.reports)
    hub.traits.update(traits)
    return cg.ArrayInitializer(
        command.name,
        command.answer_name,
        _signature(command),
        getattr(_FOLLOWERS, f"follow_{follower}") if follower else cg.nullptr,
        RawExpression(f"{low}u"),
        RawExpression(f"{high}u"),
        getattr(_Refresh, (catalog.PUSH if command.name in hub.pushed else command.refresh).upper()),
        RawExpression(" | ".join(f"esp32evse::{trait}" for trait in traits) or "0"),
        first,
        count,
    )


def _binding(entity: catalog.Entity, variable: MockObj, every: bool, cadence: int, pacer) -> cg.ArrayInitializer:
    return cg.ArrayInitializer(
        variable,
        _publish(entity),
        entity.field_index,
        entity.bit or entity.scale,
        pacer,
        every,
        cg.ArrayInitializer(cadence, entity.steps, entity.state_class == "total_increasing"),
    )


def const_table(name: str, type_: MockObj, lines: list) -> MockObj:
    """A constant table in flash, one element a line."""
    id_ = ID(name, is_declaration=True, type=type_)
    cg.add_global(StaticConstAssignmentExpression(type_, id_, cg.ArrayInitializer(*lines, multiline=True)))
    return MockObj(id_)


def states(name: str, type_: MockObj, count: int) -> RawExpression:
    """Room for `count` objects that change; ESPHome has no expression for an array that is not constant."""
    if count == 0:
        return cg.nullptr
    cg.add_global(RawStatement(f"static {type_} {name}[{count}];"))
    return RawExpression(name)


def emit_tables(hub: Hub, variable: MockObj) -> None:
    """Writes one hub's tables, in the catalog's order, and hands them to the hub."""
    commands: list = []
    bindings: list = []
    pacers = 0
    hub.traits = set()

    def bind(bound: list[tuple[catalog.Entity, MockObj, bool]]) -> None:
        nonlocal pacers
        for entity, entity_variable, every in bound:
            cadence = hub.cadence(entity, every)
            bindings.append(_binding(entity, entity_variable, every, cadence, pacers if cadence else _NO_PACER))
            pacers += 1 if cadence else 0

    for command in hub.rows:
        bound = [item for item in hub.bindings if item[0].command == command.name]
        commands.append(_command(hub, command, len(bindings), len(bound)))
        bind(bound)
    first_derived = len(bindings)
    bind([item for item in hub.bindings if not item[0].command])
    cg.add(
        variable.set_tables(
            const_table(f"{hub.id}__rows", _CommandRow, commands),
            states(f"{hub.id}__states", _RowState, len(commands)),
            len(commands),
            const_table(f"{hub.id}__bindings", _Binding, bindings) if bindings else cg.nullptr,
            len(bindings),
            first_derived,
            states(f"{hub.id}__pacers", Pacer, pacers),
        )
    )
    for name, period in hub.explicit.items():
        cg.add(variable.subscribe(hub.row(name), period))


def define_traits() -> None:
    """Brings what the traits of the tables ask for into the program, when all hubs have theirs."""
    traits = [hub.traits for hub in CORE.data[DOMAIN].values()]
    if None not in traits:
        cg.add_define("ESP32EVSE_TRAITS", RawExpression(" | ".join(sorted(set().union(*traits))) or "0"))


def emit_wish_names(hub: Hub, variable: MockObj) -> None:
    """What on_write_failed calls each row."""
    id_ = ID(f"{hub.id}__wishes", is_declaration=True, type=RawExpression("char *const"))
    names = [catalog.wish_name(command.name) for command in hub.rows]
    cg.add(variable.set_wish_names(cg.static_const_array(id_, cg.ArrayInitializer(*names, multiline=True))))
