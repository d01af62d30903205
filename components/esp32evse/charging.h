#pragma once

#include <cstdint>

namespace esphome::esp32evse {

/// IEC 61851 states in the charger's numbering; 1 = not offering energy, 2 = offering.
enum class ChargerState : uint8_t { A, B1, B2, C1, C2, D1, D2, E, F, UNKNOWN };

constexpr bool is_charging(ChargerState state) { return state == ChargerState::C2 || state == ChargerState::D2; }

/// For an authorization. In E the charger's bit means nothing, and it may come before the state does.
constexpr bool may_wait(ChargerState state) { return state < ChargerState::C1; }
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

/// A counter of the running session. There is no checksum, and digits get lost and doubled: a value is believed when
/// the next one continues it. The very last value is followed by none; it is believed if so much can have come since
/// the one before.
class SessionCounter {
 public:
  static constexpr uint32_t ROUNDING = 10;  ///< Wh or s

  explicit SessionCounter(uint8_t most_per_s) : most_per_s_(most_per_s) {}

  void update(uint32_t value, uint32_t now);
  bool is_known() const { return this->known_; }
  uint32_t latest() const { return this->latest_; }
  /// The counter has begun anew.
  bool fell() const { return this->fell_; }
  /// What the session ended with.
  uint32_t final_value() const {
    return this->is_possible(this->latest_, this->latest_at_) ? this->latest_ : this->value_;
  }
  /// Whether it can have come to `value` by `now`.
  bool is_possible(uint64_t value, uint32_t now) const;
  void restart();

 protected:
  uint32_t latest_{0};  // 0: none, or a new beginning; the next one counts
  uint32_t latest_at_{0};
  uint32_t value_{0};
  uint32_t value_at_{0};
  uint8_t most_per_s_;
  bool known_{false};
  bool fell_{false};
};

/// Follows the charging session, because the charger zeroes its values the moment the session ends. Times in ms.
class SessionTracker {
 public:
  static constexpr uint8_t MOST_WH_PER_S = 14;    ///< three phases with 63 A at 265 V
  static constexpr uint32_t END_WAITS_MS = 3000;  ///< for the total, which tells the energy that no reading caught

  /// Bits, because an end and a start may be seen at once.
  enum Event : uint8_t { NOTHING = 0, FINISHED = 1, STARTED = 2 };

  /// What the change of state means. The first state known is no event.
  uint8_t on_state(ChargerState state, uint32_t now);
  void on_energy(uint32_t watt_hours, uint32_t now) { this->energy_.update(watt_hours, now); }
  void on_duration(uint32_t seconds, uint32_t now) { this->duration_.update(seconds, now); }
  /// The charger's total: what it has stored and the running session. It does not change when a session ends.
  uint8_t on_total(uint64_t watt_hours, uint32_t now);
  /// A session that has ended does not wait for the total for ever.
  uint8_t loop(uint32_t now);
  /// Of the session that has finished last, if one has.
  bool has_last() const { return this->has_last_; }
  uint32_t last_energy() const { return this->last_energy_; }
  uint32_t last_duration() const { return this->last_duration_; }

 protected:
  static constexpr uint64_t NONE = UINT64_MAX;

  uint8_t finish_(uint32_t energy);

  SessionCounter energy_{MOST_WH_PER_S};
  SessionCounter duration_{1};
  uint64_t stored_{NONE};  // Wh, by the charger before this session
  uint32_t ended_at_{0};
  uint32_t last_energy_{0};
  uint32_t last_duration_{0};
  bool known_{false};  // a state has been seen at all
  bool active_{false};
  bool ending_{false};  // over, and its event is still to come
  bool has_last_{false};
};

}  // namespace esphome::esp32evse
