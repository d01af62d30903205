"""Load management beside the charger's hub: protects fuses, follows the sun, shares among chargers, says why."""

import logging

import esphome.codegen as cg
import esphome.config_validation as cv
import esphome.final_validate as fv
from esphome import automation
from esphome.components import binary_sensor, esp32evse, sensor, time
from esphome.components.esp32evse.codegen import CONF_ESP32EVSE_ID, hub_of, teach
from esphome.const import (
    CONF_BINARY_SENSOR,
    CONF_DELAY,
    CONF_FILTERS,
    CONF_ID,
    CONF_LAMBDA,
    CONF_MODE,
    CONF_NAME,
    CONF_PLATFORM,
    CONF_PRIORITY,
    CONF_TIME_ID,
    CONF_TIMEOUT,
    CONF_UNIT_OF_MEASUREMENT,
    CONF_UPDATE_INTERVAL,
)
from esphome.core import CORE, ID, CoroPriority, TimePeriod, coroutine_with_priority
from esphome.cpp_generator import StructInitializer
from esphome.helpers import fnv1a_32bit_hash

from . import catalog
from .codegen import CONF_CIRCUIT, DOMAIN, Circuit, FollowerLink, LoadManager, data, emit_bindings, load_manager_ns

CODEOWNERS = []
DEPENDENCIES = ["esp32evse"]
AUTO_LOAD = ["sensor"]

CONF_CAPACITY = "capacity"
CONF_CHARGERS = "chargers"
CONF_CIRCUITS = "circuits"
CONF_DIMMING = "dimming"
CONF_FALLBACK = "fallback"
CONF_FOLLOWERS = "followers"
CONF_GRID_ALLOWANCE = "grid_allowance"
CONF_HEARTBEAT = "heartbeat"
CONF_LEADER = "leader"
CONF_LEASE = "lease"
CONF_LIMIT = "limit"
CONF_MARGIN = "margin"
CONF_METER = "meter"
CONF_MIN_CURRENT = "min_current"
CONF_MIN_OFF = "min_off"
CONF_MONTH_PEAK = "month_peak"
CONF_PARENT = "parent"
CONF_PHASES = "phases"
CONF_SHARE = "share"
CONF_START_ENERGY = "start_energy"
CONF_STOP_ENERGY = "stop_energy"
CONF_SURPLUS = "surplus"
CONF_UNBALANCE = "unbalance"
CONF_USABLE = "usable"
CONF_WORST_CASE = "worst_case"

VOLTAGE = 230  # phases.h has it, too
PHASES = ("L1", "L2", "L3")
NO_PARENT = 0xFF
MAX_CIRCUITS = MAX_CHARGERS = 4
MAX_NAME = 40  # bytes

#: A for one of the sensor's units, by what the meter's key promises.
UNITS = {"power": {"W": 1 / VOLTAGE, "kW": 1000 / VOLTAGE}, "current": {"A": 1.0, "mA": 0.001}}
#: These publish only changes, and keep the last value when the link dies.
SILENT_WHEN_DEAD = ("homeassistant", "mqtt_subscribe")
#: Filters that delay or hide what the meter says.
SLOW_FILTERS = {
    "throttle", "throttle_average", "sliding_window_moving_average", "exponential_moving_average", "median", "min",
    "max", "quantile", "debounce", "heartbeat", "delta", "skip_initial",
}  # fmt: skip

Mode = load_manager_ns.enum("Mode", is_class=True)

_LOGGER = logging.getLogger(__name__)

# --- values -----------------------------------------------------------------------------------------------------------


def _quantity(key: str, validator, low: float, high: float, unit: str):
    """A number with its unit, within a range; the message shows both."""
    return teach(key, f"{low:g} to {high:g} {unit}", cv.All(validator, cv.Range(min=low, max=high)))


def _power(key: str, low: float, high: float):
    """W."""
    watts = cv.float_with_unit("power", "(W|w)")
    return teach(key, f"{low:g} W to {high / 1000:g} kW, such as 4.2kW", cv.All(watts, cv.Range(min=low, max=high)))


def _name(value: str) -> str:
    """What has room in the reason."""
    if not 1 <= len(value.encode()) <= MAX_NAME:
        raise cv.Invalid(f"{CONF_NAME}: '{value}' must have 1 to {MAX_NAME} bytes; a letter with an accent has two")
    return value


def _energy(key: str):
    """Wh."""
    return _quantity(key, cv.float_with_unit("energy", "(Wh|wh)"), 1, 10000, "Wh, such as 40Wh")


def _time(key: str, low: str, high: str):
    limits = [cv.positive_time_period_milliseconds(text) for text in (low, high)]
    return teach(
        key, f"{low} to {high}", cv.All(cv.positive_time_period_milliseconds, cv.Range(min=limits[0], max=limits[1]))
    )


def _or_word(key: str, word: str, allowed: str, validator):
    """`word` is 0."""
    return teach(key, f"`{word}` or {allowed}", lambda value: 0 if str(value).lower() == word else validator(value))


def _limit(value):
    return _quantity(CONF_LIMIT, cv.current, 6, 630, "A per phase, such as 25A")(value)


# --- meter ------------------------------------------------------------------------------------------------------------

_PHASE_KEYS = {kind: tuple(f"{kind}_l{phase}" for phase in (1, 2, 3)) for kind in ("power", "export", "current")}
_SENSOR_KEYS = ("power", "export", *(key for keys in _PHASE_KEYS.values() for key in keys))


def _meter_keys(value):
    """Which sensors belong together."""
    given = [key for key in _SENSOR_KEYS if key in value]
    kinds = {key.partition("_")[0] for key in given}
    if not given:
        raise cv.Invalid(
            "meter has no sensor: give power_l1, power_l2, power_l3, or current_l1, ..., or power for one phase"
        )
    if "export" in kinds and "power" not in kinds:
        raise cv.Invalid(
            f"{given[0]} is what flows into the grid: give what comes from it, too, as power_l1 ... or power"
        )
    if {"power", "current"} <= kinds:
        raise cv.Invalid("meter: give powers or currents of the phases, not both; powers know their direction")
    if any("_l" in key for key in given) and ("power" in given or "export" in given):
        raise cv.Invalid("meter: `power` is for one phase, power_l1, power_l2, power_l3 are for three: not both")
    for key in given:
        twin = key.replace("export", "power")
        if twin not in given:
            raise cv.Invalid(f"{key} needs {twin}", path=[key])
    return value


METER_SCHEMA = cv.All(
    cv.Schema(
        {
            **{cv.Optional(key): cv.use_id(sensor.Sensor) for key in _SENSOR_KEYS},
            cv.Optional(CONF_HEARTBEAT): cv.use_id(sensor.Sensor),
            cv.Optional(CONF_TIMEOUT, default="15s"): _time(CONF_TIMEOUT, "3s", "5min"),
            cv.Optional(CONF_DELAY, default="1s"): _time(CONF_DELAY, "0s", "10s"),
        }
    ),
    _meter_keys,
)


def meter_phases(meter) -> list[int]:
    """The phases that a meter shows, from 0."""
    if "power" in meter:
        return [0]
    return [phase for phase in range(3) for kind in ("power", "current") if _PHASE_KEYS[kind][phase] in meter]


# --- several nodes ----------------------------------------------------------------------------------------------------

_DRAWN_KEYS = tuple(f"drawn_l{phase}" for phase in (1, 2, 3))


def _worst_case(value):
    """A, 0 for `pause`."""
    return _or_word(CONF_WORST_CASE, "pause", "6 to 63 A", cv.All(cv.current, cv.Range(min=6, max=63)))(value)


LEADER_SCHEMA = cv.Schema(
    {
        cv.Required(CONF_SHARE): cv.use_id(sensor.Sensor),
        cv.Required(CONF_WORST_CASE): _worst_case,
        cv.Optional(CONF_TIMEOUT, default="15s"): _time(CONF_TIMEOUT, "3s", "30s"),
    }
)

# --- schema -----------------------------------------------------------------------------------------------------------

CIRCUIT_SCHEMA = cv.Schema(
    {
        cv.GenerateID(): cv.declare_id(Circuit),
        cv.Optional(CONF_NAME): cv.All(cv.string_strict, _name),
        cv.Required(CONF_LIMIT): _limit,
        cv.Optional(CONF_MARGIN, default="0.5A"): _quantity(CONF_MARGIN, cv.current, 0, 5, "A"),
        cv.Optional(CONF_PARENT): cv.use_id(Circuit),
        cv.Optional(CONF_METER): METER_SCHEMA,
        cv.Optional(CONF_LEADER): LEADER_SCHEMA,
    }
)


def _phases(value):
    value = [str(phase).upper() for phase in cv.ensure_list(cv.string)(value)]
    if not value or len(value) > 3 or len(set(value)) != len(value) or not set(value) <= set(PHASES):
        raise cv.Invalid(f"{CONF_PHASES} must list one to three of L1, L2, L3, each once, not {value}")
    if len(value) == 2:
        raise cv.Invalid(f"{CONF_PHASES} must be one phase or all three, not {value}")
    return value


_ANY_CHARGER = cv.Schema(
    {
        cv.Optional(CONF_CIRCUIT): cv.use_id(Circuit),
        cv.Optional(CONF_PHASES, default=list(PHASES)): _phases,
        cv.Optional(CONF_PRIORITY, default=1): teach(CONF_PRIORITY, "1 to 9", cv.int_range(1, 9)),
        cv.Optional(CONF_MIN_CURRENT, default="6A"): _quantity(
            CONF_MIN_CURRENT, cv.current, 6, 32, "A; IEC 61851 has no current between 0 and 6 A"
        ),
        cv.Optional(CONF_MODE, default="fast"): teach(
            CONF_MODE, "one of " + ", ".join(catalog.MODES), cv.one_of(*catalog.MODES, lower=True)
        ),
    }
)

CHARGER_SCHEMA = _ANY_CHARGER.extend({cv.GenerateID(CONF_ESP32EVSE_ID): cv.use_id(esp32evse.Esp32Evse)})

FOLLOWER_SCHEMA = _ANY_CHARGER.extend(
    {
        cv.Required(CONF_ID): cv.declare_id(FollowerLink),
        cv.Required(CONF_WORST_CASE): _worst_case,
        cv.Required(CONF_USABLE): cv.use_id(sensor.Sensor),
        **{cv.Optional(key): cv.use_id(sensor.Sensor) for key in _DRAWN_KEYS},
        cv.Optional(CONF_TIMEOUT, default="15s"): _time(CONF_TIMEOUT, "3s", "30s"),
    }
)


def _short_form(value):
    """`limit` and `meter` are one circuit; without `chargers`, the only one is meant."""
    if isinstance(value, list) and len(value) > 1:
        raise cv.Invalid(
            f"{DOMAIN} stands {len(value)} times, but two managers would work against each other: keep one, with all "
            f"`{CONF_CHARGERS}:` and `{CONF_CIRCUITS}:` in it"
        )
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    if not isinstance(value, dict):
        raise cv.Invalid(f"{DOMAIN} needs at least a limit and a meter, such as `limit: 25A`")
    value = dict(value)
    if CONF_CIRCUITS in value:
        for key in (CONF_LIMIT, CONF_METER, CONF_LEADER):
            if key in value:
                raise cv.Invalid(
                    f"{key} and {CONF_CIRCUITS} are two forms of the same: put it into a circuit", path=[key]
                )
    elif CONF_LIMIT in value:
        circuit = {key: value.pop(key) for key in (CONF_LIMIT, CONF_METER, CONF_LEADER) if key in value}
        if CONF_METER not in circuit and CONF_LEADER not in circuit:
            raise cv.Invalid(f"{CONF_METER} is missing: without one, a fuse with a house behind it cannot be protected")
        value[CONF_CIRCUITS] = [{CONF_NAME: "Main fuse", **circuit}]
    else:
        raise cv.Invalid(f"{CONF_LIMIT} is missing: what the main fuse holds per phase, such as `limit: 25A`")
    value.setdefault(CONF_CHARGERS, [{}])
    return value


CONFIG_SCHEMA = cv.All(
    _short_form,
    cv.Schema(
        {
            cv.GenerateID(): cv.declare_id(LoadManager),
            cv.Required(CONF_CIRCUITS): cv.All(cv.ensure_list(CIRCUIT_SCHEMA), cv.Length(min=1, max=MAX_CIRCUITS)),
            cv.Required(CONF_CHARGERS): cv.All(cv.ensure_list(CHARGER_SCHEMA), cv.Length(min=1, max=MAX_CHARGERS)),
            cv.Optional(CONF_FOLLOWERS): cv.All(cv.ensure_list(FOLLOWER_SCHEMA), cv.Length(min=1)),
            cv.Optional(CONF_SURPLUS): cv.All(
                lambda value: {} if value is None else value,
                cv.Schema(
                    {
                        cv.Optional(CONF_START_ENERGY, default="40Wh"): _energy(CONF_START_ENERGY),
                        cv.Optional(CONF_STOP_ENERGY, default="150Wh"): _energy(CONF_STOP_ENERGY),
                        cv.Optional(CONF_GRID_ALLOWANCE, default="0W"): _power(CONF_GRID_ALLOWANCE, 0, 5000),
                    }
                ),
            ),
            cv.Optional(CONF_DIMMING): cv.Schema(
                {
                    cv.Required(CONF_BINARY_SENSOR): cv.use_id(binary_sensor.BinarySensor),
                    cv.Optional(CONF_LIMIT, default="4.2kW"): _power(CONF_LIMIT, 4200, 100000),
                }
            ),
            cv.Optional(CONF_UNBALANCE): _quantity(CONF_UNBALANCE, cv.current, 6, 63, "A"),
            cv.Optional(CONF_CAPACITY): cv.Schema(
                {
                    cv.Optional(CONF_LIMIT, default="2.5kW"): _power(CONF_LIMIT, 1000, 50000),
                    cv.GenerateID(CONF_TIME_ID): cv.use_id(time.RealTimeClock),
                    cv.Optional(CONF_MONTH_PEAK): cv.use_id(sensor.Sensor),
                }
            ),
            cv.Optional(CONF_FALLBACK, default="pause"): _or_word(
                CONF_FALLBACK, "pause", "6 to 63 A", cv.All(cv.current, cv.Range(min=6, max=63))
            ),
            cv.Optional(CONF_LEASE, default="120s"): _or_word(
                CONF_LEASE,
                "never",
                "60s to 60min",
                lambda value: _time(CONF_LEASE, "60s", "60min")(value).total_seconds,
            ),
            cv.Optional(CONF_MIN_OFF, default="2min"): _time(CONF_MIN_OFF, "30s", "60min"),
            **{cv.Optional(trigger.name): automation.validate_automation({}) for trigger in catalog.TRIGGERS},
        }
    ).extend(cv.COMPONENT_SCHEMA),
)

# --- final validation: what the sensors are ---------------------------------------------------------------------------


def _sensor_config(id_: ID) -> tuple[dict, dict]:
    """The configurations of a sensor's platform and of the sensor; they may be the same."""
    full = fv.full_config.get()
    path = full.get_path_for_id(id_)[:-1]
    return full.get_config_for_path(path[:2]), full.get_config_for_path(path)


def _check_interval(key: str, id_: ID, timeout: TimePeriod, path: list) -> None:
    """A sensor that is read more rarely than the meter may be silent would be silent for ever."""
    block, config = _sensor_config(id_)
    if block[CONF_PLATFORM] == "template" and CONF_LAMBDA not in config:
        return  # published by automations
    interval = config.get(CONF_UPDATE_INTERVAL, block.get(CONF_UPDATE_INTERVAL))
    if interval is not None and interval >= timeout:
        raise cv.Invalid(
            f"{key}: sensor '{id_}' has an {CONF_UPDATE_INTERVAL} of {interval}, but the meter counts as silent after "
            f"{timeout}; set {CONF_UPDATE_INTERVAL} to 1s to 5s",
            path=path,
        )


def _check_unit(key: str, id_: ID, kind: str, path: list) -> None:
    _, config = _sensor_config(id_)
    unit = config.get(CONF_UNIT_OF_MEASUREMENT, "")
    units = UNITS[kind]
    if unit not in units:
        given = f"'{unit}'" if unit else "none"
        raise cv.Invalid(
            f"{key}: the unit of sensor '{id_}' must be {' or '.join(units)}, but it has {given}; set its "
            f"{CONF_UNIT_OF_MEASUREMENT} to what it really counts in",
            path=path,
        )
    data().factors[str(id_)] = units[unit]
    slow = [name for entry in config.get(CONF_FILTERS, ()) for name in entry if name in SLOW_FILTERS]
    if slow:
        _LOGGER.warning("%s: filter %s of sensor '%s' delays what protects a fuse", key, slow[0], id_)


def _check_meter(circuit, path: list) -> None:
    meter = circuit[CONF_METER]
    for key in _SENSOR_KEYS:
        if key not in meter:
            continue
        _check_unit(key, meter[key], "current" if key.startswith("current") else "power", [*path, key])
        _check_interval(key, meter[key], meter[CONF_TIMEOUT], [*path, key])
        platform = _sensor_config(meter[key])[0][CONF_PLATFORM]
        if platform in SILENT_WHEN_DEAD and CONF_HEARTBEAT not in meter:
            raise cv.Invalid(
                f"{key}: a {platform} sensor keeps its last value when the link dies, so nobody would see that the "
                f"meter is silent; give `{CONF_HEARTBEAT}:` a sensor that changes with every telegram",
                path=[*path, key],
            )


def _check_heartbeat(meter, path: list) -> None:
    """What does not come over the meter's own way would go on when that is dead."""
    if CONF_HEARTBEAT not in meter:
        return
    block, beat = _sensor_config(meter[CONF_HEARTBEAT])
    ways = {_sensor_config(meter[key])[0][CONF_PLATFORM] for key in _SENSOR_KEYS if key in meter}
    published = block[CONF_PLATFORM] == "template" and CONF_LAMBDA not in beat
    if block[CONF_PLATFORM] not in ways and not published:
        raise cv.Invalid(
            f"{CONF_HEARTBEAT}: sensor '{meter[CONF_HEARTBEAT]}' is of the platform {block[CONF_PLATFORM]}, so it "
            f"would go on when the meter's link is dead; give one that comes with the meter, from "
            f"{' or '.join(sorted(ways))}",
            path=[*path, CONF_HEARTBEAT],
        )


def _check_ampere(key: str, id_: ID, path: list) -> None:
    """What nodes tell each other: in A, and again and again."""
    block, found = _sensor_config(id_)
    if (unit := found.get(CONF_UNIT_OF_MEASUREMENT)) != "A":
        raise cv.Invalid(f"{key}: the unit of sensor '{id_}' must be A, not {unit or 'none'}", path=path)
    if block[CONF_PLATFORM] in SILENT_WHEN_DEAD:
        raise cv.Invalid(
            f"{key}: a {block[CONF_PLATFORM]} sensor keeps its last value when the link dies; take `packet_transport`, "
            "which sends it again and again",
            path=path,
        )


def _check_leader(circuit, path: list) -> None:
    leader = circuit[CONF_LEADER]
    if CONF_METER in circuit:
        raise cv.Invalid(f"{CONF_LEADER}: the leader has the meter; give one of both", path=path)
    _check_ampere(CONF_SHARE, leader[CONF_SHARE], [*path, CONF_SHARE])
    if leader[CONF_WORST_CASE] > circuit[CONF_LIMIT]:
        raise cv.Invalid(
            f"{CONF_WORST_CASE}: {leader[CONF_WORST_CASE]:g} A is above the limit of {circuit[CONF_LIMIT]:g} A",
            path=[*path, CONF_WORST_CASE],
        )


def _check_circuit(config, index: int) -> None:
    circuit = config[CONF_CIRCUITS][index]
    path = [CONF_CIRCUITS, index]
    if CONF_LEADER in circuit:
        _check_leader(circuit, [*path, CONF_LEADER])
    elif CONF_METER in circuit:
        _check_meter(circuit, [*path, CONF_METER])
        _check_heartbeat(circuit[CONF_METER], [*path, CONF_METER])
    elif CONF_PARENT not in circuit and len(config[CONF_CIRCUITS]) > 1:
        raise cv.Invalid(
            f"{CONF_METER} is missing: circuit '{circuit[CONF_ID]}' has no {CONF_PARENT} either", path=path
        )
    known = [str(other[CONF_ID]) for other in config[CONF_CIRCUITS][:index]]
    if CONF_PARENT in circuit and str(circuit[CONF_PARENT]) not in known:
        raise cv.Invalid(
            f"{CONF_PARENT}: '{circuit[CONF_PARENT]}' must stand before '{circuit[CONF_ID]}' in the list",
            path=[*path, CONF_PARENT],
        )


def _circuit_of(config, charger) -> int:
    ids = [str(circuit[CONF_ID]) for circuit in config[CONF_CIRCUITS]]
    return ids.index(str(charger[CONF_CIRCUIT])) if CONF_CIRCUIT in charger else 0


def _path_of(config, charger) -> list[int]:
    """The charger's circuits, up to the root."""
    ids = [str(circuit[CONF_ID]) for circuit in config[CONF_CIRCUITS]]
    path = [_circuit_of(config, charger)]
    while (parent := config[CONF_CIRCUITS][path[-1]].get(CONF_PARENT)) is not None:
        path.append(ids.index(str(parent)))
    return path


def _check_charger(config, index: int) -> None:
    charger = config[CONF_CHARGERS][index]
    path = [CONF_CHARGERS, index]
    name = charger[CONF_ESP32EVSE_ID]
    if str(name) in [str(other[CONF_ESP32EVSE_ID]) for other in config[CONF_CHARGERS][:index]]:
        raise cv.Invalid(f"{CONF_ESP32EVSE_ID}: '{name}' stands twice in the list", path=path)
    _check_circuits_of(config, charger, name, path)


def _check_follower(config, index: int) -> None:
    follower = config[CONF_FOLLOWERS][index]
    path = [CONF_FOLLOWERS, index]
    name = follower[CONF_ID]
    _check_circuits_of(config, follower, name, path)
    for key in (CONF_USABLE, *_DRAWN_KEYS):
        if key in follower:
            _check_ampere(key, follower[key], [*path, key])
    if missing := [key for phase in follower[CONF_PHASES] if (key := f"drawn_{phase.lower()}") not in follower]:
        raise cv.Invalid(f"{missing[0]} is missing: what '{name}' draws must be told from the house", path=path)
    if 0 < follower[CONF_WORST_CASE] < follower[CONF_MIN_CURRENT]:
        raise cv.Invalid(
            f"{CONF_WORST_CASE}: {follower[CONF_WORST_CASE]:g} A is below the {CONF_MIN_CURRENT} of "
            f"{follower[CONF_MIN_CURRENT]:g} A; write `pause`",
            path=[*path, CONF_WORST_CASE],
        )


def _check_worst_cases(config) -> None:
    """All that followers take when they hear nothing must fit."""
    followers = config.get(CONF_FOLLOWERS, ())
    if len(followers) + len(config[CONF_CHARGERS]) > MAX_CHARGERS:
        raise cv.Invalid(
            f"{CONF_FOLLOWERS}: {len(followers)} and {len(config[CONF_CHARGERS])} {CONF_CHARGERS} are more than "
            f"{MAX_CHARGERS}; let another node lead some of them",
            path=[CONF_FOLLOWERS],
        )
    for place, circuit in enumerate(config[CONF_CIRCUITS]):
        total = sum(each[CONF_WORST_CASE] for each in followers if place in _path_of(config, each))
        if total > (limit := circuit[CONF_LIMIT] - circuit[CONF_MARGIN]):
            raise cv.Invalid(
                f"{CONF_WORST_CASE}: the followers take {total:g} A together when they hear nothing, but circuit "
                f"'{circuit[CONF_ID]}' has {limit:g} A; lower them, down to 6 A, or write `pause`",
                path=[CONF_FOLLOWERS],
            )


def _check_circuits_of(config, charger, name, path: list) -> None:
    """The circuits above a charger can carry it, and their meters see it."""
    least = charger[CONF_MIN_CURRENT]
    for circuit in (config[CONF_CIRCUITS][place] for place in _path_of(config, charger)):
        limit, margin = circuit[CONF_LIMIT], circuit[CONF_MARGIN]
        if limit - margin < least:
            raise cv.Invalid(
                f"{CONF_LIMIT}: circuit '{circuit[CONF_ID]}' with {limit:g} A less {margin:g} A {CONF_MARGIN} can "
                f"never carry charger '{name}', which needs {least:g} A",
                path=path,
            )
        if CONF_METER in circuit:
            shown = {PHASES[phase] for phase in meter_phases(circuit[CONF_METER])}
            if hidden := set(charger[CONF_PHASES]) - shown:
                raise cv.Invalid(
                    f"{CONF_PHASES}: charger '{name}' uses {', '.join(sorted(hidden))}, which the meter of circuit "
                    f"'{circuit[CONF_ID]}' does not show; give the meter power_l1, power_l2 and power_l3, or the "
                    f"charger the phase that it is wired to, such as `phases: [L1]`",
                    path=path,
                )
    if charger[CONF_MODE] in ("solar", "min_solar") and CONF_SURPLUS not in config:
        raise cv.Invalid(f"{CONF_MODE}: {charger[CONF_MODE]} needs `{CONF_SURPLUS}:`", path=[*path, CONF_MODE])


def _check_grid_meter(config) -> None:
    """Sun and quarters are seen at the first circuit."""
    for key in (CONF_SURPLUS, CONF_CAPACITY):
        if key not in config:
            continue
        meter = config[CONF_CIRCUITS][0].get(CONF_METER, {})
        if any(name.startswith("current") for name in meter):
            raise cv.Invalid(
                f"{key}: currents do not tell whether they flow into the grid; give the first circuit's meter "
                "power_l1, power_l2, power_l3",
                path=[key],
            )
        if not meter:
            raise cv.Invalid(f"{key}: the first circuit needs a {CONF_METER}", path=[key])
    if (peak := config.get(CONF_CAPACITY, {}).get(CONF_MONTH_PEAK)) is not None:
        _, found = _sensor_config(peak)
        if (unit := found.get(CONF_UNIT_OF_MEASUREMENT)) != "kW":
            raise cv.Invalid(
                f"{CONF_MONTH_PEAK}: the unit of sensor '{peak}' must be kW, not {unit}", path=[CONF_CAPACITY]
            )


def _final_validate(config):
    for index in range(len(config[CONF_CIRCUITS])):
        _check_circuit(config, index)
    for index in range(len(config[CONF_CHARGERS])):
        _check_charger(config, index)
    for index in range(len(config.get(CONF_FOLLOWERS, ()))):
        _check_follower(config, index)
    _check_worst_cases(config)
    _check_grid_meter(config)
    if (fallback := config[CONF_FALLBACK]) > (limit := min(circuit[CONF_LIMIT] for circuit in config[CONF_CIRCUITS])):
        raise cv.Invalid(f"{CONF_FALLBACK}: {fallback:g} A is above the limit of {limit:g} A", path=[CONF_FALLBACK])
    return config


FINAL_VALIDATE_SCHEMA = _final_validate

# --- code -------------------------------------------------------------------------------------------------------------

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
        limit=circuit[CONF_LIMIT],
        margin=0.0 if leader else circuit[CONF_MARGIN],
        fallback=leader[CONF_WORST_CASE] if leader else config[CONF_FALLBACK],
        timeout_ms=source[CONF_TIMEOUT].total_milliseconds if source else 0,
        delay_ms=meter[CONF_DELAY].total_milliseconds if meter else 0,
        phases=_mask(meter_phases(meter) if meter else [0, 1, 2]),
        parent=data().circuits[str(parent)] if parent else NO_PARENT,
        led=leader is not None,
    )
    cg.add(variable.add_circuit(circuit.get(CONF_NAME, str(circuit[CONF_ID])), fields))
    if leader:
        cg.add_define("USE_ESP32EVSE_LOAD_MANAGER_LEADER")
        cg.add(variable.set_share(index, await cg.get_variable(leader[CONF_SHARE])))
    if meter is None:
        return
    for key in _SENSOR_KEYS:
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
        minimum=charger[CONF_MIN_CURRENT],
        phases=_mask([PHASES.index(phase) for phase in charger[CONF_PHASES]]),
        circuit=_circuit_of(config, charger),
        priority=charger[CONF_PRIORITY],
        worst_case=charger.get(CONF_WORST_CASE, -1.0),
    )


async def _follower_to_code(variable, config, follower) -> None:
    mode = getattr(Mode, follower[CONF_MODE].upper())
    timeout = follower[CONF_TIMEOUT].total_milliseconds
    link = cg.Pvariable(follower[CONF_ID], variable.add_follower(_law_of(config, follower), timeout, mode))
    cg.add(link.set_usable(await cg.get_variable(follower[CONF_USABLE])))
    for phase, key in enumerate(_DRAWN_KEYS):
        if key in follower:
            cg.add(link.add_current(phase, await cg.get_variable(follower[key])))


async def _charger_to_code(variable, config, index: int) -> None:
    charger = config[CONF_CHARGERS][index]
    hub_id = charger[CONF_ESP32EVSE_ID]
    hub = hub_of(hub_id)
    rows = _struct("Rows", **{name: hub.row(command) for name, command in _ROWS.items()})
    law = _law_of(config, charger)
    phase_map = _phase_map(charger)
    mode = getattr(Mode, charger[CONF_MODE].upper())
    hub_variable = await cg.get_variable(hub_id)
    cg.add(variable.add_charger(hub_variable, rows, law, *phase_map, config[CONF_LEASE], mode))


async def _parts_to_code(variable, config) -> None:
    settings = {"min_off_ms": config[CONF_MIN_OFF].total_milliseconds}
    if (dimming := config.get(CONF_DIMMING)) is not None:
        settings["dimming"] = dimming[CONF_LIMIT]
        cg.add(variable.set_dimming(await cg.get_variable(dimming[CONF_BINARY_SENSOR])))
    if CONF_UNBALANCE in config:
        settings["unbalance"] = config[CONF_UNBALANCE]
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
    cg.add_define("ESP32EVSE_LOAD_MANAGER_CHARGERS", len(config[CONF_CHARGERS]) + len(followers))
    cg.add_define("ESP32EVSE_LOAD_MANAGER_FOLLOWERS", len(followers))
    cg.add_define("ESP32EVSE_LOAD_MANAGER_CIRCUITS", len(config[CONF_CIRCUITS]))
    for feature in catalog.FEATURES:
        if feature in config:
            cg.add_define(f"USE_ESP32EVSE_LOAD_MANAGER_{feature.upper()}")
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
        cg.add_define("USE_ESP32EVSE_LOAD_MANAGER_TRIGGERS")
    types = {"int": cg.int_, "string": cg.std_string}
    callbacks = tuple(
        automation.CallbackAutomation(
            trigger.name,
            f"add_{trigger.name}_callback",
            [(types[argument.type], argument.name) for argument in trigger.arguments],
        )
        for trigger in catalog.TRIGGERS
    )
    await automation.build_callback_automations(variable, config, callbacks)


@coroutine_with_priority(CoroPriority.FINAL)
async def _finish(variable) -> None:
    emit_bindings(variable)


from . import actions  # noqa: E402, F401  the registrations in it need the manager's class
