"""Events of the ESP32-EVSE charger."""

import esphome.codegen as cg
from esphome.components import event

from . import Esp32Evse, codegen

CONFIG_SCHEMA = codegen.platform_schema(
    "event", Esp32Evse, lambda entity: event.event_schema(**codegen.presentation(entity, "icon", "category"))
)


async def _new(entity, config, hub):
    variable = await event.new_event(config, event_types=list(entity.options))
    hub_variable = await cg.get_variable(hub.id)
    cg.add(getattr(hub_variable, f"set_{entity.key}_event")(variable))


async def to_code(config):
    await codegen.platform_to_code("event", config, _new)
