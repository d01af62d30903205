#include "capacity.h"

#include <algorithm>

namespace esphome::esp32evse_load_manager {

/// A house that takes more than 80 % of the limit hardly keeps it alone.
void CapacityQuarter::set_limit(float watt) {
  this->limit_ = watt;
  this->reserve_ = std::min(RESERVE, 0.8f * watt);
}

void CapacityQuarter::update(uint32_t epoch_s, float grid, float house, float seconds) {
  const uint32_t quarter = epoch_s / QUARTER_S;
  const uint16_t passed = epoch_s % QUARTER_S;
  const uint32_t leap = std::max(epoch_s, this->expected_) - std::min(epoch_s, this->expected_);
  this->expected_ = epoch_s + static_cast<uint32_t>(seconds + 0.5f);
  if (epoch_s == 0) {
    this->quarter_ = 0;
    this->house_ = house;
    return;
  }
  if (this->quarter_ == 0 || leap > LEAP_S) {  // begun in the middle: who knows what was used before
    this->used_ = this->limit_ * passed / 3600.0f;
    this->house_ = house;
  } else if (quarter != this->quarter_) {
    this->used_ = 0;
  }
  this->quarter_ = quarter;
  this->left_s_ = QUARTER_S - passed;
  this->used_ += grid * seconds / 3600.0f;
  this->house_ += (house - this->house_) * std::min(seconds / (house > this->house_ ? RISING_S : SMOOTHING_S), 1.0f);
}

float CapacityQuarter::rest_() const {
  const float expected = std::max(this->house_, 0.0f) * this->left_s_ / 3600.0f;
  return this->limit_ * QUARTER_S / 3600.0f - this->used_ - SAFETY_WH - expected;
}

float CapacityQuarter::available() const {
  if (this->quarter_ == 0)
    return std::clamp(this->limit_ - this->house_, 0.0f, MOST);
  return std::clamp(this->rest_() * 3600.0f / std::max<uint16_t>(this->left_s_, LAST_S) - this->reserve_, 0.0f, MOST);
}

bool CapacityQuarter::is_exhausted() const {
  return this->quarter_ == 0 || this->rest_() <= this->reserve_ * this->left_s_ / 3600.0f;
}

}  // namespace esphome::esp32evse_load_manager
