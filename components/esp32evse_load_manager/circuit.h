#pragma once

#include <algorithm>

#include "breaker.h"
#include "phases.h"

namespace esphome::esp32evse_load_manager {

struct CircuitConfig {
  float limit;          ///< A per phase
  float margin;         ///< A per phase, kept free
  float fallback;       ///< A for all its chargers while its meter is silent; below the minimum they pause
  uint32_t timeout_ms;  ///< a meter without a sample for so long is silent; 0: no meter, only its chargers count
  uint32_t delay_ms;    ///< how old a sample is when it comes
  PhaseMask phases;
  uint8_t parent;  ///< NO_PARENT at the root

  static constexpr uint8_t NO_PARENT = 0xFF;
};

/// The least room of the last minutes, so that a load which comes and goes is not run into at every turn.
class LastingRoom {
 public:
  static constexpr uint8_t BUCKETS = 14;
  static constexpr uint32_t BUCKET_MS = 10000;

  void add(float room, uint32_t now);
  /// The least of the newest buckets.
  float get(uint8_t buckets = BUCKETS) const;

 protected:
  int16_t buckets_[BUCKETS]{};  // 10 mA
  uint32_t started_{0};
  uint8_t newest_{0};
};

/// A fuse with the loads behind it: what its chargers may take.
class Circuit {
 public:
  /// x limit: a breaker holds 1.13 for an hour, so loads that come back may bring it so far until the charger follows.
  static constexpr float HARMLESS = 0.1f;
  static constexpr uint8_t SHORT = 2;  ///< buckets
  static constexpr float ABSURD =
      3.0f;  ///< x limit: no house draws this for a sample's time, but a wrong unit shows it

  void configure(const CircuitConfig &config, uint32_t now);
  /// Lowers the configured limit, or restores it.
  void set_limit(float ampere) { this->config_.limit = std::min(ampere, this->most_); }
  float most() const { return this->most_; }
  const CircuitConfig &config() const { return this->config_; }

  /// A sample of the meter; `own_low` and `own_high` bound what the circuit's chargers drew when it was taken.
  /// `updated` phases are new, the others as they were.
  /// False: a phase of it is impossible, and counts as not new.
  bool on_sample(const Phases &mains, const Phases &own_low, const Phases &own_high, uint32_t now, PhaseMask updated);
  /// Once a step, before the questions below.
  void update(uint32_t now);

  bool has_meter() const { return this->config_.timeout_ms != 0; }
  /// A sample has come, and it is not too old.
  bool is_valid() const { return this->valid_; }
  /// No sample has come yet, and there is still time for it.
  bool is_starting() const { return this->known_ != this->config_.phases && !this->silent_; }
  float house(uint8_t phase) const { return this->house_[phase]; }
  float mains(uint8_t phase) const { return this->mains_[phase]; }
  float house_sum() const { return this->house_.sum(); }
  float mains_sum() const { return this->mains_.sum(); }
  /// A that the chargers may take now.
  float room(uint8_t phase) const;
  /// A that they could have taken all the last time: up to this they may rise.
  float lasting_room(uint8_t phase) const;
  /// A that was there in every one of the last minutes: enough of it lets a charger start.
  float steady_room(uint8_t phase) const { return std::min(this->lasting_[phase].get(), this->room(phase)); }
  bool allows_overload(uint8_t phase) const { return this->valid_ && this->breaker_[phase].allows_overload(); }
  float breaker_used() const;

 protected:
  bool is_plausible_(float ampere) const;
  bool is_overdue_(uint32_t now) const;
  void record_(uint32_t now);
  void record_rooms_(uint32_t now);

  CircuitConfig config_{};
  float most_{0};  // A, as configured
  Phases mains_, house_;
  LastingRoom lasting_[PHASES];
  Breaker breaker_[PHASES];
  uint32_t updated_[PHASES]{};  // when each phase last was
  PhaseMask known_{0};          // that a sample has ever come of
  bool silent_{false};
  bool valid_{false};
};

}  // namespace esphome::esp32evse_load_manager
