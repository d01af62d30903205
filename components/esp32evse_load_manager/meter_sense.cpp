#include "meter_sense.h"

#include <algorithm>
#include <cstdlib>

namespace esphome::esp32evse_load_manager {

void MeterSense::add(const Phases &mains, const Phases &own_low, const Phases &own_high, uint32_t passed,
                     bool at_once) {
  const PhaseMask drawing = own_low.above(DRAWS);
  this->blind_ = this->frozen_ = false;
  for (uint8_t phase = 0; phase < PHASES; phase++) {
    this->phases_[phase].look_for_car(mains[phase], has_phase(drawing, phase), passed);
    this->blind_ |= this->phases_[phase].blind_ms >= BLIND_MS;
    this->phases_[phase].look_for_change(mains[phase], own_low[phase], own_high[phase], passed);
    this->frozen_ |= this->phases_[phase].frozen_ms >= FROZEN_MS;
    this->directed_ |= mains[phase] <= -SEES;
  }
  this->rested_ms_ = std::min(this->rested_ms_ + passed, START_MS);
  this->strike_ms_ = std::min(this->strike_ms_ + passed, TRY_MS);
  if (own_high.most() < RESTS) {
    for (uint8_t i = 0; i < PHASES; i++) {
      Phase &phase = this->phases_[i];
      phase.resting = mains[i];
      phase.least = std::min(mains[i], phase.least + (mains[i] - phase.least) / FORGETS);
    }
    this->rested_ms_ = 0;
  } else if (drawing != 0 && (at_once || this->drew_) && this->rested_ms_ < START_MS) {
    this->judge_start_(mains, own_low, drawing);
  }
  this->drew_ = drawing != 0;
  if (this->elsewhere_)  // what stands still there is not the meter
    this->blind_ = this->frozen_ = false;
}

/// Home Assistant sends a sensor in whatever unit a person has chosen there, from one moment to the next.
void MeterSense::Phase::look_for_car(Milliampere mains, bool drawing, uint32_t passed) {
  const Milliampere before = std::abs(this->changed), now = std::abs(mains);
  if (now >= SEES) {
    this->sees = true;
    this->blind_ms = 0;
  } else if (before >= CLEAR && std::abs(now * 1000 - before) <= 0.5_A + before / 4) {
    this->sees = false;
  }
  if (drawing && !this->sees)
    this->blind_ms = static_cast<uint16_t>(std::min(this->blind_ms + passed, BLIND_MS));
}

void MeterSense::Phase::look_for_change(Milliampere mains, Milliampere own_low, Milliampere own_high, uint32_t passed) {
  if (mains != this->changed || std::abs(mains) < SEES) {
    this->changed = mains;
    this->then_low = own_low;
    this->then_high = own_high;
    this->same_ms = 0;
  }
  if (this->same_ms < SETTLE_MS) {
    this->same_ms += static_cast<uint16_t>(passed);
    this->then_low = std::min(this->then_low, own_low);
    this->then_high = std::max(this->then_high, own_high);
  }
  const bool moved = own_low >= this->then_high + DRAWS || own_high <= this->then_low - DRAWS;
  this->frozen_ms = moved ? static_cast<uint16_t>(std::min(this->frozen_ms + passed, FROZEN_MS)) : 0;
}

void MeterSense::judge_start_(const Phases &mains, const Phases &own, PhaseMask drawing) {
  this->rested_ms_ = START_MS;
  this->strikes_ = 0;
  const Milliampere most = own.most();
  bool unmoved = false, moved_elsewhere = false;
  for (uint8_t i = 0; i < PHASES; i++) {
    Phase &phase = this->phases_[i];
    if (!has_phase(drawing, i)) {
      moved_elsewhere |= mains[i] - phase.resting >= most * 3 / 4;
      continue;
    }
    const Milliampere rise = mains[i] - phase.least;
    unmoved |= rise < own[i] / 4;
    phase.strikes = this->directed_ && rise <= -own[i] * 3 / 4 ? std::min<uint8_t>(phase.strikes + 1, TRIES) : 0;
    if (phase.strikes > 0)
      this->strike_ms_ = 0;
    this->strikes_ = std::max(this->strikes_, phase.strikes);
  }
  this->elsewhere_ = unmoved && (moved_elsewhere || this->elsewhere_);
}

}  // namespace esphome::esp32evse_load_manager
