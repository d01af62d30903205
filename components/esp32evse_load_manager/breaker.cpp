#include "breaker.h"

#include <algorithm>

namespace esphome::esp32evse_load_manager {

float Breaker::heat_per_second(int32_t permille) {
  if (permille <= IN)
    return 0;
  const float x = std::min(permille, 5 * IN) / 1130.0f;  // from 5 In on type C trips at once
  const float x2 = x * x, x4 = x2 * x2;
  return x4 * x4 * x2 / 3600.0f;  // the tenth power: within 2 % of 10.06
}

void Breaker::add(int32_t permille, uint32_t passed_ms) {
  const float seconds = passed_ms * 0.001f;
  this->used_ += heat_per_second(permille) * seconds;
  this->used_ -= this->used_ * std::min(seconds / COOLING_S, 1.0f);
}

uint16_t Breaker::seconds_to(float used, int32_t permille) const {
  const float heat = heat_per_second(permille), left = std::max(used - this->used_, 0.0f);
  return left >= heat * UINT16_MAX ? UINT16_MAX : static_cast<uint16_t>(left / heat);
}

}  // namespace esphome::esp32evse_load_manager
