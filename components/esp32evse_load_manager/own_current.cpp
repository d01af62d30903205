#include "own_current.h"

#include <algorithm>

namespace esphome::esp32evse_load_manager {

static uint16_t to_raw(Milliampere current) { return static_cast<uint16_t>(current / 10); }

void OwnCurrent::open_(Second &second) const {
  for (uint8_t phase = 0; phase < PHASES; phase++)
    second.low[phase] = second.high[phase] = to_raw(this->latest_[phase]);
}

void OwnCurrent::advance(uint32_t now) {
  uint32_t passed = (now - this->started_) / 1000;
  this->started_ += passed * 1000;
  for (passed = std::min<uint32_t>(passed, SECONDS); passed > 0; passed--) {
    this->newest_ = (this->newest_ + 1) % SECONDS;
    this->open_(this->seconds_[this->newest_]);
  }
}

void OwnCurrent::add(const Phases &drawn, uint32_t now) {
  this->advance(now);
  Second &second = this->seconds_[this->newest_];
  for (uint8_t phase = 0; phase < PHASES; phase++) {
    this->latest_[phase] = std::clamp(drawn[phase], 0_A, MOST);
    const uint16_t raw = to_raw(this->latest_[phase]);
    second.low[phase] = std::min(second.low[phase], raw);
    second.high[phase] = std::max(second.high[phase], raw);
  }
  if (this->known_)
    return;
  this->known_ = true;  // what came before is not known: it was the same
  for (Second &before : this->seconds_)
    this->open_(before);
}

OwnCurrent::Range OwnCurrent::range(uint8_t phase, uint32_t youngest, uint32_t oldest) const {
  const uint32_t last = std::min<uint32_t>(oldest / 1000, SECONDS - 1);
  const uint32_t first = std::min(youngest / 1000, last);
  uint16_t low = UINT16_MAX, high = 0;
  for (uint32_t age = first; age <= last; age++) {
    const Second &second = this->seconds_[(this->newest_ + SECONDS - age) % SECONDS];
    low = std::min(low, second.low[phase]);
    high = std::max(high, second.high[phase]);
  }
  return {low * 10, high * 10};
}

Phases OwnCurrent::peaks() const {
  Phases peaks;
  for (uint8_t phase = 0; phase < PHASES; phase++)
    peaks[phase] = this->range(phase, 0, SECONDS * 1000).high;
  return peaks;
}

}  // namespace esphome::esp32evse_load_manager
