#pragma once

#include "phases.h"

namespace esphome::esp32evse_load_manager {

/// Finds a meter that cannot be right, by what the chargers draw: one that does not see them (a unit that is not what
/// the sensor says, another house), and one that counts backwards.
class MeterSense {
 public:
  static constexpr float DRAWS = 5.0f;     ///< A: a phase with so much is seen by every meter
  static constexpr float RESTS = 0.5f;     ///< A
  static constexpr float SEES = 0.25f;     ///< A: 57 kW, if kW were taken for W
  static constexpr float BLIND_S = 30.0f;  ///< that a charger draws, while the meter has never shown so much
  static constexpr float START_S = 60.0f;  ///< a start that takes longer proves nothing
  static constexpr float TRY_S = 300.0f;   ///< until a meter that counted backwards is tried again
  static constexpr uint8_t TRIES = 3;      ///< one start may be a coincidence, so many in a row are not

  /// A sample, the least and the most that the chargers drew at its time, and s since the last one.
  void add(const Phases &mains, const Phases &own_low, const Phases &own_high, float seconds);

  bool is_blind() const { return !this->sees_ && this->blind_s_ >= BLIND_S; }
  bool is_backwards() const { return this->strikes_ >= TRIES || (this->strikes_ > 0 && this->strike_s_ < TRY_S); }
  bool is_wrong() const { return this->is_blind() || this->is_backwards(); }

 protected:
  void judge_start_(const Phases &mains, const Phases &own, PhaseMask drawing);

  Phases resting_;      // the sample before a start
  float blind_s_{0};    // that something was drawn and not seen
  float rested_s_{0};   // since then
  float strike_s_{0};   // since a start was seen backwards
  uint8_t strikes_{0};  // such starts in a row
  bool starting_{false};
  bool sees_{false};  // it once has
};

}  // namespace esphome::esp32evse_load_manager
