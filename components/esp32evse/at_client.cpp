#include "at_client.h"

#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace esphome::esp32evse {

// --- requests ---------------------------------------------------------------------------------------------------------

void AtClient::start(uint32_t now) {
  this->now_ = this->next_tick_ = now;
  for (uint8_t row = 0; this->keep_settings_ && row < this->row_count(); row++) {
    if (this->schedule_.row(row).has(LIVE))
      this->kept_.add(row);
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

void AtClient::read(uint8_t row) {
  this->work_ = true;
  this->schedule_.read(row);
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

// --- one command at a time --------------------------------------------------------------------------------------------

bool AtClient::wake(uint32_t now) {
  this->now_ = now;
  if (!this->link_.wake(now))
    return false;
  this->framer_.skip_line();
  this->finish_(Outcome::SILENCE);
  return true;
}

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
  for (Wish &wish : this->wishes_) {
    if (wish.is_starved())
      continue;
    wish.ticks++;
    if (wish.is_starved() && this->wishes_.pauses.contains(wish.row))
      this->read(wish.row);
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
    this->send_read_(Task::WISH_READ, wish->row);
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
      this->send_read_(Task::KEPT_READ, kept.row());
    }
    return true;
  }
  return false;
}

void AtClient::start_job_(const Schedule::Job &job) {
  this->schedule_.begin(job);
  if (job.is_read()) {
    this->send_read_(Task::SCHEDULED, job.row);
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

void AtClient::send_read_(Task task, uint8_t row) {
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
      if (Kept *kept = this->kept_.find(command.row))
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
    this->read(row);
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
  Kept *kept = this->kept_.find(row);
  if (kept != nullptr && !kept->hear_answer(number))
    this->read(row);
}

void AtClient::on_uptime_(uint32_t uptime) {
  const Age::Verdict verdict = this->link_.on_uptime(uptime, this->now_);
  if (verdict == Age::Verdict::DOUBTED) {
    this->read(UPTIME_ROW);
    return;
  }
  this->met_ = true;
  if (verdict == Age::Verdict::RESTARTED)
    this->on_restart_(Restart::MISSED);
  if (!this->link_.is_in_step())
    this->finish_(Outcome::SILENCE);  // too young: it is left alone for a while
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
  const bool proven = wish->kind == Wish::Kind::NUMBER || wish->text.provable == wish->text.length;
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
  Kept *kept = this->kept_.find(command.row);
  if (kept == nullptr || !this->read_attempt_(kept->attempt, command, outcome, true))
    return;
  if (kept->attempt.step() == Attempt::Step::HELD) {
    kept->prove(kept->value());
    return;
  }
  kept->give_up();
  this->read(command.row);
  const bool refused = kept->attempt.step() == Attempt::Step::REFUSED;
  this->listener_->on_wish_end(command.row, refused ? WishEnd::REFUSED : WishEnd::DIFFERENT);
}

/// The last thing that is done with the wish.
void AtClient::end_wish_(Wish *wish, WishEnd end) {
  const Wish ended = *wish;
  const uint8_t row = ended.row;
  const bool held = end == WishEnd::HELD || end == WishEnd::SATURATED;
  this->wishes_.remove(wish);
  if (ended.is_raw()) {
    this->schedule().poll();  // it may have changed anything
    this->listener_->on_raw_result(held);
    return;
  }
  if (Kept *kept = this->kept_.find(row); kept != nullptr) {
    if (held) {
      kept->prove(ended.number);
    } else if (end == WishEnd::UNANSWERED || end == WishEnd::DIFFERENT) {
      kept->doubt(ended.number);
    }
  }
  if (held) {
    this->wishes_.pauses.after_success(row);
  } else if (end == WishEnd::REFUSED && ended.is_write()) {
    this->wishes_.pauses.after_refusal(row);
  }
  // What the charger really holds follows.
  if (!held || this->schedule_.row(row).has(UNPROVABLE))
    this->read(row);
  this->listener_->on_wish_end(row, end);
}

}  // namespace esphome::esp32evse
