#include "own_current.h"

#include <algorithm>

namespace esphome::esp32evse_load_manager {

static uint16_t to_raw(float ampere) { return static_cast<uint16_t>(std::clamp(ampere, 0.0f, 600.0f) * 100.0f + 0.5f); }

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

void OwnCurrent::add(const Phases &ampere, uint32_t now) {
  if (!this->known_) {  // what came before is not known: it was the same
    this->known_ = true;
    this->latest_ = ampere;
    this->started_ = now - SECONDS * 1000;
  }
  this->advance(now);
  this->latest_ = ampere;
  Second &second = this->seconds_[this->newest_];
  for (uint8_t phase = 0; phase < PHASES; phase++) {
    const uint16_t raw = to_raw(ampere[phase]);
    second.low[phase] = std::min(second.low[phase], raw);
    second.high[phase] = std::max(second.high[phase], raw);
  }
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
  return {low * 0.01f, high * 0.01f};
}

float OwnCurrent::peak() const {
  float peak = 0;
  for (uint8_t phase = 0; phase < PHASES; phase++)
    peak = std::max(peak, this->range(phase, 0, SECONDS * 1000).high);
  return peak;
}

PhaseMask OwnCurrent::carrying(float ampere) const {
  PhaseMask mask = 0;
  for (uint8_t phase = 0; phase < PHASES; phase++)
    mask |= this->range(phase, 0, SECONDS * 1000).high > ampere ? 1 << phase : 0;
  return mask;
}

}  // namespace esphome::esp32evse_load_manager
