"""Final validation: what the meters' sensors are, and what circuits, chargers and nodes are to each other."""

import logging

import esphome.config_validation as cv
import esphome.final_validate as fv
from esphome.components.esp32evse.codegen import CONF_ESP32EVSE_ID
from esphome.const import (
    CONF_FILTERS,
    CONF_ID,
    CONF_LAMBDA,
    CONF_MODE,
    CONF_NAME,
    CONF_PLATFORM,
    CONF_SOURCE_ID,
    CONF_TIMEOUT,
    CONF_UNIT_OF_MEASUREMENT,
    CONF_UPDATE_INTERVAL,
)
from esphome.core import ID, TimePeriod

from .codegen import CONF_CIRCUIT, data
from .schema import (
    CONF_CAPACITY,
    CONF_CHARGERS,
    CONF_CIRCUITS,
    CONF_DIMMING,
    CONF_FALLBACK,
    CONF_FOLLOWERS,
    CONF_HEARTBEAT,
    CONF_LEADER,
    CONF_LIMIT,
    CONF_MARGIN,
    CONF_METER,
    CONF_MIN_CURRENT,
    CONF_MONTH_PEAK,
    CONF_PARENT,
    CONF_PHASES,
    CONF_SHARE,
    CONF_SURPLUS,
    CONF_USABLE,
    CONF_WORST_CASE,
    DRAWN_KEYS,
    MAX_CHARGERS,
    PHASES,
    SENSOR_KEYS,
    meter_phases,
)

VOLTAGE = 230  # phases.h has it, too
#: A for one of the sensor's units, by what the meter's key promises.
UNITS = {"power": {"W": 1 / VOLTAGE, "kW": 1000 / VOLTAGE}, "current": {"A": 1.0, "mA": 0.001}}
#: These publish only changes, and keep the last value when the link dies.
SILENT_WHEN_DEAD = ("homeassistant", "mqtt_subscribe")
#: Filters that delay or hide what the meter says.
SLOW_FILTERS = {
    "throttle", "throttle_with_priority", "throttle_average", "sliding_window_moving_average",
    "exponential_moving_average", "median", "min", "max", "quantile", "debounce", "heartbeat", "delta", "skip_initial",
}  # fmt: skip

_LOGGER = logging.getLogger(__name__)


def _sensor_config(id_: ID) -> tuple[dict, dict]:
    """The configurations of a sensor's platform and of the sensor; they may be the same."""
    full = fv.full_config.get()
    path = full.get_path_for_id(id_)[:-1]
    return full.get_config_for_path(path[:2]), full.get_config_for_path(path)


def _source_of(id_: ID) -> ID:
    """The sensor that a copy, or a copy of it, shows."""
    block, _ = _sensor_config(id_)
    return _source_of(block[CONF_SOURCE_ID]) if block[CONF_PLATFORM] == "copy" else id_


def _interval_of(id_: ID) -> TimePeriod | None:
    """How often a sensor is read: it, or the device whose registers it shows."""
    block, config = _sensor_config(id_)
    if block[CONF_PLATFORM] == "template" and CONF_LAMBDA not in config:
        return None  # published by automations
    full = fv.full_config.get()
    devices = (value for key, value in block.items() if key == f"{block[CONF_PLATFORM]}_id")
    parts = [config, block, *(full.get_config_for_path(full.get_path_for_id(device)[:-1]) for device in devices)]
    return next((part[CONF_UPDATE_INTERVAL] for part in parts if CONF_UPDATE_INTERVAL in part), None)


def _check_interval(key: str, id_: ID, timeout: TimePeriod, path: list) -> None:
    """A sensor that is read more rarely than the meter may be silent would be silent for ever."""
    interval = _interval_of(_source_of(id_))
    if interval is None:
        return
    rare = (
        f"{key}: sensor '{id_}' has an {CONF_UPDATE_INTERVAL} of {interval}, but the meter counts as silent after "
        f"{timeout}"
    )
    if interval >= timeout:
        raise cv.Invalid(f"{rare}; set {CONF_UPDATE_INTERVAL} to 1s to 5s", path=path)
    if 2 * interval.total_milliseconds > timeout.total_milliseconds:
        _LOGGER.warning(
            "%s: one reading that is lost pauses the charge; set %s to 1s to 5s, or a longer %s",
            *(rare, CONF_UPDATE_INTERVAL, CONF_TIMEOUT),
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
    _, source = _sensor_config(_source_of(id_))
    filters = (*config.get(CONF_FILTERS, ()), *source.get(CONF_FILTERS, ()))
    slow = [name for entry in filters for name in entry if name in SLOW_FILTERS]
    if slow:
        _LOGGER.warning("%s: filter %s of sensor '%s' delays what protects a fuse", key, slow[0], id_)


def _name(circuit) -> str:
    """As the reason calls it."""
    return circuit.get(CONF_NAME) or str(circuit[CONF_ID])


def _check_meter(circuit, path: list) -> None:
    meter = circuit[CONF_METER]
    for key in SENSOR_KEYS:
        if key not in meter:
            continue
        _check_unit(key, meter[key], "current" if key.startswith("current") else "power", [*path, key])
        _check_interval(key, meter[key], meter[CONF_TIMEOUT], [*path, key])
        platform = _sensor_config(_source_of(meter[key]))[0][CONF_PLATFORM]
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
    block, beat = _sensor_config(_source_of(meter[CONF_HEARTBEAT]))
    ways = {_sensor_config(_source_of(meter[key]))[0][CONF_PLATFORM] for key in SENSOR_KEYS if key in meter}
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


def circuit_of(config, charger) -> int:
    ids = [str(circuit[CONF_ID]) for circuit in config[CONF_CIRCUITS]]
    return ids.index(str(charger[CONF_CIRCUIT])) if CONF_CIRCUIT in charger else 0


def _path_of(config, charger) -> list[int]:
    """The charger's circuits, up to the root."""
    ids = [str(circuit[CONF_ID]) for circuit in config[CONF_CIRCUITS]]
    path = [circuit_of(config, charger)]
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
    for key in (CONF_USABLE, *DRAWN_KEYS):
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
                f"{CONF_LIMIT}: circuit '{_name(circuit)}' with {limit:g} A less {margin:g} A {CONF_MARGIN} can "
                f"never carry charger '{name}', which needs {least:g} A",
                path=path,
            )
        if CONF_METER in circuit:
            shown = {PHASES[phase] for phase in meter_phases(circuit[CONF_METER])}
            if hidden := set(charger[CONF_PHASES]) - shown:
                kind = "current" if any(key.startswith("current") for key in circuit[CONF_METER]) else "power"
                missing = ", ".join(f"{kind}_{phase.lower()}" for phase in sorted(hidden))
                raise cv.Invalid(
                    f"{CONF_PHASES}: charger '{name}' uses {', '.join(sorted(hidden))}, which the meter of circuit "
                    f"'{_name(circuit)}' does not show; give the meter {missing}, too, or the charger the phase that "
                    "it is wired to, such as `phases: [L1]`",
                    path=path,
                )
    if charger[CONF_MODE] in ("solar", "min_solar") and CONF_SURPLUS not in config:
        raise cv.Invalid(f"{CONF_MODE}: {charger[CONF_MODE]} needs `{CONF_SURPLUS}:`", path=[*path, CONF_MODE])


def _check_direction(meter) -> None:
    """A P1 port tells the sun in sensors of its own."""
    for key in ("power", "power_l1", "power_l2", "power_l3"):
        if key in meter and key.replace("power", "export") not in meter:
            block, _ = _sensor_config(_source_of(meter[key]))
            if block[CONF_PLATFORM] == "dsmr":
                export = key.replace("power", "export")
                raise cv.Invalid(
                    f"{CONF_SURPLUS}: dsmr sensor '{meter[key]}' shows 0 while power flows into the grid; give the "
                    f"first circuit's meter {export}, too, from power_returned{key.removeprefix('power')}",
                    path=[CONF_SURPLUS],
                )


def _check_least(config) -> None:
    """What a silent meter and the grid operator leave is enough for a charger."""
    least = min(charger[CONF_MIN_CURRENT] for charger in config[CONF_CHARGERS])
    if 0 < (fallback := config[CONF_FALLBACK]) < least:
        raise cv.Invalid(
            f"{CONF_FALLBACK}: {fallback:g} A is below the {CONF_MIN_CURRENT} of {least:g} A, so nothing would charge; "
            "raise it, or write `pause`",
            path=[CONF_FALLBACK],
        )
    for charger in config[CONF_CHARGERS] if CONF_DIMMING in config else ():
        needed = charger[CONF_MIN_CURRENT] * len(charger[CONF_PHASES]) * VOLTAGE
        if needed > (limit := config[CONF_DIMMING][CONF_LIMIT]):
            _LOGGER.warning(
                "%s: charger '%s' needs %.2f kW for its %s and %d phases, more than the %.2f kW that are left while "
                "dimmed: then it pauses",
                *(CONF_DIMMING, charger[CONF_ESP32EVSE_ID], needed / 1000, CONF_MIN_CURRENT),
                *(len(charger[CONF_PHASES]), limit / 1000),
            )


def _check_grid_meter(config) -> None:
    """Sun and quarters are seen at the first circuit."""
    if CONF_SURPLUS in config:
        _check_direction(config[CONF_CIRCUITS][0].get(CONF_METER, {}))
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


def final_validate(config):
    for index in range(len(config[CONF_CIRCUITS])):
        _check_circuit(config, index)
    for index in range(len(config[CONF_CHARGERS])):
        _check_charger(config, index)
    for index in range(len(config.get(CONF_FOLLOWERS, ()))):
        _check_follower(config, index)
    _check_worst_cases(config)
    _check_grid_meter(config)
    _check_least(config)
    if (fallback := config[CONF_FALLBACK]) > (limit := min(circuit[CONF_LIMIT] for circuit in config[CONF_CIRCUITS])):
        raise cv.Invalid(f"{CONF_FALLBACK}: {fallback:g} A is above the limit of {limit:g} A", path=[CONF_FALLBACK])
    return config
