#include "meter_sense.h"

#include <cmath>

namespace esphome::esp32evse_load_manager {

void MeterSense::add(const Phases &mains, const Phases &own_low, const Phases &own_high, float seconds) {
  PhaseMask drawing = 0;
  bool rests = true;
  for (uint8_t phase = 0; phase < PHASES; phase++) {
    drawing |= own_low[phase] >= DRAWS ? 1 << phase : 0;
    rests &= own_high[phase] < RESTS;
    this->sees_ |= std::fabs(mains[phase]) >= SEES;
  }
  this->rested_s_ += seconds;
  this->strike_s_ += seconds;
  this->blind_s_ += drawing != 0 ? seconds : 0;
  if (rests) {
    this->resting_ = mains;
    this->rested_s_ = 0;
    this->starting_ = true;
  } else if (drawing != 0 && this->starting_) {
    this->judge_start_(mains, own_low, drawing);
  }
}

void MeterSense::judge_start_(const Phases &mains, const Phases &own, PhaseMask drawing) {
  this->starting_ = false;
  if (this->rested_s_ > START_S)
    return;
  for (uint8_t phase = 0; phase < PHASES; phase++) {
    if (has_phase(drawing, phase) && mains[phase] - this->resting_[phase] > -0.5f * own[phase]) {
      this->strikes_ = 0;
      return;
    }
  }
  this->strikes_++;
  this->strike_s_ = 0;
}

}  // namespace esphome::esp32evse_load_manager
