#pragma once

#include <cstddef>
#include <cstdint>

namespace esphome::esp32evse {

bool is_utf8(const char *text, size_t length);

/// A text of the charger as it may leave for ESPHome: valid UTF-8, because clients of the API disconnect at anything
/// else.
///
/// Bytes that are none (noise, a network's name in Latin-1) become U+FFFD as the Unicode Standard recommends (chapter
/// 3.9, "maximal subparts"), overlong forms and surrogates too. What no longer fits is left out from a whole character
/// on. A text that is valid already is not copied and must outlive this.
class Utf8Text {
 public:
  static constexpr size_t MAX_LENGTH = 128;  ///< bytes, one line of the charger

  Utf8Text(const char *text, size_t length);

  const char *data() const { return this->data_; }
  size_t length() const { return this->length_; }

 protected:
  const char *data_;
  size_t length_;
  char copy_[MAX_LENGTH];
};

}  // namespace esphome::esp32evse
