#include "circuit.h"

#include <algorithm>
#include <cmath>

namespace esphome::esp32evse_load_manager {

// --- the last time ----------------------------------------------------------------------------------------------------

void LastingRoom::add(float room, uint32_t now) {
  const auto raw = static_cast<int16_t>(std::clamp(room, -300.0f, 300.0f) * 100.0f);
  int16_t &newest = this->buckets_[this->newest_];
  newest = std::min(newest, raw);
  uint32_t passed = (now - this->started_) / BUCKET_MS;
  this->started_ += passed * BUCKET_MS;
  for (passed = std::min<uint32_t>(passed, BUCKETS); passed > 0; passed--) {
    this->newest_ = (this->newest_ + 1) % BUCKETS;
    this->buckets_[this->newest_] = raw;
  }
}

float LastingRoom::get(uint8_t buckets) const {
  int16_t least = INT16_MAX;
  for (uint8_t age = 0; age < buckets; age++)
    least = std::min(least, this->buckets_[(this->newest_ + BUCKETS - age) % BUCKETS]);
  return least * 0.01f;
}

// --- samples ----------------------------------------------------------------------------------------------------------

void Circuit::configure(const CircuitConfig &config, uint32_t now) {
  this->config_ = config;
  this->most_ = config.limit;
  std::fill_n(this->updated_, PHASES, now);
  if (!this->has_meter())
    this->known_ = config.phases;
}

bool Circuit::is_plausible_(float ampere) const {
  return std::fabs(ampere) <= ABSURD * this->config_.limit;  // false for NaN
}

/// The sample says only that the house lies between `mains - own_high` and `mains - own_low`. While a car ramps these
/// are far apart; the house then is what it was, as near as the sample allows.
bool Circuit::on_sample(const Phases &mains, const Phases &own_low, const Phases &own_high, uint32_t now,
                        PhaseMask updated) {
  PhaseMask taken = 0;
  for (uint8_t phase = 0; phase < PHASES; phase++) {
    if (!has_phase(updated & this->config_.phases, phase) || !this->is_plausible_(mains[phase]))
      continue;
    taken |= 1 << phase;
    this->mains_[phase] = mains[phase];
    const float most = mains[phase] - own_low[phase];
    const float least = mains[phase] - own_high[phase];
    const float seconds = std::min((now - this->updated_[phase]) * 0.001f, 15.0f);
    this->house_[phase] = has_phase(this->known_, phase) ? std::clamp(this->house_[phase], least, most) : most;
    this->breaker_[phase].add(mains[phase] / this->config_.limit, seconds);
    this->updated_[phase] = now;
  }
  this->known_ |= taken;
  if (taken != 0 && !this->is_starting())
    this->record_(now);
  return taken == (updated & this->config_.phases);
}

/// The oldest of its phases counts.
bool Circuit::is_overdue_(uint32_t now) const {
  for (uint8_t phase = 0; phase < PHASES; phase++) {
    if (has_phase(this->config_.phases, phase) && now - this->updated_[phase] >= this->config_.timeout_ms)
      return true;
  }
  return false;
}

void Circuit::update(uint32_t now) {
  if (!this->has_meter())
    return this->record_(now);
  if (!this->is_overdue_(now))
    return;
  for (uint32_t &updated : this->updated_) {  // stays overdue when the clock wraps around
    if (now - updated > 2 * this->config_.timeout_ms)
      updated = now - this->config_.timeout_ms;
  }
  this->silent_ = true;
  this->valid_ = false;
  this->record_rooms_(now);
}

void Circuit::record_(uint32_t now) {
  if (this->has_meter() && this->is_overdue_(now))
    return;
  this->silent_ = false;
  this->valid_ = true;
  this->record_rooms_(now);
}

void Circuit::record_rooms_(uint32_t now) {
  for (uint8_t phase = 0; phase < PHASES; phase++)
    this->lasting_[phase].add(this->room(phase), now);
}

// --- answers ----------------------------------------------------------------------------------------------------------

float Circuit::room(uint8_t phase) const {
  if (this->silent_)
    return this->config_.fallback;
  return this->config_.limit - this->config_.margin - this->house_[phase];
}

float Circuit::lasting_room(uint8_t phase) const {
  const LastingRoom &lasting = this->lasting_[phase];
  return std::min({lasting.get() + HARMLESS * this->config_.limit, lasting.get(SHORT), this->room(phase)});
}

float Circuit::breaker_used() const {
  return std::max({this->breaker_[0].used(), this->breaker_[1].used(), this->breaker_[2].used()});
}

}  // namespace esphome::esp32evse_load_manager
