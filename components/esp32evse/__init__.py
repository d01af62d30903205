"""ESP32-EVSE charger behind a UART: the hub, its options, triggers and actions."""

import esphome.codegen as cg
import esphome.config_validation as cv
import esphome.final_validate as fv
from esphome import automation
from esphome.components import time, uart
from esphome.const import (
    CONF_BAUD_RATE,
    CONF_ID,
    CONF_RX_BUFFER_SIZE,
    CONF_RX_PIN,
    CONF_TIME_ID,
    CONF_TX_PIN,
    CONF_UART_ID,
    CONF_UPDATE_INTERVAL,
)
from esphome.core import CORE, CoroPriority, TimePeriod, coroutine_with_priority
from esphome.helpers import fnv1a_32bit_hash
from esphome.types import ConfigType

from . import catalog
from .codegen import DOMAIN, emit_tables, esp32evse_ns, hub_of, teach

CODEOWNERS = []
DEPENDENCIES = ["uart"]
MULTI_CONF = True

CONF_DATA_BITS = "data_bits"
CONF_PARITY = "parity"
CONF_STOP_BITS = "stop_bits"
CONF_KEEP_SETTINGS = "keep_settings"
CONF_PUSH_INTERVAL = "push_interval"
CONF_SUBSCRIPTIONS = "subscriptions"

MIN_RX_BUFFER_SIZE = 256

Esp32Evse = esp32evse_ns.class_("Esp32Evse", cg.Component, uart.UARTDevice)

_TYPES = {"string": cg.std_string, "float": cg.float_, "uint32_t": cg.uint32, "int": cg.int_, "bool": cg.bool_}


def _time_within(low_ms: int, high_ms: int):
    return cv.All(
        cv.positive_time_period_milliseconds,
        cv.Range(min=TimePeriod(milliseconds=low_ms), max=TimePeriod(milliseconds=high_ms)),
    )


def _period_or_never(key: str, low_ms: int, high_ms: int):
    """Milliseconds; 0 is never."""
    period = _time_within(low_ms, high_ms)

    def validator(value):
        return 0 if str(value).lower() == "never" else period(value).total_milliseconds

    return teach(key, f"`never` or {low_ms}ms to {high_ms}ms", validator)


def subscription_period(key: str):
    return _period_or_never(key, catalog.SUBSCRIBE_MIN_MS, catalog.MAX_SUBSCRIBE_PERIOD_MS)


def _update_interval():
    low, high = catalog.UPDATE_INTERVAL_S
    return teach(CONF_UPDATE_INTERVAL, f"{low}s to {high}s", _time_within(low * 1000, high * 1000))


def _subscription_name(value):
    if value not in catalog.SUBSCRIBE_NAMES:
        known = ", ".join(sorted(catalog.SUBSCRIBE_NAMES))
        raise cv.Invalid(f"{CONF_SUBSCRIPTIONS}: '{value}' is unknown, it must be one of {known}")
    return value


def _subscriptions(value):
    """Names of the subscribe actions and their periods."""
    periods = {}
    for name, period in cv.Schema({cv.string_strict: object})(value).items():
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
    cv.Schema(
        {
            cv.GenerateID(): cv.declare_id(Esp32Evse),
            cv.Optional(CONF_UPDATE_INTERVAL, default="60s"): _update_interval(),
            cv.Optional(CONF_PUSH_INTERVAL, default="250ms"): _period_or_never(
                CONF_PUSH_INTERVAL, *catalog.PUSH_INTERVAL_MS
            ),
            cv.Optional(CONF_SUBSCRIPTIONS): _subscriptions,
            cv.Optional(CONF_KEEP_SETTINGS, default=False): cv.boolean,
            cv.Optional(CONF_TIME_ID): time_source,
            **{cv.Optional(trigger.name): automation.validate_automation({}) for trigger in catalog.TRIGGERS},
        }
    )
    .extend(cv.COMPONENT_SCHEMA)
    .extend(uart.UART_DEVICE_SCHEMA),
    _id_if_several,
)

# --- final validation: the UART must fit ------------------------------------------------------------------------------

_UART_SETTINGS = {
    CONF_BAUD_RATE: catalog.BAUD_RATE,
    CONF_DATA_BITS: 8,
    CONF_PARITY: "NONE",
    CONF_STOP_BITS: 1,
}


def _check_uart(uart_config: ConfigType) -> ConfigType:
    name = uart_config[CONF_ID]
    for key, wanted in _UART_SETTINGS.items():
        if (value := uart_config[key]) != wanted:
            raise cv.Invalid(
                f"uart '{name}': {key} must be {wanted}, not {value}; the charger speaks {catalog.BAUD_RATE} 8N1",
                path=[key],
            )
    size = uart_config[CONF_RX_BUFFER_SIZE]
    if size < MIN_RX_BUFFER_SIZE:
        raise cv.Invalid(
            f"uart '{name}': {CONF_RX_BUFFER_SIZE} must be at least {MIN_RX_BUFFER_SIZE} for the charger's answers, "
            f"not {size}; 1024 is comfortable",
            path=[CONF_RX_BUFFER_SIZE],
        )
    if CORE.is_host:
        return uart_config
    for key in (CONF_TX_PIN, CONF_RX_PIN):
        if key not in uart_config:
            raise cv.Invalid(f"uart '{name}': {key} is missing; the charger is both asked and heard", path=[key])
    return uart_config


def _final_validate(config: ConfigType) -> ConfigType:
    hubs = fv.full_config.get()[DOMAIN]
    sharing = [str(hub[CONF_ID]) for hub in hubs if hub[CONF_UART_ID] == config[CONF_UART_ID]]
    if len(sharing) > 1:
        raise cv.Invalid(
            f"{CONF_UART_ID}: '{config[CONF_UART_ID]}' is used by {' and '.join(sharing)}; "
            "every charger needs a uart of its own",
            path=[CONF_UART_ID],
        )
    schema = cv.Schema({cv.Required(CONF_UART_ID): fv.id_declaration_match_schema(_check_uart)}, extra=cv.ALLOW_EXTRA)
    return schema(config)


FINAL_VALIDATE_SCHEMA = _final_validate

# --- code -------------------------------------------------------------------------------------------------------------


async def to_code(config: ConfigType) -> None:
    variable = cg.new_Pvariable(config[CONF_ID])
    await cg.register_component(variable, config)
    await uart.register_uart_device(variable, config)
    hub = hub_of(config[CONF_ID])
    cg.add(variable.set_push_interval(config[CONF_PUSH_INTERVAL]))
    for name, period in config.get(CONF_SUBSCRIPTIONS, {}).items():
        command = catalog.SUBSCRIBE_NAMES[name]
        hub.commands.add(command)
        hub.explicit[command] = period
    if config[CONF_KEEP_SETTINGS]:
        hub.commands.update(catalog.LIVE_SETTINGS)
        cg.add(variable.set_keep_settings())
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
    callbacks = tuple(
        automation.CallbackAutomation(
            trigger.name,
            f"add_{trigger.name}_callback",
            [(_TYPES[argument.type], argument.key) for argument in trigger.arguments],
        )
        for trigger in catalog.TRIGGERS
    )
    await automation.build_callback_automations(variable, config, callbacks)


@coroutine_with_priority(CoroPriority.FINAL)
async def _finish(hub_id, variable) -> None:
    hub = hub_of(hub_id)
    charging = {command.name for command in catalog.COMMANDS if command.refresh == catalog.CHARGING}
    if hub.commands & charging.union(catalog.FOLLOWS_STATE):
        hub.commands.add("STATE")
    if any(entity.convert == "lifetime" for entity, _, _ in hub.bindings):
        cg.add(variable.set_lifetime_key(fnv1a_32bit_hash(f"{DOMAIN}.{hub_id}.lifetime")))
    emit_tables(hub, variable)


from . import actions  # noqa: E402, F401  the registrations in it need the hub's class
