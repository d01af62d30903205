#pragma once

#include <cstddef>
#include <cstdint>

#include "parts.h"

namespace esphome::esp32evse_load_manager {

/// Why a charger has the current that it has. The words are in reason.cpp, in this order.
enum class Reason : uint8_t {
  NONE,
  STARTING,            ///< no meter has spoken yet
  WAITING_FOR_LEADER,  ///< nor has the leader
  OFF,                 ///< mode
  PAUSED_BY_YOU,
  PAUSED_ELSEWHERE,  ///< at the charger's page, or by another system
  CHARGER_SILENT,
  CHARGER_HOLDS,  ///< an error, a limit of its own, or an authorization that is missing
  YOUR_TIME_LIMIT,
  LEASE_REFUSED,
  NO_VEHICLE,
  WATCHING,  ///< the meter has not spoken for long enough to know what comes and goes
  METER_SILENT,
  METER_BLIND,      ///< it does not see what the car takes
  METER_BACKWARDS,  ///< it counts what the car takes as if it came from the house
  METER_FROZEN,     ///< it says the same whatever the car takes
  LEADER_SILENT,
  LEADERS_SHARE,
  CIRCUIT_LIMIT,    ///< with the circuit and the phase
  KEPT_FOR_SILENT,  ///< the same, and something of it is kept for a charger that is not heard
  UNBALANCE,
  DIMMED,
  CAPACITY,
  WAITING_FOR_SUN,
  STARTS_SOON,
  FOLLOWS_SUN,
  STOPS_SOON,
  ENOUGH_STARTS,  ///< in this session
  OTHER_FIRST,
  PAUSE_LASTS,
  SET_ELSEWHERE,  ///< another manager, or somebody at the charger's page, again and again
  DISOBEYED,      ///< the charger gives, or the car takes, more than was ordered
  CAR_TAKES_LESS,
  CAR_TAKES_NOTHING,
  YOUR_LIMIT,
  RISING,
  CHARGER_MAXIMUM,
};

/// What will happen if everything stays as it is.
enum class Next : uint8_t { NOTHING, WAITS_FOR_ROOM, STARTS, TRIES, RISES, PAUSES, CONTESTED, ELSEWHERE };

struct alignas(uint32_t) Why {
  static constexpr uint16_t NOT_IN_SIGHT = UINT16_MAX;

  Reason reason{Reason::STARTING};
  uint8_t circuit{0};  ///< that limits, or whose meter it is
  uint8_t phase{0};
  Next next{Next::NOTHING};
  uint16_t seconds{0};  ///< until that happens

  bool operator==(const Why &) const = default;
  /// In steps of 10 s or of a minute, rounded up: each is a new text.
  uint16_t rounded_seconds() const;
  bool is_same_but_for_time(const Why &other) const {
    return this->reason == other.reason && this->circuit == other.circuit && this->phase == other.phase &&
           this->next == other.next;
  }
  /// A limit, a silent meter or a pause keeps the charger below what it could do.
  bool is_limiting() const { return this->reason >= Reason::WATCHING && this->reason <= Reason::DISOBEYED; }
};

/// Room for the longest text with its NUL.
constexpr size_t MAX_REASON = MAX_CIRCUITS > 1 ? 96 : 72;

/// Writes the reason in words. `circuit` is the name of its circuit.
void describe(const Why &why, const char *circuit, char *text, size_t size);

}  // namespace esphome::esp32evse_load_manager
