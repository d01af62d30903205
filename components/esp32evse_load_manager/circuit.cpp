#include "circuit.h"

#include <algorithm>

namespace esphome::esp32evse_load_manager {

// --- the last time ----------------------------------------------------------------------------------------------------

static int16_t to_raw(Milliampere current) { return static_cast<int16_t>(std::clamp(current, -300_A, 300_A) / 10); }

void LastingRoom::add(Milliampere room, uint32_t now) { this->add_(to_raw(room), now); }

void LastingRoom::add_(int16_t raw, uint32_t now) {
  int16_t &newest = this->buckets_[this->newest_];
  if (newest == UNKNOWN)  // the first
    this->started_ = now;
  newest = std::min(newest, raw);
  uint32_t passed = (now - this->started_) / BUCKET_MS;
  this->started_ += passed * BUCKET_MS;
  for (passed = std::min<uint32_t>(passed, BUCKETS); passed > 0; passed--) {
    this->newest_ = (this->newest_ + 1) % BUCKETS;
    this->buckets_[this->newest_] = raw;
  }
}

int16_t LastingRoom::least_(uint8_t buckets) const {
  int16_t least = this->at_(ENOUGH) == UNKNOWN ? SILENCE : UNKNOWN;
  for (uint8_t age = 0; age < buckets; age++)
    least = std::min(least, this->at_(age));
  return least;
}

uint16_t LastingRoom::seconds_of_(uint8_t turns, uint32_t now) const {
  constexpr uint32_t BUCKET_S = BUCKET_MS / 1000;
  return turns == 0 ? 0 : turns * BUCKET_S - std::min((now - this->started_) / 1000, BUCKET_S - 1);
}

uint16_t LastingRoom::seconds_to_oblivion(uint32_t now) const {
  for (uint8_t age = 0; age < BUCKETS; age++) {
    if (this->at_(age) != SILENCE && this->at_(age) != UNKNOWN)
      return this->seconds_of_(BUCKETS - age, now);
  }
  return 0;
}

uint16_t LastingRoom::seconds_to(Milliampere current, uint8_t buckets, uint32_t now) const {
  const int16_t needed = to_raw(current);
  uint8_t turns = 0;
  for (uint8_t age = 0; age < buckets && turns == 0; age++) {
    if (this->at_(age) < needed) {
      turns = buckets - age;
    } else if (age <= ENOUGH && this->at_(age) == UNKNOWN) {
      turns = ENOUGH + 1 - age;
    }
  }
  return this->seconds_of_(turns, now);
}

// --- samples ----------------------------------------------------------------------------------------------------------

void Circuit::configure(const CircuitConfig &config, uint32_t now) {
  this->config_ = config;
  this->most_ = config.limit;
  this->budget_ = Breaker::budget(config.delay_ms);
  std::fill_n(this->updated_, PHASES, now);
  if (!this->has_meter())
    this->known_ = config.phases;
}

bool Circuit::is_plausible_(Milliampere current) const {
  const Milliampere absurd = ABSURD * this->most_;
  return current >= -absurd && current <= absurd;
}

/// The sample says only that the house lies between `mains - own_high` and `mains - own_low`. While a car ramps these
/// are far apart; the house then is what it was, as near as the sample allows.
bool Circuit::on_sample(const Phases &mains, const Phases &own_low, const Phases &own_high, uint32_t now,
                        PhaseMask updated, bool unheard, bool doubtful) {
  const Milliampere anywhere = this->is_elsewhere() ? own_high.most() : 0;
  PhaseMask taken = 0;
  for (uint8_t phase = 0; phase < PHASES; phase++) {
    if (!has_phase(updated & this->config_.phases, phase) || !this->is_plausible_(mains[phase]))
      continue;
    taken |= 1 << phase;
    this->mains_[phase] = mains[phase];
    const Milliampere most = mains[phase] - (anywhere > 0 ? 0 : own_low[phase]);
    const Milliampere least = mains[phase] - std::max(own_high[phase], anywhere);
    if (HAS_FOLLOWERS && unheard)  // what fell since then may be the charger's
      this->house_[phase] =
          std::max(this->house_[phase], this->config_.limit - this->config_.margin - this->lasting_[phase].get());
    this->house_[phase] = has_phase(this->known_, phase) ? std::clamp(this->house_[phase], least, most) : most;
    this->breaker_[phase].add(this->load_of_(mains[phase]), std::min(now - this->updated_[phase], LONGEST_MS));
    this->updated_[phase] = now;
  }
  this->known_ |= taken;
  this->fresh_ |= taken;
  const bool complete = this->fresh_ == this->config_.phases;
  if (complete) {
    this->fresh_ = 0;
    const bool elsewhere = this->is_elsewhere(), at_once = taken == this->config_.phases;
    if (!doubtful)
      this->sense_.add(this->mains_, own_low, own_high, std::min(now - this->sensed_, LONGEST_MS), at_once);
    for (uint8_t phase = 0; this->is_elsewhere() && !elsewhere && phase < PHASES; phase++)
      this->house_[phase] = this->sense_.resting(phase);  // until now the car was taken for the house's
    this->sensed_ = now;
  }
  if (taken != 0 && !this->is_starting())
    this->record_(now);
  return complete;
}

void Circuit::on_share(Milliampere current, uint32_t now) {
  if (current < 0 || current > this->most_)
    return;
  Phases taken;
  std::fill_n(taken.value, PHASES, std::max(this->config_.limit - current, 0_A));
  this->on_sample(taken, {}, {}, now, ALL_PHASES);
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
    this->valid_ = true;
  if (!this->has_meter() || !this->is_lost_(now))
    return;
  for (uint32_t &updated : this->updated_) {  // stays overdue when the clock wraps around
    if (now - updated > 2 * this->config_.timeout_ms)
      updated = now - this->config_.timeout_ms;
  }
  this->silent_ = true;
  this->valid_ = false;
  for (LastingRoom &lasting : this->lasting_)
    lasting.add_silence(now);
}

void Circuit::record_(uint32_t now) {
  if (this->is_lost_(now))
    return;
  this->silent_ = false;
  this->valid_ = true;
  for (uint8_t phase = 0; phase < PHASES; phase++)
    this->lasting_[phase].add(this->room(phase), now);
}

// --- answers ----------------------------------------------------------------------------------------------------------

Milliampere Circuit::room(uint8_t phase) const {
  if (this->silent_)
    return this->config_.fallback;
  return this->config_.limit - this->config_.margin - this->house_[phase];
}

Milliampere Circuit::lasting_room(uint8_t phase) const {
  if (this->is_promised_())
    return this->room(phase) + SPARE;
  const LastingRoom &lasting = this->lasting_[phase];
  return std::min({lasting.get() + this->slack(), lasting.get(SHORT), this->room(phase)});
}

uint16_t Circuit::seconds_to(uint8_t phase, Milliampere current, Milliampere slack, uint32_t now) const {
  const LastingRoom &lasting = this->lasting_[phase];
  if (this->room(phase) + (this->is_promised_() ? SPARE : 0_A) < current)
    return Why::NOT_IN_SIGHT;
  if (this->is_promised_())
    return this->silent_ && !this->is_led() ? lasting.seconds_to_oblivion(now) : 0;
  return std::max(lasting.seconds_to(current - slack, LastingRoom::BUCKETS, now),
                  lasting.seconds_to(current, SHORT, now));
}

Reason Circuit::fault() const {
  if (this->is_led())
    return Reason::LEADER_SILENT;
  if (this->sense_.is_blind())
    return Reason::METER_BLIND;
  if (this->sense_.is_backwards())
    return Reason::METER_BACKWARDS;
  return this->sense_.is_frozen() ? Reason::METER_FROZEN : Reason::METER_SILENT;
}

float Circuit::breaker_used() const {
  return std::max({this->breaker_[0].used(), this->breaker_[1].used(), this->breaker_[2].used()}) / this->budget_;
}

}  // namespace esphome::esp32evse_load_manager
