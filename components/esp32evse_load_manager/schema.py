"""What may stand under `esp32evse_load_manager:`; what it means together is checked in checks.py."""

import esphome.config_validation as cv
from esphome import automation
from esphome.components import binary_sensor, esp32evse, sensor, time
from esphome.components.esp32evse.codegen import CONF_ESP32EVSE_ID, teach
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

from . import catalog
from .codegen import CONF_CIRCUIT, DOMAIN, Circuit, FollowerLink, LoadManager

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

PHASES = ("L1", "L2", "L3")
MAX_CIRCUITS = MAX_CHARGERS = 4
MAX_NAME = 40  # bytes

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
    return _quantity(key, cv.float_with_unit("energy", "(Wh|wh)"), 1, 10000, "Wh, such as 30Wh")


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
SENSOR_KEYS = ("power", "export", *(key for keys in _PHASE_KEYS.values() for key in keys))


METER_KEYS = (*SENSOR_KEYS, CONF_HEARTBEAT, CONF_TIMEOUT, CONF_DELAY)


def _meter_form(value):
    """What would else be answered with the rules of IDs and dictionaries."""
    if not isinstance(value, dict):
        raise cv.Invalid(
            f"{CONF_METER} names the sensor of each phase, such as {{power_l1: p1, power_l2: p2, power_l3: p3}}, not "
            f"{value}"
        )
    for key, given in value.items():
        if key not in METER_KEYS:
            raise cv.Invalid(
                f"{CONF_METER} has no {key}, only {', '.join(METER_KEYS)}; power and current are exchanged at 230 V",
                path=[key],
            )
        if key in SENSOR_KEYS and str(given).startswith("-"):
            raise cv.Invalid(
                f"{key}: '{given}' is no sensor; to turn the sign of '{str(given)[1:]}' give that sensor "
                "`filters: [multiply: -1]`",
                path=[key],
            )
    return value


def _meter_keys(value):
    """Which sensors belong together."""
    given = [key for key in SENSOR_KEYS if key in value]
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
        if first := [other for other in given[: given.index(key)] if str(value[other]) == str(value[key])]:
            raise cv.Invalid(
                f"{key}: sensor '{value[key]}' is {first[0]} already; each phase needs its own, the sum of the phases "
                "protects no fuse",
                path=[key],
            )
    return value


METER_SCHEMA = cv.All(
    _meter_form,
    cv.Schema(
        {
            **{cv.Optional(key): cv.use_id(sensor.Sensor) for key in SENSOR_KEYS},
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

DRAWN_KEYS = tuple(f"drawn_l{phase}" for phase in (1, 2, 3))


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
        **{cv.Optional(key): cv.use_id(sensor.Sensor) for key in DRAWN_KEYS},
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


SCHEMA = cv.All(
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
                        cv.Optional(CONF_START_ENERGY, default="30Wh"): _energy(CONF_START_ENERGY),
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
