#include "charging.h"

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

void SessionCounter::update(uint32_t value) {
  if (value == 0)
    this->value_ = this->final_value();  // the end of the session, whose state may come later
  const uint32_t last = this->last_;
  this->last_ = value;
  if (value < last)
    return;
  const uint32_t believed = last == 0 ? value : last;
  this->fell_ = value < this->value_;  // both are, for the one before is not higher
  if (believed > this->value_)
    this->value_ = believed;
}

uint32_t SessionCounter::final_value() const {
  return this->last_ - this->value_ <= LAST_STEP ? this->last_ : this->value_;
}

// --- SessionTracker ---------------------------------------------------------------------------------------------------

uint8_t SessionTracker::on_state(ChargerState state) {
  const bool session = is_session(state);
  const bool first = !this->known_;
  const bool other = this->active_ && session && (this->energy_.fell() || this->duration_.fell());
  this->known_ = true;
  if (first) {
    this->active_ = session;
    return NOTHING;
  }
  uint8_t events = NOTHING;
  if (this->active_ && (!session || other)) {
    this->last_energy_ = this->energy_.final_value();
    this->last_duration_ = this->duration_.final_value();
    this->has_last_ = true;
    this->active_ = false;
    events |= FINISHED;
  }
  if (session && !this->active_) {
    this->active_ = true;
    this->energy_ = this->duration_ = {};
    events |= STARTED;
  }
  return events;
}

// --- LifetimeEnergy ---------------------------------------------------------------------------------------------------

void LifetimeEnergy::update(uint64_t total, uint32_t session) {
  const bool reset = (this->reset_expected_ || this->memory_.shown == NONE) && total < this->memory_.shown;
  const uint64_t believed = reset ? total : this->last_;
  this->last_ = total;
  if (total < believed)
    return;
  if (believed < this->memory_.shown) {
    if (!reset && (total - believed > TOLERANCE_WH || believed + TOLERANCE_WH >= this->memory_.stored))
      return;
    this->reset_expected_ = false;
  }
  this->memory_.shown = believed;
  this->memory_.stored = believed > session ? believed - session : 0;
}

}  // namespace esphome::esp32evse
