"""Numbers of the ESP32-EVSE charger. Value times multiplier is the integer on the wire."""

import esphome.codegen as cg
from esphome.components import number
import esphome.config_validation as cv
from esphome.const import CONF_MAX_VALUE, CONF_MIN_VALUE, CONF_STEP

from . import Esp32Evse, catalog, codegen

DEPENDENCIES = [codegen.DOMAIN]

CONF_MULTIPLIER = "multiplier"

EvseNumber = codegen.esp32evse_ns.class_("EvseNumber", number.Number)


def _check_range(entity: catalog.Entity):
    low, high = catalog.COMMAND[entity.command].fields[0].range

    def validator(config):
        multiplier, step = config[CONF_MULTIPLIER], config[CONF_STEP]
        if config[CONF_MIN_VALUE] >= config[CONF_MAX_VALUE]:
            raise cv.Invalid(
                f"{CONF_MIN_VALUE} {config[CONF_MIN_VALUE]:g} must be below {CONF_MAX_VALUE} {config[CONF_MAX_VALUE]:g}",
                path=[CONF_MIN_VALUE],
            )
        if step <= 0:
            raise cv.Invalid(f"{CONF_STEP} must be above 0, not {step:g}", path=[CONF_STEP])
        for key in (CONF_MIN_VALUE, CONF_MAX_VALUE):
            if not low <= round(config[key] * multiplier) <= high:
                raise cv.Invalid(
                    f"{entity.key}: {key} must be {low / multiplier:g} to {high / multiplier:g}, not {config[key]:g}",
                    path=[key],
                )
        return config

    return validator


def _schema(entity: catalog.Entity):
    keys = {
        cv.Optional(CONF_MIN_VALUE, default=entity.minimum): cv.float_,
        cv.Optional(CONF_MAX_VALUE, default=entity.maximum): cv.float_,
        cv.Optional(CONF_STEP, default=entity.step): cv.float_,
        cv.Optional(CONF_MULTIPLIER, default=entity.multiplier): cv.All(cv.float_, cv.Range(min=0, min_included=False)),
    }
    presentation = codegen.presentation(entity, "icon", "device_class", "category", "unit")
    return cv.All(number.number_schema(EvseNumber, **presentation).extend(keys), _check_range(entity))


CONFIG_SCHEMA = codegen.platform_schema("number", Esp32Evse, _schema)


async def _new(entity, config, hub):
    return await number.new_number(
        config,
        await cg.get_variable(hub.id),
        hub.row(entity.command),
        config[CONF_MULTIPLIER],
        min_value=config[CONF_MIN_VALUE],
        max_value=config[CONF_MAX_VALUE],
        step=config[CONF_STEP],
    )


async def to_code(config):
    await codegen.platform_to_code("number", config, _new)
