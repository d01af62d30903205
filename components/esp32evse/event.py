"""Events of the ESP32-EVSE charger."""

from esphome.components import event

from . import Esp32Evse, codegen

DEPENDENCIES = [codegen.DOMAIN]

CONFIG_SCHEMA = codegen.platform_schema(
    "event", Esp32Evse, lambda entity: event.event_schema(**codegen.presentation(entity, "icon", "category"))
)


async def to_code(config):
    await codegen.platform_to_code(
        "event", config, lambda entity, conf, hub: event.new_event(conf, event_types=list(entity.options))
    )
