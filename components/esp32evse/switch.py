"""Switches of the ESP32-EVSE charger."""

import esphome.codegen as cg
from esphome.components import switch

from . import Esp32Evse, codegen

DEPENDENCIES = [codegen.DOMAIN]

EvseSwitch = codegen.esp32evse_ns.class_("EvseSwitch", switch.Switch)

# The charger is the memory: the node restores nothing at boot.
CONFIG_SCHEMA = codegen.platform_schema(
    "switch",
    Esp32Evse,
    lambda entity: switch.switch_schema(
        EvseSwitch, block_inverted=True, default_restore_mode="DISABLED", **codegen.presentation(entity, "icon", "category")
    ),
)


async def _new(entity, config, hub):
    return await switch.new_switch(config, await cg.get_variable(hub.id), hub.row(entity.command))


async def to_code(config):
    await codegen.platform_to_code("switch", config, _new)
