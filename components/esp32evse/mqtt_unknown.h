#pragma once

#include "esphome/core/defines.h"
#ifdef USE_MQTT

#include "entities.h"
#ifdef USE_BINARY_SENSOR
#include "esphome/components/mqtt/mqtt_binary_sensor.h"
#endif
#ifdef USE_SELECT
#include "esphome/components/mqtt/mqtt_select.h"
#endif
#ifdef USE_SWITCH
#include "esphome/components/mqtt/mqtt_switch.h"
#endif

namespace esphome::esp32evse {

/// ESPHome's own MQTT says nothing of an entity without a state, and the broker keeps the last one. Home Assistant's
/// word for unknown is "None".
template<typename MqttComponent> class MqttEntity : public MqttComponent {
 public:
  using MqttComponent::MqttComponent;
  bool send_initial_state() override {
    if (this->get_entity()->has_state())
      return MqttComponent::send_initial_state();
    char topic[mqtt::MQTT_DEFAULT_TOPIC_MAX_LEN];
    return this->publish(this->get_state_topic_to_(topic), "None");
  }

 protected:
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

#ifdef USE_SELECT
class MqttSelect final : public MqttEntity<mqtt::MQTTSelectComponent> {
 public:
  using MqttEntity::MqttEntity;
  void setup() override {
    MQTTSelectComponent::setup();
    // It turns unknown after its last option.
    this->select_->add_on_state_callback([this](size_t /*index*/) { this->send_later_(); });
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
