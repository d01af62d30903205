#pragma once

#include <cstdint>

namespace esphome::esp32evse {

/// What a wished charging current below 6 A becomes; IEC 61851 has none between 0 and 6 A.
enum class BelowMinimum : uint8_t {
  MINIMUM,  ///< 6 A
  PAUSE,    ///< ENABLE=0, until a current that is possible is wished
};

/// A wish outside the range never leaves the old value, which may be the higher one: it becomes the nearest possible.
constexpr uint32_t saturate(uint32_t value, uint32_t low, uint32_t high) {
  return value < low ? low : value > high ? high : value;
}

}  // namespace esphome::esp32evse
