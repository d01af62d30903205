#pragma once

#include <cstdint>

#include "command_row.h"

namespace esphome::esp32evse {

/// How far a value has got on its way to the charger. It has arrived when a read-back shows it.
class Attempt {
 public:
  static constexpr uint8_t MAX_SENDS = 3;
  static constexpr uint8_t MAX_REFUSALS = 2;

  enum class Step : uint8_t {
    SEND,       ///< write it
    CHECK,      ///< read first: the charger may hold it already
    READ_BACK,  ///< written: only a read-back tells what became of it
    HELD,       ///< the end
    REFUSED,    ///< the end: ERROR every time
    DIFFERENT,  ///< the end: another value every time
  };

  Attempt(Step step = Step::SEND) : step_(step) {}
  Step step() const { return this->step_; }
  /// What is sent again is the same value, and not for ever.
  bool was_sent() const { return this->sends_ > 0; }
  bool has_ended() const { return this->step_ >= Step::HELD; }
  /// The charger may have restarted: never send blindly again.
  void check_first() { this->step_ = Step::CHECK; }
  /// Another value is meant from now on. What was sent is read back first, or quick wishes would starve the read-backs.
  void renew();

  void on_sent(Outcome outcome);
  /// `matched`: the read shows the value; `proven`: that is all there is to be seen of it.
  void on_read(bool matched, bool proven);
  /// A read without an answer, which noise may have caused. True: the second in a row.
  bool on_nothing_read();

 protected:
  Step step_ : 3;
  uint8_t sends_ : 2 {0};  // MAX_SENDS
  bool acknowledged_ : 1 {false};
  bool refused_ : 1 {false};
  bool doubted_ : 1 {false};
};

}  // namespace esphome::esp32evse
