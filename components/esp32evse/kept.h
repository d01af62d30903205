#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "attempt.h"
#include "command_row.h"
#include "parts.h"

namespace esphome::esp32evse {

/// A setting that the charger loses when it restarts. It never expires.
///
/// Noise must never be written back. A heard value is believed when it has come three times in a row, for a digit is
/// lost twice now and then, and when the last time was the answer to a read, for a burst of noise may say anything as
/// often as it likes. That costs a few milliseconds: what is not believed yet is read at once. A wish that a read-back
/// shows is proof enough.
class Kept {
 public:
  static constexpr uint8_t BELIEVED_TIMES = 3;
  static constexpr uint32_t ANY = UINT32_MAX;  ///< the charger may begin with any value

  explicit Kept(uint8_t row = NO_ROW) : row_(row) {}
  uint8_t row() const { return this->row_; }
  uint32_t value() const { return this->value_; }
  /// To be put back.
  bool is_lost() const { return this->lost_; }
  /// Of a push. False: it is to be read.
  bool hear(uint32_t value);
  /// Of a read, when its OK has come. False: it is to be read once more.
  bool hear_answer(uint32_t value);
  void prove(uint32_t value);
  /// Somebody wished for this value, and nobody knows whether the charger holds it.
  void doubt(uint32_t value);
  /// Whether the charger's value needs no putting back: it is the kept one, or what was wished for last.
  bool is_held_by(uint32_t value);
  /// `start`: what the charger begins with. That need not be put back: somebody has changed it since, if it is
  /// another.
  void on_restart(uint32_t start);
  /// The charger will not have it.
  void give_up() { this->lost_ = this->known_ = false; }
  Attempt attempt;

 protected:
  uint8_t row_;
  uint8_t times_ : 2 {0};  // heard_ was heard in a row: BELIEVED_TIMES and more
  bool known_ : 1 {false};
  bool lost_ : 1 {false};
  uint32_t value_{0};
  uint32_t heard_{0};
};

/// All settings that are kept. Where the configuration keeps none, the compiler leaves out what asks for them.
class KeptSettings {
 public:
  static constexpr size_t MAX = KEEPS_SETTINGS ? 6 : 0;

  /// What finds no room is not kept.
  void add(uint8_t row) {
    if (this->count_ < MAX)
      this->settings_[this->count_++] = Kept(row);
  }
  Kept *begin() { return this->settings_.data(); }
  Kept *end() { return this->begin() + (MAX == 0 ? 0 : this->count_); }
  /// nullptr: the row is not kept.
  Kept *find(uint8_t row) {
    for (Kept &kept : *this) {
      if (kept.row() == row)
        return &kept;
    }
    return nullptr;
  }

 protected:
  std::array<Kept, MAX> settings_;
  uint8_t count_{0};
};

}  // namespace esphome::esp32evse
