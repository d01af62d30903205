#pragma once

#include <cstddef>
#include <cstdint>

#include "command_row.h"
#include "parts.h"

namespace esphome::esp32evse {

/// What the schedule remembers of a row.
struct RowState {
  static constexpr uint32_t AUTOMATIC = 0;
  static constexpr uint32_t NO_SUBSCRIPTION = UINT32_MAX;
  static constexpr uint8_t UNWATCHED = 0xFF;
  static constexpr uint8_t LACKING = 7;  ///< so many failures: this firmware does not know the command

#ifdef USE_ESP32EVSE_SUBSCRIPTIONS
  uint32_t period{AUTOMATIC};  ///< ms of the subscription that the user chose
#else
  static constexpr uint32_t period = AUTOMATIC;
#endif
  uint16_t believed{0};  ///< digest of the value that was told last; 0: none
  uint8_t patience{0};   ///< ticks until a subscription that says nothing is taken for lost
  bool due : 1 {false};  ///< to be read
  bool subscribed : 1 {false};
  bool renew : 1 {false};  ///< subscribe again, whether the charger pushes it or not
  bool refused_subscription : 1 {false};
  bool known : 1 {false};    ///< a read was answered since the charger's start: no noise does that
  uint8_t failures : 3 {0};  ///< reads that have failed in a row

  bool is_lacking() const { return this->failures == LACKING; }
  bool has_chosen_period() const { return this->period != AUTOMATIC && this->period != NO_SUBSCRIPTION; }
  void choose([[maybe_unused]] uint32_t period_ms) {
#ifdef USE_ESP32EVSE_SUBSCRIPTIONS
    this->period = period_ms;
#endif
  }
};

/// What to ask the charger next: what is due, the subscriptions, the heartbeat, and how long not to ask in vain.
class Schedule {
 public:
  static constexpr uint8_t UPTIME_ROW = 0;
  static constexpr uint32_t TICK_MS = 50;  // of the client
  // Nothing may be shown that is older than 5 s: less than that, also when a push is late and the charger rounds up.
  static constexpr uint32_t HEARTBEAT_MS = 4200;
  static constexpr uint32_t SLOW_MS = 4200;
  static constexpr uint32_t STALE_MS = 4700;
  static constexpr uint32_t EARLY_MS = 256;          // about the charger's loop, in which it pushes
  static constexpr uint32_t LACKING_MS = 600000;     // until what the firmware lacks is asked again
  static constexpr uint32_t REPAIR_DELAY_MS = 1000;  // until what was lost with a line is read again

  struct Job {
    enum class Kind : uint8_t {
      NONE,
      ECHO_OFF,
      UNSUBSCRIBE_ALL,
      READ,
      LOOK,  ///< a read for the hub alone: the user is shown the row's values less often
      UNSUBSCRIBE,
      SUBSCRIBE,
    };
    Kind kind{Kind::NONE};
    uint8_t row{NO_ROW};

    bool is_read() const { return this->kind == Kind::READ || this->kind == Kind::LOOK; }
  };
  /// What a read that has failed means.
  enum class Verdict : uint8_t {
    FINE,
    AGAIN,    ///< it may have been noise
    LACKING,  ///< the firmware does not know the command, or answers in a form that is not known here; said once
  };

  void set_rows(const CommandRow *rows, RowState *states, uint8_t count);
  void set_push_interval(uint32_t push_ms) { this->push_ms_ = push_ms; }
  uint32_t push_interval() const { return this->push_ms_; }
  void start(uint32_t now);
  /// `heard`: a line came just now. The charger pushes a loop's time after a command: one right behind a push delays
  /// nothing. True: there may be something to do.
  bool tick(uint32_t now, bool heard);
  /// The most urgent thing.
  Job next() const;
  uint32_t period_of(uint8_t row) const;

  /// `period_ms` 0 stops the subscription.
  void subscribe(uint8_t row, uint32_t period_ms);
  void unsubscribe_all();
  void set_charging(bool charging);
  /// Reads a row again.
  void read(uint8_t row);
  /// Reads every row again, or what changes while the charger runs; ESPHome's poller asks for that.
  void refresh();
  void poll();
  /// A line was lost: it may have been a value that nobody will repeat soon.
  void repair(uint32_t now);
  void switch_echo_off() { this->echo_ = true; }

  void on_restart();
  /// The charger was deaf, or nobody has listened: what was not heard meanwhile is not lost.
  void be_patient();
  void on_value(uint8_t row);
  void begin(const Job &job);
  Verdict finish_read(uint8_t row, bool answered, bool careful);
  void finish_other(const Job &job, Outcome outcome);

  uint8_t count() const { return this->count_; }
  const CommandRow &row(uint8_t row) const { return this->rows_[row]; }
  RowState &state(uint8_t row) { return this->states_[row]; }
  const RowState &state(uint8_t row) const { return this->states_[row]; }

 protected:
  static constexpr uint8_t MAX_UNSUBSCRIBES = 3;
  static constexpr uint8_t DOUBTED = 1;  // failures
  static constexpr uint8_t LOOK_CHARGING_TICKS = 1000 / TICK_MS;
  static constexpr uint8_t LOOK_IDLE_TICKS = 4000 / TICK_MS;

  inline bool needs_look_(uint8_t row) const;
  inline bool needs_subscription_change_(uint8_t row) const;
  uint8_t patience_for_(uint8_t row) const;
  inline void heartbeat_(uint32_t now);
  inline bool miss_();

  const CommandRow *rows_{nullptr};
  RowState *states_{nullptr};
  uint8_t count_{0};
  uint8_t renewed_{UPTIME_ROW};  // whose subscription was repeated last
  uint8_t watched_{0};           // the next row to look at
  uint8_t look_ticks_{0};        // until all are looked at once more
  uint8_t unsubscribes_{0};      // how often all subscriptions may still be told to stop
  bool echo_{true};              // it may be on
  bool automatic_{true};         // subscribe without being asked
  bool charging_{false};
  bool repairs_{false};  // at repair_at_
  uint32_t next_heartbeat_{0};
  uint32_t repair_at_{0};
  uint32_t next_lacking_{0};
  uint32_t push_ms_{0};
};

}  // namespace esphome::esp32evse
