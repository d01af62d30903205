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
  this->sampled_ = now;
}

bool Circuit::is_plausible_(const Phases &mains) const {
  for (float ampere : mains.value) {
    if (!(std::fabs(ampere) <= ABSURD * this->config_.limit))  // false for NaN
      return false;
  }
  return true;
}

/// The sample says only that the house lies between `mains - own_high` and `mains - own_low`. While a car ramps these
/// are far apart; the house then is what it was, as near as the sample allows.
bool Circuit::on_sample(const Phases &mains, const Phases &own_low, const Phases &own_high, uint32_t now) {
  if (!this->is_plausible_(mains))
    return false;
  const float seconds = std::min((now - this->sampled_) * 0.001f, 15.0f);
  for (uint8_t phase = 0; phase < PHASES; phase++) {
    const float most = mains[phase] - own_low[phase];
    const float least = mains[phase] - own_high[phase];
    this->house_[phase] = this->known_ ? std::clamp(this->house_[phase], least, most) : most;
    this->breaker_[phase].add(mains[phase] / this->config_.limit, seconds);
  }
  this->mains_ = mains;
  this->record_(now);
  return true;
}

void Circuit::record_(uint32_t now) {
  this->sampled_ = now;
  this->known_ = this->valid_ = true;
  this->silent_ = false;
  for (uint8_t phase = 0; phase < PHASES; phase++)
    this->lasting_[phase].add(this->room(phase), now);
}

void Circuit::update(uint32_t now) {
  if (!this->has_meter() || now - this->sampled_ < this->config_.timeout_ms)
    return;
  this->sampled_ = now - this->config_.timeout_ms;  // stays silent when the clock wraps around
  this->silent_ = true;
  this->valid_ = false;
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
