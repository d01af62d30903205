"""Load management beside the charger's hub: protects fuses, follows the sun, shares among chargers, says why."""

import esphome.codegen as cg
from esphome.components.esp32evse.codegen import CONF_ESP32EVSE_ID, build_triggers, hub_of
from esphome.const import (
    CONF_BINARY_SENSOR,
    CONF_DELAY,
    CONF_ID,
    CONF_MODE,
    CONF_NAME,
    CONF_PRIORITY,
    CONF_TIME_ID,
    CONF_TIMEOUT,
)
from esphome.core import CORE, CoroPriority, coroutine_with_priority
from esphome.cpp_generator import StructInitializer
from esphome.helpers import fnv1a_32bit_hash

from . import catalog
from .checks import circuit_of, final_validate
from .codegen import DOMAIN, data, emit_bindings, load_manager_ns, use_part
from .schema import (
    CONF_CAPACITY,
    CONF_CHARGERS,
    CONF_CIRCUITS,
    CONF_DIMMING,
    CONF_FALLBACK,
    CONF_FOLLOWERS,
    CONF_GRID_ALLOWANCE,
    CONF_HEARTBEAT,
    CONF_LEADER,
    CONF_LEASE,
    CONF_LIMIT,
    CONF_MARGIN,
    CONF_METER,
    CONF_MIN_CURRENT,
    CONF_MIN_OFF,
    CONF_MONTH_PEAK,
    CONF_PARENT,
    CONF_PHASES,
    CONF_SHARE,
    CONF_START_ENERGY,
    CONF_STOP_ENERGY,
    CONF_SURPLUS,
    CONF_UNBALANCE,
    CONF_USABLE,
    CONF_WORST_CASE,
    DRAWN_KEYS,
    PHASES,
    SCHEMA,
    SENSOR_KEYS,
    meter_phases,
)

CODEOWNERS = []
DEPENDENCIES = ["esp32evse"]
AUTO_LOAD = ["sensor"]

CONFIG_SCHEMA = SCHEMA
FINAL_VALIDATE_SCHEMA = final_validate

NO_PARENT = 0xFF
Mode = load_manager_ns.enum("Mode", is_class=True)

_ROWS = {
    "state": "STATE",
    "enable": "ENABLE",
    "current": "CHCUR",
    "maximum": "MAXCHCUR",
    "own": "EMETERCURRENT",
    "time_limit": "CHTIMELIM",
    "charging_time": "EMETERCHTIME",
    "meter_mode": "EMETERMODE",
}


def _struct(name: str, **fields):
    return StructInitializer(load_manager_ns.struct(name), *fields.items())


def _milliampere(ampere: float) -> int:
    return round(ampere * 1000)


def _mask(phases: list[int]) -> int:
    return sum(1 << phase for phase in phases)


async def _circuit_to_code(variable, config, index: int) -> None:
    circuit = config[CONF_CIRCUITS][index]
    meter = circuit.get(CONF_METER)
    leader = circuit.get(CONF_LEADER)
    parent = circuit.get(CONF_PARENT)
    source = meter or leader
    fields = _struct(
        "CircuitConfig",
        limit=_milliampere(circuit[CONF_LIMIT]),
        margin=0 if leader else _milliampere(circuit[CONF_MARGIN]),
        fallback=_milliampere(leader[CONF_WORST_CASE] if leader else config[CONF_FALLBACK]),
        timeout_ms=source[CONF_TIMEOUT].total_milliseconds if source else 0,
        delay_ms=meter[CONF_DELAY].total_milliseconds if meter else 0,
        phases=_mask(meter_phases(meter) if meter else [0, 1, 2]),
        parent=data().circuits[str(parent)] if parent else NO_PARENT,
        led=leader is not None,
    )
    cg.add(variable.set_circuit(index, circuit.get(CONF_NAME, str(circuit[CONF_ID])), fields))
    if leader:
        use_part("LEADER")
        cg.add(variable.set_share(index, await cg.get_variable(leader[CONF_SHARE])))
    if meter is None and leader is None:
        use_part("UNMETERED")
    if meter is None:
        return
    for key in SENSOR_KEYS:
        if key in meter:
            factor = data().factors[str(meter[key])] * (-1 if key.startswith("export") else 1)
            phase = int(key[-1]) - 1 if "_l" in key else 0
            cg.add(variable.meter(index).add(phase, await cg.get_variable(meter[key]), factor))
    if CONF_HEARTBEAT in meter:
        cg.add(variable.meter(index).set_heartbeat(await cg.get_variable(meter[CONF_HEARTBEAT])))


def _phase_map(charger) -> list[int]:
    """The circuit's phase of each of the charger's, from 0; those that are not wired come last."""
    wired = [PHASES.index(phase) for phase in charger[CONF_PHASES]]
    return wired + [phase for phase in range(3) if phase not in wired]


def _law_of(config, charger):
    return _struct(
        "ChargerConfig",
        minimum=_milliampere(charger[CONF_MIN_CURRENT]),
        phases=_mask([PHASES.index(phase) for phase in charger[CONF_PHASES]]),
        circuit=circuit_of(config, charger),
        priority=charger[CONF_PRIORITY],
        worst_case=_milliampere(charger.get(CONF_WORST_CASE, -1)),
    )


async def _follower_to_code(variable, config, follower) -> None:
    mode = getattr(Mode, follower[CONF_MODE].upper())
    timeout = follower[CONF_TIMEOUT].total_milliseconds
    link = cg.Pvariable(follower[CONF_ID], variable.add_follower(_law_of(config, follower), timeout, mode))
    cg.add(link.set_usable(await cg.get_variable(follower[CONF_USABLE])))
    for phase, key in enumerate(DRAWN_KEYS):
        if key in follower:
            cg.add(link.add_current(phase, await cg.get_variable(follower[key])))


async def _charger_to_code(variable, config, index: int) -> None:
    charger = config[CONF_CHARGERS][index]
    hub_id = charger[CONF_ESP32EVSE_ID]
    hub = hub_of(hub_id)
    hub.pushed.add(_ROWS["current"])  # what something else sets must not last
    rows = _struct("Rows", **{name: hub.row(command) for name, command in _ROWS.items()})
    law = _law_of(config, charger)
    phase_map = _phase_map(charger)
    mode = getattr(Mode, charger[CONF_MODE].upper())
    hub_variable = await cg.get_variable(hub_id)
    cg.add(variable.set_charger(index, hub_variable, rows, law, *phase_map, config[CONF_LEASE], mode))


async def _parts_to_code(variable, config) -> None:
    settings = {"min_off_ms": config[CONF_MIN_OFF].total_milliseconds}
    if (dimming := config.get(CONF_DIMMING)) is not None:
        settings["dimming"] = round(dimming[CONF_LIMIT])
        cg.add(variable.set_dimming(await cg.get_variable(dimming[CONF_BINARY_SENSOR])))
    if CONF_UNBALANCE in config:
        settings["unbalance"] = _milliampere(config[CONF_UNBALANCE])
    if (surplus := config.get(CONF_SURPLUS)) is not None:
        keys = (CONF_START_ENERGY, CONF_STOP_ENERGY, CONF_GRID_ALLOWANCE)
        settings["surplus"] = _struct("SurplusConfig", **{key: surplus[key] for key in keys})
    cg.add(variable.configure(_struct("Settings", **settings)))
    if (capacity := config.get(CONF_CAPACITY)) is not None:
        cg.add(variable.set_capacity(await cg.get_variable(capacity[CONF_TIME_ID]), capacity[CONF_LIMIT]))
        if CONF_MONTH_PEAK in capacity:
            cg.add(variable.set_month_peak(await cg.get_variable(capacity[CONF_MONTH_PEAK])))


def _number_all(config) -> None:
    """The places by which platforms and actions name circuits and chargers; before anything else can ask for them."""
    data().circuits |= {str(circuit[CONF_ID]): index for index, circuit in enumerate(config[CONF_CIRCUITS])}
    data().chargers |= {str(charger[CONF_ESP32EVSE_ID]): index for index, charger in enumerate(config[CONF_CHARGERS])}
    first = len(config[CONF_CHARGERS])
    followers = enumerate(config.get(CONF_FOLLOWERS, ()), first)
    data().followers |= {str(follower[CONF_ID]): index for index, follower in followers}
    data().limits += [circuit[CONF_LIMIT] for circuit in config[CONF_CIRCUITS]]
    data().lease = config[CONF_LEASE]
    data().hubs += [
        (hub_of(charger[CONF_ESP32EVSE_ID]), charger[CONF_MIN_CURRENT]) for charger in config[CONF_CHARGERS]
    ]
    data().features |= {feature for feature in catalog.FEATURES if feature in config}


async def to_code(config) -> None:
    _number_all(config)
    cg.add_define("USE_ESP32EVSE_LOAD_MANAGER")
    followers = config.get(CONF_FOLLOWERS, ())
    chargers = len(config[CONF_CHARGERS]) + len(followers)
    cg.add_define("ESP32EVSE_LOAD_MANAGER_CHARGERS", chargers)
    if chargers > 1:
        use_part("SEVERAL")
    cg.add_define("ESP32EVSE_LOAD_MANAGER_FOLLOWERS", len(followers))
    cg.add_define("ESP32EVSE_LOAD_MANAGER_CIRCUITS", len(config[CONF_CIRCUITS]))
    for feature in catalog.FEATURES:
        if feature in config:
            use_part(feature.upper())
    variable = cg.new_Pvariable(config[CONF_ID])
    await cg.register_component(variable, config)
    cg.add(variable.set_key(fnv1a_32bit_hash(f"{DOMAIN}.{config[CONF_ID]}")))
    for index in range(len(config[CONF_CIRCUITS])):
        await _circuit_to_code(variable, config, index)
    for index in range(len(config[CONF_CHARGERS])):
        await _charger_to_code(variable, config, index)
    for follower in followers:
        await _follower_to_code(variable, config, follower)
    await _parts_to_code(variable, config)
    await _triggers_to_code(variable, config)
    CORE.add_job(_finish, variable)


async def _triggers_to_code(variable, config) -> None:
    if any(trigger.name in config for trigger in catalog.TRIGGERS):
        use_part("TRIGGERS")
    await build_triggers(variable, config, catalog.TRIGGERS)


@coroutine_with_priority(CoroPriority.FINAL)
async def _finish(variable) -> None:
    emit_bindings(variable)


from . import actions  # noqa: E402, F401  the registrations in it need the manager's class
