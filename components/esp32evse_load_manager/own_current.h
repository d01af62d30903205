#pragma once

#include "phases.h"

namespace esphome::esp32evse_load_manager {

/// What a charger drew in the last seconds, so that it can be subtracted from a meter's sample that is already old.
class OwnCurrent {
 public:
  static constexpr uint8_t SECONDS = 16;
  static constexpr Milliampere MOST = 600_A;  ///< that is kept of what a charger says

  struct Range {
    Milliampere low, high;
  };

  void add(const Phases &drawn, uint32_t now);
  /// The latest stays true while no other comes.
  void advance(uint32_t now);
  /// Least and greatest value between `youngest` and `oldest` ms ago.
  Range range(uint8_t phase, uint32_t youngest, uint32_t oldest) const;
  /// Greatest values of the last 16 s.
  Phases peaks() const;
  bool is_known() const { return this->known_; }
  const Phases &latest() const { return this->latest_; }

 protected:
  /// 10 mA: 16 bits are enough for 655 A.
  struct Second {
    uint16_t low[PHASES]{}, high[PHASES]{};
  };
  void open_(Second &second) const;

  Phases latest_;
  uint32_t started_{0};  // of the newest second
  uint8_t newest_{0};
  bool known_{false};
  Second seconds_[SECONDS];
};

}  // namespace esphome::esp32evse_load_manager
