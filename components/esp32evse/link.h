#pragma once

#include <cstdint>

#include "command_row.h"

namespace esphome::esp32evse {

/// The charger's uptime against our clock: going back is a restart. The line has no checksum, and a digit is lost or
/// doubled twice in a row now and then, so an odd value is doubted until it has come three times.
class Age {
 public:
  static constexpr uint8_t BELIEVED_TIMES = 3;
  static constexpr uint32_t UNKNOWN = UINT32_MAX;
  static constexpr uint32_t TOLERANCE_S = 5;
  static constexpr uint32_t YOUNG_TOLERANCE_S = 2;  // less than the time between two starts

  enum class Verdict : uint8_t {
    EXPECTED,   ///< as old as it should be
    DOUBTED,    ///< ask once more
    RESTARTED,  ///< younger than it should be, and believed
  };

  /// `careful`: an age that nothing was known about is an odd one, too.
  Verdict update(uint32_t seconds, uint32_t now, bool careful);
  /// In s, or UNKNOWN.
  uint32_t at(uint32_t now) const { return this->known_ ? this->last_.expected(now) : UNKNOWN; }
  /// After RDY: any age will do.
  void forget() {
    this->known_ = false;
    this->times_ = 0;
  }

 protected:
  struct Reading {
    uint32_t seconds{0};  ///< uptime
    uint32_t at{0};       ///< by our clock, in ms

    uint32_t expected(uint32_t now) const { return this->seconds + (now - this->at) / 1000; }
    bool leads_to(uint32_t uptime, uint32_t now) const;
  };

  Reading last_;
  Reading doubted_;
  bool known_{false};
  uint8_t times_{0};  // the doubted one has come in a row
};

/// The line to the charger: may we speak, may we write, what may we believe.
///
/// Question and answer belong together after a barrier: `~`, which is exactly one ERROR whatever was pending, quiet,
/// and a read that names itself. Evidence of life are bytes heard by a loop that ran; they are as old as the loop
/// before. What waited while the loop stood still proves nothing. A write needs fresh evidence that no restart was
/// missed.
class Link {
 public:
  static constexpr uint32_t SETTLE_MS = 1200;      // the charger must not be written to for 1 s after RDY
  static constexpr uint32_t SETTLED_UPTIME_S = 6;  // older than that, a charger has certainly settled
  static constexpr uint32_t STOOD_STILL_MS = 1000;
  static constexpr uint32_t HEARD_MS = 1500;           // shorter than any restart
  static constexpr uint32_t ANSWER_TIMEOUT_MS = 1000;  // the RCM self-test holds up an answer for 0.5 s
  static constexpr uint32_t CLEAR_TIMEOUT_MS = 500;    // more with every silent command, 2 s at most
  static constexpr uint32_t QUIET_MS = 40;             // no further result within this: none is left
  static constexpr uint32_t AFTER_ERROR_MS = 20;       // a second ERROR may follow
  static constexpr uint32_t CAREFUL_MS = 60000;        // after damage was seen
  static constexpr uint8_t SILENT_COMMANDS_LOST = 3;   // not counted further
  static constexpr uint32_t LOST_MS = 3000;            // without a result
  static constexpr uint32_t UNTOLD_MS = 15000;         // three heartbeats without a value, though there are results

  enum class State : uint8_t {
    SETTLING,  ///< after a start of the charger: not a byte
    CLEARING,  ///< `~` is under way
    CLEARED,   ///< its result was seen: waiting until no more come
    NAMING,    ///< a read that names itself is under way
    AGEING,    ///< in step, but a restart may have been missed: only the uptime may be asked
    READY,     ///< all commands
  };

  void start(uint32_t now);
  /// At each turn of the loop, before its bytes. True: it stood still, and what waits in the buffer is to be dropped.
  bool wake(uint32_t now);
  /// What to transmit now for the barrier, or nullptr.
  const char *next(uint32_t now);

  void on_value_line(const char *name);
  /// True: it is the result of the command in flight. False: it belongs to the barrier.
  bool on_result(bool ok, uint32_t now);
  void on_ready_line(uint32_t now);
  Age::Verdict on_uptime(uint32_t seconds, uint32_t now);
  /// A line was lost.
  void on_damage(uint32_t now);
  /// The charger has not answered in time.
  void on_silence();
  /// Question and answer may not belong together any more.
  void resync();

  State state() const { return this->state_; }
  bool is_in_step() const { return this->state_ >= State::AGEING; }
  /// The next command may be sent, the uptime only if not READY.
  bool may_speak(uint32_t now) const { return this->is_in_step() && reached(this->quiet_until_, now); }
  /// READY, with evidence fresh enough that no restart was missed; else back to AGEING.
  bool may_write(uint32_t now);
  bool is_careful(uint32_t now) const { return this->damaged_ && now - this->damaged_at_ < CAREFUL_MS; }
  bool was_heard_within(uint32_t duration, uint32_t now) const { return now - this->heard_at_ < duration; }
  /// Of the charger, in s; Age::UNKNOWN while a restart may have been missed.
  uint32_t uptime(uint32_t now) const { return this->state_ == State::READY ? this->age_.at(now) : Age::UNKNOWN; }
  /// On a noisy line many commands are lost in a row; then some result comes, be it an ERROR. But not for ever.
  bool is_lost() const;
  /// An answer of the barrier is near.
  bool is_busy() const { return this->state_ != State::SETTLING && !this->is_in_step() && this->silent_commands_ == 0; }
  uint32_t timed_out() const { return this->timed_out_; }
  uint32_t resyncs() const { return this->resyncs_; }

 protected:
  void settle_(uint32_t now);
  void clear_();
  const char *ask_(State state, uint32_t wait, const char *question, uint32_t now);
  void heard_();
  bool is_untold_() const { return this->turn_at_ - this->told_at_ >= UNTOLD_MS; }

  State state_{State::CLEARING};
  bool to_send_{true};   // CLEARING: the barrier itself
  bool named_{false};    // NAMING: the value line has come
  bool settled_{false};  // this has been waited for, and nothing was missed since
  bool damaged_{false};
  uint8_t silent_commands_{0};
  uint32_t deadline_{0};
  uint32_t quiet_until_{0};
  uint32_t turn_at_{0};  // of the loop
  uint32_t turn_before_{0};
  uint32_t heard_at_{0};  // the loop before the bytes came
  uint32_t damaged_at_{0};
  uint32_t result_at_{0};
  uint32_t told_at_{0};  // the last value
  uint32_t timed_out_{0};
  uint32_t resyncs_{0};
  Age age_;
};

}  // namespace esphome::esp32evse
