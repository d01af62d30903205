"""From the catalog to schemas and C++ bindings: the same few functions for every platform."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import esphome.codegen as cg
import esphome.config_validation as cv
import esphome.final_validate as fv
from esphome.components.esp32evse.codegen import Pacer, const_table, states, wants_every_value
from esphome.const import CONF_ID
from esphome.core import CORE
from esphome.cpp_generator import MockObj, RawExpression

from . import catalog

DOMAIN = "esp32evse_load_manager"
CONF_MANAGER_ID = "load_manager_id"
CONF_CIRCUIT = "circuit"
CONF_CHARGER = "charger"
NO_ROW = 0xFF

load_manager_ns = cg.esphome_ns.namespace(DOMAIN)
LoadManager = load_manager_ns.class_("LoadManager", cg.Component)
Circuit = load_manager_ns.class_("Circuit")
FollowerLink = load_manager_ns.class_("FollowerLink")


@dataclass
class Data:
    """What the manager's final code needs from the platforms, and they from it."""

    circuits: dict[str, int] = field(default_factory=dict)
    chargers: dict[str, int] = field(default_factory=dict)
    followers: dict[str, int] = field(default_factory=dict)
    features: set[str] = field(default_factory=set)
    limits: list[float] = field(default_factory=list)
    factors: dict[str, float] = field(default_factory=dict)  # A for a meter sensor's unit
    lease: int = 0  # s
    hubs: list[Any] = field(default_factory=list)  # of the chargers, each with its minimum in A
    safe_defaults: set[int] = field(default_factory=set)  # chargers for which somebody may ask for them
    bindings: list[tuple[catalog.Entity, MockObj, int, bool]] = field(default_factory=list)


def data() -> Data:
    return CORE.data.setdefault(DOMAIN, Data())


def presentation(entity: catalog.Entity, *keys: str) -> dict[str, Any]:
    """The entity's Home Assistant properties, as keyword arguments of ESPHome's schema functions."""
    names = {"unit": "unit_of_measurement", "category": "entity_category", "accuracy": "accuracy_decimals"}
    values = {names.get(key, key): getattr(entity, key) for key in keys}
    return {key: value for key, value in values.items() if value != ""}


# --- schemas ----------------------------------------------------------------------------------------------------------


def belongs_to(of: str) -> dict:
    """The key that names what something belongs to; it may be left out where there is only one."""
    if of == catalog.CIRCUIT:
        return {cv.Optional(CONF_CIRCUIT): cv.use_id(Circuit)}
    if of == catalog.CHARGER:
        from esphome.components.esp32evse import Esp32Evse

        return {cv.Optional(CONF_CHARGER): cv.use_id(Esp32Evse)}
    if of == catalog.FOLLOWER:
        return {cv.Optional(catalog.FOLLOWER): cv.use_id(FollowerLink)}
    return {}


def platform_schema(platform: str, make_schema) -> cv.Schema:
    """`make_schema(entity)` for each of the platform's rows, all optional; circuit and charger stand beside them."""
    rows = catalog.entities(platform)
    keys = {cv.Optional(entity.key): make_schema(entity) for entity in rows}
    for of in dict.fromkeys(entity.of for entity in rows):
        keys |= belongs_to(of)
    return cv.All(
        cv.Schema({cv.GenerateID(CONF_MANAGER_ID): cv.use_id(LoadManager), **keys}),
        cv.has_at_least_one_key(*(entity.key for entity in rows)),
    )


def _known(of: str, config) -> list[str]:
    if of == catalog.CIRCUIT:
        return [str(circuit[CONF_ID]) for circuit in config["circuits"]]
    if of == catalog.FOLLOWER:
        return [str(follower[CONF_ID]) for follower in config.get(catalog.FOLLOWERS, ())]
    return [str(charger["esp32evse_id"]) for charger in config["chargers"]]


def check_belonging(of: str, config, key: str) -> None:
    """Final validation: what is named is the manager's, and it is named where there are several."""
    if of == catalog.MANAGER:
        return
    known = _known(of, fv.full_config.get()[DOMAIN])
    named = config.get(of)
    if named is None and len(known) > 1:
        raise cv.Invalid(f"{key}: `{of}` is missing, it must be one of {', '.join(known)}")
    if named is not None and str(named) not in known:
        raise cv.Invalid(f"{key}: {of} '{named}' is none of the load manager's: {', '.join(known)}", path=[of])


def final_platform(platform: str):
    """Final validation of a platform: belonging, and the part of the manager that an entity shows is configured."""

    def validator(config):
        manager = fv.full_config.get()[DOMAIN]
        for entity in catalog.entities(platform):
            if entity.key not in config:
                continue
            if entity.needs and entity.needs not in manager:
                raise cv.Invalid(
                    f"{entity.key}: there is no `{entity.needs}:` in {DOMAIN}, so it would show nothing",
                    path=[entity.key],
                )
            check_belonging(entity.of, config, entity.key)
        return config

    return validator


# --- code -------------------------------------------------------------------------------------------------------------


def index_of(of: str, config) -> int:
    """The place of what `config` names, in the manager's list."""
    if of == catalog.MANAGER:
        return 0
    places = {catalog.CIRCUIT: data().circuits, catalog.CHARGER: data().chargers, catalog.FOLLOWER: data().followers}[
        of
    ]
    named = config.get(of)
    return places[str(named)] if named is not None else min(places.values())


async def platform_to_code(platform: str, config, make_entity) -> None:
    """`await make_entity(entity, config, manager, index)` for each configured row, and binds what it returns."""
    manager = await cg.get_variable(config[CONF_MANAGER_ID])
    for entity in catalog.entities(platform):
        if (entity_config := config.get(entity.key)) is None:
            continue
        index = index_of(entity.of, config)
        variable = await make_entity(entity, entity_config, manager, index)
        data().bindings.append((entity, variable, index, wants_every_value(entity_config)))


def use_part(name: str) -> None:
    """Brings one of the parts in parts.h into the program."""
    cg.add_define(f"USE_{DOMAIN.upper()}_{name}")


def need_safe_defaults(manager: MockObj, charger: int) -> None:
    """A button or an action may ask for them."""
    if charger in data().safe_defaults:
        return
    data().safe_defaults.add(charger)
    hub, minimum = data().hubs[charger]
    use_part("SAFE_DEFAULTS")
    time_limit = hub.row("DEFCHTIMELIM") if data().lease else NO_ROW
    cg.add(manager.set_safe_defaults(charger, hub.row("DEFCHCUR"), time_limit, round(minimum * 10)))


def _is_paced(entity: catalog.Entity, every: bool) -> bool:
    return entity.cadence > 0 and not every


def emit_bindings(manager: MockObj) -> None:
    shown = [binding for binding in data().bindings if binding[0].platform != "button"]
    pacers = states(f"{DOMAIN}__pacers", Pacer, sum(_is_paced(entity, every) for entity, _, _, every in shown))
    pacer = itertools.count()
    lines = [
        cg.ArrayInitializer(
            variable,
            getattr(load_manager_ns, entity.function),
            index,
            entity.phase,
            entity.cadence == 0 and not every,
            RawExpression(f"&{pacers}[{next(pacer)}]") if _is_paced(entity, every) else cg.nullptr,
            cg.ArrayInitializer(entity.cadence, entity.steps, False),
        )
        for entity, variable, index, every in shown
    ]
    if lines:
        table = const_table(f"{DOMAIN}__bindings", load_manager_ns.struct("Binding"), lines)
        cg.add(manager.set_bindings(table, len(lines)))
