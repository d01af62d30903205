"""Other systems' ways to a charger: MQTT, ThingsBoard, REST and a web page, Modbus; any set of them on one charger."""
