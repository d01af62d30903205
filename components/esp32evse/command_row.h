#pragma once

#include <cstdint>

#include "parts.h"

namespace esphome::esp32evse {

class Esp32Evse;
class Values;

/// How a row's value is kept fresh when the user says nothing else.
enum class Refresh : uint8_t {
  PUSH,      ///< subscribed all the time
  CHARGING,  ///< subscribed while energy flows, slowly otherwise
  SLOW,      ///< subscribed slowly
  POLL,      ///< read with every heartbeat
  ONCE,      ///< a fact: read after every start of the charger
  NEVER,     ///< only run or written
};

enum Trait : uint8_t {
  STORED = 1 << 0,            ///< the charger keeps it in flash: never write what it already holds, nor often
  LINES = 1 << 1,             ///< answers any number of lines, and subscribing to it hangs the charger
  CLOCK = 1 << 2,             ///< runs by itself: a read-back may be some seconds off
  UNPROVABLE = 1 << 3,        ///< a read-back cannot show what was written
  LIVE = 1 << 4,              ///< a restart of the charger sets it back
  CHARGING_CURRENT = 1 << 5,  ///< at most MAXCHCUR
  WATCHED = 1 << 6,           ///< energy or sessions are counted from it
  STARTS_ON = 1 << 7,         ///< a restart of the charger sets it to 1
};

/// Those that some row has. What the others ask for is left out of the program.
#ifdef ESP32EVSE_TRAITS
constexpr uint8_t CONFIGURED_TRAITS = ESP32EVSE_TRAITS;
#else
constexpr uint8_t CONFIGURED_TRAITS = 0xFF;
#endif

/// A command of the charger that this configuration uses. The tables are generated, const and in flash.
struct CommandRow {
  const char *name;
  const char *answer;                                    ///< the name on its value line
  const char *signature;                                 ///< see Values
  void (*follow)(Esp32Evse &hub, const Values &values);  ///< the hub's own interest in the value, or nullptr
  uint32_t low;  ///< of what may be written: of a number its range, of a text its bytes
  uint32_t high;
  Refresh refresh;
  uint8_t traits;
  uint8_t first_binding;  ///< for the hub
  uint8_t bindings;       ///< for the hub

  bool has(Trait trait) const { return (this->traits & trait & CONFIGURED_TRAITS) != 0; }
  /// Never pushed: only an answer tells it.
  bool is_only_answered() const { return this->refresh == Refresh::ONCE || this->refresh == Refresh::NEVER; }
};

/// How a command ends: with the charger's answer, or without one (time-out, restart).
enum class Outcome : uint8_t { OK, ERROR, SILENCE };

constexpr uint8_t NO_ROW = 0xFF;

/// Whether `now` is at `deadline` or behind it; the clock may wrap around.
constexpr bool reached(uint32_t deadline, uint32_t now) { return static_cast<int32_t>(now - deadline) >= 0; }
constexpr uint32_t distance(uint32_t a, uint32_t b) { return a > b ? a - b : b - a; }

}  // namespace esphome::esp32evse
