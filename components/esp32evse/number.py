"""Numbers of the ESP32-EVSE charger. Value times multiplier is the integer on the wire."""

import logging
import math

import esphome.codegen as cg
import esphome.config_validation as cv
from esphome.components import mqtt, number
from esphome.const import CONF_MAX_VALUE, CONF_MIN_VALUE, CONF_MODE, CONF_STEP

from . import Esp32Evse, catalog, codegen

CONF_MULTIPLIER = "multiplier"

_LOGGER = logging.getLogger(__name__)

EvseNumber = codegen.esp32evse_ns.class_("EvseNumber", number.Number)


def _check_range(entity: catalog.Entity):
    """A range, and a step that fits into it; where it is wider than the charger's own, the hub sends the nearest value
    that the charger takes. All comparisons are false for NaN."""
    low, high = catalog.COMMAND[entity.command].fields[0].range

    def check(key: str, config, fits: bool, allowed: str) -> None:
        if not fits:
            raise cv.Invalid(f"{entity.key}: {key} must be {allowed}, not {config[key]:.10g}", path=[key])

    def validator(config):
        multiplier = config[CONF_MULTIPLIER]
        check(CONF_MULTIPLIER, config, 0 < multiplier < math.inf, "above 0")
        for key in (CONF_MIN_VALUE, CONF_MAX_VALUE):
            wire = round(config[key] * multiplier, 6)  # a product of floats is not quite what it seems
            check(key, config, math.isfinite(wire), "a finite number")
            if not low <= wire <= high:
                nearest = min(max(wire, low), high) / multiplier
                _LOGGER.warning(
                    "%s: %s %.10g is beyond what the charger takes, it will get %.10g",
                    entity.key,
                    key,
                    config[key],
                    nearest,
                )
        span = round(config[CONF_MAX_VALUE] - config[CONF_MIN_VALUE], 6)
        check(CONF_MIN_VALUE, config, span > 0, f"below {CONF_MAX_VALUE} {config[CONF_MAX_VALUE]:.10g}")
        check(CONF_STEP, config, 0 < config[CONF_STEP] <= span, f"above 0 and at most {span:.10g}")
        return config

    return validator


def _schema(entity: catalog.Entity):
    keys = {
        cv.Optional(key, default=default): codegen.teach(f"{entity.key}: {key}", "a number without a unit", cv.float_)
        for key, default in (
            (CONF_MIN_VALUE, entity.minimum),
            (CONF_MAX_VALUE, entity.maximum),
            (CONF_STEP, entity.step),
            (CONF_MULTIPLIER, entity.multiplier),
        )
    }
    if entity.unit == "A":  # Home Assistant takes a box where there are more than 256 steps
        keys[cv.Optional(CONF_MODE, default="SLIDER")] = cv.enum(number.NUMBER_MODES, upper=True)
    presentation = codegen.presentation(entity, "icon", "device_class", "category", "unit")
    schema = number.number_schema(EvseNumber, **presentation).extend(keys)
    return cv.All(codegen.with_mqtt(schema, "MqttNumber", mqtt.MQTTNumberComponent), _check_range(entity))


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
