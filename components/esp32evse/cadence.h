#pragma once

#include <cstdint>

namespace esphome::esp32evse {

/// How often a kind of value is published, equal values too; from the catalog.
struct Cadence {
  uint16_t seconds;  ///< 0: every value as it comes
  bool steps;        ///< a change by more than a twentieth goes out at once, if such are not the rule
  bool counts;       ///< a counter: what it had come to is seen before it begins anew
};

/// Thins out a value that comes several times a second, so that whoever counts time or adds up energy is still right:
/// the first value goes out at once, and so does one to or from zero, behind the one before it; the rest at the
/// cadence. Times in ms; they may wrap around.
class Pacer {
 public:
  /// Clients get the last one only of values that come quickly (`batch_delay` of ESPHome's API).
  static constexpr uint32_t LINGER_MS = 1000;
  /// Publications in turn that earn a step: however noisy a meter is, it makes a sixth more rows, and not as many as it
  /// has values. A few are saved, for a load manager's steps come in a row.
  static constexpr uint8_t TURNS_PER_STEP = 6;
  static constexpr uint8_t MAX_TURNS = 3 * TURNS_PER_STEP;

  struct Publication {
    uint8_t count;
    float values[2];
  };

  /// A value has come; returns those to publish now, in order.
  Publication put(float value, Cadence cadence, uint32_t now);
  /// True if the value that was held back is to be published now.
  bool take(Cadence cadence, uint32_t now, float *value);
  /// True if a text that has come is to be published now; one that is not is forgotten.
  bool pass(Cadence cadence, uint32_t now);
  /// What is held back, or else the next value, goes out at once.
  void hurry() { this->hurry_ = true; }
  /// What came is forgotten, and the next value is a first one.
  void restart() { *this = {}; }

 protected:
  static constexpr uint32_t UNIT_MS = 128;  // of its clock: so much earlier a value may go out

  bool is_due_(Cadence cadence, uint32_t now) const;
  bool is_step_(float value) const;
  void count_turn_();
  void publish_(float value, uint32_t now);

  // All zero at first, so that the generated objects take no flash.
  float latest_{0};
  float published_{0};
  uint16_t published_at_{0};  // in units; what comes less than once in two hours may have to wait for its cadence
  uint8_t spent_{0};          // publications in turn that steps have used up and that have not come again
  bool known_ : 1 {false};    // something was published
  bool hurry_ : 1 {false};
  bool lingers_ : 1 {false};  // at what the counter had come to
  bool held_ : 1 {false};     // the latest one
};

}  // namespace esphome::esp32evse
