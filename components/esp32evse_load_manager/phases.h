#pragma once

#include <cstdint>

namespace esphome::esp32evse_load_manager {

constexpr uint8_t PHASES = 3;

/// mA in whole numbers: an ESP32-C3 would calculate with fractions in software.
using Milliampere = int32_t;
/// What is no number, or no current of this world; it is not more than any limit and not less than its negative.
constexpr Milliampere NO_NUMBER = INT32_MIN;
constexpr float MOST_AMPERE = 20000.0f;

constexpr Milliampere operator""_A(unsigned long long ampere) { return static_cast<Milliampere>(ampere) * 1000; }
constexpr Milliampere operator""_A(long double ampere) { return static_cast<Milliampere>(ampere * 1000 + 0.5L); }
constexpr float to_ampere(Milliampere current) { return static_cast<float>(current) / 1000.0f; }
constexpr Milliampere to_milliampere(float ampere) {
  if (!(ampere >= -MOST_AMPERE && ampere <= MOST_AMPERE))
    return NO_NUMBER;
  return static_cast<Milliampere>(ampere * 1000.0f + (ampere < 0 ? -0.5f : 0.5f));
}

constexpr Milliampere LEAST_CURRENT = 6_A;  ///< the smallest offer of IEC 61851

// Power and current are exchanged at the nominal voltage (EN 50160): 230 V.
constexpr int32_t to_watt(Milliampere current) { return current * 23 / 100; }
constexpr Milliampere current_of(int32_t watt) { return watt * 100 / 23; }

/// Bit 0 is L1.
using PhaseMask = uint8_t;
constexpr PhaseMask ALL_PHASES = 0b111;

constexpr bool has_phase(PhaseMask mask, uint8_t phase) { return (mask >> phase & 1) != 0; }
constexpr uint8_t count_phases(PhaseMask mask) { return (mask & 1) + (mask >> 1 & 1) + (mask >> 2 & 1); }

/// One value for each phase. From the grid is positive, into the grid negative.
struct Phases {
  Milliampere value[PHASES]{};

  Milliampere &operator[](uint8_t phase) { return this->value[phase]; }
  Milliampere operator[](uint8_t phase) const { return this->value[phase]; }
  Milliampere sum() const { return this->value[0] + this->value[1] + this->value[2]; }
  Milliampere most() const;
  /// The phases with more than this.
  PhaseMask above(Milliampere current) const;
};

}  // namespace esphome::esp32evse_load_manager
