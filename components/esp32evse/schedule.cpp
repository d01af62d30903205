#include "schedule.h"

#include <algorithm>

namespace esphome::esp32evse {

void Schedule::set_rows(const CommandRow *rows, RowState *states, uint8_t count) {
  this->rows_ = rows;
  this->states_ = states;
  this->count_ = count;
}

void Schedule::start(uint32_t now) {
  this->next_heartbeat_ = now + HEARTBEAT_MS;
  this->next_lacking_ = now + LACKING_MS;
  // Those of the node's life before, and whoever else has used the line.
  this->unsubscribes_ = MAX_UNSUBSCRIBES;
  this->refresh();
}

// --- time -------------------------------------------------------------------------------------------------------------

bool Schedule::tick(uint32_t now, bool heard) {
  bool changed = this->miss_();
  if (this->look_ticks_-- == 0) {
    this->look_ticks_ = this->charging_ ? LOOK_CHARGING_TICKS : LOOK_IDLE_TICKS;
    this->watched_ = 0;
    changed |= this->next().kind != Job::Kind::NONE;
  }
  if (reached(this->next_heartbeat_, now + (heard ? EARLY_MS : 0))) {
    this->heartbeat_(now);
    changed = true;
  }
  if (this->repairs_ && reached(this->repair_at_, now)) {
    this->repairs_ = false;
    this->poll();
    changed = true;
  }
  if (!reached(this->next_lacking_, now))
    return changed;
  this->next_lacking_ = now + LACKING_MS;
  for (uint8_t row = 0; row < this->count_; row++) {
    RowState &state = this->states_[row];
    state.due |= state.is_lacking();
    state.refused_subscription = false;
  }
  return true;
}

void Schedule::heartbeat_(uint32_t now) {
  this->next_heartbeat_ = now + HEARTBEAT_MS;
  for (uint8_t row = 0; row < this->count_; row++) {
    RowState &state = this->states_[row];
    const bool unsure = state.failures > 0 || state.refused_subscription;
    state.due |= (unsure && !state.is_lacking()) || this->rows_[row].refresh == Refresh::POLL;
  }
  // A digit of its period may have been lost on the way.
  this->renewed_ = (this->renewed_ + 1) % this->count_;
  this->states_[this->renewed_].renew |= this->states_[this->renewed_].subscribed;
}

/// Misses subscriptions that say nothing. What was lost with one would be missed later: all are renewed.
bool Schedule::miss_() {
  bool lost = false;
  for (uint8_t row = 0; row < this->count_; row++) {
    RowState &state = this->states_[row];
    if (!state.subscribed || state.patience == RowState::UNWATCHED)
      continue;
    lost |= state.patience == 0;
    state.patience -= state.patience > 0 ? 1 : 0;
  }
  if (!lost)
    return false;
  for (uint8_t row = 0; row < this->count_; row++)
    this->states_[row].subscribed = false;
  this->read(UPTIME_ROW);
  return true;
}

/// Ticks until the row's subscription must have said something.
uint8_t Schedule::patience_for_(uint8_t row) const {
  const uint32_t period = this->period_of(row);
  const uint32_t limit = period <= SLOW_MS ? std::min(3 * period + 1000, STALE_MS) : 3 * period + 1000;
  const uint32_t ticks = limit / TICK_MS + 1;
  return period > UINT32_MAX / 4 || ticks >= RowState::UNWATCHED ? RowState::UNWATCHED : static_cast<uint8_t>(ticks);
}

void Schedule::be_patient() {
  for (uint8_t row = 0; row < this->count_; row++)
    this->states_[row].patience = this->patience_for_(row);
}

// --- what to do next --------------------------------------------------------------------------------------------------

Schedule::Job Schedule::next() const {
  if (this->echo_)
    return {Job::Kind::ECHO_OFF};
  if (this->unsubscribes_ > 0)
    return {Job::Kind::UNSUBSCRIBE_ALL};
  for (uint8_t row = 0; row < this->count_; row++) {
    if (this->states_[row].due && this->rows_[row].refresh != Refresh::NEVER)
      return {Job::Kind::READ, row};
  }
  for (uint8_t row = this->watched_; row < this->count_; row++) {
    if (this->needs_look_(row))
      return {Job::Kind::LOOK, row};
  }
  for (uint8_t row = 0; row < this->count_; row++) {
    if (this->needs_subscription_change_(row))
      return {this->period_of(row) > 0 ? Job::Kind::SUBSCRIBE : Job::Kind::UNSUBSCRIBE, row};
  }
  return {};
}

/// A restart of the charger takes the running session's energy away, so it must be known, however seldom it is shown.
bool Schedule::needs_look_(uint8_t row) const {
  if (!this->rows_[row].has(WATCHED) || this->states_[row].is_lacking())
    return false;
  const uint32_t period = this->period_of(row);
  return period == 0 || period > HEARTBEAT_MS;
}

bool Schedule::needs_subscription_change_(uint8_t row) const {
  const RowState &state = this->states_[row];
  if (this->rows_[row].is_only_answered() || state.refused_subscription || state.is_lacking())
    return false;
  return state.renew || (this->period_of(row) > 0) != state.subscribed;
}

/// Of the row's subscription in ms, 0: none.
uint32_t Schedule::period_of(uint8_t row) const {
  const RowState &state = this->states_[row];
  if (state.period != RowState::AUTOMATIC)
    return state.period == RowState::NO_SUBSCRIPTION ? 0 : state.period;
  if (!this->automatic_ || this->push_ms_ == 0)
    return 0;
  switch (this->rows_[row].refresh) {
    case Refresh::PUSH:
      return this->push_ms_;
    case Refresh::CHARGING:
      return this->charging_ ? this->push_ms_ : std::max(this->push_ms_, SLOW_MS);
    case Refresh::SLOW:
      return std::max(this->push_ms_, SLOW_MS);
    default:
      return 0;
  }
}

// --- requests ---------------------------------------------------------------------------------------------------------

void Schedule::subscribe(uint8_t row, uint32_t period_ms) {
  if (this->rows_[row].is_only_answered())
    return;  // there is never anything new
  RowState &state = this->states_[row];
  state.choose(period_ms == 0 ? RowState::NO_SUBSCRIPTION : period_ms);
  state.renew = true;
  state.refused_subscription = false;
}

void Schedule::unsubscribe_all() {
  this->automatic_ = false;
  this->unsubscribes_ = MAX_UNSUBSCRIBES;
  for (uint8_t row = 0; row < this->count_; row++) {
    this->states_[row].choose(RowState::AUTOMATIC);
    this->states_[row].renew = false;
  }
}

void Schedule::set_charging(bool charging) {
  if (charging == this->charging_)
    return;
  this->charging_ = charging;
  for (uint8_t row = 0; row < this->count_; row++) {
    RowState &state = this->states_[row];
    state.renew |= this->rows_[row].refresh == Refresh::CHARGING && state.period == RowState::AUTOMATIC &&
                   this->period_of(row) > 0;
  }
}

void Schedule::read(uint8_t row) { this->states_[row].due |= !this->states_[row].is_lacking(); }

void Schedule::refresh() {
  for (uint8_t row = 0; row < this->count_; row++)
    this->read(row);
}

void Schedule::poll() {
  for (uint8_t row = 0; row < this->count_; row++) {
    if (this->rows_[row].refresh != Refresh::ONCE)
      this->read(row);
  }
}

void Schedule::repair(uint32_t now) {
  if (!this->repairs_)
    this->repair_at_ = now + REPAIR_DELAY_MS;
  this->repairs_ = true;
}

// --- what has become of it --------------------------------------------------------------------------------------------

void Schedule::on_restart() {
  this->echo_ = true;
  this->unsubscribes_ = 0;
  for (uint8_t row = 0; row < this->count_; row++) {
    RowState &state = this->states_[row];
    state.due = true;
    state.subscribed = state.refused_subscription = state.known = false;
    state.failures = 0;
  }
}

void Schedule::on_value(uint8_t row) {
  RowState &state = this->states_[row];
  state.failures = 0;
  state.patience = this->patience_for_(row);
}

void Schedule::begin(const Job &job) {
  if (job.kind == Job::Kind::READ) {
    this->states_[job.row].due = false;
  } else if (job.kind == Job::Kind::LOOK) {
    this->watched_ = job.row + 1;
  } else if (job.row != NO_ROW) {
    this->states_[job.row].renew = false;
  }
}

Schedule::Verdict Schedule::finish_read(uint8_t row, bool answered, bool careful) {
  RowState &state = this->states_[row];
  state.known |= answered;
  if (answered || state.is_lacking())
    return Verdict::FINE;
  state.failures++;
  if (state.failures == DOUBTED) {
    state.due = true;
    return Verdict::AGAIN;
  }
  // A command does not vanish while the charger runs: it is noise. The heartbeat asks again.
  if (state.known || (careful && state.failures < RowState::LACKING - 1)) {
    state.failures = state.known ? DOUBTED : state.failures;
    return Verdict::FINE;
  }
  state.failures = RowState::LACKING;
  state.believed = 0;
  return Verdict::LACKING;
}

void Schedule::finish_other(const Job &job, Outcome outcome) {
  if (job.kind == Job::Kind::ECHO_OFF) {
    this->echo_ = outcome == Outcome::SILENCE;
    return;
  }
  if (job.kind == Job::Kind::UNSUBSCRIBE_ALL) {
    this->unsubscribes_ = outcome == Outcome::OK ? 0 : this->unsubscribes_ - (outcome == Outcome::ERROR ? 1 : 0);
    for (uint8_t row = 0; row < this->count_ && outcome == Outcome::OK; row++)
      this->states_[row].subscribed = false;
    return;
  }
  RowState &state = this->states_[job.row];
  if (outcome == Outcome::OK) {
    state.subscribed = job.kind == Job::Kind::SUBSCRIBE;
    state.due |= !state.subscribed;
    state.failures = 0;
    state.patience = this->patience_for_(job.row);
    return;
  }
  state.renew = true;
  if (outcome != Outcome::ERROR)
    return;
  state.refused_subscription = state.failures >= DOUBTED;
  if (!state.refused_subscription)
    state.failures = DOUBTED;
}

}  // namespace esphome::esp32evse
