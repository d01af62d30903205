#include "at_client.h"

#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace esphome::esp32evse {

// --- requests ---------------------------------------------------------------------------------------------------------

void AtClient::start(uint32_t now) {
  this->now_ = this->next_tick_ = now;
  uint8_t count = 0;
  for (uint8_t row = 0; row < this->row_count() && this->keep_settings_ && count < MAX_LIVE_SETTINGS; row++) {
    if (this->schedule_.row(row).has(LIVE))
      this->kept_[count++] = Kept(row);
  }
  this->link_.start(now);
  this->schedule_.start(now);
}

bool AtClient::write_number(uint8_t row, uint32_t value, bool saturated, uint32_t now) {
  return this->wishes_.ask_number(this->schedule_.row(row), row, value, saturated, now) && this->accept_(row);
}

bool AtClient::write_text(uint8_t row, const AtText &argument, uint8_t provable, uint32_t now) {
  return WRITES_TEXTS && this->wishes_.ask_text(this->schedule_.row(row), row, argument, provable, now) &&
         this->accept_(row);
}

bool AtClient::accept_(uint8_t row) {
  this->work_ = true;
  if (this->wishes_.pauses.is_news(row))
    this->listener_->on_held_back(row);
  return true;
}

bool AtClient::run(uint8_t row, uint32_t now) {
  this->work_ = true;
  return this->wishes_.ask_run(row, now);
}

bool AtClient::send_raw(const char *text, size_t length, uint32_t now) {
  this->work_ = true;
  return SENDS_RAW_COMMANDS && this->wishes_.ask_raw(text, length, now);
}

uint32_t AtClient::counter(uint8_t counter) const {
  switch (counter) {
    case TIMED_OUT:
      return this->link_.timed_out();
    case RESYNCS:
      return this->link_.resyncs();
    default:
      return this->counters_[counter];
  }
}

// --- bytes in ---------------------------------------------------------------------------------------------------------

bool AtClient::wake(uint32_t now) {
  this->now_ = now;
  if (!this->link_.wake(now))
    return false;
  this->framer_.skip_line();
  this->finish_(Outcome::SILENCE);
  return true;
}

void AtClient::receive(const uint8_t *data, size_t length, uint32_t now) {
  this->now_ = now;
  for (size_t i = 0; i < length; i++) {
    const LineFramer::Event event = this->framer_.feed(data[i]);
    if (event == LineFramer::Event::LINE) {
      this->on_line_(this->framer_.line(), this->framer_.length());
    } else if (event == LineFramer::Event::DAMAGED) {
      this->on_damage_();
    }
  }
}

void AtClient::on_line_(char *line, size_t length) {
  const bool ok = strcmp(line, "OK") == 0;
  if (ok || strcmp(line, "ERROR") == 0) {
    this->on_result_(ok);
  } else if (strcmp(line, "RDY") == 0) {
    this->on_ready_line_();
  } else if (line[0] == '+' && strchr(line, '=') != nullptr) {
    this->on_value_line_(line, length);
  } else if (this->is_raw_()) {
    this->listener_->on_raw_line(line, length);
  } else if (line[0] == '~' || strncmp(line, "AT", 2) == 0) {
    this->schedule_.switch_echo_off();  // somebody switched the echo on
    this->work_ = true;
  } else {
    this->on_damage_();
  }
}

void AtClient::on_value_line_(char *line, size_t length) {
  char *equals = strchr(line, '=');
  *equals = '\0';
  const char *name = line + 1;
  this->link_.on_value_line(name);
  const uint8_t row = this->find_row_(name);
  if (this->is_raw_line_(row, name)) {
    *equals = '=';
    this->listener_->on_raw_line(line, length);
    *equals = '\0';
  }
  if (row != NO_ROW)
    this->on_row_values_(row, equals + 1);
}

/// The row whose value lines have this name, or NO_ROW.
uint8_t AtClient::find_row_(const char *name) const {
  for (uint8_t row = 0; row < this->row_count(); row++) {
    if (strcmp(name, this->schedule_.row(row).answer) == 0)
      return row;
  }
  return NO_ROW;
}

/// Of the raw command in flight, and no push of another value.
bool AtClient::is_raw_line_(uint8_t row, const char *name) {
  if (!this->is_raw_())
    return false;
  const bool pushed = row != NO_ROW && this->schedule_.state(row).subscribed;
  return !pushed || may_answer(name, this->wishes_.text_of(*this->wishes_.in_flight()));
}

void AtClient::on_row_values_(uint8_t row, char *text) {
  const CommandRow &command = this->schedule_.row(row);
  const bool answers = this->asks_(row);
  if (command.is_only_answered() && !answers)
    return;  // never pushed
  const uint16_t sum = digest(text);
  if (answers)
    this->command_.digest = digest(text, this->command_.digest);
  const bool shows_text = answers && this->shows_text_(text);
  Values values;
  if (!values.parse(text, command.signature)) {
    // What is lacking may have another form in this firmware, and asking again tells nothing more.
    if (!this->schedule_.state(row).is_lacking())
      this->on_damage_();
    return;
  }
  if (!this->is_there_(row, sum))
    return;
  this->schedule_.on_value(row);
  // A push may come just before the answer.
  const bool looks = answers && this->command_.job.kind == Schedule::Job::Kind::LOOK && !this->command_.answered;
  if (answers)
    this->on_answer_(values, shows_text);
  if (this->may_tell_(row, values, sum)) {
    if (!command.has(LINES))
      this->schedule_.state(row).believed = sum;
    this->listener_->on_values(row, values, !looks);
  }
}

/// Whether a value, which is still in one piece, is the text that is read back.
bool AtClient::shows_text_(const char *text) const {
  const Wish *wish = this->wishes_.find(this->command_.row);
  return wish != nullptr && wish->is_text() && this->wishes_.matches_text(*wish, text);
}

/// Noise does not bring a command into the firmware: what it lacks must say the same twice.
bool AtClient::is_there_(uint8_t row, uint16_t digest) {
  RowState &state = this->schedule_.state(row);
  if (!state.is_lacking() || this->schedule_.row(row).has(LINES))
    return true;
  if (this->doubts_.confirm(row, digest)) {
    state.believed = digest;
    return true;
  }
  state.due = this->work_ = true;
  return false;
}

/// What a value line of the command in flight says about it.
void AtClient::on_answer_(const Values &values, bool shows_text) {
  const CommandRow &command = this->schedule_.row(this->command_.row);
  if (!command.has(LINES))
    this->command_.answered = true;  // a whole line does not make up for a lost one
  this->command_.number = static_cast<uint32_t>(values[0].number);
  Wish *wish = this->wishes_.find(this->command_.row);
  const bool is_wished = shows_text || (wish != nullptr && Wishes::matches_number(*wish, command, values, this->now_));
  if (this->command_.task == Task::KEPT_READ) {
    this->command_.matched = this->find_kept_(this->command_.row)->is_held_by(this->command_.number);
  } else if (this->command_.task == Task::WISH_READ) {
    this->command_.matched = is_wished;
    if (wish->is_text())
      this->wishes_.leave_out_fields_behind(*wish, values.size());
  } else if (is_wished && Wishes::is_checked(command)) {
    wish->attempt.check_first();  // the flash may hold it after all
  }
}

/// Whether the listener hears of a value: not of an older one right after a wish, nor of one that may be noise.
bool AtClient::may_tell_(uint8_t row, const Values &values, uint16_t digest) {
  Kept *kept = this->find_kept_(row);
  const Wish *wish = this->wishes_.find(row);
  const bool waits = wish != nullptr && !wish->starved;
  // What is read after a write: its first field is what was wished; noise may be in the others.
  const bool proves = this->asks_(row) && this->command_.matched;
  if (proves && (wish == nullptr || this->command_.task == Task::WISH_READ))
    return values.size() == 1 || this->is_believed_(row, digest);
  if (waits || (kept != nullptr && kept->is_lost()))
    return false;
  if (kept != nullptr && !this->asks_(row) && !kept->hear(static_cast<uint32_t>(values[0].number)))
    this->schedule().read(row);
  return this->is_believed_(row, digest);
}

bool AtClient::is_believed_(uint8_t row, uint16_t digest) {
  const CommandRow &command = this->schedule_.row(row);
  // A fact is not read again soon.
  const bool careful = this->link_.is_careful(this->now_) || command.refresh == Refresh::ONCE;
  if (!careful || command.has(LINES) || digest == this->schedule_.state(row).believed)
    return true;
  if (this->doubts_.confirm(row, digest))
    return true;
  this->schedule().read(row);
  return false;
}

/// A line was lost. It may have been a value that nobody will repeat soon.
void AtClient::on_damage_() {
  if (this->is_raw_())
    return;  // a raw command may answer anything
  this->counters_[DISCARDED]++;
  this->command_.answered = false;
  this->link_.on_damage(this->now_);
  this->schedule_.repair(this->now_);
}

void AtClient::on_result_(bool ok) {
  if (!this->link_.on_result(ok, this->now_))
    return;
  if (this->command_.task != Task::NONE) {
    this->counters_[ok ? ANSWERED : FAILED]++;
    this->finish_(ok ? Outcome::OK : Outcome::ERROR);
  } else if (ok) {
    this->on_damage_();  // nobody has asked
  }
}

// --- restarts ---------------------------------------------------------------------------------------------------------

void AtClient::on_ready_line_() {
  this->finish_(Outcome::SILENCE);
  this->link_.on_ready_line(this->now_);
  this->on_restart_(this->met_ ? Restart::READY : Restart::FIRST_READY);
}

void AtClient::on_uptime_(uint32_t uptime) {
  const Age::Verdict verdict = this->link_.on_uptime(uptime, this->now_);
  if (verdict == Age::Verdict::DOUBTED) {
    this->schedule().read(UPTIME_ROW);
    return;
  }
  this->met_ = true;
  if (verdict == Age::Verdict::RESTARTED)
    this->on_restart_(Restart::MISSED);
  if (!this->link_.is_in_step())
    this->finish_(Outcome::SILENCE);  // too young: it is left alone for a while
}

void AtClient::on_restart_(Restart restart) {
  this->met_ = true;
  this->work_ = true;
  this->counters_[REBOOTS] += restart == Restart::FIRST_READY ? 0 : 1;
  this->wishes_.on_restart();
  this->schedule_.on_restart();
  this->doubts_.forget();
  for (Kept &kept : this->kept_) {
    if (kept.row() != NO_ROW)
      kept.on_restart(this->schedule_.row(kept.row()).has(STARTS_ON) ? 1 : Kept::ANY);
  }
  this->listener_->on_restart(restart);
}

Kept *AtClient::find_kept_(uint8_t row) {
  for (Kept &kept : this->kept_) {
    if (kept.row() == row)
      return &kept;
  }
  return nullptr;
}

// --- one command at a time --------------------------------------------------------------------------------------------

void AtClient::loop(uint32_t now) {
  this->now_ = now;
  if (reached(this->next_tick_, now))
    this->tick_();
  if (this->command_.task != Task::NONE && reached(this->command_.deadline, now)) {
    this->link_.on_silence();
    this->finish_(Outcome::SILENCE);
  }
  if (const char *question = this->link_.next(now))
    this->send_("%s", question);
  this->check_link_();
  if (this->listener_->is_late())
    return;  // whoever was told something has taken his time
  if (this->work_ && this->command_.task == Task::NONE && this->link_.may_speak(now))
    this->start_next_();
}

void AtClient::tick_() {
  this->next_tick_ = this->now_ + TICK_MS;
  this->wishes_.pauses.tick();
  this->give_up_();
  this->starve_();
  this->work_ |= !this->wishes_.empty();
  if (this->link_.state() == Link::State::READY)
    this->work_ |= this->schedule_.tick(this->now_, this->link_.was_heard_within(TICK_MS, this->now_));
}

/// Looked for at every tick: a wish must not come true when nobody expects it any more.
void AtClient::give_up_() {
  while (Wish *wish = this->wishes_.expired(this->now_))
    this->end_wish_(wish, wish->attempt.was_sent() ? WishEnd::UNANSWERED : WishEnd::EXPIRED);
}

/// A wish that waits for the flash reads nothing itself, and the next push or heartbeat may be seconds away.
void AtClient::starve_() {
  for (uint8_t row; (row = this->wishes_.starve(this->now_)) != NO_ROW;) {
    if (this->wishes_.pauses.contains(row))
      this->schedule_.read(row);
  }
}

void AtClient::check_link_() {
  if (this->in_step_ != this->link_.is_in_step()) {
    this->in_step_ = this->link_.is_in_step();
    this->work_ = true;
    this->schedule_.be_patient();
  }
  const bool online = this->online_ ? !this->link_.is_lost() : this->link_.state() == Link::State::READY;
  if (online == this->online_)
    return;
  this->online_ = online;
  if (online)
    this->schedule_.refresh();
  this->listener_->on_online(online);
}

/// Wishes go first, but take turns with what is due: a wish in every loop must not starve the reads.
void AtClient::start_next_() {
  if (!this->link_.may_write(this->now_)) {
    this->start_job_({Schedule::Job::Kind::READ, UPTIME_ROW});
    return;
  }
  const Schedule::Job job = this->schedule_.next();
  const bool has_job = job.kind != Schedule::Job::Kind::NONE;
  const bool wish_may = !has_job || !this->wish_served_;
  this->wish_served_ = wish_may && this->start_wish_();
  if (this->wish_served_ || this->start_kept_())
    return;
  if (has_job) {
    this->start_job_(job);
  } else {
    this->work_ = false;
  }
}

bool AtClient::start_wish_() {
  Wish *wish = this->wishes_.first();
  if (wish == nullptr)
    return false;
  wish->in_flight = true;
  wish->renewed = false;
  if (wish->attempt.step() == Attempt::Step::SEND) {
    this->send_wish_(*wish);
  } else {
    this->read_(Task::WISH_READ, wish->row);
  }
  return true;
}

void AtClient::send_wish_(const Wish &wish) {
  if (wish.is_raw()) {
    this->begin_(Task::WISH, NO_ROW, SLOW_TIMEOUT_MS);
    this->send_("%s\n", this->wishes_.text_of(wish));
    return;
  }
  const CommandRow &command = this->schedule_.row(wish.row);
  this->begin_(Task::WISH, wish.row, command.has(LINES) ? SLOW_TIMEOUT_MS : Link::ANSWER_TIMEOUT_MS);
  if (wish.kind == Wish::Kind::RUN) {
    this->send_("AT+%s\n", command.name);
  } else if (wish.is_text()) {
    this->send_("AT+%s=%s\n", command.name, this->wishes_.text_of(wish));
  } else {
    const uint32_t waited_s = command.has(CLOCK) ? (this->now_ - wish.asked_at) / 1000 : 0;
    this->send_("AT+%s=%" PRIu32 "\n", command.name, wish.number + waited_s);
  }
}

bool AtClient::start_kept_() {
  for (Kept &kept : this->kept_) {
    if (!kept.is_lost() || this->wishes_.find(kept.row()) != nullptr)
      continue;
    if (kept.attempt.step() == Attempt::Step::SEND) {
      this->begin_(Task::KEPT, kept.row());
      this->send_("AT+%s=%" PRIu32 "\n", this->schedule_.row(kept.row()).name, kept.value());
    } else {
      this->read_(Task::KEPT_READ, kept.row());
    }
    return true;
  }
  return false;
}

void AtClient::start_job_(const Schedule::Job &job) {
  this->schedule_.begin(job);
  if (job.is_read()) {
    this->read_(Task::SCHEDULED, job.row);
    this->command_.job = job;
    return;
  }
  this->begin_(Task::SCHEDULED, job.row);
  this->command_.job = job;
  switch (job.kind) {
    case Schedule::Job::Kind::ECHO_OFF:
      this->send_("ATE0\n");
      break;
    case Schedule::Job::Kind::UNSUBSCRIBE_ALL:
      this->send_("AT+UNSUB=\"\"\n");
      break;
    case Schedule::Job::Kind::UNSUBSCRIBE:
      this->send_("AT+UNSUB=\"+%s\"\n", this->schedule_.row(job.row).name);
      break;
    default:
      this->send_("AT+SUB=\"+%s\",%" PRIu32 "\n", this->schedule_.row(job.row).name,
                  this->schedule_.period_of(job.row));
      break;
  }
}

void AtClient::read_(Task task, uint8_t row) {
  this->begin_(task, row);
  this->command_.answered = this->schedule_.row(row).has(LINES);
  this->send_("AT+%s?\n", this->schedule_.row(row).name);
}

void AtClient::begin_(Task task, uint8_t row, uint32_t timeout) {
  this->command_ = {};
  this->command_.task = task;
  this->command_.row = row;
  this->command_.deadline = this->now_ + timeout;
}

void AtClient::send_(const char *format, ...) {
  char line[MAX_COMMAND];
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(line, sizeof(line), format, arguments);
  va_end(arguments);
  this->listener_->on_transmit(line, length);
}

// --- how it ends ------------------------------------------------------------------------------------------------------

void AtClient::finish_(Outcome outcome) {
  const Command command = this->command_;
  this->command_ = {};
  this->work_ = true;
  switch (command.task) {
    case Task::NONE:
      break;
    case Task::SCHEDULED:
      if (command.job.is_read()) {
        this->finish_read_(command, outcome);
      } else {
        this->schedule_.finish_other(command.job, outcome);
      }
      break;
    case Task::WISH:
      this->finish_wish_(outcome);
      break;
    case Task::WISH_READ:
      this->finish_wish_read_(command, outcome);
      break;
    case Task::KEPT:
      if (Kept *kept = this->find_kept_(command.row))
        kept->attempt.on_sent(outcome);
      break;
    case Task::KEPT_READ:
      this->finish_kept_read_(command, outcome);
      break;
  }
}

void AtClient::finish_read_(const Command &command, Outcome outcome) {
  const uint8_t row = command.row;
  const bool answered = outcome == Outcome::OK && command.answered;
  if (outcome == Outcome::SILENCE) {
    this->schedule_.read(row);
  } else {
    if (!answered && this->schedule_.state(row).known)
      this->link_.on_damage(this->now_);  // it was there before
    const Schedule::Verdict verdict = this->schedule_.finish_read(row, answered, this->link_.is_careful(this->now_));
    if ((verdict == Schedule::Verdict::AGAIN && outcome == Outcome::OK) ||
        (verdict == Schedule::Verdict::LACKING && row == UPTIME_ROW)) {
      this->resync_();
    } else if (verdict == Schedule::Verdict::LACKING) {
      this->listener_->on_lacking(row);
    }
  }
  if (this->schedule_.row(row).has(LINES)) {
    this->finish_list_(command, answered);
  } else if (answered) {
    this->on_answered_(row, command.number);
  }
}

/// The last value line before the OK is the answer; others may have been pushes, or noise.
void AtClient::on_answered_(uint8_t row, uint32_t number) {
  if (row == UPTIME_ROW)
    this->on_uptime_(number);
  Kept *kept = this->find_kept_(row);
  if (kept != nullptr && !kept->hear_answer(number))
    this->schedule().read(row);
}

/// A late answer may have told what was true some seconds ago.
void AtClient::resync_() {
  this->link_.resync();
  this->schedule_.repair(this->now_);
}

/// A list is read until it comes twice.
void AtClient::finish_list_(const Command &command, bool complete) {
  RowState &state = this->schedule_.state(command.row);
  state.due |= complete && state.believed != command.digest;
  if (complete)
    state.believed = command.digest;
  this->listener_->on_lines_end(command.row, complete);
}

/// Of what no read-back can show.
static WishEnd end_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::OK:
      return WishEnd::HELD;
    case Outcome::ERROR:
      return WishEnd::REFUSED;
    default:
      return WishEnd::UNANSWERED;
  }
}

void AtClient::finish_wish_(Outcome outcome) {
  Wish *wish = this->wishes_.in_flight();
  wish->in_flight = false;
  if (!wish->is_write()) {
    this->schedule_.be_patient();  // the charger may have been deaf
    this->end_wish_(wish, end_of(outcome));
    return;
  }
  const CommandRow &command = this->schedule_.row(wish->row);
  if (command.has(STORED) && outcome == Outcome::OK)
    this->wishes_.pauses.after_flash(wish->row);
  if (!command.has(UNPROVABLE)) {
    wish->attempt.on_sent(outcome);
    if (wish->renewed)
      wish->attempt.renew();
  } else if (!wish->renewed) {
    this->end_wish_(wish, end_of(outcome));
  }
}

/// True: the attempt has ended. Noise can turn a read into an ERROR: it is asked once more before anything is written.
bool AtClient::read_attempt_(Attempt &attempt, const Command &command, Outcome outcome, bool proven) {
  if (outcome == Outcome::SILENCE)
    return false;
  if (!command.answered && !attempt.on_nothing_read()) {
    if (outcome == Outcome::OK)
      this->resync_();
    return false;
  }
  attempt.on_read(command.matched, proven);
  return attempt.has_ended();
}

void AtClient::finish_wish_read_(const Command &command, Outcome outcome) {
  Wish *wish = this->wishes_.in_flight();
  wish->in_flight = false;
  if (wish->renewed) {
    this->wishes_.begin_anew(*wish, this->schedule_.row(command.row));  // another value is meant than was looked for
    return;
  }
  const bool proven = wish->kind == Wish::Kind::NUMBER || wish->provable == wish->text_length;
  if (!this->read_attempt_(wish->attempt, command, outcome, proven))
    return;
  if (wish->attempt.step() == Attempt::Step::HELD) {
    this->end_wish_(wish, wish->saturated ? WishEnd::SATURATED : WishEnd::HELD);
  } else {
    const bool refused = wish->attempt.step() == Attempt::Step::REFUSED;
    this->end_wish_(wish, refused ? WishEnd::REFUSED : WishEnd::DIFFERENT);
  }
}

void AtClient::finish_kept_read_(const Command &command, Outcome outcome) {
  Kept *kept = this->find_kept_(command.row);
  if (kept == nullptr || !this->read_attempt_(kept->attempt, command, outcome, true))
    return;
  if (kept->attempt.step() == Attempt::Step::HELD) {
    kept->prove(kept->value());
    return;
  }
  kept->give_up();
  this->schedule().read(command.row);
  const bool refused = kept->attempt.step() == Attempt::Step::REFUSED;
  this->listener_->on_wish_end(command.row, refused ? WishEnd::REFUSED : WishEnd::DIFFERENT);
}

/// The last thing that is done with the wish.
void AtClient::end_wish_(Wish *wish, WishEnd end) {
  const uint8_t row = wish->row;
  const Wish::Kind kind = wish->kind;
  const bool raw = wish->is_raw();
  const uint32_t number = wish->number;
  const bool held = end == WishEnd::HELD || end == WishEnd::SATURATED;
  this->wishes_.end(wish);
  if (raw) {
    this->schedule().poll();  // it may have changed anything
    this->listener_->on_raw_result(held);
    return;
  }
  if (Kept *kept = this->find_kept_(row); kept != nullptr) {
    if (held) {
      kept->prove(number);
    } else if (end == WishEnd::UNANSWERED || end == WishEnd::DIFFERENT) {
      kept->doubt(number);
    }
  }
  if (held) {
    this->wishes_.pauses.after_success(row);
  } else if (end == WishEnd::REFUSED && kind != Wish::Kind::RUN) {
    this->wishes_.pauses.after_refusal(row);
  }
  // What the charger really holds follows.
  if (!held || this->schedule_.row(row).has(UNPROVABLE))
    this->schedule().read(row);
  this->listener_->on_wish_end(row, end);
}

}  // namespace esphome::esp32evse
