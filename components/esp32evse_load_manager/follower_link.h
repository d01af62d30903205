#pragma once

#include "law.h"
#include "esphome/components/sensor/sensor.h"

namespace esphome::esp32evse_load_manager {

/// A charger of another node, which does as this one says: it says what it could use and what it draws, by sensors.
class FollowerLink {
 public:
  void configure(uint32_t timeout_ms, Mode mode);
  /// A, 0 while it has no use for any.
  void set_usable(sensor::Sensor *usable);
  void add_current(uint8_t phase, sensor::Sensor *ampere) { this->currents_[phase] = ampere; }

  Mode mode() const { return this->mode_; }
  ChargerView view(uint32_t now);
  Phases own() const;
  /// It has spoken since the last call.
  bool take_heard();

 protected:
  sensor::Sensor *usable_{nullptr};
  sensor::Sensor *currents_[PHASES]{};
  uint32_t timeout_ms_{0};
  uint32_t heard_{0};
  Mode mode_{Mode::FAST};
  bool known_{false};
  bool news_{false};
};

}  // namespace esphome::esp32evse_load_manager
