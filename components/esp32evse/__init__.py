"""ESP32-EVSE charger behind a UART: the hub, its options, triggers and actions."""

import logging

import esphome.codegen as cg
import esphome.config_validation as cv
from esphome import automation
from esphome.components import time, uart
from esphome.const import (
    CONF_ID,
    CONF_TIME_ID,
    CONF_UPDATE_INTERVAL,
)
from esphome.core import CORE, CoroPriority, TimePeriod, coroutine_with_priority
from esphome.helpers import fnv1a_32bit_hash
from esphome.types import ConfigType

from . import catalog, mistakes, serial_port
from .codegen import (
    DOMAIN,
    build_triggers,
    define_traits,
    emit_tables,
    emit_wish_names,
    esp32evse_ns,
    hub_of,
    teach,
    use_part,
)

# What it depends on is checked in mistakes.py: ESPHome's DEPENDENCIES would not say what to write.
MULTI_CONF = True

CONF_BELOW_MINIMUM = "below_minimum"
CONF_KEEP_SETTINGS = "keep_settings"
CONF_PUSH_INTERVAL = "push_interval"
CONF_SUBSCRIPTIONS = "subscriptions"

DEFAULT_PUSH_INTERVAL_MS = 250

Esp32Evse = esp32evse_ns.class_("Esp32Evse", cg.PollingComponent, uart.UARTDevice)


_LOGGER = logging.getLogger(__name__)


def _time_within(low_ms: int, high_ms: int):
    return cv.All(
        cv.positive_time_period_milliseconds,
        cv.Range(min=TimePeriod(milliseconds=low_ms), max=TimePeriod(milliseconds=high_ms)),
    )


def _milliseconds(value) -> int:
    """A time; a bare number is milliseconds."""
    if isinstance(value, int) or str(value).isdecimal():
        value = f"{value}ms"
    return cv.positive_time_period_milliseconds(value).total_milliseconds


def _is_never(value) -> bool:
    return value is False or str(value).lower() == "never"


def _push_interval(value):
    """Milliseconds; 0 is never."""
    low, high = catalog.PUSH_INTERVAL_MS
    period = cv.All(_milliseconds, cv.int_range(low, high))
    check = teach(CONF_PUSH_INTERVAL, f"`never` or {low}ms to {high}ms", period)
    return 0 if _is_never(value) else check(value)


def subscription_period(key: str):
    """Milliseconds; 0 is never. What the charger cannot do is brought into its range, with a warning: the earlier
    component took it."""
    low, high = catalog.SUBSCRIBE_MIN_MS, catalog.MAX_SUBSCRIBE_PERIOD_MS
    period = teach(key, f"`never` or {low}ms to {high}ms", _milliseconds)

    def validator(value):
        wanted = 0 if _is_never(value) else period(value)
        if wanted == 0 or low <= wanted <= high:
            return wanted
        taken = min(max(wanted, low), high)
        _LOGGER.warning("%s: %s is out of the charger's range, taking %dms", key, value, taken)
        return taken

    return validator


def _update_interval():
    low, high = catalog.UPDATE_INTERVAL_S
    return teach(CONF_UPDATE_INTERVAL, f"{low}s to {high}s", _time_within(low * 1000, high * 1000))


def _subscription_name(value):
    if value not in catalog.SUBSCRIBE_NAMES:
        near = mistakes.near_subscriptions(str(value))
        known = (
            f"perhaps {' or '.join(near)}"
            if near
            else f"it must be one of {', '.join(sorted(catalog.SUBSCRIBE_NAMES))}"
        )
        raise cv.Invalid(f"{CONF_SUBSCRIPTIONS}: '{value}' is unknown, {known}")
    return value


def _subscriptions(value):
    """Names of the subscribe actions and their periods."""
    if not isinstance(value, dict):
        given = "nothing" if value is None else value
        raise cv.Invalid(f"{CONF_SUBSCRIPTIONS} must be lines such as `emeter_power: 1s`, not {given}")
    periods = {}
    for name, period in value.items():
        with cv.prepend_path(name):
            periods[name] = subscription_period(_subscription_name(name))(period)
    for name, period in periods.items():
        same = [other for other in periods if catalog.SUBSCRIBE_NAMES[other] == catalog.SUBSCRIBE_NAMES[name]]
        if any(periods[other] != period for other in same):
            raise cv.Invalid(
                f"{' and '.join(same)} come from the charger together: they must have one period", path=[name]
            )
    return periods


time_source = cv.use_id(time.RealTimeClock)


def _id_if_several(config: ConfigType) -> ConfigType:
    hubs = CORE.raw_config[DOMAIN]
    if isinstance(hubs, list) and len(hubs) > 1 and not config[CONF_ID].is_manual:
        raise cv.Invalid(
            f"{CONF_ID} is missing: each of several chargers must have one, such as `id: left`", path=[CONF_ID]
        )
    return config


CONFIG_SCHEMA = cv.All(
    mistakes.in_hub,
    mistakes.naming(
        cv.Schema(
            {
                cv.GenerateID(): cv.declare_id(Esp32Evse),
                cv.Optional(CONF_UPDATE_INTERVAL, default="60s"): _update_interval(),
                cv.Optional(CONF_PUSH_INTERVAL, default=f"{DEFAULT_PUSH_INTERVAL_MS}ms"): _push_interval,
                cv.Optional(CONF_SUBSCRIPTIONS): _subscriptions,
                cv.Optional(CONF_KEEP_SETTINGS, default=False): teach(CONF_KEEP_SETTINGS, "true or false", cv.boolean),
                cv.Optional(CONF_BELOW_MINIMUM, default="minimum"): teach(
                    CONF_BELOW_MINIMUM, "minimum or pause", cv.one_of("minimum", "pause", lower=True)
                ),
                cv.Optional(CONF_TIME_ID): time_source,
                **{cv.Optional(trigger.name): automation.validate_automation({}) for trigger in catalog.TRIGGERS},
            }
        )
        .extend(cv.COMPONENT_SCHEMA)
        .extend(uart.UART_DEVICE_SCHEMA)
    ),
    _id_if_several,
)

FINAL_VALIDATE_SCHEMA = cv.All(serial_port.validate, mistakes.check_topics)

# --- code -------------------------------------------------------------------------------------------------------------


async def to_code(config: ConfigType) -> None:
    variable = cg.new_Pvariable(config[CONF_ID])
    await cg.register_component(variable, config)
    await uart.register_uart_device(variable, config)
    hub = hub_of(config[CONF_ID])
    cg.add(variable.set_push_interval(config[CONF_PUSH_INTERVAL]))
    hub.fast = config[CONF_PUSH_INTERVAL] != DEFAULT_PUSH_INTERVAL_MS
    hub.tells_failures = "on_write_failed" in config
    if CONF_SUBSCRIPTIONS in config:
        use_part("SUBSCRIPTIONS")
    for name, period in config.get(CONF_SUBSCRIPTIONS, {}).items():
        command = catalog.SUBSCRIBE_NAMES[name]
        hub.commands.add(command)
        hub.explicit[command] = period
    if config[CONF_KEEP_SETTINGS]:
        hub.commands.update(catalog.LIVE_SETTINGS)
        use_part("KEEP_SETTINGS")
        cg.add(variable.set_keep_settings())
    if config[CONF_BELOW_MINIMUM] == "pause":
        use_part("PAUSES")
        cg.add(variable.set_pause_below_minimum(hub.row("ENABLE")))
    if (time_id := config.get(CONF_TIME_ID)) is not None:
        hub.keeps_time = True
        cg.add(variable.set_time(await cg.get_variable(time_id), hub.row("TIME")))
    await _triggers_to_code(variable, config, hub)
    CORE.add_job(_finish, config[CONF_ID], variable)


async def _triggers_to_code(variable, config: ConfigType, hub) -> None:
    for trigger in catalog.TRIGGERS:
        if trigger.name in config:
            hub.commands.update(trigger.needs)
            hub.reports.update(trigger.needs)
    await build_triggers(variable, config, catalog.TRIGGERS)


@coroutine_with_priority(CoroPriority.FINAL)
async def _finish(hub_id, variable) -> None:
    hub = hub_of(hub_id)
    charging = {command.name for command in catalog.COMMANDS if command.refresh == catalog.CHARGING}
    if hub.commands & charging.union(catalog.FOLLOWS_STATE):
        hub.commands.add("STATE")
    if "STATE" in hub.reports:
        use_part("SESSIONS")
    if hub.counts_lifetime:
        use_part("LIFETIME")
        cg.add(variable.set_lifetime_key(fnv1a_32bit_hash(f"{DOMAIN}.{hub_id}.energy")))
    emit_tables(hub, variable)
    define_traits()
    if hub.tells_failures:
        emit_wish_names(hub, variable)


from . import actions  # noqa: E402, F401  the registrations in it need the hub's class
