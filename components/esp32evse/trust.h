#pragma once

#include <array>
#include <cstdint>

#include "command_row.h"

namespace esphome::esp32evse {

/// What has come once and must come again before it is believed: the line has no checksum.
///
/// It is read again at once, so there are few; one that finds no room comes by itself sooner or later.
class Doubts {
 public:
  /// True: this row has said the same the time before. False: it is remembered, and is to be read again.
  bool confirm(uint8_t row, uint16_t digest);
  /// The row has said what is believed: what it said before was noise.
  void drop(uint8_t row);
  void forget() { this->entries_ = {}; }

 protected:
  struct Entry {
    uint8_t row{0};
    uint16_t digest{0};  // 0: free
  };

  std::array<Entry, 8> entries_;
  uint8_t next_{0};
};

inline void Doubts::drop(uint8_t row) {
  for (Entry &entry : this->entries_) {
    if (entry.row == row)
      entry = {};
  }
}

inline bool Doubts::confirm(uint8_t row, uint16_t digest) {
  for (Entry &entry : this->entries_) {
    if (entry.row != row)
      continue;
    const bool same = entry.digest == digest;
    entry = same ? Entry{} : Entry{row, digest};
    return same;
  }
  this->entries_[this->next_] = {row, digest};
  this->next_ = (this->next_ + 1) % this->entries_.size();
  return false;
}

/// Of the text of a value; never 0.
inline uint16_t digest(const char *text, uint16_t before = 1) {
  for (; *text != '\0'; text++)
    before = static_cast<uint16_t>(before * 31 + static_cast<uint8_t>(*text));
  return before == 0 ? 1 : before;
}

}  // namespace esphome::esp32evse
