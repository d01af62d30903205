#pragma once

#include "esphome/core/defines.h"
#ifdef USE_MQTT

#include "entities.h"
#ifdef USE_BINARY_SENSOR
#include "esphome/components/mqtt/mqtt_binary_sensor.h"
#endif
#ifdef USE_NUMBER
#include "esphome/components/mqtt/mqtt_number.h"
#endif
#ifdef USE_SELECT
#include "esphome/components/mqtt/mqtt_select.h"
#endif
#ifdef USE_SENSOR
#include "esphome/components/mqtt/mqtt_sensor.h"
#endif
#ifdef USE_SWITCH
#include "esphome/components/mqtt/mqtt_switch.h"
#endif
#ifdef USE_TEXT
#include "esphome/components/mqtt/mqtt_text.h"
#endif
#ifdef USE_TEXT_SENSOR
#include "esphome/components/mqtt/mqtt_text_sensor.h"
#endif

namespace esphome::esp32evse {

/// ESPHome's own MQTT says nothing of an entity without a state, and the broker keeps the last one. This says what a
/// broker that was there has heard.
template<typename MqttComponent> class MqttEntity : public MqttComponent {
 public:
  using MqttComponent::MqttComponent;
  bool send_initial_state() override {
    return this->get_entity()->has_state() ? MqttComponent::send_initial_state() : this->send_unknown_();
  }

 protected:
  /// Home Assistant's word for unknown.
  virtual bool send_unknown_() {
    char topic[mqtt::MQTT_DEFAULT_TOPIC_MAX_LEN];
    return this->publish(this->get_state_topic_to_(topic), "None");
  }
  /// What was lost is sent with the next connection.
  void send_later_() {
    this->defer("state", [this]() { this->send_initial_state(); });
  }
};

#ifdef USE_BINARY_SENSOR
class MqttBinarySensor final : public MqttEntity<mqtt::MQTTBinarySensorComponent> {
 public:
  using MqttEntity::MqttEntity;
  void setup() override {
    MQTTBinarySensorComponent::setup();
    // ESPHome does not tell MQTT of a first state, and one after unknown is a first one.
    this->binary_sensor_->add_full_state_callback([this](optional<bool> before, optional<bool> state) {
      if (!before.has_value() || !state.has_value())
        this->send_later_();
    });
  }
};
#endif

#ifdef USE_NUMBER
class MqttNumber final : public MqttEntity<mqtt::MQTTNumberComponent> {
 public:
  using MqttEntity::MqttEntity;

 protected:
  bool send_unknown_() override { return this->publish_state(NAN); }
};
#endif

#ifdef USE_SENSOR
class MqttSensor final : public MqttEntity<mqtt::MQTTSensorComponent> {
 public:
  using MqttEntity::MqttEntity;

 protected:
  bool send_unknown_() override { return this->publish_state(NAN); }
};
#endif

#ifdef USE_TEXT
class MqttText final : public MqttEntity<mqtt::MQTTTextComponent> {
 public:
  using MqttEntity::MqttEntity;

 protected:
  bool send_unknown_() override { return this->publish_state(""); }
};
#endif

#ifdef USE_TEXT_SENSOR
class MqttTextSensor final : public MqttEntity<mqtt::MQTTTextSensor> {
 public:
  using MqttEntity::MqttEntity;

 protected:
  bool send_unknown_() override { return this->publish_state(""); }
};
#endif

#ifdef USE_SELECT
class MqttSelect final : public MqttEntity<mqtt::MQTTSelectComponent> {
 public:
  using MqttEntity::MqttEntity;
  void setup() override {
    MQTTSelectComponent::setup();
    this->select_->add_on_state_callback([this](size_t /*index*/) {
      if (!this->select_->has_state())
        this->send_unknown_();
    });
  }
};
#endif

#ifdef USE_SWITCH
class MqttSwitch final : public MqttEntity<mqtt::MQTTSwitchComponent> {
 public:
  using MqttEntity::MqttEntity;
  void setup() override {
    MQTTSwitchComponent::setup();
    static_cast<EvseSwitch *>(this->switch_)->add_on_known_callback([this]() { this->send_later_(); });
  }
};
#endif

}  // namespace esphome::esp32evse

#endif
