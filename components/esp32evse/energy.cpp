#include "energy.h"

#include <algorithm>

namespace esphome::esp32evse {

void LifetimeEnergy::on_uptime(uint32_t seconds) {
  const bool continues = this->uptimes_ > 0 && seconds >= this->uptime_ && seconds - this->uptime_ <= UPTIME_STEP_S;
  this->uptimes_ = continues ? 2 : 1;
  this->uptime_ = seconds;
}

void LifetimeEnergy::on_session(uint32_t watt_hours) {
  this->session_ = watt_hours;
  this->session_at_ = this->uptime_;
  this->session_known_ = true;
}

void LifetimeEnergy::on_reset() {
  this->reset_ = true;
  this->session_at_reset_ = this->session_;
  this->candidate_ = {};
}

void LifetimeEnergy::forget_readings() {
  this->candidate_ = {};
  this->session_known_ = false;
  this->uptimes_ = 0;
}

bool LifetimeEnergy::on_total(uint64_t watt_hours) {
  if (!this->session_known_ || this->uptimes_ < 2 || this->uptime_ - this->session_at_ > UPTIME_STEP_S)
    return false;
  const Reading reading{watt_hours, this->session_, this->uptime_};
  const Reading before = this->candidate_;
  this->candidate_ = reading;
  if (!this->agree_(before, reading))
    return false;
  const Memory old = this->memory_;
  this->believe_(before);
  return this->memory_.offset != old.offset || before.total != old.last.total || before.session != old.last.session;
}

/// Two readings in a row prove the first one. A fall is proven by a second value that is low, too.
bool LifetimeEnergy::agree_(const Reading &first, const Reading &second) const {
  if (first.total == NONE || second.total < first.total)
    return false;
  const uint64_t a = first.stored();
  const uint64_t b = second.stored();
  if (std::max(a, b) - std::min(a, b) > MISMATCH_WH)
    return false;
  const bool fell = this->is_known() && first.total < this->memory_.last.total;
  return !fell || second.total < this->memory_.last.total;
}

/// The charger has lost what it had stored, too.
bool LifetimeEnergy::was_reset_(const Reading &now) const {
  const uint64_t stored = this->memory_.last.stored();
  return now.stored() + SMALL_WH < stored && now.stored() < stored / 2;
}

/// The charger has lost the session that was running at the last reading. It may have counted on since, and further.
bool LifetimeEnergy::was_restarted_(const Reading &now) const {
  const Reading &last = this->memory_.last;
  if (now.total < last.total)
    return true;
  if (now.uptime >= last.uptime)
    return false;
  // A session that ended in time is in what is stored now.
  const uint64_t gained = now.stored() - std::min(now.stored(), last.stored());
  return now.stored() < last.total && gained < last.total - now.stored();
}

void LifetimeEnergy::believe_(const Reading &now) {
  const Reading &last = this->memory_.last;
  if (this->reset_) {
    this->memory_.offset = -static_cast<int64_t>(std::min<uint64_t>(this->session_at_reset_, now.total));
  } else if (this->is_known() && this->was_reset_(now)) {
    this->memory_.offset = -static_cast<int64_t>(now.session);
  } else if (this->is_known() && this->was_restarted_(now)) {
    this->memory_.offset += static_cast<int64_t>(last.total - std::min(last.stored(), now.total));
  }
  this->reset_ = false;
  this->memory_.last = now;
}

}  // namespace esphome::esp32evse
