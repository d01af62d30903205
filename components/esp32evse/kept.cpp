#include "kept.h"

namespace esphome::esp32evse {

bool Kept::hear(uint32_t value) {
  if (this->heard_ != value)
    this->times_ = 0;
  this->heard_ = value;
  this->times_ += this->times_ < BELIEVED_TIMES ? 1 : 0;
  return this->known_ && this->value_ == value;
}

bool Kept::hear_answer(uint32_t value) {
  if (this->lost_)
    return true;
  this->hear(value);
  if (this->times_ == BELIEVED_TIMES)
    this->prove(value);
  return this->known_ && this->value_ == value;
}

void Kept::prove(uint32_t value) {
  this->known_ = true;
  this->lost_ = false;
  this->value_ = value;
}

void Kept::doubt(uint32_t value) {
  this->times_ = BELIEVED_TIMES - 1;  // a wish and a read that shows it are enough
  this->heard_ = value;
  this->attempt.check_first();
}

bool Kept::is_held_by(uint32_t value) {
  if (this->times_ > 0 && this->heard_ == value)
    this->value_ = value;
  return this->value_ == value;
}

void Kept::on_restart(uint32_t start) {
  this->times_ = 0;
  if (!this->known_ || this->value_ == start)
    return;
  this->lost_ = true;
  this->attempt = Attempt(Attempt::Step::CHECK);
}

}  // namespace esphome::esp32evse
