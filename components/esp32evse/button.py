"""Buttons of the ESP32-EVSE charger."""

import esphome.codegen as cg
from esphome.components import button

from . import Esp32Evse, catalog, codegen

RunButton = codegen.esp32evse_ns.class_("RunButton", button.Button)
WriteButton = codegen.esp32evse_ns.class_("WriteButton", button.Button)
RefreshButton = codegen.esp32evse_ns.class_("RefreshButton", button.Button)

_CLASSES = {"start_ap": WriteButton, "reset_total_energy": WriteButton, "refresh": RefreshButton}
_VALUES = {"start_ap": 1, "reset_total_energy": 0}


def _class(entity: catalog.Entity):
    return _CLASSES.get(entity.key, RunButton)


CONFIG_SCHEMA = codegen.platform_schema(
    "button",
    Esp32Evse,
    lambda entity: button.button_schema(
        _class(entity), **codegen.presentation(entity, "icon", "device_class", "category")
    ),
)


async def _new(entity, config, hub):
    arguments = [await cg.get_variable(hub.id)]
    if entity.command:
        arguments.append(hub.row(entity.command))
    if entity.key in _VALUES:
        arguments.append(_VALUES[entity.key])
    await button.new_button(config, *arguments)


async def to_code(config):
    await codegen.platform_to_code("button", config, _new)
