#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "at_value.h"
#include "line_framer.h"

namespace esphome::esp32evse {

class Esp32Evse;

/// How a row's value is kept fresh when the user says nothing else.
enum class Refresh : uint8_t {
  PUSH,      ///< subscribed all the time
  CHARGING,  ///< subscribed while energy flows, slowly otherwise
  SLOW,      ///< subscribed with SLOW_MS
  POLL,      ///< read every poll interval
  ONCE,      ///< read after every start of the charger
  NEVER,     ///< only run or written
};

enum Trait : uint8_t {
  STORED = 1 << 0,        ///< the charger keeps it in flash: never write what it already holds
  LINES = 1 << 1,         ///< answers any number of lines, and subscribing to it hangs the charger
  OTHER_ANSWER = 1 << 2,  ///< the value line's name stands behind the name's NUL
  CLOCK = 1 << 3,         ///< runs by itself: a read-back may be some seconds off
  UNPROVABLE = 1 << 4,    ///< a read-back cannot show what was written
  LIVE = 1 << 5,          ///< a restart of the charger sets it back
};

/// A command of the charger that this configuration uses. The tables are generated, const and in flash.
struct CommandRow {
  const char *name;
  const char *signature;
  void (*follow)(Esp32Evse &hub, const Values &values);  ///< the hub's own interest in the value, or nullptr
  Refresh refresh;
  uint8_t traits;
  uint8_t first_binding;  ///< for the hub
  uint8_t bindings;       ///< for the hub

  bool has(Trait trait) const { return (this->traits & trait) != 0; }
  const char *answer_name() const;
};

/// What the client remembers of a row.
struct RowState {
  uint32_t period{0};  ///< ms, of a subscription that the user chose
  uint32_t wanted{0};  ///< number to be written; else the last one read, of facts the digest of the last answer
  uint16_t stamp{0};   ///< of the last value line; while a write is pending, of the request
  uint16_t flags{0};
};

/// What the diagnostic entities count, in the catalog's order.
enum Counter : uint8_t { ANSWERED, FAILED, TIMED_OUT, RESYNCS, REBOOTS, DISCARDED, COUNTERS };

/// How a wish (a write or a run) ends. Whatever is not HELD differs from what was asked for, and a client has to see
/// it.
enum class WishEnd : uint8_t {
  HELD,        ///< a read-back shows it, or the charger said OK to what no read-back can show
  SATURATED,   ///< held, but what was asked for lay outside the range: the nearest value inside
  REFUSED,     ///< the charger answered ERROR
  DIFFERENT,   ///< the charger took it and shows another value
  UNANSWERED,  ///< sent, but whether it was heard nobody knows
  EXPIRED,     ///< not sent: the charger was silent for too long
  NO_ROOM,     ///< not sent: too many wishes at once
  INVALID,     ///< not sent: the charger could not take it
};

/// How a restart of the charger was noticed.
enum class Restart : uint8_t {
  FIRST_READY,  ///< its first RDY since the node started: not known to be a restart
  READY,        ///< RDY
  MISSED,       ///< its uptime went back
};

class AtClientListener {
 public:
  virtual void on_transmit(const char *data, size_t length) = 0;
  virtual void on_values(uint8_t row, const Values &values) = 0;
  /// The lines of a row with the trait LINES have been given to on_values(); all of them, if `complete`.
  virtual void on_lines_end(uint8_t row, bool complete) = 0;
  /// The charger's firmware answers the command with ERROR. It turns unknown; once it answers, on_values() comes.
  virtual void on_lacking(uint8_t row) = 0;
  /// The wish for this row has ended. Where it is not held, what the charger holds follows by on_values().
  virtual void on_wish_end(uint8_t row, WishEnd end) = 0;
  virtual void on_online(bool online) = 0;
  virtual void on_restart(Restart restart) = 0;
  virtual void on_raw_line(const char *line, size_t length) = 0;
  virtual void on_raw_result(bool success) = 0;
};

/// Speaks the charger's AT protocol: one command in flight, writes proven by read-back, nothing trusted after silence.
///
/// Pure logic: bytes and milliseconds in, calls to the listener out. Every method takes the present time; the clock may
/// wrap around. Row 0 is always UPTIME.
class AtClient {
 public:
  static constexpr uint8_t UPTIME_ROW = 0;
  static constexpr uint32_t SETTLE_MS = 1200;          // the charger must not be written to for 1 s after RDY
  static constexpr uint32_t SETTLED_UPTIME_S = 6;      // older than that, a charger has certainly settled
  static constexpr uint32_t ANSWER_TIMEOUT_MS = 1000;  // the RCM self-test holds up an answer for 0.5 s
  static constexpr uint32_t SLOW_TIMEOUT_MS = 4000;    // Wi-Fi scan, which takes 2 s; raw commands
  static constexpr uint32_t CLEAR_TIMEOUT_MS = 500;    // more with every silent command, 2 s at most
  static constexpr uint32_t QUIET_MS = 40;             // no further result within this: none is left
  static constexpr uint32_t AFTER_ERROR_MS = 20;       // a second ERROR may follow
  static constexpr uint32_t UPTIME_TOLERANCE_S = 5;
  // Nothing may be shown that is older than 5 s: less than that, also when a push is late and the charger rounds up.
  static constexpr uint32_t HEARTBEAT_MS = 4200;
  static constexpr uint32_t EARLY_MS = 256;  // about the charger's loop, in which it pushes
  static constexpr uint32_t SLOW_MS = 4200;
  static constexpr uint32_t STALE_MS = 4700;
  static constexpr uint32_t TICK_MS = 50;
  static constexpr uint32_t WRITE_EXPIRES_MS = 30000;  // a person has given up by then
  static constexpr uint32_t RUN_EXPIRES_MS = 5000;     // an old authorization must not unlock for somebody else
  static constexpr uint32_t REPAIR_DELAY_MS = 1000;
  static constexpr uint32_t HEARD_MS = 1500;  // shorter than any restart
  // Stamps wrap around after 70 minutes; round in binary, which takes less flash.
  static constexpr uint32_t MAX_WATCHED_PERIOD_MS = 655360;
  static constexpr uint8_t SILENT_COMMANDS_OFFLINE = 3;  // not counted further
  static constexpr uint8_t MAX_SENDS = 3;
  static constexpr uint8_t MAX_REFUSALS = 2;
  static constexpr uint8_t TEXT_SLOTS = 2;

  explicit AtClient(AtClientListener *listener) : listener_(listener) {}

  void set_rows(const CommandRow *rows, RowState *states, uint8_t count);
  /// Period of the automatic subscriptions; 0: none.
  void set_push_interval(uint32_t push_ms) { this->push_ms_ = push_ms; }
  void set_poll_interval(uint32_t poll_ms) { this->poll_ms_ = poll_ms; }
  /// After a restart of the charger, write again what it has set back.
  void set_keep_settings() { this->keep_settings_ = true; }
  void start(uint32_t now);
  void receive(const uint8_t *data, size_t length, uint32_t now);
  void loop(uint32_t now);

  /// Queues a write; the newest of several wins.
  void write_number(uint8_t row, uint32_t value, uint32_t now);
  /// The first `provable` bytes of the argument must stand at the start of a read-back. False: no room now.
  bool write_text(uint8_t row, const AtText &argument, uint8_t provable, uint32_t now);
  /// Runs `AT+NAME` once; given up after RUN_EXPIRES_MS, never repeated.
  void run(uint8_t row, uint32_t now);
  /// Sends one raw command that refuse_raw_command() has passed; given up after RUN_EXPIRES_MS. False: no room now.
  bool send_raw(const char *text, size_t length);
  /// `period_ms` 0 stops the subscription.
  void subscribe(uint8_t row, uint32_t period_ms);
  void unsubscribe_all();
  /// Reads every row again.
  void refresh();
  /// Reads again what changes while the charger runs.
  void poll() { this->next_poll_ = this->next_tick_ = this->now_; }
  void set_charging(bool charging);

  bool is_online() const { return this->online_; }
  /// An answer is near: the caller should not sleep long.
  bool is_busy() const {
    return this->state_ == State::READY ? this->task_ != Task::NONE || this->work_ : this->silent_commands_ == 0;
  }
  bool is_pending(uint8_t row) const;
  /// The number that is wished for, if one is; relative steps build on it.
  bool find_wish(uint8_t row, uint32_t *value) const;
  uint8_t row_count() const { return this->row_count_; }
  uint32_t counter(uint8_t counter) const { return this->counters_[counter]; }

 protected:
  using Word = uint32_t;  // for what is used most: the chips' short instructions load and store whole words only

  enum class State : Word {
    SETTLING,   ///< after RDY, silent until deadline_
    CLEARING,   ///< `~` sent: exactly one ERROR answers it, whatever was pending
    CLEARED,    ///< results seen: waiting until no more come
    VERIFYING,  ///< a read that names itself proves that question and answer belong together
    READY,
  };
  /// By urgency: what a person asked for goes first.
  enum class Task : Word {
    NONE,
    SUBSCRIBE,
    UNSUBSCRIBE,
    READ,
    UNSUBSCRIBE_ALL,
    ECHO_OFF,
    RAW,
    VERIFY,
    WRITE,
    RUN,
  };

  /// How a task ends: with the charger's answer, or without one (time-out, restart).
  enum class Outcome : uint8_t { OK, ERROR, SILENCE };

  struct TextSlot {
    uint8_t row{NO_ROW};
    uint8_t length{0};
    uint8_t provable{0};
    char text[AtText::MAX_ARGUMENT + 1];
  };
  static constexpr size_t MAX_COMMAND = 160;
  static constexpr uint8_t NO_ROW = 0xFF;
  static constexpr uint8_t RAW_ROW = 0xFE;

  // lines
  void on_line_(char *line, size_t length);
  void on_value_line_(char *line);
  void on_row_values_(uint8_t row, char *text);
  void on_uptime_(uint32_t uptime);
  void on_result_(bool ok);
  void on_damage_();

  // staying in step
  void set_state_(State state);
  void loop_unsynchronised_();
  void resync_();
  void on_silence_();
  void on_reboot_(bool ready_line);

  // tasks
  void step_();
  void tick_();
  void watch_row_(uint8_t row);
  void start_next_();
  Task row_task_(const CommandRow &command, const RowState &state) const;
  void start_(Task task, uint8_t row);
  uint32_t prepare_(Task task, uint8_t row);
  static WishEnd answered_end(Outcome outcome);
  void finish_(Outcome outcome);
  void finish_read_(uint8_t row, Outcome outcome);
  void finish_write_(uint8_t row, Outcome outcome);
  void finish_verify_(uint8_t row, Outcome outcome);
  void finish_subscription_(uint8_t row, Outcome outcome, bool subscribed);
  void finish_raw_(bool ok);
  void end_request_(uint8_t row, WishEnd end);

  // rows
  RowState &request_write_(uint8_t row);
  uint32_t wanted_period_(const CommandRow &command, const RowState &state) const;
  void change_all_(uint16_t clear, uint16_t set, uint8_t kinds = 0xFF);
  TextSlot *find_slot_(uint8_t row);
  void free_slot_(uint8_t row);

  AtClientListener *listener_;
  const CommandRow *rows_{nullptr};
  RowState *states_{nullptr};
  State state_{State::CLEARING};
  Task task_{Task::NONE};
  Word row_{NO_ROW};
  Word silent_commands_{0};
  Word answered_{false};  // the value line of the command in flight has come; of a list: no line was damaged
  Word safe_{false};      // the charger has certainly started long enough ago to be written to
  Word settled_{false};   // this has been waited for, and nothing was missed since
  Word work_{false};      // a row may have something to do
  Word row_count_{0};
  Word matched_{false};  // the value line shows what was written
  Word hold_{false};     // until deadline_, a second ERROR may follow
  Word echo_off_{true};
  Word entered_{false};  // a listener may call back
  Word online_{false};
  Word automatic_{true};      // subscribe without being asked
  Word renewed_{UPTIME_ROW};  // whose subscription was repeated last
  Word met_{false};           // RDY or an uptime has come: what restarts from now on is no start
  Word uptime_known_{false};
  Word uptime_doubted_{false};  // the last one did not fit: read once more before believing it
  uint32_t now_{0};
  uint32_t deadline_{0};
  uint32_t heard_at_{0};
  uint32_t ready_at_{0};
  uint32_t next_tick_{0};
  uint32_t next_heartbeat_{0};
  uint32_t next_poll_{0};
  uint32_t uptime_{0};
  uint32_t uptime_at_{0};
  uint32_t digest_{0};  // of the value lines of the read in flight
  uint32_t push_ms_{0};
  uint32_t poll_ms_{60000};
  uint16_t raw_stamp_{0};  // of the request of a raw command
  bool charging_{false};
  bool keep_settings_{false};
  bool unsubscribe_all_{false};
  std::array<uint32_t, COUNTERS> counters_{};
  LineFramer framer_;
  std::array<TextSlot, TEXT_SLOTS> slots_;
};

}  // namespace esphome::esp32evse
