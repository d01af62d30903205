#pragma once

#include <cstdint>

namespace esphome::esp32evse_load_manager {

constexpr uint8_t PHASES = 3;
constexpr float VOLTAGE = 230.0f;      ///< V, nominal (EN 50160): power and current are exchanged at this voltage
constexpr float LEAST_CURRENT = 6.0f;  ///< A, the smallest offer of IEC 61851

/// Bit 0 is L1.
using PhaseMask = uint8_t;
constexpr PhaseMask ALL_PHASES = 0b111;

constexpr bool has_phase(PhaseMask mask, uint8_t phase) { return (mask >> phase & 1) != 0; }
constexpr uint8_t count_phases(PhaseMask mask) { return (mask & 1) + (mask >> 1 & 1) + (mask >> 2 & 1); }

/// One value for each phase, in A. From the grid is positive, into the grid negative.
struct Phases {
  float value[PHASES]{};

  float &operator[](uint8_t phase) { return this->value[phase]; }
  float operator[](uint8_t phase) const { return this->value[phase]; }
  float sum() const { return this->value[0] + this->value[1] + this->value[2]; }
};

}  // namespace esphome::esp32evse_load_manager
