#include "link.h"

#include <cstring>

namespace esphome::esp32evse {

// --- age --------------------------------------------------------------------------------------------------------------

bool Age::Reading::leads_to(uint32_t uptime, uint32_t now) const {
  const uint32_t tolerance = this->seconds > TOLERANCE_S ? TOLERANCE_S : YOUNG_TOLERANCE_S;
  return distance(uptime, this->expected(now)) <= tolerance;
}

Age::Verdict Age::update(uint32_t seconds, uint32_t now, bool careful) {
  const bool expected = this->known_ ? this->last_.leads_to(seconds, now) : !careful;
  if (!expected) {
    this->times_ = this->times_ > 0 && this->doubted_.leads_to(seconds, now) ? this->times_ + 1 : 1;
    this->doubted_ = {seconds, now};
    if (this->times_ < BELIEVED_TIMES)
      return Verdict::DOUBTED;
  }
  const bool younger = this->known_ && !expected && seconds < this->last_.expected(now);
  this->known_ = true;
  this->times_ = 0;
  this->last_ = {seconds, now};
  return younger ? Verdict::RESTARTED : Verdict::EXPECTED;
}

// --- barrier ----------------------------------------------------------------------------------------------------------

void Link::start(uint32_t now) {
  this->turn_at_ = this->turn_before_ = this->told_at_ = now;
  this->quiet_until_ = now;
  this->clear_();
}

bool Link::wake(uint32_t now) {
  const bool stood_still = now - this->turn_at_ >= STOOD_STILL_MS;
  this->turn_before_ = stood_still ? now : this->turn_at_;
  this->turn_at_ = now;
  if (!stood_still)
    return false;
  this->settled_ = false;
  if (this->state_ == State::SETTLING) {
    this->settle_(now);  // another start may have been slept through
  } else {
    this->resync();
  }
  return true;
}

const char *Link::next(uint32_t now) {
  const bool due = reached(this->deadline_, now);
  switch (this->state_) {
    case State::SETTLING:
      if (!due)
        return nullptr;
      this->settled_ = true;
      this->clear_();
      break;
    case State::CLEARING:
      if (!this->to_send_ && due)
        this->on_silence();
      break;
    case State::CLEARED:
      return due ? this->ask_(State::NAMING, ANSWER_TIMEOUT_MS, "AT+VER?\n", now) : nullptr;
    case State::NAMING:
      if (due)
        this->on_silence();
      break;
    default:
      if (this->is_untold_())
        this->resync();  // something spoils every command
      break;
  }
  if (!this->to_send_)
    return nullptr;
  this->to_send_ = false;
  return this->ask_(State::CLEARING, CLEAR_TIMEOUT_MS * (this->silent_commands_ + 1), "~\n", now);
}

const char *Link::ask_(State state, uint32_t wait, const char *question, uint32_t now) {
  this->state_ = state;
  this->named_ = false;
  this->deadline_ = now + wait;
  return question;
}

void Link::settle_(uint32_t now) {
  this->state_ = State::SETTLING;
  this->to_send_ = false;
  this->deadline_ = now + SETTLE_MS;
}

void Link::clear_() {
  this->state_ = State::CLEARING;
  this->to_send_ = true;
}

void Link::resync() {
  this->resyncs_++;
  this->clear_();
}

void Link::on_silence() {
  this->timed_out_++;
  this->settled_ = false;
  if (this->silent_commands_ < SILENT_COMMANDS_LOST)
    this->silent_commands_++;
  if (this->is_in_step()) {
    this->resync();
  } else {
    this->clear_();
  }
}

// --- what is heard ----------------------------------------------------------------------------------------------------

bool Link::is_lost() const {
  const bool silent = this->turn_at_ - this->result_at_ >= LOST_MS;
  return this->silent_commands_ == SILENT_COMMANDS_LOST && (silent || this->is_untold_());
}

void Link::heard_() { this->heard_at_ = this->turn_before_; }

void Link::on_value_line(const char *name) {
  this->heard_();
  // The charger is back: do not let the back-off keep it waiting.
  if (this->state_ == State::CLEARING && this->is_lost())
    this->deadline_ = this->turn_at_;
  this->told_at_ = this->turn_at_;
  if (this->state_ == State::NAMING && strcmp(name, "VER") == 0)
    this->named_ = true;
}

bool Link::on_result(bool ok, uint32_t now) {
  this->heard_();
  this->result_at_ = now;
  switch (this->state_) {
    case State::SETTLING:
      return false;
    case State::CLEARING:
    case State::CLEARED:
      if (this->to_send_)
        return false;
      this->state_ = State::CLEARED;
      // After a restart nothing old can come any more.
      this->deadline_ = now + (this->settled_ ? QUIET_MS : QUIET_MS << this->silent_commands_);
      return false;
    case State::NAMING:
      if (ok && this->named_) {
        this->state_ = State::AGEING;
        this->silent_commands_ = 0;
        this->quiet_until_ = now;
      } else {
        this->on_silence();
      }
      return false;
    default:
      this->silent_commands_ = 0;
      if (!ok)
        this->quiet_until_ = now + AFTER_ERROR_MS;
      return true;
  }
}

void Link::on_ready_line(uint32_t now) {
  this->heard_();
  this->age_.forget();
  this->settled_ = false;
  this->settle_(now);
}

Age::Verdict Link::on_uptime(uint32_t seconds, uint32_t now) {
  const Age::Verdict verdict = this->age_.update(seconds, now, this->is_careful(now));
  if (verdict == Age::Verdict::DOUBTED || !this->is_in_step())
    return verdict;
  if (verdict == Age::Verdict::RESTARTED)
    this->settled_ = false;
  if (seconds < SETTLED_UPTIME_S && !this->settled_) {
    this->settle_(now);
  } else {
    this->state_ = State::READY;
  }
  return verdict;
}

bool Link::may_write(uint32_t now) {
  if (this->state_ == State::READY && now - this->heard_at_ > HEARD_MS) {
    this->state_ = State::AGEING;
    this->settled_ = false;
  }
  return this->state_ == State::READY;
}

void Link::on_damage(uint32_t now) {
  this->damaged_ = true;
  this->damaged_at_ = now;
  // It may have been the answer that is waited for; whether question and answer belong together is verified anyway.
  if (this->state_ == State::NAMING) {
    this->on_silence();
  } else if (this->state_ == State::CLEARING && !this->to_send_) {
    this->state_ = State::CLEARED;
    this->deadline_ = now + (QUIET_MS << this->silent_commands_);
  }
}

}  // namespace esphome::esp32evse
