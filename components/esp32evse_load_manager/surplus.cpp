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

void SurplusAccount::borrow(float surplus, float needed, float seconds) {
  const float debt = needed > 0 ? this->borrowed_ + watt_hours(needed - surplus, seconds) : 0.0f;
  this->borrowed_ = std::clamp(debt, 0.0f, this->config_.stop_energy);
  this->needed_ = needed;
  this->mean_ += (surplus - this->mean_) * (seconds / MEMORY_S);
}

uint16_t SurplusAccount::starts_in(float to_spare) const {
  return seconds_until(this->config_.start_energy - this->saved_, to_spare);
}

/// The mean falls as a logarithm, here within a tenth of it: ln(r) is about 2 (r - 1) / (r + 1).
uint16_t SurplusAccount::stops_in(float surplus) const {
  const float least = ENOUGH * this->needed_;
  if (surplus >= least)
    return UINT16_MAX;
  const float mean_s = 2 * MEMORY_S * (this->mean_ - least) / std::max(this->mean_ + least - 2 * surplus, 1.0f);
  const uint16_t debt_s = seconds_until(this->config_.stop_energy - this->borrowed_, this->needed_ - surplus);
  return std::max(debt_s, static_cast<uint16_t>(std::clamp(mean_s, 0.0f, 65534.0f)));
}

}  // namespace esphome::esp32evse_load_manager
