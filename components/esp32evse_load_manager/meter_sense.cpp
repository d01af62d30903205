#include "meter_sense.h"

#include <algorithm>
#include <cstdlib>

namespace esphome::esp32evse_load_manager {

/// The meter has fallen by what a car draws more, or nearly.
static bool falls_instead(Milliampere rise, Milliampere own) { return std::abs(rise + own) <= own / 3; }

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
  Phases own;
  for (uint8_t phase = 0; phase < PHASES; phase++)
    own[phase] = (own_low[phase] + own_high[phase]) / 2;
  this->look_again_(mains, own);
  if (own_high.most() < RESTS) {
    for (uint8_t i = 0; i < PHASES; i++) {
      Phase &phase = this->phases_[i];
      phase.resting = mains[i];
      phase.suspect_own = 0;
      phase.least = std::min(mains[i], phase.least + (mains[i] - phase.least) / FORGETS);
    }
    this->rested_ms_ = 0;
    this->judged_ = false;
  } else if (!this->judged_ && drawing != 0 && (at_once || this->drew_) && this->rested_ms_ < START_MS) {
    this->judge_start_(mains, own, drawing);
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

bool MeterSense::is_backwards() const {
  const uint8_t strikes = std::max({this->phases_[0].strikes, this->phases_[1].strikes, this->phases_[2].strikes});
  return strikes >= TRIES || (strikes > 0 && this->strike_ms_ < TRY_MS);
}

void MeterSense::judge_start_(const Phases &mains, const Phases &own, PhaseMask drawing) {
  this->judged_ = true;
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
    phase.suspect_own = this->directed_ && rise <= -own[i] * 3 / 4 ? static_cast<uint16_t>(own[i] / 10) : 0;
    phase.suspect = mains[i];
    phase.doubted = !falls_instead(rise, own[i]);
    if (phase.suspect_own == 0)
      phase.strikes = 0;
  }
  this->elsewhere_ = unmoved && (moved_elsewhere || this->elsewhere_);
}

/// A battery on one phase that holds the sum of all at nothing may look like a wrong sign there, but not at each
/// current. Where the car takes no more, the start alone must do.
void MeterSense::look_again_(const Phases &mains, const Phases &own) {
  for (uint8_t i = 0; i < PHASES; i++) {
    Phase &phase = this->phases_[i];
    const Milliampere more = own[i] - phase.suspect_own * 10;
    const bool rises = more >= RISES;
    if (phase.suspect_own == 0 || (!rises && this->rested_ms_ < START_MS))
      continue;
    const bool backwards = rises ? falls_instead(mains[i] - phase.suspect, more) : !phase.doubted;
    if (rises && !backwards) {
      phase.suspect = mains[i];
      phase.suspect_own = static_cast<uint16_t>(own[i] / 10);
      phase.doubted = true;
      continue;
    }
    phase.suspect_own = 0;
    phase.strikes = backwards ? std::min<uint8_t>(phase.strikes + 1, TRIES) : 0;
    if (backwards)
      this->strike_ms_ = 0;
  }
}

}  // namespace esphome::esp32evse_load_manager
