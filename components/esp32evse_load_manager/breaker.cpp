#include "breaker.h"

#include <algorithm>

namespace esphome::esp32evse_load_manager {

float Breaker::heat_per_second(float ratio) {
  if (ratio <= FROM)
    return 0;
  const float x = std::min(ratio, 5.0f) / 1.13f;  // from 5 In on type C trips at once
  const float x2 = x * x, x4 = x2 * x2;
  return x4 * x4 * x2 / 3600.0f;  // the tenth power: within 2 % of 10.06
}

void Breaker::add(float ratio, float seconds) {
  this->used_ += heat_per_second(ratio) * seconds;
  this->used_ -= this->used_ * std::min(seconds / COOLING_S, 1.0f);
}

}  // namespace esphome::esp32evse_load_manager
