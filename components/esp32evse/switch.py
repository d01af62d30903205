"""Switches of the ESP32-EVSE charger."""

import logging

import esphome.codegen as cg
import esphome.config_validation as cv
from esphome.components import mqtt, switch
from esphome.const import CONF_RESTORE_MODE

from . import Esp32Evse, catalog, codegen

EvseSwitch = codegen.esp32evse_ns.class_("EvseSwitch", switch.Switch)

_LOGGER = logging.getLogger(__name__)


def _warn_of_restore_mode(entity: catalog.Entity):
    """The charger is the memory: the node restores nothing at boot."""

    def validator(config):
        if (mode := config[CONF_RESTORE_MODE]) != "DISABLED":
            _LOGGER.warning("%s: restore_mode %s has no effect, the node never writes by itself", entity.key, mode)
        return config

    return validator


def _schema(entity: catalog.Entity):
    presentation = codegen.presentation(entity, "icon", "category")
    schema = switch.switch_schema(EvseSwitch, default_restore_mode="DISABLED", **presentation)
    schema = codegen.with_mqtt(schema, "MqttSwitch", mqtt.MQTTSwitchComponent)
    return cv.All(schema, _warn_of_restore_mode(entity))


CONFIG_SCHEMA = codegen.platform_schema("switch", Esp32Evse, _schema)


async def _new(entity, config, hub):
    return await switch.new_switch(config, await cg.get_variable(hub.id), hub.row(entity.command))


async def to_code(config):
    await codegen.platform_to_code("switch", config, _new)
