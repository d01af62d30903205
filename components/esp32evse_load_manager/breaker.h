#pragma once

#include <cstdint>

namespace esphome::esp32evse_load_manager {

/// How far a miniature circuit breaker (IEC 60898) may have come towards its thermal trip.
///
/// 1.13 In must hold for 1 h, 1.45 In must trip within 1 h, 2.55 In within 60 s and not before 1 s. The earliest trip
/// through these points is 3600 s x (r / 1.13)^-10.06 for a current of r x In.
class Breaker {
 public:
  /// Share of the way to the trip that the charger may use up to stay at its minimum instead of opening its contactor:
  /// 1 % with a meter that is 1 s old, 1.9 % with one of 10 s, whose lateness warms the breaker by itself.
  static float budget(uint32_t delay_ms) { return 0.009f + delay_ms * 1e-6f; }
  /// A breaker cools down within minutes; slower here, so that a day's overloads stay few.
  static constexpr float COOLING_S = 3600.0f;
  static constexpr int32_t IN = 1000;  ///< permille: what is not more heats nothing beyond what the breaker is made for

  /// Part of the way to the trip that one second at so many permille of In takes.
  static float heat_per_second(int32_t permille);

  void add(int32_t permille, uint32_t passed_ms);
  float used() const { return this->used_; }
  /// s until so much is used at so many permille of In, without what it cools meanwhile; UINT16_MAX: for ever.
  uint16_t seconds_to(float used, int32_t permille) const;

 protected:
  float used_{0};
};

}  // namespace esphome::esp32evse_load_manager
