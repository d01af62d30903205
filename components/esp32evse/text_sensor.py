"""Text sensors of the ESP32-EVSE charger."""

from esphome.components import mqtt, text_sensor
from esphome.const import CONF_ID

from . import Esp32Evse, catalog, codegen

NameTextSensor = codegen.esp32evse_ns.class_("NameTextSensor", text_sensor.TextSensor)
ListTextSensor = codegen.esp32evse_ns.class_("ListTextSensor", text_sensor.TextSensor)


def _class(entity: catalog.Entity):
    if entity.convert == "name":
        return NameTextSensor
    if entity.convert == "join" and catalog.COMMAND[entity.command].lines:
        return ListTextSensor
    return text_sensor.TextSensor


CONFIG_SCHEMA = codegen.platform_schema(
    "text_sensor",
    Esp32Evse,
    lambda entity: codegen.with_mqtt(
        text_sensor.text_sensor_schema(
            _class(entity), **codegen.presentation(entity, "icon", "device_class", "category")
        ),
        "MqttTextSensor",
        mqtt.MQTTTextSensor,
    ),
)


async def _new(entity, config, hub):
    if entity.convert != "name":
        variable = await text_sensor.new_text_sensor(config)
        codegen.reserve_text(entity, variable)
        return variable
    names = codegen.names_array(config[CONF_ID], "names", entity.options)
    return await text_sensor.new_text_sensor(config, names, len(entity.options))


async def to_code(config):
    await codegen.platform_to_code("text_sensor", config, _new)
