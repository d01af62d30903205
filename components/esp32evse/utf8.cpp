#include "utf8.h"

#include <cstring>

namespace esphome::esp32evse {

namespace {

/// What one character of the result is made from.
struct Piece {
  size_t length;
  bool valid;
};

/// The character at the start of `text`, or the longest beginning of one. `left` is at least 1.
Piece next_piece(const char *text, size_t left) {
  const auto lead = static_cast<uint8_t>(text[0]);
  if (lead < 0x80)
    return {1, true};
  if (lead < 0xC2 || lead > 0xF4)
    return {1, false};
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte tells overlong forms, surrogates and what lies above U+10FFFF.
  uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (size_t i = 1; i < length; i++) {
    if (i == left || static_cast<uint8_t>(text[i]) < low || static_cast<uint8_t>(text[i]) > high)
      return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {length, true};
}

}  // namespace

bool is_utf8(const char *text, size_t length) {
  size_t at = 0;
  while (at < length) {
    const Piece piece = next_piece(text + at, length - at);
    if (!piece.valid)
      return false;
    at += piece.length;
  }
  return true;
}

Utf8Text::Utf8Text(const char *text, size_t length) : data_(text), length_(length) {
  if (is_utf8(text, length))
    return;
  static const char REPLACEMENT[] = "\xEF\xBF\xBD";
  this->data_ = this->copy_;
  this->length_ = 0;
  for (size_t at = 0; at < length;) {
    const Piece piece = next_piece(text + at, length - at);
    const char *const source = piece.valid ? text + at : REPLACEMENT;
    const size_t size = piece.valid ? piece.length : sizeof(REPLACEMENT) - 1;
    if (this->length_ + size > MAX_LENGTH)
      return;
    memcpy(this->copy_ + this->length_, source, size);
    this->length_ += size;
    at += piece.length;
  }
}

}  // namespace esphome::esp32evse
