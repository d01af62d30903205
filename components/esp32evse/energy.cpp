#include "energy.h"

#include <algorithm>

#include "command_row.h"

namespace esphome::esp32evse {

void LifetimeEnergy::on_session(uint32_t watt_hours, uint32_t uptime) {
  this->session_ = watt_hours;
  this->session_at_ = uptime;
  this->session_known_ = uptime != NO_UPTIME;
}

void LifetimeEnergy::on_reset() {
  this->reset_ = true;
  this->session_at_reset_ = this->session_;
  this->candidate_ = {};
}

bool LifetimeEnergy::on_total(uint64_t watt_hours, uint32_t uptime) {
  if (!this->session_known_ || uptime == NO_UPTIME || distance(uptime, this->session_at_) > STEP_S)
    return false;
  const Reading reading{watt_hours, this->session_, uptime};
  const Reading before = this->candidate_;
  this->candidate_ = reading;
  if (!this->agree_(before, reading)) {
    this->since_ = uptime;
    return false;
  }
  const bool lasts = uptime >= this->since_ + LASTS_S && this->is_odd_(reading);
  if (!this->reset_ && this->is_odd_(before) && !lasts)
    return false;
  const Memory old = this->memory_;
  this->believe_(before);
  return this->memory_.offset != old.offset || before.total != old.last.total || before.session != old.last.session;
}

/// Two readings in a row prove the first one.
bool LifetimeEnergy::agree_(const Reading &first, const Reading &second) const {
  if (first.total == NONE || second.total < first.total)
    return false;
  if (second.uptime > first.uptime + STEP_S || second.uptime + CLOCK_S < first.uptime)
    return false;
  const uint64_t a = first.stored();
  const uint64_t b = second.stored();
  return std::max(a, b) - std::min(a, b) <= MISMATCH_WH;
}

/// Not what counting on leads to: it was a reset or a restart, or noise.
bool LifetimeEnergy::is_odd_(const Reading &now) const {
  const Reading &last = this->memory_.last;
  if (!this->is_known())
    return false;
  if (now.total < last.total || now.uptime + CLOCK_S < last.uptime || this->was_reset_(now))
    return true;
  const uint32_t most = (now.uptime + CLOCK_S - last.uptime) * MOST_WH_PER_S + MISMATCH_WH;
  return now.total - last.total > most;
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
    return now.session < last.session && now.stored() + SMALL_WH < last.total;  // else it was noise, or is rounded
  if (now.uptime + CLOCK_S >= last.uptime)
    return false;
  // A session that ended in time is in what is stored now.
  const uint64_t gained = now.stored() - std::min(now.stored(), last.stored());
  return now.stored() < last.total && gained < last.total - now.stored();
}

void LifetimeEnergy::believe_(const Reading &now) {
  const Reading &last = this->memory_.last;
  int64_t &offset = this->memory_.offset;
  if (this->reset_) {
    offset = -static_cast<int64_t>(std::min<uint64_t>(this->session_at_reset_, now.total));
  } else if (!this->is_known()) {
    offset = 0;
  } else if (this->was_reset_(now)) {
    // What was shown of the session must not count twice; what was charged since then counts.
    const bool same_session = now.session >= last.session && now.uptime >= last.uptime;
    offset = same_session ? -static_cast<int64_t>(std::min<uint64_t>(last.session, now.total)) : 0;
  } else if (this->was_restarted_(now)) {
    offset += static_cast<int64_t>(last.total - std::min(last.stored(), now.total));
  } else if (now.total < last.total) {
    offset += static_cast<int64_t>(last.total - now.total);
  }
  this->reset_ = false;
  this->memory_.last = now;
}

}  // namespace esphome::esp32evse
