#pragma once

#include <cstdint>

namespace esphome::esp32evse_load_manager {

/// The energy that a clock quarter may still take from the grid without a new peak (Flanders: the highest quarter's
/// mean power of a month is billed, at least 2.5 kW).
///
/// A reserve for what the house may yet switch on is kept free. It shrinks with the time that is left, so nearly all of
/// the quarter's energy is used by its end.
class CapacityQuarter {
 public:
  static constexpr uint16_t QUARTER_S = 900;
  static constexpr uint16_t AGAIN_S = 300;      ///< of a quarter that a charger which was paused in it may use
  static constexpr uint16_t LAST_S = 15;        ///< what is left is not spent faster than within this time
  static constexpr float SAFETY_WH = 5.0f;      ///< a car and a meter that react late
  static constexpr float SMOOTHING_S = 180.0f;  ///< of the house's use, which is expected to go on
  static constexpr float RISING_S = 30.0f;      ///< of one that rises: cooking has begun
  static constexpr float RESERVE = 2400.0f;     ///< W
  static constexpr float MOST = 200000.0f;      ///< W, more than any chargers take
  static constexpr uint16_t LEAP_S = 20;        ///< a clock that is set by more knows nothing of the quarter

  void set_limit(float watt);
  float limit() const { return this->limit_; }
  /// Once a step: W from the grid, and W of the house without its chargers. `epoch_s` 0: the clock is not known, and
  /// every moment must keep the limit.
  void update(uint32_t epoch_s, float grid, float house, float seconds);

  /// W that the chargers may take now.
  float available() const;
  /// Nothing is left, not even at the chargers' minimum.
  bool is_exhausted() const;
  /// Number of the clock quarter.
  uint32_t quarter() const { return this->quarter_; }
  uint16_t seconds_left() const { return this->left_s_; }
  /// W, the quarter's mean if nothing more were used.
  float mean() const { return this->used_ * 3600.0f / QUARTER_S; }

 protected:
  /// Wh that are left for the chargers.
  float rest_() const;

  float limit_{0};
  float reserve_{0};
  float used_{0};   // Wh
  float house_{0};  // W
  uint32_t quarter_{0};
  uint32_t expected_{0};  // s, epoch of this step by the last one
  uint16_t left_s_{QUARTER_S};
};

}  // namespace esphome::esp32evse_load_manager
