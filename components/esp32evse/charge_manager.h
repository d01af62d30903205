#pragma once

#include "at_value.h"

namespace esphome::esp32evse {

/// Stands between a person and the charger: it writes the permission, the current and the time limit by itself, while
/// the entities keep showing what the person asked for. Without one the hub writes what it is asked.
class ChargeManager {
 public:
  /// A person's wish. True: the manager keeps it, nothing is to be written, and it is what entities show.
  virtual bool on_wish(uint8_t row, uint32_t value) = 0;
  /// What the charger says; the manager may put the person's wish in its place.
  virtual void on_values(uint8_t row, Values &values) = 0;
  virtual void on_online(bool online) = 0;
  virtual void on_restart() = 0;
};

}  // namespace esphome::esp32evse
