#include "surplus.h"

#include <algorithm>

namespace esphome::esp32evse_load_manager {

static float watt_hours(float watt, float seconds) { return watt * seconds / 3600.0f; }

static uint16_t seconds_until(float watt_hours, float watt) {
  return watt > 1.0f ? static_cast<uint16_t>(std::clamp(watt_hours * 3600.0f / watt, 0.0f, 65534.0f)) : UINT16_MAX;
}

void SurplusAccount::save(float to_spare, float seconds) {
  this->saved_ = std::clamp(this->saved_ + watt_hours(to_spare, seconds), 0.0f, this->config_.start_energy);
}

void SurplusAccount::borrow(float to_spare, float seconds) {
  this->borrowed_ = std::clamp(this->borrowed_ - watt_hours(to_spare, seconds), 0.0f, this->config_.stop_energy);
}

uint16_t SurplusAccount::starts_in(float to_spare) const {
  return seconds_until(this->config_.start_energy - this->saved_, to_spare);
}

uint16_t SurplusAccount::stops_in(float to_spare) const {
  return seconds_until(this->config_.stop_energy - this->borrowed_, -to_spare);
}

}  // namespace esphome::esp32evse_load_manager
