#pragma once

namespace esphome::esp32evse_load_manager {

/// How far a miniature circuit breaker (IEC 60898) may have come towards its thermal trip.
///
/// 1.13 In must hold for 1 h, 1.45 In must trip within 1 h, 2.55 In within 60 s and not before 1 s. The earliest trip
/// through these points is 3600 s x (r / 1.13)^-10.06 for a current of r x In.
class Breaker {
 public:
  /// Share of the way to the trip that the charger may use up to stay at its minimum instead of opening its contactor.
  static constexpr float BUDGET = 0.01f;
  /// A breaker cools down within minutes; slower here, so that a day's overloads stay few.
  static constexpr float COOLING_S = 3600.0f;
  static constexpr float FROM = 1.0f;  ///< x In: what is not more heats nothing beyond what the breaker is made for

  /// Part of the way to the trip that one second at `ratio` x In takes.
  static float heat_per_second(float ratio);

  void add(float ratio, float seconds);
  float used() const { return this->used_ / BUDGET; }
  bool allows_overload() const { return this->used_ < BUDGET; }
  /// s until it does not any more at `ratio` x In, without what it cools meanwhile; infinite where nothing heats.
  float allows_for(float ratio) const { return (BUDGET - this->used_) / heat_per_second(ratio); }

 protected:
  float used_{0};
};

}  // namespace esphome::esp32evse_load_manager
