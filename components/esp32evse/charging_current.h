#pragma once

#include <cstdint>

namespace esphome::esp32evse {

/// What a wished charging current below 6 A becomes; IEC 61851 has none between 0 and 6 A.
enum class BelowMinimum : uint8_t {
  MINIMUM,  ///< 6 A
  PAUSE,    ///< ENABLE=0, until a current that is possible is wished
};

constexpr uint32_t saturate(uint32_t value, uint32_t low, uint32_t high) {
  return value < low ? low : value > high ? high : value;
}

/// What is asked of the charger for a wished charging current.
struct CurrentWish {
  bool pause;           ///< instead of a current
  bool saturated;       ///< not what was wished
  uint32_t deciampere;  ///< in the charger's unit, A/10
};

/// The rule: a wish outside the range never leaves the old current, which may be the higher one.
///
/// Above `high` (the charger's MAXCHCUR where it is known, else 63 A) it becomes `high`; below `low`, 6 A, what `below`
/// says; between them the nearest tenth. `low` and `high` are in A/10. `ampere` is a number.
constexpr CurrentWish saturate_current(float ampere, uint32_t low, uint32_t high, BelowMinimum below) {
  const float wished = ampere * 10.0f;
  if (wished < static_cast<float>(low) && below == BelowMinimum::PAUSE)
    return {true, false, low};
  if (wished < static_cast<float>(low))
    return {false, true, low};
  if (wished > static_cast<float>(high))
    return {false, true, high};
  return {false, false, static_cast<uint32_t>(wished + 0.5f)};
}

}  // namespace esphome::esp32evse
