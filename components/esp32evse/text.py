"""Texts of the ESP32-EVSE charger."""

import esphome.codegen as cg
from esphome.components import mqtt, text
from esphome.const import CONF_ID

from . import Esp32Evse, catalog, codegen

EvseText = codegen.esp32evse_ns.class_("EvseText", text.Text)

CONFIG_SCHEMA = codegen.platform_schema(
    "text",
    Esp32Evse,
    lambda entity: codegen.with_mqtt(
        text.text_schema(EvseText, mode="TEXT", **codegen.presentation(entity, "icon", "category")),
        "MqttText",
        mqtt.MQTTTextComponent,
    ),
)


async def _new(entity, config, hub):
    codegen.use_part("TEXTS")
    variable = cg.new_Pvariable(config[CONF_ID], await cg.get_variable(hub.id), hub.row(entity.command))
    await text.register_text(variable, config, min_length=1, max_length=catalog.MAX_STRING_BYTES)
    codegen.reserve_text(entity, variable)
    return variable


async def to_code(config):
    await codegen.platform_to_code("text", config, _new)
