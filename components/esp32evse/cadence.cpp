#include "cadence.h"

#include <cmath>

namespace esphome::esp32evse {

Pacer::Publication Pacer::put(float value, Cadence cadence, uint32_t now) {
  const float before = this->latest_;
  const bool untold = this->held_;
  const bool first = !this->known_;
  const bool turn = !first && (before == 0) != (value == 0);
  const bool due = this->is_due_(cadence, now);
  // Twice, because a noisy meter makes single ones; and not all the time, because a noisier one makes double ones.
  const bool step = cadence.steps && this->spent_ <= MAX_TURNS - TURNS_PER_STEP && !due && this->is_step_(before) &&
                    this->is_step_(value);
  this->latest_ = value;
  this->held_ = true;
  if (turn && untold && cadence.counts && value == 0) {
    this->publish_(before, now);
    this->held_ = this->lingers_ = true;
    return {1, {before, 0}};
  }
  if (this->lingers_ || (!first && !turn && !step && !due))
    return {0, {}};
  if (first || turn)
    this->spent_ = 0;
  else if (step)
    this->spent_ += TURNS_PER_STEP;
  else
    this->count_turn_();
  this->publish_(value, now);
  return turn ? Publication{2, {before, value}} : Publication{1, {value, 0}};
}

bool Pacer::take(Cadence cadence, uint32_t now, float *value) {
  if (!this->held_ || !this->is_due_(cadence, now))
    return false;
  *value = this->latest_;
  this->count_turn_();
  this->publish_(this->latest_, now);
  return true;
}

bool Pacer::pass(Cadence cadence, uint32_t now) {
  if (this->known_ && !this->is_due_(cadence, now))
    return false;
  this->publish_(0, now);
  return true;
}

bool Pacer::is_due_(Cadence cadence, uint32_t now) const {
  const auto units = static_cast<uint16_t>(now / UNIT_MS - this->published_at_);
  if (this->lingers_)
    return units >= LINGER_MS / UNIT_MS;
  return this->hurry_ || units >= cadence.seconds * 1000u / UNIT_MS;
}

bool Pacer::is_step_(float value) const {
  return std::fabs(value - this->published_) * 20 > std::fabs(this->published_);
}

void Pacer::count_turn_() {
  if (this->spent_ > 0)
    this->spent_--;
}

void Pacer::publish_(float value, uint32_t now) {
  this->published_ = value;
  this->published_at_ = static_cast<uint16_t>(now / UNIT_MS);
  this->known_ = true;
  this->held_ = false;
  this->hurry_ = this->lingers_ = false;
}

}  // namespace esphome::esp32evse
