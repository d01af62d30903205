"""Binary sensors of the load manager."""

from esphome.components import binary_sensor

from . import codegen

DEPENDENCIES = [codegen.DOMAIN]

CONFIG_SCHEMA = codegen.platform_schema(
    "binary_sensor",
    lambda entity: binary_sensor.binary_sensor_schema(
        **codegen.presentation(entity, "icon", "device_class", "category")
    ),
)
FINAL_VALIDATE_SCHEMA = codegen.final_platform("binary_sensor")


async def to_code(config):
    await codegen.platform_to_code(
        "binary_sensor", config, lambda entity, conf, manager, index: binary_sensor.new_binary_sensor(conf)
    )
