#include "phases.h"

#include <algorithm>

namespace esphome::esp32evse_load_manager {

Milliampere Phases::most() const { return *std::max_element(this->value, this->value + PHASES); }

PhaseMask Phases::above(Milliampere current) const {
  PhaseMask mask = 0;
  for (uint8_t phase = 0; phase < PHASES; phase++)
    mask |= this->value[phase] > current ? 1 << phase : 0;
  return mask;
}

}  // namespace esphome::esp32evse_load_manager
