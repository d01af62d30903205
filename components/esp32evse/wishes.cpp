#include "wishes.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <utility>

namespace esphome::esp32evse {

// --- attempt ----------------------------------------------------------------------------------------------------------

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

// --- pauses -----------------------------------------------------------------------------------------------------------

bool Pauses::contains(uint8_t row) const {
  for (const Entry &entry : this->entries_) {
    if (entry.row == row && entry.ticks > 0)
      return true;
  }
  return false;
}

/// The row's entry; else a new one in place of the one that is over soonest.
Pauses::Entry &Pauses::entry_(uint8_t row) {
  Entry *oldest = &this->entries_[0];
  for (Entry &entry : this->entries_) {
    if (entry.row == row)
      return entry;
    if (entry.ticks < oldest->ticks)
      oldest = &entry;
  }
  *oldest = {};
  oldest->row = row;
  return *oldest;
}

bool Pauses::is_news(uint8_t row) {
  for (Entry &entry : this->entries_) {
    if (entry.row == row && entry.ticks > 0)
      return std::exchange(entry.tells, false);
  }
  return false;
}

void Pauses::after_flash(uint8_t row) {
  Entry &entry = this->entry_(row);
  entry.ticks = FLASH_TICKS;
  entry.tells = true;
}

void Pauses::after_refusal(uint8_t row) {
  Entry &entry = this->entry_(row);
  entry.refused_ticks = entry.refused_ticks == 0
                            ? REFUSED_TICKS
                            : static_cast<uint8_t>(std::min<int>(entry.refused_ticks * 2, MAX_REFUSED_TICKS));
  entry.ticks = std::max(entry.ticks, entry.refused_ticks);
}

void Pauses::after_success(uint8_t row) {
  for (Entry &entry : this->entries_) {
    if (entry.row == row)
      entry.refused_ticks = 0;
  }
}

void Pauses::tick() {
  for (Entry &entry : this->entries_)
    entry.ticks -= entry.ticks > 0 ? 1 : 0;
}

// --- wishes -----------------------------------------------------------------------------------------------------------

bool Wishes::ask_number(const CommandRow &command, uint8_t row, uint32_t number, bool saturated, uint32_t now) {
  Wish *wish = this->find(row);
  if (wish != nullptr && wish->is_text()) {
    char text[AtText::MAX_ARGUMENT + 12];
    const int length = snprintf(text, sizeof(text), "%" PRIu32 "%s", number, skip_fields(this->text_of(*wish), 1));
    if (length > static_cast<int>(AtText::MAX_ARGUMENT) || !this->has_room_(wish, length))
      return false;
    wish->provable = static_cast<uint8_t>(wish->provable + length - wish->text_length);
    this->replace_(wish, command, now);
    this->put_text_(wish, text, length);
    return true;
  }
  if (wish == nullptr) {
    wish = this->add_(row, Wish::Kind::NUMBER, now);
    if (wish == nullptr)
      return false;
    this->replace_(wish, command, now);
  } else if (wish->number != number) {
    this->replace_(wish, command, now);
  }
  wish->asked_at = now;
  wish->number = number;
  wish->saturated = saturated;
  return true;
}

bool Wishes::ask_text(const CommandRow &command, uint8_t row, const AtText &argument, uint8_t provable, uint32_t now) {
  AtText merged = argument;
  bool saturated = false;
  Wish *wish = this->find(row);
  if (wish != nullptr && wish->is_text()) {
    const char *rest = skip_fields(this->text_of(*wish), count_fields(argument.data()));
    if (*rest != '\0') {
      merged.add(rest);
      saturated = wish->saturated;
      if (provable == argument.length() && wish->provable == wish->text_length)
        provable = static_cast<uint8_t>(merged.length());
    }
  }
  if (!merged.ok() || !this->has_room_(wish, merged.length()))
    return false;
  if (wish == nullptr) {
    wish = this->add_(row, Wish::Kind::TEXT, now);
    if (wish == nullptr)
      return false;
  }
  this->replace_(wish, command, now);
  wish->kind = Wish::Kind::TEXT;
  wish->provable = provable;
  wish->saturated = saturated;
  this->put_text_(wish, merged.data(), merged.length());
  return true;
}

bool Wishes::ask_run(uint8_t row, uint32_t now) {
  for (uint8_t i = 0; i < this->count_; i++) {
    Wish &wish = this->queue_[i];
    if (wish.row == row && wish.kind == Wish::Kind::RUN && !wish.in_flight) {
      wish.asked_at = now;
      return true;
    }
  }
  return this->add_(row, Wish::Kind::RUN, now) != nullptr;
}

bool Wishes::ask_raw(const char *text, size_t length, uint32_t now) {
  if (length > AtText::MAX_ARGUMENT || !this->has_room_(nullptr, length))
    return false;
  Wish *wish = this->add_(NO_ROW, Wish::Kind::RAW, now);
  if (wish != nullptr)
    this->put_text_(wish, text, length);
  return wish != nullptr;
}

/// Its value changes: it is as new, but what is under way is finished first.
void Wishes::replace_(Wish *wish, const CommandRow &command, uint32_t now) {
  wish->asked_at = now;
  wish->renewed = wish->in_flight;
  wish->attempt.renew();
  if (wish->attempt.step() == Attempt::Step::SEND)
    this->begin_anew(*wish, command);
}

void Wishes::begin_anew(Wish &wish, const CommandRow &command) {
  wish.attempt = is_checked(command) ? Attempt::Step::CHECK : Attempt::Step::SEND;
}

const Wish *Wishes::find(uint8_t row) const {
  for (uint8_t i = 0; i < this->count_; i++) {
    if (this->queue_[i].row == row && this->queue_[i].is_write())
      return &this->queue_[i];
  }
  return nullptr;
}

Wish *Wishes::find(uint8_t row) { return const_cast<Wish *>(static_cast<const Wishes *>(this)->find(row)); }

Wish *Wishes::first() {
  for (uint8_t i = 0; i < this->count_; i++) {
    Wish &wish = this->queue_[i];
    const bool new_write = wish.attempt.step() == Attempt::Step::SEND && !wish.attempt.was_sent();
    if (!new_write)
      return &wish;
    if (this->pauses.contains(wish.row)) {
      wish.paused = true;
      continue;
    }
    if (wish.paused)
      wish.attempt.check_first();  // somebody else may have written it meanwhile
    wish.paused = false;
    return &wish;
  }
  return nullptr;
}

Wish *Wishes::in_flight() {
  for (uint8_t i = 0; i < this->count_; i++) {
    if (this->queue_[i].in_flight)
      return &this->queue_[i];
  }
  return nullptr;
}

Wish *Wishes::expired(uint32_t now) {
  for (uint8_t i = 0; i < this->count_; i++) {
    Wish &wish = this->queue_[i];
    if (!wish.in_flight && now - wish.asked_at > (wish.is_write() ? WRITE_EXPIRES_MS : RUN_EXPIRES_MS))
      return &wish;
  }
  return nullptr;
}

uint8_t Wishes::starve(uint32_t now) {
  for (uint8_t i = 0; i < this->count_; i++) {
    Wish &wish = this->queue_[i];
    if (wish.is_write() && !wish.starved && now - wish.pending_since > STARVED_MS) {
      wish.starved = true;
      return wish.row;
    }
  }
  return NO_ROW;
}

bool Wishes::matches_text(const Wish &wish, const char *text) const {
  static const char NO_ADDRESS[] = "\"0.0.0.0\"";  // which newer firmware shows as an empty text
  const char *wished = this->text_of(wish);
  const char *const end = wished + std::min<size_t>(wish.provable, skip_fields(wished, count_fields(text)) - wished);
  while (wished < end) {
    if (strncmp(wished, NO_ADDRESS, sizeof(NO_ADDRESS) - 1) == 0 && strncmp(text, "\"\"", 2) == 0) {
      wished += sizeof(NO_ADDRESS) - 1;
      text += 2;
    } else if (*wished++ != *text++) {
      return false;
    }
  }
  return *text == '\0' || *text == ',';
}

bool Wishes::matches_number(const Wish &wish, const CommandRow &command, const Values &values, uint32_t now) {
  const uint32_t tolerance = command.has(CLOCK) ? 3 + (now - wish.asked_at) / 1000 : 0;
  return wish.kind == Wish::Kind::NUMBER && values[0].number >> 32 == 0 &&
         distance(static_cast<uint32_t>(values[0].number), wish.number) <= tolerance;
}

void Wishes::leave_out_fields_behind(Wish &wish, uint8_t count) {
  const char *const text = this->text_of(wish);
  const auto length = static_cast<uint8_t>(skip_fields(text, count) - text);
  if (length == wish.text_length)
    return;
  char shorter[AtText::MAX_ARGUMENT];
  memcpy(shorter, text, length);
  this->put_text_(&wish, shorter, length);
  wish.provable = std::min(wish.provable, length);
  wish.saturated = true;
}

Wish *Wishes::add_(uint8_t row, Wish::Kind kind, uint32_t now) {
  if (this->count_ == QUEUE)
    return nullptr;
  Wish *wish = &this->queue_[this->count_++];
  *wish = Wish();
  wish->row = row;
  wish->kind = kind;
  wish->asked_at = wish->pending_since = now;
  return wish;
}

void Wishes::end(Wish *wish) {
  this->drop_text_(wish);
  std::copy(wish + 1, this->queue_.data() + this->count_, wish);
  this->count_--;
}

void Wishes::on_restart() {
  for (uint8_t i = 0; i < this->count_; i++) {
    if (this->queue_[i].is_write())
      this->queue_[i].attempt.check_first();
  }
}

/// In place of the wish's present text, if it has one.
bool Wishes::has_room_(const Wish *wish, size_t length) const {
  const size_t freed = wish == nullptr || wish->text_length == 0 ? 0 : wish->text_length + 1;
  return length + 1 <= TEXT - this->text_used_ + freed;
}

void Wishes::put_text_(Wish *wish, const char *text, size_t length) {
  this->drop_text_(wish);
  wish->text = this->text_used_;
  wish->text_length = static_cast<uint8_t>(length);
  memcpy(this->text_.data() + wish->text, text, length);
  this->text_[wish->text + length] = '\0';
  this->text_used_ += length + 1;
}

void Wishes::drop_text_(Wish *wish) {
  if (TEXT == 0 || wish->text_length == 0)
    return;
  const uint16_t size = wish->text_length + 1;
  char *const begin = this->text_.data() + wish->text;
  memmove(begin, begin + size, this->text_used_ - wish->text - size);
  this->text_used_ -= size;
  for (uint8_t i = 0; i < this->count_; i++) {
    if (this->queue_[i].text > wish->text)
      this->queue_[i].text -= size;
  }
  wish->text_length = 0;
}

// --- kept settings ----------------------------------------------------------------------------------------------------

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
