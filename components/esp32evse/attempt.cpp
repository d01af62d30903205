#include "attempt.h"

namespace esphome::esp32evse {

void Attempt::renew() { *this = Attempt(this->step_); }

void Attempt::on_sent(Outcome outcome) {
  this->sends_++;
  this->acknowledged_ = outcome == Outcome::OK;
  this->refused_ = outcome == Outcome::ERROR;
  this->step_ = Step::READ_BACK;
}

void Attempt::on_read(bool matched, bool proven) {
  this->doubted_ = false;
  if (matched && (proven || this->acknowledged_)) {
    this->step_ = Step::HELD;
  } else if (this->sends_ < (this->refused_ ? MAX_REFUSALS : MAX_SENDS)) {
    this->step_ = Step::SEND;
  } else {
    this->step_ = this->refused_ ? Step::REFUSED : Step::DIFFERENT;
  }
}

bool Attempt::on_nothing_read() {
  this->doubted_ = !this->doubted_;
  return !this->doubted_;
}

}  // namespace esphome::esp32evse
