#pragma once

#include "load_manager.h"
#include "esphome/core/defines.h"
#ifdef USE_BUTTON
#include "esphome/components/button/button.h"
#endif
#ifdef USE_NUMBER
#include "esphome/components/number/number.h"
#endif
#ifdef USE_SELECT
#include "esphome/components/select/select.h"
#endif
#ifdef USE_TEXT_SENSOR
#include "esphome/components/text_sensor/text_sensor.h"
#endif

namespace esphome::esp32evse_load_manager {

#ifdef USE_SELECT
/// Without sun there are no modes that follow it.
inline Mode mode_of(size_t option) {
  constexpr Mode WITHOUT_SUN[] = {Mode::OFF, Mode::FAST, Mode::MANUAL};
  return HAS_SURPLUS ? static_cast<Mode>(option) : WITHOUT_SUN[option];
}

class ModeSelect final : public select::Select {
 public:
  ModeSelect(LoadManager *manager, uint8_t charger) : manager_(manager), charger_(charger) {}

 protected:
  void control(size_t option) override { this->manager_->set_mode(this->charger_, mode_of(option)); }

  LoadManager *manager_;
  uint8_t charger_;
};
#endif

#if defined(USE_BUTTON) && defined(USE_ESP32EVSE_LOAD_MANAGER_SAFE_DEFAULTS)
class SafeDefaultsButton final : public button::Button {
 public:
  SafeDefaultsButton(LoadManager *manager, uint8_t charger) : manager_(manager), charger_(charger) {}

 protected:
  void press_action() override { this->manager_->write_safe_defaults(this->charger_); }

  LoadManager *manager_;
  uint8_t charger_;
};
#endif

#ifdef USE_NUMBER
class CurrentLimitNumber final : public number::Number {
 public:
  CurrentLimitNumber(LoadManager *manager, uint8_t circuit) : manager_(manager), circuit_(circuit) {}

 protected:
  void control(float ampere) override { this->manager_->set_current_limit(this->circuit_, ampere); }

  LoadManager *manager_;
  uint8_t circuit_;
};

class CapacityLimitNumber final : public number::Number {
 public:
  CapacityLimitNumber(LoadManager *manager, uint8_t) : manager_(manager) {}

 protected:
  void control(float kilowatt) override { this->manager_->set_capacity_limit(kilowatt); }

  LoadManager *manager_;
};
#endif

// One function for each row of the catalog, named after its platform and key; one for the three phases.
#ifdef USE_SELECT
void publish_select_mode(const Binding &binding, LoadManager &manager);
#endif
#ifdef USE_NUMBER
void publish_number_current_limit(const Binding &binding, LoadManager &manager);
void publish_number_capacity_limit(const Binding &binding, LoadManager &manager);
#endif
#ifdef USE_SENSOR
void publish_sensor_target_current(const Binding &binding, LoadManager &manager);
void publish_sensor_usable_current(const Binding &binding, LoadManager &manager);
void publish_sensor_drawn_current(const Binding &binding, LoadManager &manager);
void publish_sensor_share(const Binding &binding, LoadManager &manager);
void publish_sensor_available_current(const Binding &binding, LoadManager &manager);
void publish_sensor_house_current(const Binding &binding, LoadManager &manager);
void publish_sensor_breaker_budget(const Binding &binding, LoadManager &manager);
void publish_sensor_surplus(const Binding &binding, LoadManager &manager);
void publish_sensor_quarter_mean(const Binding &binding, LoadManager &manager);
#endif
#ifdef USE_TEXT_SENSOR
void publish_text_sensor_reason(const Binding &binding, LoadManager &manager);
#endif
#ifdef USE_BINARY_SENSOR
void publish_binary_sensor_limiting(const Binding &binding, LoadManager &manager);
void publish_binary_sensor_meter_valid(const Binding &binding, LoadManager &manager);
#endif

}  // namespace esphome::esp32evse_load_manager
