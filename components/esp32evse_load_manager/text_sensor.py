"""Text sensors of the load manager."""

import esphome.codegen as cg
from esphome.components import text_sensor
from esphome.cpp_generator import RawExpression

from . import codegen

DEPENDENCIES = [codegen.DOMAIN]

CONFIG_SCHEMA = codegen.platform_schema(
    "text_sensor",
    lambda entity: text_sensor.text_sensor_schema(**codegen.presentation(entity, "icon", "category")),
)
FINAL_VALIDATE_SCHEMA = codegen.final_platform("text_sensor")


async def _new(entity, config, manager, index):
    variable = await text_sensor.new_text_sensor(config)
    # Room for the longest text: nothing takes heap after setup.
    cg.add(variable.state.reserve(RawExpression(f"{codegen.DOMAIN}::MAX_REASON")))
    return variable


async def to_code(config):
    await codegen.platform_to_code("text_sensor", config, _new)
