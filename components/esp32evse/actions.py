"""The hub's actions and conditions. Their names, keys and documentation stand in the catalog."""

import re

import esphome.codegen as cg
import esphome.config_validation as cv
from esphome import automation
from esphome.const import (
    CONF_COMMAND,
    CONF_CURRENT,
    CONF_ENERGY,
    CONF_ID,
    CONF_PASSWORD,
    CONF_PERIOD,
    CONF_SSID,
    CONF_TIME_ID,
)

from . import Esp32Evse, catalog, subscription_period, time_source
from .codegen import CONF_ESP32EVSE_ID, DOMAIN, charger_string, esp32evse_ns, hub_of, one_line, teach, use_part

CONF_CHARGING_TIME = "charging_time"
CONF_DNS = "dns"
CONF_ENABLED = "enabled"
CONF_FORCE = "force"
CONF_GATEWAY = "gateway"
CONF_IP = "ip"
CONF_NETMASK = "netmask"
CONF_UNDER_POWER = "under_power"


def _action(name: str) -> cg.MockObjClass:
    return esp32evse_ns.class_(name, automation.Action)


def _one_hub_key(value):
    """Either key names the hub, as entities and the earlier component's actions write it."""
    if isinstance(value, dict) and CONF_ESP32EVSE_ID in value:
        if CONF_ID in value:
            raise cv.Invalid(f"{CONF_ID} and {CONF_ESP32EVSE_ID} both name the charger: leave one out", path=[CONF_ID])
        value = {CONF_ID if key == CONF_ESP32EVSE_ID else key: item for key, item in value.items()}
    return value


def _hub_or_nothing(schema):
    """For an action without keys: `true` behind it is neither."""

    def validator(value):
        if isinstance(value, bool):
            raise cv.Invalid(f"the charger's id or nothing belongs behind it, not {str(value).lower()}")
        return schema(value)

    return validator


def _hub_schema(keys=None):
    return cv.All(_one_hub_key, cv.Schema({cv.GenerateID(): cv.use_id(Esp32Evse), **(keys or {})}))


def _short_form(keys, key: str):
    """Keys of an action, of which `key` may stand alone behind its name. A misspelt key is said to be one."""
    schema = _hub_schema(keys)
    short = cv.maybe_simple_value(schema, key=key)
    known = {CONF_ID, CONF_ESP32EVSE_ID, *(str(name) for name in keys)}
    return lambda value: schema(value) if isinstance(value, dict) and set(value) - known else short(value)


def _register(name: str, class_name: str, schema, make_arguments, part: str = ""):
    """Registers one action.

    `make_arguments(hub, config)` are its constructor's arguments behind the hub, `part` is what it needs of parts.h.
    """

    @automation.register_action(f"{DOMAIN}.{name}", _action(class_name), schema, synchronous=True)
    async def to_code(config, action_id, template_arg, args):
        hub_id = config[CONF_ID]
        hub_variable = await cg.get_variable(hub_id)
        arguments = make_arguments(hub_of(hub_id), config)
        if part:
            use_part(part)
        variable = cg.new_Pvariable(action_id, template_arg, hub_variable, *arguments)
        await _set_templatables(variable, config, args)
        return variable

    return to_code


_TEMPLATABLE_TYPES = {
    **dict.fromkeys((CONF_CHARGING_TIME, CONF_CURRENT, CONF_ENERGY, CONF_UNDER_POWER), cg.float_),
    CONF_ENABLED: cg.bool_,
    CONF_PERIOD: cg.uint32,
    **dict.fromkeys(
        (CONF_COMMAND, CONF_DNS, CONF_GATEWAY, CONF_IP, CONF_NETMASK, CONF_PASSWORD, CONF_SSID), cg.std_string
    ),
}


async def _set_templatables(variable, config, args) -> None:
    for key, type_ in _TEMPLATABLE_TYPES.items():
        if key in config:
            value = await cg.templatable(config[key], args, type_)
            cg.add(getattr(variable, f"set_{key}")(value))


# --- without keys -----------------------------------------------------------------------------------------------------

_SIMPLE = {
    "enable": ("WriteAction", lambda hub, _: (hub.row("ENABLE"), 1)),
    "disable": ("WriteAction", lambda hub, _: (hub.row("ENABLE"), 0)),
    "reset_total_energy": ("WriteAction", lambda hub, _: (hub.row("EMETERTOTCONSUM"), 0)),
    "authorize": ("RunAction", lambda hub, _: (hub.row("AUTH"),)),
    "restart": ("RunAction", lambda hub, _: (hub.row("RST"),)),
    "wifi_scan": ("RunAction", lambda hub, _: (hub.row("WIFIAPSCAN"),)),
    "refresh": ("RefreshAction", lambda hub, _: ()),
    "force_update": ("RefreshAction", lambda hub, _: ()),
    "unsubscribe_all": ("UnsubscribeAllAction", lambda hub, _: ()),
}

for _name, (_class, _arguments) in _SIMPLE.items():
    _register(_name, _class, _hub_or_nothing(automation.maybe_simple_id(_hub_schema())), _arguments)

# --- subscriptions ----------------------------------------------------------------------------------------------------

_SUBSCRIBE_SCHEMA = _short_form(
    {cv.Required(CONF_PERIOD): cv.templatable(subscription_period(CONF_PERIOD))}, CONF_PERIOD
)

for _name, _command in catalog.SUBSCRIBE_NAMES.items():
    _register(
        f"{_name}.subscribe",
        "SubscribeAction",
        _SUBSCRIBE_SCHEMA,
        lambda hub, _, command=_command: (hub.row(command),),
        part="SUBSCRIPTIONS",
    )

# --- with keys --------------------------------------------------------------------------------------------------------


# IEC 61851 has no current between 0 and 6 A.
_ampere = teach(CONF_CURRENT, "6 to 63 A", cv.All(cv.current, cv.Range(min=6, max=63)))


def _raw_command(value):
    value = one_line(CONF_COMMAND, 2, catalog.MAX_ARGUMENT_BYTES)(value)
    if not value.upper().startswith("AT"):
        raise cv.Invalid(f"{CONF_COMMAND} must begin with AT, as `AT+STATE?` does, not '{value}'")
    if re.match(catalog.TWO_COMMANDS, value):
        raise cv.Invalid(f"{CONF_COMMAND} must be one command, but '{value}' holds another one behind its = or ?")
    return value


def _address(key: str):
    return teach(key, "an IPv4 address such as 192.168.1.50", cv.All(cv.string_strict, cv.ipv4address, cv.Coerce(str)))


_register(
    "set_charging_current",
    "SetChargingCurrentAction",
    _short_form({cv.Required(CONF_CURRENT): cv.templatable(_ampere)}, CONF_CURRENT),
    lambda hub, _: (hub.row("CHCUR"),),
)


def _limit(key: str, multiplier: int):
    """A limit of the session in its entity's unit; what the charger's 32 bits cannot hold is an error."""
    high = (2**32 - 1) // multiplier
    return cv.templatable(teach(key, f"0 to {high}, without a unit", cv.All(cv.float_, cv.Range(min=0, max=high))))


_LIMITS = {
    cv.Optional(CONF_ENERGY): _limit(CONF_ENERGY, 1000),
    cv.Optional(CONF_CHARGING_TIME): _limit(CONF_CHARGING_TIME, 3600),
    cv.Optional(CONF_UNDER_POWER): _limit(CONF_UNDER_POWER, 1000),
}


def _some_limits(value):
    if not isinstance(value, dict):
        raise cv.Invalid(f"at least one of {', '.join(map(str, _LIMITS))} belongs below it, not {value} behind it")
    return value


_register(
    "set_session_limits",
    "SetSessionLimitsAction",
    cv.All(_some_limits, _hub_schema(_LIMITS), cv.has_at_least_one_key(*(str(key) for key in _LIMITS))),
    lambda hub, _: (hub.row("CONSUMLIM"), hub.row("CHTIMELIM"), hub.row("UNDERPOWERLIM")),
)
_register(
    "set_wifi_station",
    "SetWifiStationAction",
    _hub_schema(
        {
            cv.Required(CONF_SSID): cv.templatable(charger_string(CONF_SSID, 1, catalog.MAX_NAME_BYTES)),
            cv.Optional(CONF_PASSWORD): cv.sensitive(cv.templatable(charger_string(CONF_PASSWORD, 0))),
            cv.Optional(CONF_ENABLED, default=True): cv.templatable(cv.boolean),
        }
    ),
    lambda hub, _: (hub.row("WIFISTACFG"),),
    part="TEXTS",
)
_register(
    "set_static_ip",
    "SetStaticIpAction",
    _hub_schema(
        {
            cv.Required(CONF_IP): cv.templatable(_address(CONF_IP)),
            cv.Required(CONF_GATEWAY): cv.templatable(_address(CONF_GATEWAY)),
            cv.Required(CONF_NETMASK): cv.templatable(_address(CONF_NETMASK)),
            cv.Optional(CONF_DNS): cv.templatable(_address(CONF_DNS)),
            cv.Optional(CONF_ENABLED, default=True): cv.templatable(cv.boolean),
        }
    ),
    lambda hub, _: (hub.row("WIFISTASTATIC"),),
    part="TEXTS",
)
_register(
    "send_command",
    "SendCommandAction",
    _short_form(
        {
            cv.Required(CONF_COMMAND): cv.templatable(_raw_command),
            cv.Optional(CONF_FORCE, default=False): cv.boolean,
        },
        CONF_COMMAND,
    ),
    lambda hub, config: (config[CONF_FORCE],),
    part="RAW_COMMANDS",
)


@automation.register_action(
    f"{DOMAIN}.set_time",
    _action("SetTimeAction"),
    automation.maybe_simple_id(_hub_schema({cv.GenerateID(CONF_TIME_ID): time_source})),
    synchronous=True,
)
async def _set_time_to_code(config, action_id, template_arg, args):
    hub_variable = await cg.get_variable(config[CONF_ID])
    clock = await cg.get_variable(config[CONF_TIME_ID])
    return cg.new_Pvariable(action_id, template_arg, hub_variable, hub_of(config[CONF_ID]).row("TIME"), clock)


# --- conditions -------------------------------------------------------------------------------------------------------


def _register_condition(condition: catalog.Automation) -> None:
    class_name = "".join(word.capitalize() for word in condition.name.split("_")) + "Condition"

    @automation.register_condition(
        f"{DOMAIN}.{condition.name}",
        esp32evse_ns.class_(class_name, automation.Condition),
        automation.maybe_simple_id(_hub_schema()),
    )
    async def to_code(config, condition_id, template_arg, args):
        hub_of(config[CONF_ID]).commands.update(condition.needs)
        return cg.new_Pvariable(condition_id, template_arg, await cg.get_variable(config[CONF_ID]))


for _condition in catalog.CONDITIONS:
    _register_condition(_condition)
