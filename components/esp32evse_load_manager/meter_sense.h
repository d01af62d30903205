#pragma once

#include "phases.h"

namespace esphome::esp32evse_load_manager {

/// Finds a meter that cannot be right, by what the chargers draw: one that does not see them (a unit that is not what
/// the sensor says, another house), one that counts a phase backwards, and one that says the same for ever.
class MeterSense {
 public:
  static constexpr Milliampere DRAWS = 5_A;  ///< a phase with more is seen by every meter
  static constexpr Milliampere RISES = 4_A;  ///< by so much, a start is looked at once more
  static constexpr Milliampere RESTS = 0.5_A;
  static constexpr Milliampere SEES = 0.25_A;   ///< 57 kW, if kW were taken for W; a battery may hold the grid at less
  static constexpr uint32_t BLIND_MS = 30000;   ///< that a charger draws on a phase which has never shown so much
  static constexpr Milliampere CLEAR = 2_A;     ///< what falls from so much to a thousandth is in another unit now
  static constexpr uint32_t START_MS = 60000;   ///< a start that takes longer proves nothing
  static constexpr Milliampere FORGETS = 16;    ///< samples in which a load that goes is forgotten
  static constexpr uint32_t TRY_MS = 300000;    ///< until a meter that counted backwards is tried again
  static constexpr uint32_t FROZEN_MS = 30000;  ///< that a phase stands still after the chargers have changed by DRAWS
  static constexpr uint32_t SETTLE_MS = 15000;  ///< in which what it says and what they draw may not be of one time
  static constexpr uint8_t TRIES = 3;           ///< one start may be a coincidence, so many in a row are not

  /// A sample, the least and the most that the chargers drew at its time, and ms since the last one. Not `at_once`: its
  /// phases have come one after the other, some of them maybe before the chargers drew so much.
  void add(const Phases &mains, const Phases &own_low, const Phases &own_high, uint32_t passed, bool at_once);

  bool is_blind() const { return this->blind_; }
  bool is_backwards() const;
  bool is_frozen() const { return this->frozen_; }
  /// It sees the car, but on a phase on which nothing should have begun: the charger is wired in another order.
  bool is_elsewhere() const { return this->elsewhere_; }
  /// The last sample without a car.
  Milliampere resting(uint8_t phase) const { return this->phases_[phase].resting; }
  bool is_wrong() const { return this->is_blind() || this->is_backwards() || this->is_frozen(); }

 protected:
  struct Phase {
    Milliampere resting{0};                 // the sample before a start
    Milliampere least{0};                   // of the samples before it: a hob that pulses goes off at many a start
    Milliampere changed{0};                 // the newest sample that was another than the one before
    Milliampere then_low{0}, then_high{0};  // what the chargers drew then
    uint16_t same_ms{0};                    // since then
    uint16_t frozen_ms{0};                  // that it has not changed since they have
    Milliampere suspect{0};                 // a sample of a start that looked backwards
    uint16_t suspect_own{0};                // 10 mA, what all chargers drew at that sample; 0: there is none
    uint16_t blind_ms{0};                   // that something was drawn and not seen
    uint8_t strikes{0};                     // starts in a row that were seen backwards
    bool doubted{false};  // the suspect sample fell by another current than theirs, or a later one did not fall
    bool sees{false};     // it has shown a current since its unit may have changed

    void look_for_car(Milliampere mains, bool drawing, uint32_t passed);
    void look_for_change(Milliampere mains, Milliampere own_low, Milliampere own_high, uint32_t passed);
  };

  void judge_start_(const Phases &mains, const Phases &own, PhaseMask drawing);
  void look_again_(const Phases &mains, const Phases &own);

  Phase phases_[PHASES];
  uint32_t rested_ms_{START_MS};  // since the last sample without a car
  uint32_t strike_ms_{0};         // since a start was seen backwards
  bool drew_{false};              // at the last sample
  bool judged_{false};            // the start that came then
  bool directed_{false};          // a current into the grid was seen: clamps may know none, and show it as load
  bool elsewhere_{false};         // by the newest start that proves something
  bool blind_{false};             // some phase is
  bool frozen_{false};            // some phase is
};

}  // namespace esphome::esp32evse_load_manager
