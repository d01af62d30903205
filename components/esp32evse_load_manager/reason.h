#pragma once

#include <cstddef>
#include <cstdint>

namespace esphome::esp32evse_load_manager {

/// Why a charger has the current that it has. The words are in reason.cpp, in this order.
enum class Reason : uint8_t {
  NONE,
  STARTING,  ///< no meter has spoken yet
  OFF,       ///< mode
  PAUSED_BY_YOU,
  CHARGER_SILENT,
  NO_VEHICLE,
  METER_SILENT,
  METER_BLIND,      ///< it does not see what the car takes
  METER_BACKWARDS,  ///< it counts what the car takes as if it came from the house
  LEADER_SILENT,
  LEADERS_SHARE,
  CIRCUIT_LIMIT,  ///< with the circuit and the phase
  UNBALANCE,
  DIMMED,
  CAPACITY,
  WAITING_FOR_SUN,
  STARTS_SOON,  ///< with seconds
  FOLLOWS_SUN,
  STOPS_SOON,     ///< with seconds
  ENOUGH_STARTS,  ///< in this session
  OTHER_FIRST,
  PAUSE_LASTS,  ///< with seconds
  CAR_TAKES_LESS,
  CAR_TAKES_NOTHING,
  YOUR_LIMIT,
  SET_ELSEWHERE,  ///< another manager, or somebody at the charger's page, again and again
  RISING,
  CHARGER_MAXIMUM,
};

/// It says how many seconds it lasts.
constexpr bool has_time(Reason reason) {
  return reason == Reason::STARTS_SOON || reason == Reason::STOPS_SOON || reason == Reason::PAUSE_LASTS;
}

struct Why {
  Reason reason{Reason::STARTING};
  uint8_t circuit{0};
  uint8_t phase{0};
  uint16_t seconds{0};

  bool operator==(const Why &) const = default;
};

/// Room for the longest text with its NUL.
constexpr size_t MAX_REASON = 64;

/// Writes the reason in words. `circuit` is the name of the circuit that limits.
void describe(const Why &why, const char *circuit, char *text, size_t size);

}  // namespace esphome::esp32evse_load_manager
