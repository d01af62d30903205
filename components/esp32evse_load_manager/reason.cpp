#include "reason.h"

#include <cstdio>
#include <cstring>

#include "parts.h"

namespace esphome::esp32evse_load_manager {

// In the order of Reason, each ended by a NUL; empty where a part is not configured.
static constexpr char WORDS[] =
    "\0"
    "Waiting for the meter\0"
    "Switched off\0"
    "Paused by you\0"
    "Charger does not answer\0"
    "No vehicle\0"
    "Meter silent\0"
    "Meter does not see the car: check its unit\0"
    "Meter counts backwards: check its sign\0"
#ifdef USE_ESP32EVSE_LOAD_MANAGER_LEADER
    "Leader silent\0"
    "Share of the leader\0"
#else
    "\0\0"
#endif
    "\0"  // the circuit's name
#ifdef USE_ESP32EVSE_LOAD_MANAGER_UNBALANCE
    "Unbalanced phases"
#endif
    "\0"
#ifdef USE_ESP32EVSE_LOAD_MANAGER_DIMMING
    "Dimmed by the grid"
#endif
    "\0"
#ifdef USE_ESP32EVSE_LOAD_MANAGER_CAPACITY
    "Quarter-hour limit"
#endif
    "\0"
#ifdef USE_ESP32EVSE_LOAD_MANAGER_SURPLUS
    "Waiting for sun\0"
    "Starts in\0"
    "Follows the sun\0"
    "Stops in\0"
    "Enough starts for this session\0"
#else
    "\0\0\0\0\0"
#endif
    "Another charger first\0"
    "Pause, tries again in\0"
    "Car takes less\0"
    "Car takes nothing\0"
    "Your limit\0"
    "Something else sets the current\0"
    "Rising\0"
    "Charger's maximum";

static const char *words_of(Reason reason) {
  const char *words = WORDS;
  for (auto skip = static_cast<uint8_t>(reason); skip > 0; skip--)
    words += strlen(words) + 1;
  return words;
}

void describe(const Why &why, const char *circuit, char *text, size_t size) {
  const char *words = words_of(why.reason);
  if (why.reason == Reason::CIRCUIT_LIMIT) {
    snprintf(text, size, "%s L%u", circuit, why.phase + 1);
  } else if (!has_time(why.reason)) {
    snprintf(text, size, "%s", words);
  } else if (why.seconds >= 60) {
    snprintf(text, size, "%s %u min", words, (why.seconds + 59u) / 60u);
  } else {
    snprintf(text, size, "%s %u s", words, why.seconds);
  }
}

}  // namespace esphome::esp32evse_load_manager
