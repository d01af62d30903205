#include "wishes.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>

namespace esphome::esp32evse {

bool Wishes::ask_number(const CommandRow &command, uint8_t row, uint32_t number, bool saturated, uint32_t now) {
  Wish *wish = this->find(row);
  if (wish != nullptr && wish->is_text()) {
    char text[AtText::MAX_ARGUMENT + 12];
    const int length = snprintf(text, sizeof(text), "%" PRIu32 "%s", number, skip_fields(this->text_of(*wish), 1));
    if (length > static_cast<int>(AtText::MAX_ARGUMENT) || !this->has_room_(wish, length))
      return false;
    this->replace_(wish, command, now);
    this->put_text_(wish, Wish::Kind::TEXT, text, length, wish->text.provable + length - wish->text.length);
    return true;
  }
  if (wish == nullptr) {
    wish = this->add_(row, now);
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
      if (provable == argument.length() && wish->text.provable == wish->text.length)
        provable = static_cast<uint8_t>(merged.length());
    }
  }
  if (!merged.ok() || !this->has_room_(wish, merged.length()))
    return false;
  if (wish == nullptr) {
    wish = this->add_(row, now);
    if (wish == nullptr)
      return false;
  }
  this->replace_(wish, command, now);
  wish->saturated = saturated;
  this->put_text_(wish, Wish::Kind::TEXT, merged.data(), merged.length(), provable);
  return true;
}

bool Wishes::ask_run(uint8_t row, uint32_t now) {
  for (Wish &wish : *this) {
    if (wish.row == row && wish.kind == Wish::Kind::RUN && !wish.in_flight) {
      wish.asked_at = now;
      return true;
    }
  }
  Wish *wish = this->add_(row, now);
  if (wish != nullptr)
    wish->kind = Wish::Kind::RUN;
  return wish != nullptr;
}

bool Wishes::ask_raw(const char *text, size_t length, uint32_t now) {
  if (length > AtText::MAX_ARGUMENT || !this->has_room_(nullptr, length))
    return false;
  Wish *wish = this->add_(NO_ROW, now);
  if (wish != nullptr)
    this->put_text_(wish, Wish::Kind::RAW, text, length, 0);
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

Wish *Wishes::find(uint8_t row) {
  for (Wish &wish : *this) {
    if (wish.row == row && wish.is_write())
      return &wish;
  }
  return nullptr;
}

const Wish *Wishes::find(uint8_t row) const { return const_cast<Wishes *>(this)->find(row); }

Wish *Wishes::first() {
  for (Wish &wish : *this) {
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
  for (Wish &wish : *this) {
    if (wish.in_flight)
      return &wish;
  }
  return nullptr;
}

Wish *Wishes::expired(uint32_t now) {
  for (Wish &wish : *this) {
    if (!wish.in_flight && now - wish.asked_at > (wish.is_write() ? WRITE_EXPIRES_MS : RUN_EXPIRES_MS))
      return &wish;
  }
  return nullptr;
}

bool Wishes::matches_text(const Wish &wish, const char *text) const {
  static const char NO_ADDRESS[] = "\"0.0.0.0\"";  // which newer firmware shows as an empty text
  const char *wished = this->text_of(wish);
  const char *const end =
      wished + std::min<size_t>(wish.text.provable, skip_fields(wished, count_fields(text)) - wished);
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
  if (length == wish.text.length)
    return;
  char shorter[AtText::MAX_ARGUMENT];
  memcpy(shorter, text, length);
  this->put_text_(&wish, Wish::Kind::TEXT, shorter, length, std::min(wish.text.provable, length));
  wish.saturated = true;
}

Wish *Wishes::add_(uint8_t row, uint32_t now) {
  if (this->count_ == QUEUE)
    return nullptr;
  Wish *wish = &this->queue_[this->count_++];
  *wish = Wish();
  wish->row = row;
  wish->asked_at = now;
  return wish;
}

void Wishes::remove(Wish *wish) {
  this->drop_text_(*wish);
  std::copy(wish + 1, this->end(), wish);
  this->count_--;
}

void Wishes::on_restart() {
  for (Wish &wish : *this) {
    if (wish.is_write())
      wish.attempt.check_first();
  }
}

/// In place of the wish's present text, if it has one.
bool Wishes::has_room_(const Wish *wish, size_t length) const {
  const size_t freed = wish == nullptr || !wish->has_text() ? 0 : wish->text.length + 1;
  return length + 1 <= TEXT - this->text_used_ + freed;
}

void Wishes::put_text_(Wish *wish, Wish::Kind kind, const char *text, size_t length, uint8_t provable) {
  this->drop_text_(*wish);
  wish->kind = kind;
  wish->text = {this->text_used_, static_cast<uint8_t>(length), provable};
  memcpy(this->text_.data() + this->text_used_, text, length);
  this->text_[this->text_used_ + length] = '\0';
  this->text_used_ += length + 1;
}

void Wishes::drop_text_(const Wish &wish) {
  if (!wish.has_text())
    return;
  const Wish::Text dropped = wish.text;
  const uint16_t size = dropped.length + 1;
  char *const begin = this->text_.data() + dropped.begin;
  memmove(begin, begin + size, this->text_used_ - dropped.begin - size);
  this->text_used_ -= size;
  for (Wish &other : *this) {
    if (other.has_text() && other.text.begin > dropped.begin)
      other.text.begin -= size;
  }
}

}  // namespace esphome::esp32evse
