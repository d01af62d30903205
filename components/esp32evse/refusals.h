#pragma once

#include <cstdint>
#include <utility>

#include "row_set.h"

namespace esphome::esp32evse {

/// What somebody has entered, and the charger does not hold: it is unknown for a moment, for clients keep showing what
/// was entered until something changes. Rows are the command table's; times in ms, they may wrap around.
class Refusals {
 public:
  static constexpr uint32_t UNKNOWN_FOR_MS = 1000;

  /// Somebody waits to see what becomes of the row's wish.
  void await(uint8_t row) { this->awaited_.add(row); }
  void fulfil(uint8_t row) { this->awaited_.remove(row); }
  /// The wish has failed. True: somebody has waited, and the row is unknown from now on.
  bool begin(uint8_t row, uint32_t now);
  bool contains(uint8_t row) const;
  /// The moment of some rows is over: end() tells which.
  bool is_over(uint32_t now, uint32_t unknown_for) const {
    return !this->now_.empty() && now - this->begun_at_ >= unknown_for;
  }
  /// True: the row shows the charger's value again.
  bool end(uint8_t row) { return this->now_.remove(row); }
  /// All have been ended: the moment of the others begins.
  void next(uint32_t now) {
    std::swap(this->now_, this->later_);
    this->begun_at_ = now;
  }

 protected:
  RowSet awaited_;
  RowSet now_;    // unknown since begun_at_
  RowSet later_;  // and those since then: their moment comes after it
  uint32_t begun_at_{0};
};

}  // namespace esphome::esp32evse
