#pragma once

#include <cstdint>
#include <utility>

#include "command_row.h"
#include "wishes.h"

namespace esphome::esp32evse {

/// A wish outside the range never leaves the old value, which may be the higher one: it becomes the nearest possible.
constexpr uint32_t saturate(uint32_t value, uint32_t low, uint32_t high) {
  return value < low ? low : value > high ? high : value;
}

/// The highest current that the charger takes (MAXCHCUR), and a wished one that it has refused, perhaps because that
/// was not known: it is asked for once more, for the old current may be the higher one. Currents in A/10.
class ChargingCurrent {
 public:
  /// 0: unknown.
  uint32_t maximum() const { return this->maximum_ * 10u; }
  /// A lost digit would saturate every wish: it counts when it comes twice. False: it is to be read again.
  bool hear_maximum(uint8_t ampere) {
    if (std::exchange(this->heard_, ampere) == ampere)
      this->maximum_ = ampere;
    return ampere == this->maximum_;
  }
  void ask(uint8_t row, uint32_t current) {
    this->row_ = row;
    this->asked_ = current;
    this->refused_ = false;
  }
  /// True: perhaps because of the maximum, which is to be read.
  bool on_wish_end(uint8_t row, WishEnd end) {
    if (row != this->row_)
      return false;
    this->refused_ = end == WishEnd::REFUSED && this->asked_ > 0;
    if (end != WishEnd::REFUSED)
      this->asked_ = 0;
    return this->refused_;
  }
  /// The row whose refused current lies above the maximum, which is to be asked for instead; NO_ROW if there is none.
  uint8_t take_refused() {
    return std::exchange(this->refused_, false) && this->asked_ > this->maximum() ? this->row_ : NO_ROW;
  }
  /// It was asked of a charger that has gone since: nobody waits for it any more.
  void forget_refused() {
    if (std::exchange(this->refused_, false))
      this->asked_ = 0;
  }

 protected:
  uint32_t asked_{0};  // until the wish has ended; 0: none
  uint8_t row_{NO_ROW};
  uint8_t heard_{0};    // A
  uint8_t maximum_{0};  // A, heard twice
  bool refused_{false};
};

/// The pause that stands for a charging current below 6 A, which IEC 61851 does not have, until one that is possible is
/// wished for. Somebody's own pause outlasts it.
class CurrentPause {
 public:
  /// Whether the configuration has such pauses.
  bool is_chosen() const { return PAUSES_BELOW_MINIMUM && this->enable_row_ != NO_ROW; }
  void choose(uint8_t enable_row) { this->enable_row_ = enable_row; }
  uint8_t enable_row() const { return this->enable_row_; }
  /// Somebody decides about ENABLE itself.
  void forget() { this->pauses_ = false; }
  /// What the charger holds of ENABLE.
  void on_enable(bool enabled) { this->enabled_ = enabled; }
  /// A current was wished for: one that means a `pause`, or one that is possible; `wish`: of ENABLE, or nullptr. True:
  /// ENABLE is to be written. Again and again: somebody else, or a restart of the charger, may have ended the pause.
  bool update(bool pause, const Wish *wish) {
    const bool enabled = wish != nullptr ? wish->number != 0 : this->enabled_;
    const bool before = std::exchange(this->pauses_, pause && (this->pauses_ || enabled));
    return pause || before;
  }

 protected:
  uint8_t enable_row_{NO_ROW};
  bool pauses_{false};
  bool enabled_{true};  // when it was heard last
};

}  // namespace esphome::esp32evse
