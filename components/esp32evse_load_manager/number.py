"""Numbers of the load manager: its limits."""

from esphome.components import number

from . import catalog, codegen

DEPENDENCIES = [codegen.DOMAIN]

CLASSES = {"current_limit": "CurrentLimitNumber", "capacity_limit": "CapacityLimitNumber"}


def _schema(entity: catalog.Entity):
    class_ = codegen.load_manager_ns.class_(CLASSES[entity.key], number.Number)
    return number.number_schema(class_, **codegen.presentation(entity, "icon", "device_class", "category", "unit"))


CONFIG_SCHEMA = codegen.platform_schema("number", _schema)
FINAL_VALIDATE_SCHEMA = codegen.final_platform("number")


async def _new(entity, config, manager, index):
    if entity.key == "current_limit":
        codegen.use_part("LIMITS")
    most = codegen.data().limits[index] if entity.of == catalog.CIRCUIT else entity.maximum
    return await number.new_number(config, manager, index, min_value=entity.minimum, max_value=most, step=entity.step)


async def to_code(config):
    await codegen.platform_to_code("number", config, _new)
