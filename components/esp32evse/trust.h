#pragma once

#include <array>
#include <cstdint>

#include "command_row.h"

namespace esphome::esp32evse {

/// What must come again before it is believed: the line has no checksum.
///
/// It is read again at once, so there are few; one that finds no room comes by itself sooner or later.
class Doubts {
 public:
  static constexpr uint8_t TWICE = 2;      ///< on a clean line
  static constexpr uint8_t CAREFULLY = 3;  ///< any of the noughts in 16000 may be lost or doubled to the same effect

  /// True: this row has said the same `times` in a row. False: it is remembered, and is to be read again.
  bool confirm(uint8_t row, uint16_t digest, uint8_t times);
  /// The row has said what is believed: what it said before was noise.
  void drop(uint8_t row);
  void forget() { this->entries_ = {}; }

 protected:
  struct Entry {
    uint8_t row{0};
    uint8_t times{0};    // so often in a row
    uint16_t digest{0};  // 0: free
  };

  Entry &entry_(uint8_t row);

  std::array<Entry, 8> entries_;
  uint8_t next_{0};
};

inline void Doubts::drop(uint8_t row) {
  for (Entry &entry : this->entries_) {
    if (entry.row == row)
      entry = {};
  }
}

/// The row's, else the one that was begun first.
inline Doubts::Entry &Doubts::entry_(uint8_t row) {
  for (Entry &entry : this->entries_) {
    if (entry.row == row)
      return entry;
  }
  Entry &oldest = this->entries_[this->next_];
  this->next_ = (this->next_ + 1) % this->entries_.size();
  oldest = {};
  oldest.row = row;
  return oldest;
}

inline bool Doubts::confirm(uint8_t row, uint16_t digest, uint8_t times) {
  Entry &entry = this->entry_(row);
  if (entry.digest != digest)
    entry.times = 0;
  entry.digest = digest;
  if (++entry.times < times)
    return false;
  entry = {};
  return true;
}

/// Of the text of a value; never 0.
inline uint16_t digest(const char *text, uint16_t before = 1) {
  for (; *text != '\0'; text++)
    before = static_cast<uint16_t>(before * 31 + static_cast<uint8_t>(*text));
  return before == 0 ? 1 : before;
}

}  // namespace esphome::esp32evse
