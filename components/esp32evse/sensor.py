"""Sensors of the ESP32-EVSE charger."""

from esphome.components import mqtt, sensor

from . import Esp32Evse, codegen

CONFIG_SCHEMA = codegen.platform_schema(
    "sensor",
    Esp32Evse,
    lambda entity: codegen.with_mqtt(
        sensor.sensor_schema(
            **codegen.presentation(entity, "unit", "icon", "accuracy", "device_class", "state_class", "category")
        ),
        "MqttSensor",
        mqtt.MQTTSensorComponent,
    ),
)


async def to_code(config):
    await codegen.platform_to_code("sensor", config, lambda entity, conf, hub: sensor.new_sensor(conf))
