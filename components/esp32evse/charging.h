#pragma once

#include <cstdint>

namespace esphome::esp32evse {

/// IEC 61851 states in the charger's numbering; 1 = not offering energy, 2 = offering.
enum class ChargerState : uint8_t { A, B1, B2, C1, C2, D1, D2, E, F, UNKNOWN };

constexpr bool is_charging(ChargerState state) { return state == ChargerState::C2 || state == ChargerState::D2; }
constexpr bool is_session(ChargerState state) { return state >= ChargerState::B1 && state <= ChargerState::D2; }
/// The vehicle is not to be seen in E and F.
constexpr bool hides_vehicle(ChargerState state) { return state >= ChargerState::E; }

/// "A", "B1" ... "F"; "" when unknown.
const char *state_name(ChargerState state);
/// The key of a fault bit, "pilot" ...
const char *fault_name(uint8_t bit);
constexpr uint8_t FAULT_COUNT = 8;

/// Everything that the derived entities are made of.
struct Situation {
  ChargerState state{ChargerState::UNKNOWN};
  uint8_t faults{0};
  bool enabled{true};
  bool pending_authorization{false};
  bool limit_reached{false};
};

/// What is going on, in a person's words.
const char *describe(const Situation &situation);

/// A counter of the running session. It comes over a line without checksum, where digits get lost and doubled: a value
/// is believed when the next one continues it.
class SessionCounter {
 public:
  static constexpr uint32_t LAST_STEP = 100;  ///< Wh or s; the very last value is followed by none

  void update(uint32_t value);
  bool fell() const { return this->fell_; }
  uint32_t final_value() const;

 protected:
  uint32_t last_{0};  // 0: none, or a new beginning; the next one counts
  uint32_t value_{0};
  bool fell_{false};
};

/// Follows the charging session, because the charger zeroes its values the moment the session ends.
class SessionTracker {
 public:
  /// Bits, because an end and a start may be seen at once.
  enum Event : uint8_t { NOTHING = 0, FINISHED = 1, STARTED = 2 };

  /// What the change of state means. The first state known is no event.
  uint8_t on_state(ChargerState state);
  void on_energy(uint32_t watt_hours) { this->energy_.update(watt_hours); }
  void on_duration(uint32_t seconds) { this->duration_.update(seconds); }
  /// Of the session that has finished last, if one has.
  bool has_last() const { return this->has_last_; }
  uint32_t last_energy() const { return this->last_energy_; }
  uint32_t last_duration() const { return this->last_duration_; }

 protected:
  SessionCounter energy_;
  SessionCounter duration_;
  uint32_t last_energy_{0};
  uint32_t last_duration_{0};
  bool active_{false};
  bool known_{false};  // a state has been seen at all
  bool has_last_{false};
};

/// The lifetime energy counter, kept from falling; a value is believed when the next one continues it, see above.
///
/// The charger stores its counter when a session ends. A restart takes the running session back, and Home Assistant
/// would see a falling meter. Such a fall lands at the stored value or above; any deeper one is a reset by a person.
class LifetimeEnergy {
 public:
  static constexpr uint32_t TOLERANCE_WH = 1000;  // energy and session are not read at the same moment
  static constexpr uint64_t NONE = UINT64_MAX;    // higher than any: the first value is taken as a reset is

  struct Memory {
    uint64_t shown{NONE};  ///< what was last shown
    uint64_t stored{0};    ///< what the charger falls back to
  };

  void restore(const Memory &memory) { this->memory_ = memory; }
  const Memory &memory() const { return this->memory_; }
  /// Takes the charger's total and the energy of its running session, in Wh; memory().shown is what to show.
  void update(uint64_t total, uint32_t session);
  /// A person resets the counter: the next fall is one, unless the charger did not take it.
  void expect_reset(bool expected) { this->reset_expected_ = expected; }

 protected:
  uint64_t last_{NONE};
  Memory memory_;
  bool reset_expected_{false};
};

}  // namespace esphome::esp32evse
