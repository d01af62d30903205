"""Binary sensors of the ESP32-EVSE charger."""

from esphome.components import binary_sensor, mqtt

from . import Esp32Evse, codegen

EvseBinarySensor = codegen.esp32evse_ns.class_("EvseBinarySensor", binary_sensor.BinarySensor)

CONFIG_SCHEMA = codegen.platform_schema(
    "binary_sensor",
    Esp32Evse,
    lambda entity: codegen.with_mqtt(
        binary_sensor.binary_sensor_schema(
            EvseBinarySensor, **codegen.presentation(entity, "icon", "device_class", "category")
        ),
        "MqttBinarySensor",
        mqtt.MQTTBinarySensorComponent,
    ),
)


async def to_code(config):
    await codegen.platform_to_code(
        "binary_sensor", config, lambda entity, conf, hub: binary_sensor.new_binary_sensor(conf)
    )
