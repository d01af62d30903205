"""Selects of the ESP32-EVSE charger."""

import logging

import esphome.codegen as cg
import esphome.config_validation as cv
from esphome.components import mqtt, select
from esphome.const import CONF_OPTIONS

from . import Esp32Evse, catalog, codegen

NumberSelect = codegen.esp32evse_ns.class_("NumberSelect", select.Select)
StringSelect = codegen.esp32evse_ns.class_("StringSelect", select.Select)

_LOGGER = logging.getLogger(__name__)


def _options(value):
    options = cv.ensure_list(codegen.charger_string(CONF_OPTIONS, 1))(value)
    if not options:
        raise cv.Invalid(f"{CONF_OPTIONS} must list at least one value, such as Etc/UTC")
    for option in options:
        if option not in catalog.FIRMWARE_TIMEZONES:
            _LOGGER.warning("%s: today's firmware of the charger refuses %s, it does not know it", CONF_OPTIONS, option)
    return options


def _schema(entity: catalog.Entity):
    presentation = codegen.presentation(entity, "icon", "category")
    if entity.convert == "value":
        schema = select.select_schema(NumberSelect, **presentation)
    else:
        schema = select.select_schema(StringSelect, **presentation).extend(
            {cv.Optional(CONF_OPTIONS, default=list(entity.options)): _options}
        )
    return codegen.with_mqtt(schema, "MqttSelect", mqtt.MQTTSelectComponent)


CONFIG_SCHEMA = codegen.platform_schema("select", Esp32Evse, _schema)


async def _new(entity, config, hub):
    if entity.convert != "value":
        codegen.use_part("TEXTS")
    options = config.get(CONF_OPTIONS, list(entity.options))
    return await select.new_select(config, await cg.get_variable(hub.id), hub.row(entity.command), options=options)


async def to_code(config):
    await codegen.platform_to_code("select", config, _new)
