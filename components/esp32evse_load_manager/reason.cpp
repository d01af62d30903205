#include "reason.h"

#include <cstdio>

namespace esphome::esp32evse_load_manager {

namespace {

enum Detail : uint8_t { NOTHING, PHASE, TIME };

struct Words {
  const char *text;
  Detail detail;
};

constexpr Words WORDS[] = {
    {"", NOTHING},
    {"Waiting for the meter", NOTHING},
    {"Switched off", NOTHING},
    {"Paused by you", NOTHING},
    {"Charger does not answer", NOTHING},
    {"No vehicle", NOTHING},
    {"Meter silent", NOTHING},
    {"", PHASE},
    {"Unbalanced phases", NOTHING},
    {"Dimmed by the grid", NOTHING},
    {"Quarter-hour limit", NOTHING},
    {"Waiting for sun", NOTHING},
    {"Starts in", TIME},
    {"Follows the sun", NOTHING},
    {"Stops in", TIME},
    {"Enough starts for this session", NOTHING},
    {"Another charger first", NOTHING},
    {"Pause, tries again in", TIME},
    {"Car takes less", NOTHING},
    {"Car takes nothing", NOTHING},
    {"Your limit", NOTHING},
    {"Rising", NOTHING},
    {"Charger's maximum", NOTHING},
};

}  // namespace

void describe(const Why &why, const char *circuit, char *text, size_t size) {
  const Words &words = WORDS[static_cast<uint8_t>(why.reason)];
  if (words.detail == PHASE) {
    snprintf(text, size, "%s L%u", circuit, why.phase + 1);
  } else if (words.detail == TIME && why.seconds >= 60) {
    snprintf(text, size, "%s %u min", words.text, (why.seconds + 59u) / 60u);
  } else if (words.detail == TIME) {
    snprintf(text, size, "%s %u s", words.text, why.seconds);
  } else {
    snprintf(text, size, "%s", words.text);
  }
}

}  // namespace esphome::esp32evse_load_manager
