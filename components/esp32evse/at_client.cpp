#include "at_client.h"

#include <cstring>

namespace esphome::esp32evse {

namespace {

enum RowFlag : uint16_t {
  DUE = 1 << 0,           // to be read
  SUBSCRIBED = 1 << 1,    // the charger pushes it
  SUB_CHANGED = 1 << 2,   // tell the charger again
  SUB_REFUSED = 1 << 3,   // it will not push it
  EXPLICIT = 1 << 4,      // the user chose the subscription
  UNSUPPORTED = 1 << 5,   // this firmware answers ERROR
  DOUBTED = 1 << 6,       // one ERROR so far, may have been noise
  RUN_WANTED = 1 << 7,
  WRITE_WANTED = 1 << 8,
  VERIFY_WANTED = 1 << 9,
  CHECK_FIRST = 1 << 10,  // verify before writing: the charger may hold the value already
  TEXT = 1 << 11,         // the wanted value is in a text slot
  ACKED = 1 << 12,        // the write was answered with OK
  REFUSED = 1 << 13,      // the write was answered with ERROR
  SENDS_SHIFT = 14,       // two bits: how often it was sent
};
constexpr uint16_t ONE_SEND = 1 << SENDS_SHIFT;
constexpr uint16_t PENDING = WRITE_WANTED | VERIFY_WANTED;
constexpr uint16_t WRITE_FLAGS = PENDING | CHECK_FIRST | TEXT | ACKED | REFUSED | 3 * ONE_SEND;

constexpr uint32_t STAMP_SHIFT = 6;  // stamps count 64 ms

uint16_t stamp(uint32_t now) { return static_cast<uint16_t>(now >> STAMP_SHIFT); }
uint32_t since(uint16_t then, uint32_t now) {
  return static_cast<uint32_t>(static_cast<uint16_t>(stamp(now) - then)) << STAMP_SHIFT;
}
bool reached(uint32_t deadline, uint32_t now) { return static_cast<int32_t>(now - deadline) >= 0; }
bool is(const char *line, size_t length, const char *text) {
  return length == strlen(text) && memcmp(line, text, length) == 0;
}
uint32_t distance(uint32_t a, uint32_t b) { return a > b ? a - b : b - a; }

}  // namespace

const char *CommandRow::answer_name() const {
  return this->has(OTHER_ANSWER) ? this->name + strlen(this->name) + 1 : this->name;
}

// --- requests ---------------------------------------------------------------------------------------------------------

void AtClient::set_rows(const CommandRow *rows, RowState *states, uint8_t count) {
  this->rows_ = rows;
  this->states_ = states;
  this->row_count_ = count;
}

void AtClient::start(uint32_t now) {
  this->mark_due_(true);
  this->next_tick_ = now;
  this->next_heartbeat_ = now + HEARTBEAT_MS;
  this->next_poll_ = now + this->poll_ms_;
  this->set_state_(State::CLEARING, now);
}

void AtClient::request_write_(uint8_t row, uint32_t now) {
  RowState &state = this->states_[row];
  state.flags = (state.flags & ~WRITE_FLAGS) | WRITE_WANTED;
  state.stamp = stamp(now);
  if (this->row_ == row)
    this->matched_ = false;  // what has been seen so far was compared with an older wish
  this->work_ = true;
}

void AtClient::write_number(uint8_t row, uint32_t value, uint32_t now) {
  this->request_write_(row, now);
  this->states_[row].wanted = value;
  if (this->rows_[row].has(STORED) && !this->rows_[row].has(UNPROVABLE))
    this->states_[row].flags |= VERIFY_WANTED | CHECK_FIRST;
}

bool AtClient::write_text(uint8_t row, const Argument &argument, uint8_t provable, uint32_t now) {
  TextSlot *slot = this->find_slot_(row);
  if (slot == nullptr)
    slot = this->find_slot_(NO_ROW);
  if (slot == nullptr || !argument.ok())
    return false;
  slot->row = row;
  slot->length = static_cast<uint8_t>(argument.length());
  slot->provable = provable;
  memcpy(slot->text, argument.data(), slot->length);
  this->request_write_(row, now);
  this->states_[row].flags |= TEXT;
  if (provable == slot->length)
    this->states_[row].flags |= VERIFY_WANTED | CHECK_FIRST;
  return true;
}

void AtClient::restore_number(uint8_t row, uint32_t value, uint32_t now) {
  if (this->is_pending(row))
    return;
  this->request_write_(row, now);
  this->states_[row].wanted = value;
  this->states_[row].flags |= VERIFY_WANTED | CHECK_FIRST;
}

void AtClient::run(uint8_t row, uint32_t now) {
  this->states_[row].flags |= RUN_WANTED;
  this->states_[row].stamp = stamp(now);
  this->work_ = true;
}

bool AtClient::send_raw(const char *text, size_t length) {
  TextSlot *slot = this->find_slot_(NO_ROW);
  if (slot == nullptr || length > Argument::MAX_LENGTH || this->find_slot_(RAW_ROW) != nullptr)
    return false;
  slot->row = RAW_ROW;
  slot->length = static_cast<uint8_t>(length);
  memcpy(slot->text, text, length);
  this->work_ = true;
  return true;
}

void AtClient::subscribe(uint8_t row, uint32_t period_ms) {
  this->states_[row].period = period_ms;
  this->states_[row].flags |= EXPLICIT | SUB_CHANGED;
  this->states_[row].flags &= ~SUB_REFUSED;
  this->work_ = true;
}

void AtClient::unsubscribe_all() {
  for (uint8_t row = 0; row < this->row_count_; row++) {
    this->states_[row].period = 0;
    this->states_[row].flags = (this->states_[row].flags | EXPLICIT) & ~SUB_CHANGED;
  }
  this->unsubscribe_all_ = true;
  this->work_ = true;
}

void AtClient::refresh() { this->mark_due_(true); }

void AtClient::set_charging(bool charging) {
  this->charging_ = charging;
  this->work_ = true;
}

bool AtClient::is_pending(uint8_t row) const { return (this->states_[row].flags & PENDING) != 0; }

void AtClient::mark_due_(bool once) {
  for (uint8_t row = 0; row < this->row_count_; row++) {
    const Refresh refresh = this->rows_[row].refresh;
    if (refresh != Refresh::NEVER && (once || refresh != Refresh::ONCE))
      this->states_[row].flags |= DUE;
  }
  this->work_ = true;
}

AtClient::TextSlot *AtClient::find_slot_(uint8_t row) {
  for (auto &slot : this->slots_) {
    if (slot.row == row)
      return &slot;
  }
  return nullptr;
}

// --- bytes in ---------------------------------------------------------------------------------------------------------

void AtClient::receive(const uint8_t *data, size_t length, uint32_t now) {
  this->entered_ = true;
  for (size_t i = 0; i < length; i++) {
    switch (this->framer_.feed(data[i])) {
      case LineFramer::Event::LINE:
        this->on_line_(this->framer_.line(), this->framer_.length(), now);
        break;
      case LineFramer::Event::DAMAGED:
        this->on_damage_(now);
        break;
      default:
        break;
    }
  }
  this->entered_ = false;
}

void AtClient::on_line_(char *line, size_t length, uint32_t now) {
  if (is(line, length, "OK") || is(line, length, "ERROR")) {
    this->on_result_(line[0] == 'O', now);
    return;
  }
  if (is(line, length, "RDY")) {
    this->abort_task_(now);
    this->settle_(now);
    this->on_reboot_(true);
    return;
  }
  if (this->task_ == Task::RAW)
    this->listener_->on_raw_line(line, length);
  if (line[0] == '+') {
    this->on_value_line_(line + 1, now);
  } else if (line[0] == '~' || ((line[0] | 0x20) == 'a' && (line[1] | 0x20) == 't')) {
    this->echo_off_ = true;  // somebody switched the echo on
    this->work_ = true;
  } else if (this->task_ != Task::RAW) {
    this->on_damage_(now);
  }
}

void AtClient::on_value_line_(char *line, uint32_t now) {
  char *equals = strchr(line, '=');
  if (equals == nullptr) {
    if (this->task_ != Task::RAW)
      this->on_damage_(now);
    return;
  }
  this->heard_at_ = now;
  // The charger is back: do not let the back-off keep it waiting.
  if (this->state_ == State::CLEARING && !this->online_)
    this->deadline_ = now;
  const size_t name_length = equals - line;
  if (this->state_ == State::VERIFYING && is(line, name_length, "VER"))
    this->answered_ = true;
  const uint8_t row = this->find_row_(line, name_length);
  if (row != NO_ROW)
    this->on_row_values_(row, equals + 1, now);
}

uint8_t AtClient::find_row_(const char *name, size_t length) const {
  for (uint8_t row = 0; row < this->row_count_; row++) {
    if (is(name, length, this->rows_[row].answer_name()))
      return row;
  }
  return NO_ROW;
}

void AtClient::on_row_values_(uint8_t row, char *text, uint32_t now) {
  RowState &state = this->states_[row];
  const bool asked = this->row_ == row &&
                     (this->task_ == Task::READ || this->task_ == Task::VERIFY || this->task_ == Task::RUN);
  if (this->rows_[row].has(LINES) && !asked)
    return;
  const TextSlot *slot = (state.flags & TEXT) != 0 ? this->find_slot_(row) : nullptr;
  const bool text_matches = slot != nullptr && this->text_matches_(*slot, text);
  Values values;
  if (!values.parse(text, this->rows_[row].signature)) {
    this->on_damage_(now);
    return;
  }
  if (asked)
    this->answered_ = true;
  if (!this->is_pending(row)) {
    if ((state.flags & RUN_WANTED) == 0)
      state.stamp = stamp(now);
    this->listener_->on_values(row, values);
  } else if (asked && this->task_ == Task::VERIFY) {
    this->matched_ = slot != nullptr ? text_matches : this->shows_wanted_(row, values, now);
    if (this->matched_)
      this->listener_->on_values(row, values);
  }
  if (row == UPTIME_ROW)
    this->on_uptime_(static_cast<uint32_t>(values[0].number), now);
}

bool AtClient::text_matches_(const TextSlot &slot, const char *text) const {
  if (strncmp(slot.text, text, slot.provable) != 0)
    return false;
  const char next = text[slot.provable];
  return next == '\0' || next == ',';
}

bool AtClient::shows_wanted_(uint8_t row, const Values &values, uint32_t now) const {
  const RowState &state = this->states_[row];
  if (!this->rows_[row].has(CLOCK))
    return values[0].number == state.wanted;
  return distance(static_cast<uint32_t>(values[0].number), state.wanted + since(state.stamp, now) / 1000) <= 3;
}

/// A line was lost. It may have been a value that nobody will repeat soon.
void AtClient::on_damage_(uint32_t now) {
  this->counters_.discarded++;
  if (this->repair_)
    return;
  this->repair_ = true;
  this->repair_at_ = now + REPAIR_DELAY_MS;
}

void AtClient::on_uptime_(uint32_t uptime, uint32_t now) {
  if (this->uptime_known_) {
    const uint32_t elapsed = (now - this->uptime_at_) / 1000;
    const uint32_t expected = this->uptime_ + elapsed;
    const bool fits = distance(uptime, expected) <= 5 + elapsed / 256;
    if (!fits && !this->uptime_doubted_) {
      this->uptime_doubted_ = true;
      this->states_[UPTIME_ROW].flags |= DUE;
      this->work_ = true;
      return;
    }
    if (!fits && uptime < expected)
      this->on_reboot_(false);
  }
  this->uptime_doubted_ = false;
  this->uptime_known_ = true;
  this->uptime_ = uptime;
  this->uptime_at_ = now;
  if (this->safe_ || this->state_ != State::READY)
    return;
  if (uptime < SETTLED_UPTIME_S && !this->settled_) {
    this->abort_task_(now);
    this->settle_(now);
    return;
  }
  this->safe_ = true;
  this->work_ = true;
  if (!this->online_) {
    this->online_ = true;
    this->mark_due_(true);
    this->listener_->on_online(true);
  }
}

void AtClient::on_result_(bool ok, uint32_t now) {
  this->heard_at_ = now;
  switch (this->state_) {
    case State::SETTLING:
      break;
    case State::CLEARING:
    case State::CLEARED:
      this->set_state_(State::CLEARED, now);
      break;
    case State::VERIFYING:
      if (ok && this->answered_) {
        this->become_ready_(now);
      } else {
        this->set_state_(State::CLEARING, now);
      }
      break;
    case State::READY:
      if (!ok) {
        this->hold_ = true;
        this->deadline_ = now + AFTER_ERROR_MS;
      }
      if (this->task_ == Task::NONE) {
        if (ok)
          this->on_damage_(now);
      } else {
        this->finish_(ok, now);
      }
      break;
  }
}

// --- staying in step --------------------------------------------------------------------------------------------------

void AtClient::set_state_(State state, uint32_t now) {
  this->state_ = state;
  this->answered_ = false;
  switch (state) {
    case State::SETTLING:
      this->deadline_ = now + SETTLE_MS;
      break;
    case State::CLEARING: {
      const uint8_t doublings =
          this->silent_commands_ < MAX_CLEAR_DOUBLINGS ? this->silent_commands_ : MAX_CLEAR_DOUBLINGS;
      this->deadline_ = now + (CLEAR_TIMEOUT_MS << doublings);
      this->listener_->on_transmit("~\n", 2);
      break;
    }
    case State::CLEARED:
      this->deadline_ = now + QUIET_MS;
      break;
    case State::VERIFYING:
      this->deadline_ = now + ANSWER_TIMEOUT_MS;
      this->send_("VER", "?", 1);
      break;
    case State::READY:
      break;
  }
}

void AtClient::loop_unsynchronised_(uint32_t now) {
  if (!reached(this->deadline_, now))
    return;
  switch (this->state_) {
    case State::SETTLING:
      this->settled_ = true;
      this->set_state_(State::CLEARING, now);
      break;
    case State::CLEARED:
      this->set_state_(State::VERIFYING, now);
      break;
    default:
      this->on_silence_();
      this->set_state_(State::CLEARING, now);
      break;
  }
}

void AtClient::resync_(uint32_t now) {
  this->counters_.resyncs++;
  this->set_state_(State::CLEARING, now);
}

void AtClient::settle_(uint32_t now) {
  this->safe_ = false;
  this->set_state_(State::SETTLING, now);
}

void AtClient::become_ready_(uint32_t now) {
  this->set_state_(State::READY, now);
  this->silent_commands_ = 0;
  this->hold_ = false;
  this->safe_ = false;
  for (uint8_t row = 0; row < this->row_count_; row++) {
    if ((this->states_[row].flags & SUBSCRIBED) != 0 && !this->is_pending(row))
      this->states_[row].stamp = stamp(now);
  }
  this->work_ = true;
}

void AtClient::on_silence_() {
  this->counters_.timed_out++;
  this->settled_ = false;
  this->safe_ = false;
  if (this->silent_commands_ < UINT8_MAX)
    this->silent_commands_++;
  if (this->silent_commands_ == SILENT_COMMANDS_OFFLINE) {
    this->online_ = false;
    this->listener_->on_online(false);
  }
}

void AtClient::on_reboot_(bool ready_line) {
  this->counters_.reboots++;
  this->settled_ = false;
  this->safe_ = false;
  this->uptime_known_ = false;
  this->uptime_doubted_ = false;
  this->echo_off_ = true;
  for (uint8_t row = 0; row < this->row_count_; row++) {
    RowState &state = this->states_[row];
    state.flags &= ~(SUBSCRIBED | SUB_REFUSED | UNSUPPORTED | DOUBTED);
    if ((state.flags & PENDING) != 0)
      state.flags |= VERIFY_WANTED | CHECK_FIRST;
    if ((state.flags & RUN_WANTED) != 0) {
      state.flags &= ~RUN_WANTED;
      this->listener_->on_run(row, false);
    }
  }
  this->mark_due_(true);
  this->listener_->on_reboot(ready_line);
}

void AtClient::abort_task_(uint32_t now) {
  const Task task = this->task_;
  this->task_ = Task::NONE;
  switch (task) {
    case Task::READ:
      this->states_[this->row_].flags |= DUE;
      break;
    case Task::WRITE:
      // Only a read-back tells what became of it; without one it is not repeated.
      if (this->rows_[this->row_].has(UNPROVABLE))
        this->end_write_(this->row_, false, now);
      break;
    case Task::SUBSCRIBE:
    case Task::UNSUBSCRIBE:
      this->states_[this->row_].flags |= SUB_CHANGED;
      break;
    case Task::RUN:
      this->listener_->on_run(this->row_, false);
      break;
    case Task::RAW:
      this->finish_raw_(false);
      break;
    default:
      break;
  }
}

// --- one command at a time --------------------------------------------------------------------------------------------

void AtClient::loop(uint32_t now) {
  if (this->entered_)
    return;  // asked for by a listener: the running call comes to it
  this->entered_ = true;
  this->step_(now);
  this->entered_ = false;
}

void AtClient::step_(uint32_t now) {
  if (reached(this->next_tick_, now))
    this->tick_(now);
  if (this->state_ != State::READY) {
    this->loop_unsynchronised_(now);
    return;
  }
  if (this->task_ != Task::NONE) {
    if (reached(this->deadline_, now)) {
      this->on_silence_();
      this->abort_task_(now);
      this->resync_(now);
    }
    return;
  }
  if (this->hold_ && !reached(this->deadline_, now))
    return;
  this->hold_ = false;
  if (this->work_)
    this->work_ = this->start_next_(now);
}

void AtClient::tick_(uint32_t now) {
  this->next_tick_ = now + TICK_MS;
  if (reached(this->next_heartbeat_, now)) {
    this->next_heartbeat_ = now + HEARTBEAT_MS;
    this->states_[UPTIME_ROW].flags |= DUE;
    this->work_ = true;
  }
  if (reached(this->next_poll_, now)) {
    this->next_poll_ = now + this->poll_ms_;
    this->mark_due_(false);
  }
  if (this->repair_ && reached(this->repair_at_, now)) {
    this->repair_ = false;
    this->mark_due_(true);
  }
  for (uint8_t row = 0; row < this->row_count_; row++)
    this->watch_row_(row, now);
}

void AtClient::watch_row_(uint8_t row, uint32_t now) {
  RowState &state = this->states_[row];
  if (this->task_ != Task::NONE && this->row_ == row)
    return;
  if ((state.flags & PENDING) != 0) {
    if (since(state.stamp, now) > WRITE_EXPIRES_MS)
      this->end_write_(row, false, now);
    return;
  }
  if ((state.flags & RUN_WANTED) != 0) {
    if (since(state.stamp, now) > RUN_EXPIRES_MS) {
      state.flags &= ~RUN_WANTED;
      this->listener_->on_run(row, false);
    }
    return;
  }
  if ((state.flags & SUBSCRIBED) == 0 || this->state_ != State::READY || this->task_ != Task::NONE)
    return;
  const uint32_t period = this->wanted_period_(row);
  if (period <= MAX_WATCHED_PERIOD_MS && since(state.stamp, now) > 3 * period + 1000) {
    state.flags &= ~SUBSCRIBED;
    this->states_[UPTIME_ROW].flags |= DUE;
    this->work_ = true;
  }
}

/// False when there is nothing to do.
bool AtClient::start_next_(uint32_t now) {
  // A restart takes two seconds: whoever was heard this recently cannot have sent RDY unnoticed.
  if (now - this->heard_at_ > 1500)
    this->safe_ = false;
  if (!this->safe_) {
    this->start_read_(Task::READ, UPTIME_ROW, now);
    return true;
  }
  if (this->start_row_task_(now))
    return true;
  TextSlot *raw = this->find_slot_(RAW_ROW);
  if (raw != nullptr) {
    this->start_(Task::RAW, RAW_ROW, SLOW_TIMEOUT_MS, now);
    raw->text[raw->length] = '\n';
    this->listener_->on_transmit(raw->text, raw->length + 1);
    return true;
  }
  if (this->echo_off_) {
    this->start_(Task::ECHO_OFF, NO_ROW, ANSWER_TIMEOUT_MS, now);
    this->listener_->on_transmit("ATE0\n", 5);
    return true;
  }
  if (this->unsubscribe_all_) {
    this->start_(Task::UNSUBSCRIBE_ALL, NO_ROW, ANSWER_TIMEOUT_MS, now);
    this->send_("UNSUB", "=\"\"", 3);
    return true;
  }
  for (uint8_t row = 0; row < this->row_count_; row++) {
    if ((this->states_[row].flags & (DUE | UNSUPPORTED)) == DUE && !this->is_pending(row)) {
      this->start_read_(Task::READ, row, now);
      return true;
    }
  }
  return this->start_subscription_(now);
}

/// What a person asked for goes first.
bool AtClient::start_row_task_(uint32_t now) {
  for (uint8_t row = 0; row < this->row_count_; row++) {
    const uint16_t flags = this->states_[row].flags;
    if ((flags & RUN_WANTED) != 0) {
      this->states_[row].flags &= ~RUN_WANTED;
      this->start_(Task::RUN, row, SLOW_TIMEOUT_MS, now);
      this->send_(this->rows_[row].name, "", 0);
      return true;
    }
    if ((flags & WRITE_WANTED) != 0 && (flags & CHECK_FIRST) == 0) {
      this->start_write_(row, now);
      return true;
    }
    if ((flags & VERIFY_WANTED) != 0) {
      this->start_read_(Task::VERIFY, row, now);
      return true;
    }
  }
  return false;
}

uint32_t AtClient::wanted_period_(uint8_t row) const {
  const CommandRow &command = this->rows_[row];
  if (command.has(LINES) || command.refresh == Refresh::NEVER)
    return 0;
  if ((this->states_[row].flags & EXPLICIT) != 0)
    return this->states_[row].period;
  const bool pushed =
      command.refresh == Refresh::PUSH || (command.refresh == Refresh::CHARGING && this->charging_);
  return pushed ? this->push_ms_ : 0;
}

bool AtClient::needs_subscription_change_(uint8_t row) const {
  const uint16_t flags = this->states_[row].flags;
  if ((flags & (UNSUPPORTED | SUB_REFUSED)) != 0)
    return false;
  return (flags & SUB_CHANGED) != 0 || ((flags & SUBSCRIBED) != 0) != (this->wanted_period_(row) > 0);
}

bool AtClient::start_subscription_(uint32_t now) {
  for (uint8_t row = 0; row < this->row_count_; row++) {
    if (!this->needs_subscription_change_(row))
      continue;
    this->states_[row].flags &= ~SUB_CHANGED;
    const uint32_t period = this->wanted_period_(row);
    char name[32] = "+";
    strncpy(name + 1, this->rows_[row].name, sizeof(name) - 2);
    Argument argument;
    argument.string(name, strlen(name));
    if (period > 0)
      argument.number(period);
    char tail[Argument::MAX_LENGTH + 1] = "=";
    memcpy(tail + 1, argument.data(), argument.length());
    this->start_(period > 0 ? Task::SUBSCRIBE : Task::UNSUBSCRIBE, row, ANSWER_TIMEOUT_MS, now);
    this->send_(period > 0 ? "SUB" : "UNSUB", tail, argument.length() + 1);
    return true;
  }
  return false;
}

void AtClient::start_(Task task, uint8_t row, uint32_t timeout, uint32_t now) {
  this->task_ = task;
  this->row_ = row;
  this->answered_ = false;
  this->matched_ = false;
  this->deadline_ = now + timeout;
}

void AtClient::start_read_(Task task, uint8_t row, uint32_t now) {
  this->states_[row].flags &= ~DUE;
  this->start_(task, row, ANSWER_TIMEOUT_MS, now);
  this->send_(this->rows_[row].name, "?", 1);
}

void AtClient::start_write_(uint8_t row, uint32_t now) {
  RowState &state = this->states_[row];
  char tail[Argument::MAX_LENGTH + 1] = "=";
  size_t length;
  if ((state.flags & TEXT) != 0) {
    const TextSlot *slot = this->find_slot_(row);
    length = slot->length;
    memcpy(tail + 1, slot->text, length);
  } else {
    const uint32_t elapsed = this->rows_[row].has(CLOCK) ? since(state.stamp, now) / 1000 : 0;
    Argument argument;
    argument.number(state.wanted + elapsed);
    length = argument.length();
    memcpy(tail + 1, argument.data(), length);
  }
  state.flags &= ~(WRITE_WANTED | ACKED | REFUSED);
  state.flags |= VERIFY_WANTED;
  if (state.flags >> SENDS_SHIFT < MAX_SENDS)
    state.flags += ONE_SEND;
  this->start_(Task::WRITE, row, ANSWER_TIMEOUT_MS, now);
  this->send_(this->rows_[row].name, tail, length + 1);
}

void AtClient::send_(const char *name, const char *tail, size_t tail_length) {
  char line[3 + 24 + Argument::MAX_LENGTH + 2] = "AT+";
  size_t length = 3;
  const size_t name_length = strlen(name);
  memcpy(line + length, name, name_length);
  length += name_length;
  memcpy(line + length, tail, tail_length);
  length += tail_length;
  line[length++] = '\n';
  this->listener_->on_transmit(line, length);
}

void AtClient::finish_(bool ok, uint32_t now) {
  const Task task = this->task_;
  const uint8_t row = this->row_;
  this->task_ = Task::NONE;
  this->silent_commands_ = 0;
  (ok ? this->counters_.answered : this->counters_.failed)++;
  switch (task) {
    case Task::READ:
      this->finish_read_(row, ok, now);
      break;
    case Task::WRITE:
      this->finish_write_(row, ok, now);
      break;
    case Task::VERIFY:
      this->finish_verify_(row, ok, now);
      break;
    case Task::SUBSCRIBE:
    case Task::UNSUBSCRIBE:
      this->finish_subscription_(row, ok, task == Task::SUBSCRIBE, now);
      break;
    case Task::RUN:
      if (this->rows_[row].has(LINES))
        this->listener_->on_lines_end(row);
      this->listener_->on_run(row, ok);
      break;
    case Task::RAW:
      this->finish_raw_(ok);
      break;
    case Task::ECHO_OFF:
      this->echo_off_ = false;
      break;
    case Task::UNSUBSCRIBE_ALL:
      this->unsubscribe_all_ = !ok;
      for (uint8_t i = 0; ok && i < this->row_count_; i++)
        this->states_[i].flags &= ~SUBSCRIBED;
      break;
    default:
      break;
  }
}

void AtClient::finish_read_(uint8_t row, bool ok, uint32_t now) {
  RowState &state = this->states_[row];
  if (ok && (this->answered_ || this->rows_[row].has(LINES))) {
    state.flags &= ~DOUBTED;
    if (this->rows_[row].has(LINES))
      this->listener_->on_lines_end(row);
    return;
  }
  const bool doubted = (state.flags & DOUBTED) != 0;
  state.flags |= DOUBTED | DUE;
  if (doubted && row != UPTIME_ROW) {
    // Twice in a row: the firmware lacks the command, or answers in a form that is not known here.
    state.flags = (state.flags & ~(DOUBTED | DUE)) | UNSUPPORTED;
    this->listener_->on_unsupported(row);
  } else if (ok) {
    this->resync_(now);
  }
}

void AtClient::finish_write_(uint8_t row, bool ok, uint32_t now) {
  RowState &state = this->states_[row];
  if (this->rows_[row].has(UNPROVABLE)) {
    this->end_write_(row, ok, now);
    state.flags |= DUE;
    return;
  }
  state.flags |= ok ? ACKED : REFUSED;
}

void AtClient::finish_verify_(uint8_t row, bool ok, uint32_t now) {
  RowState &state = this->states_[row];
  if (ok && !this->answered_) {
    this->resync_(now);
    return;
  }
  const TextSlot *slot = (state.flags & TEXT) != 0 ? this->find_slot_(row) : nullptr;
  const bool provable = slot == nullptr || slot->provable == slot->length;
  state.flags &= ~(VERIFY_WANTED | CHECK_FIRST);
  if (this->matched_ && (provable || (state.flags & ACKED) != 0)) {
    this->end_write_(row, true, now);
    return;
  }
  if ((state.flags & WRITE_WANTED) != 0)
    return;
  const uint8_t sends = static_cast<uint8_t>(state.flags >> SENDS_SHIFT);
  const uint8_t limit = (state.flags & REFUSED) != 0 ? MAX_REFUSALS : MAX_SENDS;
  if (sends < limit) {
    state.flags |= WRITE_WANTED;
  } else {
    this->end_write_(row, false, now);
  }
}

void AtClient::finish_subscription_(uint8_t row, bool ok, bool subscribed, uint32_t now) {
  RowState &state = this->states_[row];
  if (ok) {
    state.flags &= ~(DOUBTED | SUBSCRIBED);
    state.flags |= subscribed ? SUBSCRIBED : DUE;
    if (!this->is_pending(row))
      state.stamp = stamp(now);
    return;
  }
  const bool doubted = (state.flags & DOUBTED) != 0;
  state.flags |= doubted ? SUB_REFUSED : DOUBTED | SUB_CHANGED;
  if (doubted)
    state.flags &= ~DOUBTED;
}

void AtClient::finish_raw_(bool ok) {
  TextSlot *slot = this->find_slot_(RAW_ROW);
  if (slot != nullptr)
    slot->row = NO_ROW;
  this->listener_->on_raw_result(ok);
  this->mark_due_(false);  // it may have changed anything
}

void AtClient::end_write_(uint8_t row, bool success, uint32_t now) {
  RowState &state = this->states_[row];
  TextSlot *slot = (state.flags & TEXT) != 0 ? this->find_slot_(row) : nullptr;
  if (slot != nullptr)
    slot->row = NO_ROW;
  state.flags &= ~WRITE_FLAGS;
  state.stamp = stamp(now);
  if (!success)
    state.flags |= DUE;  // publishes what the charger really holds
  this->work_ = true;
  this->listener_->on_written(row, success);
}

}  // namespace esphome::esp32evse
