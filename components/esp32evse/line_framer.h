#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace esphome::esp32evse {

/// Cuts the charger's byte stream into lines. A line that is too long or holds control bytes is dropped to its end,
/// because a part of it could pass for another value.
class LineFramer {
 public:
  static constexpr size_t MAX_LINE = 128;

  enum class Event : uint8_t { NONE, LINE, DAMAGED };

  Event feed(uint8_t byte) {
    if (byte == '\n' || byte == '\r')
      return this->end_line_();
    if (this->skips_)
      return Event::NONE;
    // A NUL follows RDY's line end; at the start of a line it means nothing.
    if (byte == 0 && this->next_ == 0)
      return Event::NONE;
    if (byte < 0x20 || byte == 0x7F || this->next_ >= MAX_LINE) {
      this->damaged_ = true;
    } else {
      this->line_[this->next_++] = static_cast<char>(byte);
    }
    return Event::NONE;
  }

  /// Bytes were dropped: what comes up to the next line end is a part of something.
  void skip_line() {
    this->next_ = 0;
    this->damaged_ = false;
    this->skips_ = true;
  }

  /// The line, NUL-terminated; valid from Event::LINE to the next feed().
  char *line() { return this->line_.data(); }
  size_t length() const { return this->length_; }

 protected:
  Event end_line_() {
    const bool damaged = this->damaged_;
    this->length_ = this->next_;
    this->next_ = 0;
    this->damaged_ = this->skips_ = false;
    if (damaged)
      return Event::DAMAGED;
    this->line_[this->length_] = '\0';
    return this->length_ == 0 ? Event::NONE : Event::LINE;
  }

  uint8_t next_{0};
  uint8_t length_{0};
  bool damaged_{false};
  bool skips_{false};
  std::array<char, MAX_LINE + 1> line_{};
};

}  // namespace esphome::esp32evse
