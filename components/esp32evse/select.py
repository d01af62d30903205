"""Selects of the ESP32-EVSE charger."""

import esphome.codegen as cg
from esphome.components import select
import esphome.config_validation as cv
from esphome.const import CONF_OPTIONS

from . import Esp32Evse, catalog, codegen

DEPENDENCIES = [codegen.DOMAIN]

NumberSelect = codegen.esp32evse_ns.class_("NumberSelect", select.Select)
StringSelect = codegen.esp32evse_ns.class_("StringSelect", select.Select)


def _schema(entity: catalog.Entity):
    presentation = codegen.presentation(entity, "icon", "category")
    if entity.convert == "value":
        return select.select_schema(NumberSelect, **presentation)
    options = cv.All(cv.ensure_list(codegen.charger_string(1)), cv.Length(min=1))
    return select.select_schema(StringSelect, **presentation).extend(
        {cv.Optional(CONF_OPTIONS, default=list(entity.options)): options}
    )


CONFIG_SCHEMA = codegen.platform_schema("select", Esp32Evse, _schema)


async def _new(entity, config, hub):
    options = config.get(CONF_OPTIONS, list(entity.options))
    return await select.new_select(config, await cg.get_variable(hub.id), hub.row(entity.command), options=options)


async def to_code(config):
    await codegen.platform_to_code("select", config, _new)
