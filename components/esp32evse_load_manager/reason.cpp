#include "reason.h"

namespace esphome::esp32evse_load_manager {

// In the order of Reason, each ended by a NUL; empty where a part is not configured. @ stands for the circuit and its
// phase, % for the circuit where there are several, # for the time.
static constexpr char WORDS[] =
    "\0"
    "Waiting for the meter%\0"
#ifdef USE_ESP32EVSE_LOAD_MANAGER_LEADER
    "Waiting for the leader"
#endif
    "\0"
    "Switched off\0"
    "Paused by you\0"
    "Paused at the charger: switch it on here\0"
    "Charger does not answer\0"
    "Charger offers nothing: see its status\0"
    "Your time limit\0"
    "Lease over: charger takes no new time limit\0"
    "No vehicle\0"
    "Watching the meter\0"
    "Meter% silent\0"
    "Meter% does not see the car: check its unit\0"
    "Meter% counts backwards: check its sign\0"
    "Meter% stands still\0"
#ifdef USE_ESP32EVSE_LOAD_MANAGER_LEADER
    "Leader silent\0"
    "Share of the leader\0"
#else
    "\0\0"
#endif
    "@\0"
#ifdef USE_ESP32EVSE_LOAD_MANAGER_SEVERAL
    "@ is kept for a silent charger"
#endif
    "\0"
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
    "Starts in # if the sun lasts\0"
    "Follows the sun\0"
    "Stops in # without more sun\0"
    "Enough starts for this session\0"
#else
    "\0\0\0\0\0"
#endif
#ifdef USE_ESP32EVSE_LOAD_MANAGER_SEVERAL
    "Another charger first"
#endif
    "\0"
    "Pause\0"
    "Something else sets the current\0"
    "Car takes more than it may\0"
    "Car takes less\0"
    "Car takes nothing\0"
    "Your limit\0"
    "Rising\0"
    "Charger's maximum";

// In the order of Next.
static constexpr char NEXT[] =
    "\0"
    ", waits for room\0"
    ", starts in #\0"
    ", tries again in #\0"
    ", rises in #\0"
    ", pauses in #\0"
    ", something else sets it, too\0"
    ", car on another phase: check `phases`";

uint16_t Why::rounded_seconds() const {
  const uint32_t step = this->seconds > 50 ? 60 : 10;
  return static_cast<uint16_t>((this->seconds + step - 1) / step * step);
}

static const char *entry(const char *list, uint8_t place) {
  for (; place > 0; place--) {
    while (*list++ != '\0') {
    }
  }
  return list;
}

namespace {

/// What does not fit is left out.
class Writer {
 public:
  Writer(char *text, size_t size) : at_(text), end_(text + size - 1) {}
  void finish() { *this->at_ = '\0'; }

  void put(char letter) {
    if (this->at_ < this->end_)
      *this->at_++ = letter;
  }
  void put(const char *text) {
    while (*text != '\0')
      this->put(*text++);
  }
  void put(uint16_t number) {
    if (number >= 10)
      this->put(static_cast<uint16_t>(number / 10));
    this->put(static_cast<char>('0' + number % 10));
  }
  void put_time(uint16_t seconds) {
    const bool long_one = seconds > 50;
    this->put(static_cast<uint16_t>(long_one ? seconds / 60 : seconds));
    this->put(long_one ? " min" : " s");
  }

 protected:
  char *at_, *end_;
};

}  // namespace

void describe(const Why &why, const char *circuit, char *text, size_t size) {
  Writer writer(text, size);
  const char *const parts[] = {entry(WORDS, static_cast<uint8_t>(why.reason)),
                               entry(NEXT, static_cast<uint8_t>(why.next))};
  for (const char *words : parts) {
    for (; *words != '\0'; words++) {
      if (*words == '#') {
        writer.put_time(why.rounded_seconds());
      } else if (*words == '@') {
        writer.put(circuit);
        writer.put(" L");
        writer.put(static_cast<char>('1' + why.phase));
      } else if (*words == '%') {
        if (MAX_CIRCUITS > 1) {
          writer.put(" of ");
          writer.put(circuit);
        }
      } else {
        writer.put(*words);
      }
    }
  }
  writer.finish();
}

}  // namespace esphome::esp32evse_load_manager
