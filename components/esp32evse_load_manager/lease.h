#pragma once

#include <cstdint>

namespace esphome::esp32evse_load_manager {

/// The charger's own dead man's switch: it stops when its charging time exceeds CHTIMELIM. The manager grants time and
/// grants it again while it lives. A person's time limit counts where it is the smaller one.
class Lease {
 public:
  /// Renewed when so much or less is left of it, in parts of the whole.
  static constexpr uint32_t RENEW_DIVISOR = 2;

  explicit Lease(uint32_t length_s) : length_(length_s) {}

  /// CHTIMELIM in s that should be written, or `current` if it is good. `charging_time`: s, 0 without a session.
  uint32_t wanted(uint32_t current, uint32_t charging_time, uint32_t person) const {
    const bool person_first = person != 0 && person <= charging_time + this->length_;
    if (person_first)
      return person;
    const bool enough = current > charging_time + this->length_ / RENEW_DIVISOR;
    const bool too_much = current == 0 || current > charging_time + this->length_;
    return enough && !too_much ? current : charging_time + this->length_;
  }

 protected:
  uint32_t length_;
};

}  // namespace esphome::esp32evse_load_manager
