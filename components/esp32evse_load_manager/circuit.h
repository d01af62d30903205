#pragma once

#include <algorithm>

#include "breaker.h"
#include "meter_sense.h"
#include "parts.h"
#include "phases.h"
#include "reason.h"

namespace esphome::esp32evse_load_manager {

struct CircuitConfig {
  Milliampere limit;     ///< per phase
  Milliampere margin;    ///< per phase, kept free
  Milliampere fallback;  ///< for all its chargers while its meter is silent; below the minimum they pause
  uint32_t timeout_ms;   ///< a meter without a sample for so long is silent; 0: no meter, only its chargers count
  uint32_t delay_ms;     ///< how old a sample is when it comes
  PhaseMask phases;
  uint8_t parent;   ///< NO_PARENT at the root
  bool led{false};  ///< another node says what its chargers may take

  static constexpr uint8_t NO_PARENT = 0xFF;
};

/// The least room of the last minutes, so that a load which comes and goes is not run into at every turn.
class LastingRoom {
 public:
  static constexpr uint8_t BUCKETS = 14;
  static constexpr uint32_t BUCKET_MS = 10000;
  static constexpr uint8_t ENOUGH = 3;  ///< buckets that a node which has just started must have seen

  LastingRoom() { std::fill_n(this->buckets_, BUCKETS, UNKNOWN); }
  void add(Milliampere room, uint32_t now);
  /// The meter is silent: nothing lasts.
  void add_silence(uint32_t now) { this->add_(SILENCE, now); }
  /// The least of the newest buckets, as far back as anything is known.
  Milliampere get(uint8_t buckets = BUCKETS) const { return this->least_(buckets) * 10; }
  /// s until the newest buckets all have `current`, if it is there from now on.
  uint16_t seconds_to(Milliampere current, uint8_t buckets, uint32_t now) const;
  /// s until it was silent all the last time, if it is silent from now on: nothing is known of the house any more.
  uint16_t seconds_to_oblivion(uint32_t now) const;
  /// The meter was silent within this time, or the node has not seen enough since its start.
  bool has_gap() const { return this->least_(BUCKETS) == SILENCE; }

 protected:
  static constexpr int16_t UNKNOWN = INT16_MAX;  // before the start of the node
  static constexpr int16_t SILENCE = -32000;

  void add_(int16_t raw, uint32_t now);
  int16_t at_(uint8_t age) const { return this->buckets_[(this->newest_ + BUCKETS - age) % BUCKETS]; }
  int16_t least_(uint8_t buckets) const;
  /// s until so many buckets are full.
  uint16_t seconds_of_(uint8_t turns, uint32_t now) const;

  int16_t buckets_[BUCKETS];  // 10 mA
  uint32_t started_{0};
  uint8_t newest_{0};
};

/// A fuse with the loads behind it: what its chargers may take.
class Circuit {
 public:
  /// limit / this: a breaker holds 1.13 In for an hour, so loads that come back may bring it so far until the charger
  /// follows.
  static constexpr int32_t HARMLESS_DIVISOR = 10;
  static constexpr uint8_t SHORT = 2;   ///< buckets
  static constexpr int32_t ABSURD = 3;  ///< x limit: no house draws it for a sample's time, a wrong unit shows it
  static constexpr Milliampere SPARE = 0.5_A;    ///< that must be left over the minimum for a start
  static constexpr uint32_t LONGEST_MS = 15000;  ///< for which a sample counts
  static constexpr uint32_t LONGEST_WAIT_MS = 5000;

  void configure(const CircuitConfig &config, uint32_t now);
  /// Lowers the configured limit, or restores it.
  void set_limit(Milliampere current) { this->config_.limit = std::min(current, this->most_); }
  Milliampere most() const { return this->most_; }
  const CircuitConfig &config() const { return this->config_; }

  /// A sample of the meter; `own_low` and `own_high` bound what the circuit's chargers drew when it was taken.
  /// `updated` phases are new, the others as they were.
  /// True: every phase is new since it was true last. An impossible value counts as not new.
  /// `unheard`: a charger of another node is silent, and may have stopped before that was noticed.
  /// `doubtful`: what a charger shows was not believed, so nothing is learned of the meter.
  bool on_sample(const Phases &mains, const Phases &own_low, const Phases &own_high, uint32_t now, PhaseMask updated,
                 bool unheard = false, bool doubtful = false);
  /// What the leader leaves to all the circuit's chargers.
  void on_share(Milliampere current, uint32_t now);
  /// Once a step, before the questions below.
  void update(uint32_t now);

  bool has_meter() const { return !HAS_UNMETERED || this->config_.timeout_ms != 0; }
  /// A sample has come, it is not too old, and it can be right.
  bool is_valid() const { return this->valid_; }
  /// Why it is not valid.
  Reason fault() const;
  /// No sample has come yet, and there is still time for it.
  bool is_starting() const { return this->known_ != this->config_.phases && !this->silent_; }
  /// A sample may still be left unseen, until all chargers have said what they draw: one of them may never do so.
  bool may_wait(uint32_t now) const {
    return this->known_ == 0 && !this->silent_ && (!HAS_SEVERAL || now - this->updated_[0] < LONGEST_WAIT_MS);
  }
  Milliampere house(uint8_t phase) const { return this->house_[phase]; }
  Milliampere house_sum() const { return this->house_.sum(); }
  Milliampere mains_sum() const { return this->mains_.sum(); }
  /// What the chargers may take now.
  Milliampere room(uint8_t phase) const;
  /// What they could have taken all the last time: up to this they may rise.
  Milliampere lasting_room(uint8_t phase) const;
  /// s until `current`, or `slack` less of it, was there in every one of the last minutes: 0, or NOT_IN_SIGHT while it
  /// is not there.
  uint16_t seconds_to(uint8_t phase, Milliampere current, Milliampere slack, uint32_t now) const;
  Milliampere slack() const { return this->config_.limit / HARMLESS_DIVISOR; }
  /// s that chargers may take `current`, although it is not there; UINT16_MAX: for ever.
  uint16_t seconds_of_overload(uint8_t phase, Milliampere current) const {
    return this->breaker_[phase].seconds_to(this->budget_, this->load_of_(this->house_[phase] + current));
  }
  bool has_gap(uint8_t phase) const { return this->lasting_[phase].has_gap(); }
  bool allows_overload(uint8_t phase) const {
    return this->valid_ && !this->is_promised_() && this->breaker_[phase].used() < this->budget_;
  }
  /// Its chargers draw from other phases than they are said to be wired to: they count on each.
  bool is_elsewhere() const { return this->sense_.is_elsewhere(); }
  bool is_led() const { return HAS_LEADER && this->config_.led; }
  /// Share of the breakers' budget.
  float breaker_used() const;

 protected:
  bool is_plausible_(Milliampere current) const;
  /// Permille of the limit.
  int32_t load_of_(Milliampere current) const { return current * 100 / (this->config_.limit / 10); }
  bool is_overdue_(uint32_t now) const;
  /// Its room is given, not measured: nothing in it comes and goes.
  bool is_promised_() const { return this->silent_ || this->is_led() || !this->has_meter(); }
  bool is_lost_(uint32_t now) const { return this->sense_.is_wrong() || this->is_overdue_(now); }
  void record_(uint32_t now);

  CircuitConfig config_{};
  Milliampere most_{0};  // as configured
  Phases mains_, house_;
  uint32_t updated_[PHASES]{};  // when each phase last was
  uint32_t sensed_{0};
  PhaseMask known_{0};  // that a sample has ever come of
  PhaseMask fresh_{0};
  bool silent_{false};
  bool valid_{false};
  float budget_{0};
  Breaker breaker_[PHASES];
  MeterSense sense_;
  LastingRoom lasting_[PHASES];
};

}  // namespace esphome::esp32evse_load_manager
