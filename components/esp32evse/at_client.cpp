#include "at_client.h"

#include <cinttypes>
#include <cstdio>
#include <cstring>

namespace esphome::esp32evse {

namespace {

enum RowFlag : uint16_t {
  DUE = 1 << 0,          // to be read
  SUBSCRIBED = 1 << 1,   // the charger pushes it
  SUB_CHANGED = 1 << 2,  // tell the charger again
  SUB_REFUSED = 1 << 3,  // it will not push it
  EXPLICIT = 1 << 4,     // the user chose the subscription
  UNSUPPORTED = 1 << 5,  // this firmware answers ERROR
  DOUBTED = 1 << 6,      // one ERROR so far, may have been noise
  KNOWN = 1 << 7,        // a value has come since the charger's start
  RUN_WANTED = 1 << 8,
  WRITE_WANTED = 1 << 9,
  VERIFY_WANTED = 1 << 10,
  CHECK_FIRST = 1 << 11,  // verify before writing: the charger may hold the value already
  ACKED = 1 << 12,        // the write was answered with OK
  REFUSED = 1 << 13,      // the write was answered with ERROR
  ONE_SEND = 1 << 14,     // two bits: how often it was sent
};
constexpr uint16_t PENDING = WRITE_WANTED | VERIFY_WANTED;
constexpr uint16_t SENDS = 3 * ONE_SEND;
constexpr uint16_t REQUESTED = PENDING | RUN_WANTED;
constexpr uint16_t WRITE_FLAGS = PENDING | CHECK_FIRST | ACKED | REFUSED | SENDS;

constexpr uint8_t CHANGING = ~(1 << static_cast<uint8_t>(Refresh::ONCE));
constexpr uint32_t NO_VALUE = UINT32_MAX;
constexpr uint32_t STAMP_SHIFT = 6;  // stamps count 64 ms

uint16_t stamp(uint32_t now) { return static_cast<uint16_t>(now >> STAMP_SHIFT); }
uint32_t since(uint16_t then, uint32_t now) {
  return static_cast<uint32_t>(static_cast<uint16_t>(stamp(now) - then)) << STAMP_SHIFT;
}
bool reached(uint32_t deadline, uint32_t now) { return static_cast<int32_t>(now - deadline) >= 0; }
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
  this->now_ = now;
  this->next_tick_ = now;
  this->next_heartbeat_ = now + HEARTBEAT_MS;
  this->next_poll_ = now + this->poll_ms_;
  this->refresh();
  this->set_state_(State::CLEARING);
}

RowState &AtClient::request_write_(uint8_t row) {
  RowState &state = this->states_[row];
  this->free_slot_(row);
  state.flags = (state.flags & ~WRITE_FLAGS) | WRITE_WANTED;
  state.stamp = stamp(this->now_);
  if (this->row_ == row && this->task_ == Task::VERIFY)
    this->task_ = Task::READ;  // its answer is compared with an older wish
  this->work_ = true;
  return state;
}

void AtClient::write_number(uint8_t row, uint32_t value, uint32_t now) {
  this->now_ = now;
  RowState &state = this->request_write_(row);
  state.wanted = value;
  if ((this->rows_[row].traits & (STORED | UNPROVABLE)) == STORED)
    state.flags |= VERIFY_WANTED | CHECK_FIRST;
}

bool AtClient::write_text(uint8_t row, const AtText &argument, uint8_t provable, uint32_t now) {
  TextSlot *slot = this->find_slot_(row);
  if (slot == nullptr)
    slot = this->find_slot_(NO_ROW);
  if (slot == nullptr || !argument.ok())
    return false;
  this->now_ = now;
  RowState &state = this->request_write_(row);
  slot->row = row;
  slot->length = static_cast<uint8_t>(argument.length());
  slot->provable = provable;
  memcpy(slot->text, argument.data(), slot->length);
  slot->text[slot->length] = '\0';
  if (provable == slot->length)
    state.flags |= VERIFY_WANTED | CHECK_FIRST;
  return true;
}

void AtClient::run(uint8_t row, uint32_t now) {
  this->states_[row].flags |= RUN_WANTED;
  this->states_[row].stamp = stamp(now);
  this->work_ = true;
}

bool AtClient::send_raw(const char *text, size_t length) {
  TextSlot *slot = this->find_slot_(NO_ROW);
  if (slot == nullptr || length > AtText::MAX_ARGUMENT || this->find_slot_(RAW_ROW) != nullptr)
    return false;
  slot->row = RAW_ROW;
  this->raw_stamp_ = stamp(this->now_);
  slot->length = static_cast<uint8_t>(length);
  memcpy(slot->text, text, length);
  slot->text[length] = '\0';
  this->work_ = true;
  return true;
}

void AtClient::subscribe(uint8_t row, uint32_t period_ms) {
  if (this->rows_[row].refresh >= Refresh::ONCE)
    return;  // there is never anything new
  RowState &state = this->states_[row];
  state.period = period_ms;
  state.flags = (state.flags | EXPLICIT | SUB_CHANGED) & ~SUB_REFUSED;
  this->work_ = true;
}

void AtClient::unsubscribe_all() {
  this->automatic_ = false;
  this->unsubscribe_all_ = true;
  this->change_all_(EXPLICIT | SUB_CHANGED, 0);
}

void AtClient::refresh() { this->change_all_(0, DUE); }

void AtClient::set_charging(bool charging) {
  if (charging == this->charging_)
    return;
  this->charging_ = charging;
  if (this->automatic_)
    this->change_all_(0, SUB_CHANGED, 1 << static_cast<uint8_t>(Refresh::CHARGING));
}

bool AtClient::find_wish(uint8_t row, uint32_t *value) const {
  if (!this->is_pending(row))
    return false;
  *value = this->states_[row].wanted;
  return true;
}

bool AtClient::is_pending(uint8_t row) const { return (this->states_[row].flags & PENDING) != 0; }

/// Clears and sets flags of all rows whose kind of refresh is among `kinds`, one bit each.
void AtClient::change_all_(uint16_t clear, uint16_t set, uint8_t kinds) {
  for (uint8_t row = 0; row < this->row_count_; row++) {
    uint16_t &flags = this->states_[row].flags;
    if ((kinds >> static_cast<uint8_t>(this->rows_[row].refresh) & 1) != 0)
      flags = (flags & ~clear) | set;
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

void AtClient::free_slot_(uint8_t row) {
  TextSlot *slot = this->find_slot_(row);
  if (slot != nullptr)
    slot->row = NO_ROW;
}

// --- bytes in ---------------------------------------------------------------------------------------------------------

void AtClient::receive(const uint8_t *data, size_t length, uint32_t now) {
  this->now_ = now;
  this->entered_ = true;
  for (size_t i = 0; i < length; i++) {
    const LineFramer::Event event = this->framer_.feed(data[i]);
    if (event == LineFramer::Event::LINE) {
      this->on_line_(this->framer_.line(), this->framer_.length());
    } else if (event == LineFramer::Event::DAMAGED) {
      this->on_damage_();
    }
  }
  this->entered_ = false;
}

void AtClient::on_line_(char *line, size_t length) {
  const bool ok = strcmp(line, "OK") == 0;
  if (ok || strcmp(line, "ERROR") == 0) {
    this->on_result_(ok);
    return;
  }
  if (strcmp(line, "RDY") == 0) {
    this->on_reboot_(true);
    return;
  }
  const bool raw = this->task_ == Task::RAW;
  if (raw)
    this->listener_->on_raw_line(line, length);
  if (line[0] == '+') {
    this->on_value_line_(line + 1);
  } else if (line[0] == '~' || strncmp(line, "AT", 2) == 0) {
    this->echo_off_ = true;  // somebody switched the echo on
    this->work_ = true;
  } else if (!raw) {
    this->on_damage_();
  }
}

void AtClient::on_value_line_(char *line) {
  char *equals = strchr(line, '=');
  if (equals == nullptr) {
    this->on_damage_();
    return;
  }
  this->heard_at_ = this->now_;
  // The charger is back: do not let the back-off keep it waiting.
  if (this->state_ == State::CLEARING && this->silent_commands_ == SILENT_COMMANDS_OFFLINE)
    this->deadline_ = this->now_;
  *equals = '\0';
  if (this->state_ == State::VERIFYING && strcmp(line, "VER") == 0)
    this->answered_ = true;
  for (uint8_t row = 0; row < this->row_count_; row++) {
    if (strcmp(line, this->rows_[row].answer_name()) == 0) {
      this->on_row_values_(row, equals + 1);
      return;
    }
  }
}

void AtClient::on_row_values_(uint8_t row, char *text) {
  RowState &state = this->states_[row];
  const CommandRow &command = this->rows_[row];
  const Task asked = this->row_ == row ? this->task_ : Task::NONE;
  if (command.refresh >= Refresh::ONCE && asked == Task::NONE)
    return;  // facts and lists are never pushed: only an answer that comes twice is believed
  const TextSlot *slot = this->find_slot_(row);
  const bool text_matches = slot != nullptr && strncmp(slot->text, text, slot->provable) == 0 &&
                            (text[slot->provable] == '\0' || text[slot->provable] == ',');
  if (asked != Task::NONE) {
    for (const char *byte = text; *byte != '\0'; byte++)
      this->digest_ = this->digest_ * 31 + *byte;
  }
  Values values;
  if (!values.parse(text, command.signature)) {
    if ((state.flags & UNSUPPORTED) == 0)  // else it is this firmware's form, and asking again tells nothing more
      this->on_damage_();
    return;
  }
  if (asked != Task::NONE && !command.has(LINES))
    this->answered_ = true;  // a whole line does not make up for a lost one
  const auto number = static_cast<uint32_t>(values[0].number);
  state.flags = (state.flags | KNOWN) & ~UNSUPPORTED;
  if ((state.flags & PENDING) == 0) {
    if (command.refresh != Refresh::ONCE)
      state.wanted = number;
    if ((state.flags & RUN_WANTED) == 0)
      state.stamp = stamp(this->now_);
  } else {
    if (asked != Task::VERIFY)
      return;
    const uint32_t tolerance = command.has(CLOCK) ? 3 + since(state.stamp, this->now_) / 1000 : 0;
    this->matched_ =
        slot != nullptr ? text_matches : values[0].number >> 32 == 0 && distance(number, state.wanted) <= tolerance;
    if (!this->matched_)
      return;
  }
  this->listener_->on_values(row, values);
  if (row == UPTIME_ROW)
    this->on_uptime_(number);
}

/// A line was lost. It may have been a value that nobody will repeat soon.
void AtClient::on_damage_() {
  if (this->task_ == Task::RAW)
    return;  // a raw command may answer anything
  this->counters_[DISCARDED]++;
  this->answered_ = false;
  // It may have been the answer that is waited for; whether question and answer belong together is verified anyway.
  if (this->state_ == State::VERIFYING)
    this->on_silence_();
  else if (this->state_ == State::CLEARING)
    this->set_state_(State::CLEARED);
  if (!reached(this->next_poll_, this->now_ + REPAIR_DELAY_MS))
    this->next_poll_ = this->now_ + REPAIR_DELAY_MS;
}

void AtClient::on_uptime_(uint32_t uptime) {
  const uint32_t expected = this->uptime_ + (this->now_ - this->uptime_at_) / 1000;
  if (this->uptime_known_ && distance(uptime, expected) > UPTIME_TOLERANCE_S) {
    if (!this->uptime_doubted_) {
      this->uptime_doubted_ = true;
      this->states_[UPTIME_ROW].flags |= DUE;
      this->work_ = true;
      return;
    }
    if (uptime < expected)
      this->on_reboot_(false);
  }
  this->uptime_doubted_ = false;
  this->uptime_known_ = this->met_ = true;
  this->uptime_ = uptime;
  this->uptime_at_ = this->now_;
  if (this->safe_ || this->state_ != State::READY)
    return;
  if (uptime < SETTLED_UPTIME_S && !this->settled_) {
    this->finish_(Outcome::SILENCE);
    this->set_state_(State::SETTLING);
    return;
  }
  this->safe_ = true;
  this->work_ = true;
  if (!this->online_) {
    this->online_ = true;
    this->refresh();
    this->listener_->on_online(true);
  }
}

void AtClient::on_result_(bool ok) {
  this->heard_at_ = this->now_;
  switch (this->state_) {
    case State::SETTLING:
      break;
    case State::CLEARING:
    case State::CLEARED:
      this->set_state_(State::CLEARED);
      break;
    case State::VERIFYING:
      if (ok && this->answered_) {
        this->set_state_(State::READY);
      } else {
        this->on_silence_();
      }
      break;
    case State::READY:
      if (!ok) {
        this->hold_ = true;
        this->deadline_ = this->now_ + AFTER_ERROR_MS;
      }
      if (this->task_ != Task::NONE) {
        this->silent_commands_ = 0;
        this->counters_[ok ? ANSWERED : FAILED]++;
        this->finish_(ok ? Outcome::OK : Outcome::ERROR);
      } else if (ok) {
        this->on_damage_();
      }
      break;
  }
}

// --- staying in step --------------------------------------------------------------------------------------------------

void AtClient::set_state_(State state) {
  this->state_ = state;
  this->answered_ = false;
  uint32_t wait = QUIET_MS;
  switch (state) {
    case State::SETTLING:
      this->safe_ = false;
      wait = SETTLE_MS;
      break;
    case State::CLEARING:
      wait = CLEAR_TIMEOUT_MS * (this->silent_commands_ + 1);
      this->listener_->on_transmit("~\n", 2);
      break;
    case State::CLEARED:
      // After a restart nothing old can come any more.
      wait = this->settled_ ? QUIET_MS : QUIET_MS << this->silent_commands_;
      break;
    case State::VERIFYING:
      wait = ANSWER_TIMEOUT_MS;
      this->listener_->on_transmit("AT+VER?\n", 8);
      break;
    case State::READY:
      this->silent_commands_ = 0;
      this->hold_ = false;
      this->safe_ = false;
      this->work_ = true;
      this->ready_at_ = this->now_;
      break;
  }
  this->deadline_ = this->now_ + wait;
}

void AtClient::loop_unsynchronised_() {
  if (!reached(this->deadline_, this->now_))
    return;
  if (this->state_ == State::CLEARED) {
    this->set_state_(State::VERIFYING);
    return;
  }
  if (this->state_ == State::SETTLING) {
    this->settled_ = true;
    this->set_state_(State::CLEARING);
  } else {
    this->on_silence_();
  }
}

void AtClient::resync_() {
  this->counters_[RESYNCS]++;
  this->next_poll_ = this->now_ + REPAIR_DELAY_MS;  // a late answer may have told what was true some seconds ago
  this->set_state_(State::CLEARING);
}

void AtClient::on_silence_() {
  this->counters_[TIMED_OUT]++;
  this->settled_ = false;
  this->safe_ = false;
  if (this->silent_commands_ < SILENT_COMMANDS_OFFLINE && ++this->silent_commands_ == SILENT_COMMANDS_OFFLINE) {
    this->online_ = false;
    this->listener_->on_online(false);
  }
  this->set_state_(State::CLEARING);
}

void AtClient::on_reboot_(bool ready_line) {
  const bool first = ready_line && !this->met_;
  const Restart restart = first ? Restart::FIRST_READY : ready_line ? Restart::READY : Restart::MISSED;
  this->met_ = true;
  this->counters_[REBOOTS] += first ? 0 : 1;
  this->uptime_known_ = false;
  this->settled_ = false;
  this->safe_ = false;
  this->echo_off_ = true;
  if (ready_line) {
    this->finish_(Outcome::SILENCE);
    this->set_state_(State::SETTLING);
  }
  for (uint8_t row = 0; row < this->row_count_; row++) {
    RowState &state = this->states_[row];
    const bool restore =
        this->keep_settings_ && this->rows_[row].has(LIVE) && (state.flags & KNOWN) != 0 && state.wanted != NO_VALUE;
    if ((state.flags & PENDING) == 0) {
      if (!restore)
        continue;
      this->request_write_(row);
    }
    state.flags |= VERIFY_WANTED | CHECK_FIRST;
  }
  this->change_all_(SUBSCRIBED | SUB_REFUSED | UNSUPPORTED | DOUBTED | KNOWN, DUE);
  this->listener_->on_restart(restart);
}

// --- one command at a time --------------------------------------------------------------------------------------------

void AtClient::loop(uint32_t now) {
  if (this->entered_)
    return;  // asked for by a listener: the running call comes to it
  this->now_ = now;
  this->entered_ = true;
  this->step_();
  this->entered_ = false;
}

void AtClient::step_() {
  if (reached(this->next_tick_, this->now_))
    this->tick_();
  if (this->state_ != State::READY) {
    this->loop_unsynchronised_();
    return;
  }
  const bool expired = reached(this->deadline_, this->now_);
  if (this->task_ != Task::NONE) {
    if (expired) {
      this->counters_[RESYNCS]++;
      this->on_silence_();
      this->finish_(Outcome::SILENCE);
    }
    return;
  }
  if (this->hold_ && !expired)
    return;
  this->hold_ = false;
  if (this->work_)
    this->start_next_();
}

void AtClient::tick_() {
  this->next_tick_ = this->now_ + TICK_MS;
  // The charger pushes a loop's time after a command: one that comes right behind a push delays nothing.
  const bool heard = this->now_ - this->heard_at_ < TICK_MS;
  const bool heartbeat = reached(this->next_heartbeat_, this->now_ + heard * EARLY_MS);
  if (heartbeat) {
    this->next_heartbeat_ = this->now_ + HEARTBEAT_MS;
    this->states_[UPTIME_ROW].flags |= DUE;
    this->renewed_ = (this->renewed_ + 1) % this->row_count_;
    uint16_t &flags = this->states_[this->renewed_].flags;
    if ((flags & SUBSCRIBED) != 0)
      flags |= SUB_CHANGED;  // a digit of its period may have been lost on the way
    this->work_ = true;
  }
  if (reached(this->next_poll_, this->now_)) {
    this->next_poll_ = this->now_ + this->poll_ms_;
    this->change_all_(SUB_REFUSED, DUE, CHANGING);
  }
  // It may be an authorization, too. Looked for at every tick, because stamps wrap around after 70 minutes.
  if (this->task_ != Task::RAW && this->find_slot_(RAW_ROW) != nullptr &&
      since(this->raw_stamp_, this->now_) > RUN_EXPIRES_MS)
    this->finish_raw_(false);
  for (uint8_t row = 0; row < this->row_count_; row++) {
    uint16_t &flags = this->states_[row].flags;
    if (heartbeat && (flags & (UNSUPPORTED | SUB_REFUSED)) != 0)
      flags = (flags & ~SUB_REFUSED) | DUE;  // it may have been noise
    if (this->task_ == Task::NONE || this->row_ != row)
      this->watch_row_(row);
  }
}

/// Gives up what has waited too long, and renews a subscription that has fallen silent.
void AtClient::watch_row_(uint8_t row) {
  RowState &state = this->states_[row];
  const uint32_t age = since(state.stamp, this->now_);
  if ((state.flags & REQUESTED) != 0) {
    if (age > ((state.flags & RUN_WANTED) != 0 ? RUN_EXPIRES_MS : WRITE_EXPIRES_MS)) {
      state.flags &= ~RUN_WANTED;
      this->end_request_(row, (state.flags & SENDS) != 0 ? WishEnd::UNANSWERED : WishEnd::EXPIRED);
    }
  } else if ((state.flags & SUBSCRIBED) != 0 && this->state_ == State::READY && this->task_ == Task::NONE) {
    const uint32_t period = this->wanted_period_(this->rows_[row], state);
    uint32_t limit = 3 * period + 1000;
    if (limit > STALE_MS && period <= SLOW_MS)
      limit = STALE_MS;
    if (period - 1 < MAX_WATCHED_PERIOD_MS && age > limit && this->now_ - this->ready_at_ > limit) {
      this->change_all_(SUBSCRIBED, 0);  // what was lost with it would be missed later
      this->states_[UPTIME_ROW].flags |= DUE;
    }
  }
}

uint32_t AtClient::wanted_period_(const CommandRow &command, const RowState &state) const {
  if ((state.flags & EXPLICIT) != 0)
    return state.period;
  if (command.refresh > Refresh::SLOW || !this->automatic_)
    return 0;
  const bool fast = command.refresh == Refresh::PUSH || (command.refresh == Refresh::CHARGING && this->charging_);
  // 0, no automatic subscriptions at all, stays 0.
  return fast || this->push_ms_ - 1 >= SLOW_MS ? this->push_ms_ : SLOW_MS;
}

/// The most urgent thing that a row needs.
AtClient::Task AtClient::row_task_(const CommandRow &command, const RowState &state) const {
  const uint16_t flags = state.flags;
  if ((flags & RUN_WANTED) != 0)
    return Task::RUN;
  if ((flags & WRITE_WANTED) != 0 && (flags & CHECK_FIRST) == 0)
    return Task::WRITE;
  if ((flags & VERIFY_WANTED) != 0)
    return Task::VERIFY;
  if (command.refresh == Refresh::NEVER)
    return Task::NONE;
  if ((flags & DUE) != 0)
    return Task::READ;
  if ((flags & (SUB_REFUSED | UNSUPPORTED)) != 0)
    return Task::NONE;
  const bool wanted = this->wanted_period_(command, state) > 0;
  if ((flags & SUB_CHANGED) == 0 && wanted == ((flags & SUBSCRIBED) != 0))
    return Task::NONE;
  return wanted ? Task::SUBSCRIBE : Task::UNSUBSCRIBE;
}

void AtClient::start_next_() {
  // A restart takes two seconds: whoever was heard this recently cannot have sent RDY unnoticed.
  if (this->now_ - this->heard_at_ > HEARD_MS)
    this->safe_ = this->settled_ = false;
  if (!this->safe_) {
    this->start_(Task::READ, UPTIME_ROW);
    return;
  }
  Task task = Task::NONE;
  uint8_t row = NO_ROW;
  if (this->find_slot_(RAW_ROW) != nullptr) {
    task = Task::RAW;
    row = RAW_ROW;
  } else if (this->echo_off_) {
    task = Task::ECHO_OFF;
  } else if (this->unsubscribe_all_) {
    task = Task::UNSUBSCRIBE_ALL;
  }
  for (uint8_t i = 0; i < this->row_count_; i++) {
    const Task row_task = this->row_task_(this->rows_[i], this->states_[i]);
    if (row_task > task) {
      task = row_task;
      row = i;
    }
  }
  this->work_ = task != Task::NONE;
  if (this->work_)
    this->start_(task, row);
}

void AtClient::start_(Task task, uint8_t row) {
  // Name and number fill them in; where a text is to be written, the number's place is taken by it.
  static const char *const FORMATS[] = {
      "",  // NONE
      "AT+SUB=\"+%s\",%" PRIu32 "\n",
      "AT+UNSUB=\"+%s\"\n",
      "AT+%s?\n",
      "AT+UNSUB=\"\"\n",
      "ATE0\n",
      "%s%s\n",  // RAW
      "AT+%s?\n",
      "AT+%s=%" PRIu32 "\n",
      "AT+%s\n",
  };
  this->task_ = task;
  this->row_ = row;
  this->answered_ = false;
  this->matched_ = false;
  this->deadline_ = this->now_ + (task == Task::RAW ? SLOW_TIMEOUT_MS : ANSWER_TIMEOUT_MS);
  const char *name = "";
  uint32_t number = 0;
  if (row < this->row_count_) {
    name = this->rows_[row].name;
    number = this->prepare_(task, row);
  }
  const char *format = FORMATS[static_cast<uint32_t>(task)];
  const TextSlot *slot = task == Task::WRITE || task == Task::RAW ? this->find_slot_(row) : nullptr;
  char line[MAX_COMMAND];
  int length;
  if (slot != nullptr) {
    length = snprintf(line, sizeof(line), task == Task::RAW ? format : "AT+%s=%s\n", name, slot->text);
  } else {
    length = snprintf(line, sizeof(line), format, name, number);
  }
  this->listener_->on_transmit(line, length);
}

/// Notes that the row's task is on its way; returns the number to send, if any.
uint32_t AtClient::prepare_(Task task, uint8_t row) {
  RowState &state = this->states_[row];
  const CommandRow &command = this->rows_[row];
  switch (task) {
    case Task::SUBSCRIBE:
    case Task::UNSUBSCRIBE:
      state.flags &= ~SUB_CHANGED;
      return this->wanted_period_(command, state);
    case Task::WRITE:
      state.flags = (state.flags & ~(WRITE_WANTED | ACKED | REFUSED)) | VERIFY_WANTED;
      if ((state.flags & SENDS) != SENDS)
        state.flags += ONE_SEND;
      return state.wanted + (command.has(CLOCK) ? since(state.stamp, this->now_) / 1000 : 0);
    case Task::RUN:
      state.flags &= ~RUN_WANTED;
      if (command.has(LINES))
        this->deadline_ = this->now_ + SLOW_TIMEOUT_MS;
      break;
    default:
      state.flags &= ~DUE;
      this->answered_ = command.has(LINES);
      this->digest_ = 0;
      break;
  }
  return 0;
}

/// Of what no read-back can show.
WishEnd AtClient::answered_end(Outcome outcome) {
  switch (outcome) {
    case Outcome::OK:
      return WishEnd::HELD;
    case Outcome::ERROR:
      return WishEnd::REFUSED;
    default:
      return WishEnd::UNANSWERED;
  }
}

void AtClient::finish_(Outcome outcome) {
  const Task task = this->task_;
  const uint8_t row = this->row_;
  const bool ok = outcome == Outcome::OK;
  this->task_ = Task::NONE;
  switch (task) {
    case Task::READ:
      this->finish_read_(row, outcome);
      break;
    case Task::WRITE:
      this->finish_write_(row, outcome);
      break;
    case Task::VERIFY:
      this->finish_verify_(row, outcome);
      break;
    case Task::SUBSCRIBE:
    case Task::UNSUBSCRIBE:
      this->finish_subscription_(row, outcome, task == Task::SUBSCRIBE);
      break;
    case Task::RUN:
      this->ready_at_ = this->now_;  // the charger may have been busy and pushed nothing
      this->end_request_(row, answered_end(outcome));
      break;
    case Task::RAW:
      this->ready_at_ = this->now_;
      this->finish_raw_(ok);
      break;
    case Task::ECHO_OFF:
      this->echo_off_ = outcome == Outcome::SILENCE;
      break;
    case Task::UNSUBSCRIBE_ALL:
      this->unsubscribe_all_ = outcome == Outcome::SILENCE;  // refused: one by one
      if (ok)
        this->change_all_(SUBSCRIBED, 0);
      break;
    case Task::NONE:
      break;
  }
}

void AtClient::finish_read_(uint8_t row, Outcome outcome) {
  RowState &state = this->states_[row];
  uint16_t &flags = state.flags;
  const bool complete = outcome == Outcome::OK && this->answered_;
  if (outcome == Outcome::SILENCE) {
    flags |= DUE;
  } else if (complete) {
    flags &= ~DOUBTED;
    // There is no checksum, and a fact is not read again soon: it is believed when it comes twice.
    if (this->rows_[row].refresh == Refresh::ONCE && state.wanted != this->digest_) {
      state.wanted = this->digest_;
      flags |= DUE;
    }
  } else if ((flags & UNSUPPORTED) != 0) {
    // Still.
  } else if ((flags & DOUBTED) == 0) {
    flags |= DOUBTED | DUE;
    if (outcome == Outcome::OK)
      this->resync_();
  } else {
    flags &= ~DOUBTED;
    if (row == UPTIME_ROW) {
      this->resync_();
    } else {
      // Twice in a row: the firmware lacks the command, or answers in a form that is not known here.
      flags |= UNSUPPORTED;
      if ((flags & KNOWN) == 0)  // else it is noise: a command does not vanish while the charger runs
        this->listener_->on_lacking(row);
    }
  }
  if (this->rows_[row].has(LINES))
    this->listener_->on_lines_end(row, complete);
}

void AtClient::finish_write_(uint8_t row, Outcome outcome) {
  uint16_t &flags = this->states_[row].flags;
  if (outcome != Outcome::SILENCE && (flags & WRITE_WANTED) == 0)  // else it was an older wish
    flags |= outcome == Outcome::OK ? ACKED : REFUSED;
  // Only a read-back tells what became of it; without one it is not repeated.
  if (this->rows_[row].has(UNPROVABLE))
    this->end_request_(row, answered_end(outcome));
}

void AtClient::finish_verify_(uint8_t row, Outcome outcome) {
  RowState &state = this->states_[row];
  if (outcome == Outcome::SILENCE)
    return;
  if (!this->answered_) {
    // Noise can turn the read into an ERROR, too: ask once more before anything is written.
    state.flags ^= DOUBTED;
    if ((state.flags & DOUBTED) != 0) {
      if (outcome == Outcome::OK)
        this->resync_();
      return;
    }
  }
  const TextSlot *slot = this->find_slot_(row);
  const bool proven = slot == nullptr || slot->provable == slot->length || (state.flags & ACKED) != 0;
  state.flags &= ~(VERIFY_WANTED | CHECK_FIRST);
  const uint16_t limit = (state.flags & REFUSED) != 0 ? MAX_REFUSALS * ONE_SEND : MAX_SENDS * ONE_SEND;
  if (this->matched_ && proven) {
    this->end_request_(row, WishEnd::HELD);
  } else if ((state.flags & WRITE_WANTED) != 0 || (state.flags & SENDS) < limit) {
    state.flags |= WRITE_WANTED;
  } else {
    this->end_request_(row, (state.flags & REFUSED) != 0 ? WishEnd::REFUSED : WishEnd::DIFFERENT);
  }
}

void AtClient::finish_subscription_(uint8_t row, Outcome outcome, bool subscribed) {
  RowState &state = this->states_[row];
  if (outcome == Outcome::OK) {
    state.flags = (state.flags & ~(DOUBTED | SUBSCRIBED)) | (subscribed ? SUBSCRIBED : DUE);
    if ((state.flags & REQUESTED) == 0)
      state.stamp = stamp(this->now_);
  } else if ((state.flags & DOUBTED) != 0 && outcome == Outcome::ERROR) {
    state.flags = (state.flags & ~DOUBTED) | SUB_REFUSED | SUB_CHANGED;
  } else {
    state.flags |= SUB_CHANGED | (outcome == Outcome::ERROR ? DOUBTED : 0);
  }
}

void AtClient::finish_raw_(bool ok) {
  this->free_slot_(RAW_ROW);
  this->change_all_(0, DUE, CHANGING);  // it may have changed anything
  this->listener_->on_raw_result(ok);
}

void AtClient::end_request_(uint8_t row, WishEnd end) {
  const bool success = end == WishEnd::HELD;
  RowState &state = this->states_[row];
  this->free_slot_(row);
  state.flags &= ~WRITE_FLAGS;
  if ((state.flags & RUN_WANTED) == 0)  // else it was asked for again meanwhile, and waits since then
    state.stamp = stamp(this->now_);
  if (!success)
    state.wanted = NO_VALUE;  // a wish that has failed is not to be restored
  if (!success || this->rows_[row].has(UNPROVABLE))
    state.flags |= DUE;  // publishes what the charger really holds
  this->work_ = true;
  this->listener_->on_wish_end(row, end);
}

}  // namespace esphome::esp32evse
