#include "charging.h"

#include <algorithm>

namespace esphome::esp32evse {

static const char STATE_NAMES[][3] = {"A", "B1", "B2", "C1", "C2", "D1", "D2", "E", "F", ""};

static const char *const FAULT_NAMES[FAULT_COUNT] = {
    "pilot",
    "diode_short",
    "lock",
    "unlock",
    "rcm_triggered",
    "rcm_self_test",
    "temperature_high",
    "temperature_sensor",
};

static const char *const FAULT_TEXTS[FAULT_COUNT] = {
    "Fault: control pilot",    "Fault: vehicle diode short", "Fault: socket lock",      "Fault: socket unlock",
    "Fault: residual current", "Fault: RCM self-test",       "Fault: temperature high", "Fault: temperature sensor",
};

static const char *const STATE_TEXTS[] = {
    "No vehicle connected",
    "Vehicle connected",
    "Waiting for vehicle",
    "Stopping",
    "Charging",
    "Stopping",
    "Charging",
    "Fault",
    "Not available",
    "Charger not responding",
};

const char *state_name(ChargerState state) { return STATE_NAMES[static_cast<uint8_t>(state)]; }

const char *fault_name(uint8_t bit) { return FAULT_NAMES[bit]; }

const char *describe(const Situation &situation) {
  for (uint8_t bit = 0; bit < FAULT_COUNT; bit++) {
    if ((situation.faults >> bit & 1) != 0)
      return FAULT_TEXTS[bit];
  }
  if (is_session(situation.state) && !is_charging(situation.state)) {
    if (situation.pending_authorization)
      return "Waiting for authorization";
    if (situation.limit_reached)
      return "Charging limit reached";
    if (!situation.enabled)
      return "Paused";
  }
  return STATE_TEXTS[static_cast<uint8_t>(situation.state)];
}

// --- SessionCounter ---------------------------------------------------------------------------------------------------

void SessionCounter::update(uint32_t value, uint32_t now) {
  if (value == 0)
    this->value_ = this->final_value();  // the end of the session, whose state may come later
  const bool continues = value >= this->latest_;
  const uint32_t believed = this->latest_ == 0 ? value : this->latest_;
  const uint32_t believed_at = this->latest_ == 0 ? now : this->latest_at_;
  const bool possible = !this->known_ || believed < this->value_ || this->is_possible(believed, believed_at);
  this->latest_ = value;
  this->latest_at_ = now;
  this->known_ = true;
  if (!continues || !possible)
    return;
  this->fell_ = value < this->value_;  // both are, for the one before is not higher
  if (believed >= this->value_) {
    this->value_ = believed;
    this->value_at_ = believed_at;
  }
}

bool SessionCounter::is_possible(uint64_t value, uint32_t now) const {
  const uint64_t most = static_cast<uint64_t>(now - this->value_at_) * this->most_per_s_ / 1000 + ROUNDING;
  return value >= this->value_ && value - this->value_ <= most;
}

void SessionCounter::restart() { *this = SessionCounter(this->most_per_s_); }

// --- SessionTracker ---------------------------------------------------------------------------------------------------

uint8_t SessionTracker::on_state(ChargerState state, uint32_t now) {
  const bool session = is_session(state);
  const bool first = !this->known_;
  const bool other = this->active_ && session && (this->energy_.fell() || this->duration_.fell());
  this->known_ = true;
  if (first) {
    this->active_ = session;
    return NOTHING;
  }
  if (this->active_ && !session) {
    this->active_ = false;
    this->ending_ = true;
    this->ended_at_ = now;
    return NOTHING;
  }
  if (!session || (this->active_ && !other))
    return NOTHING;
  // Nobody saw the last one's end, or it still waits for its energy.
  uint8_t events = STARTED;
  if (this->active_ || this->ending_)
    events |= this->finish_(this->energy_.final_value());
  this->active_ = true;
  this->energy_.restart();
  this->duration_.restart();
  this->stored_ = NONE;
  return events;
}

uint8_t SessionTracker::on_total(uint64_t watt_hours, uint32_t now) {
  if (this->active_ && this->energy_.is_known() && watt_hours >= this->energy_.latest())
    this->stored_ = std::min(this->stored_, watt_hours - this->energy_.latest());
  if (!this->ending_)
    return NOTHING;
  const uint32_t seen = this->energy_.final_value();
  const bool known = this->stored_ <= watt_hours && this->energy_.is_possible(watt_hours - this->stored_, now);
  const auto counted = known ? static_cast<uint32_t>(watt_hours - this->stored_) : 0;
  return this->finish_(counted > seen + 1 ? counted : seen);  // the charger rounds both
}

uint8_t SessionTracker::loop(uint32_t now) {
  if (!this->ending_ || now - this->ended_at_ < END_WAITS_MS)
    return NOTHING;
  return this->finish_(this->energy_.final_value());
}

uint8_t SessionTracker::finish_(uint32_t energy) {
  this->last_energy_ = energy;
  this->last_duration_ = this->duration_.final_value();
  this->has_last_ = true;
  this->ending_ = false;
  return FINISHED;
}

}  // namespace esphome::esp32evse
