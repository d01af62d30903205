"""Sensors of the load manager."""

from esphome.components import sensor

from . import codegen

DEPENDENCIES = [codegen.DOMAIN]

CONFIG_SCHEMA = codegen.platform_schema(
    "sensor",
    lambda entity: sensor.sensor_schema(
        **codegen.presentation(entity, "unit", "icon", "device_class", "state_class", "category", "accuracy")
    ),
)
FINAL_VALIDATE_SCHEMA = codegen.final_platform("sensor")


async def to_code(config):
    await codegen.platform_to_code("sensor", config, lambda entity, conf, manager, index: sensor.new_sensor(conf))
