#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "at_value.h"
#include "command_row.h"
#include "kept.h"
#include "line_framer.h"
#include "link.h"
#include "parts.h"
#include "schedule.h"
#include "trust.h"
#include "wishes.h"

namespace esphome::esp32evse {

/// How a restart of the charger was noticed.
enum class Restart : uint8_t {
  FIRST_READY,  ///< RDY before anything else was heard of the charger: a start
  READY,        ///< RDY
  MISSED,       ///< its uptime went back
};

/// What the diagnostic entities count, in the catalog's order.
enum Counter : uint8_t { ANSWERED, FAILED, TIMED_OUT, RESYNCS, REBOOTS, DISCARDED, COUNTERS };

class AtClientListener {
 public:
  virtual void on_transmit(const char *data, size_t length) = 0;
  /// This turn of the loop has taken so long that the charger may have restarted: nothing more is sent in it.
  virtual bool is_late() const { return false; }
  /// `asked`: the user wants to be shown them now; else only the hub wants to know.
  virtual void on_values(uint8_t row, const Values &values, bool asked) = 0;
  /// The lines of a row with the trait LINES have been given to on_values(); all of them, if `complete`.
  virtual void on_lines_end(uint8_t row, bool complete) = 0;
  /// The charger's firmware answers the command with ERROR. It turns unknown; once it answers, on_values() comes.
  virtual void on_lacking(uint8_t row) = 0;
  /// The wish for this row has ended. Where it is not held, what the charger holds follows by on_values().
  virtual void on_wish_end(uint8_t row, WishEnd end) = 0;
  /// A wish waits, because the charger's flash must not be written so often. Said once for each pause.
  virtual void on_held_back(uint8_t row) = 0;
  virtual void on_online(bool online) = 0;
  virtual void on_restart(Restart restart) = 0;
  virtual void on_raw_line(const char *line, size_t length) = 0;
  virtual void on_raw_result(bool success) = 0;
};

/// Speaks the charger's AT protocol: one command in flight, writes proven by read-back, nothing trusted after silence.
///
/// Link says when to speak, Wishes what somebody has asked for, Schedule what is to be asked; this joins them.
/// Pure logic: bytes and milliseconds in, calls to the listener out. Requests only note what is wished; loop() sends.
/// Row 0 is always UPTIME.
class AtClient {
 public:
  static constexpr uint8_t UPTIME_ROW = Schedule::UPTIME_ROW;
  static constexpr uint32_t SLOW_TIMEOUT_MS = 4000;  // Wi-Fi scan, which takes 2 s; raw commands
  static constexpr uint32_t TICK_MS = 50;
  static constexpr size_t MAX_COMMAND = 160;

  explicit AtClient(AtClientListener *listener) : listener_(listener) {}

  void set_rows(const CommandRow *rows, RowState *states, uint8_t count) {
    this->schedule_.set_rows(rows, states, count);
  }
  /// Period of the automatic subscriptions; 0: none.
  void set_push_interval(uint32_t push_ms) { this->schedule_.set_push_interval(push_ms); }
  /// After a restart of the charger, write again what it has set back.
  void set_keep_settings() { this->keep_settings_ = true; }
  uint32_t get_push_interval() const { return this->schedule_.push_interval(); }
  bool is_keeping_settings() const { return this->keep_settings_; }
  void start(uint32_t now);

  /// First thing in every turn of the loop. True: the loop stood still, and what the UART has received is to be
  /// dropped.
  bool wake(uint32_t now);
  void receive(const uint8_t *data, size_t length, uint32_t now);
  /// Last thing in a turn, when all that was received has been handed in.
  void loop(uint32_t now);

  /// Writes in the order of asking, the newest for a row wins. False: no room now.
  bool write_number(uint8_t row, uint32_t value, bool saturated, uint32_t now);
  /// The first `provable` bytes of the argument must stand at the start of a read-back. False: no room now.
  bool write_text(uint8_t row, const AtText &argument, uint8_t provable, uint32_t now);
  /// Runs `AT+NAME` once; never repeated. False: no room now.
  bool run(uint8_t row, uint32_t now);
  /// Sends one raw command that refuse_raw_command() has passed. False: no room now.
  bool send_raw(const char *text, size_t length, uint32_t now);

  /// Reads a row again.
  void read(uint8_t row);
  /// To ask for other reads, and for subscriptions.
  Schedule &schedule() {
    this->work_ = true;
    return this->schedule_;
  }

  bool is_online() const { return this->online_; }
  /// An answer is near: the caller should not sleep long.
  bool is_busy() const {
    return this->command_.task != Task::NONE || this->link_.is_busy() || this->is_ready_to_work_();
  }
  bool is_pending(uint8_t row) const { return this->find_wish(row) != nullptr; }
  /// The write that is wished for this row, or nullptr.
  const Wish *find_wish(uint8_t row) const { return this->wishes_.find(row); }
  /// The user chose the period in which this row's values come.
  bool has_chosen_period(uint8_t row) const { return this->schedule_.state(row).has_chosen_period(); }
  /// Of the charger, in s; Age::UNKNOWN while a restart may have been missed.
  uint32_t uptime() const { return this->link_.uptime(this->now_); }
  uint8_t row_count() const { return this->schedule_.count(); }
  uint32_t counter(uint8_t counter) const;

 protected:
  enum class Task : uint8_t {
    NONE,
    SCHEDULED,  ///< job_ of the schedule
    WISH,       ///< the write, run or raw command of a wish
    WISH_READ,
    KEPT,  ///< the write of a kept setting
    KEPT_READ,
  };

  /// The command in flight.
  struct Command {
    Task task{Task::NONE};
    uint8_t row{NO_ROW};
    Schedule::Job job;
    bool answered{false};  ///< its value line has come; of a list: no line was damaged
    bool matched{false};   ///< the value line shows what is wished
    uint16_t digest{1};    ///< of its value lines
    uint32_t number{0};    ///< the first field of the last one
    uint32_t deadline{0};
  };

  // Inline, here and in the client's parts: called from one place, a function of its own would cost its entry and exit.
  inline bool accept_(uint8_t row);

  // lines
  inline void on_line_(char *line, size_t length);
  inline void on_value_line_(char *line, size_t length);
  void on_row_values_(uint8_t row, char *text);
  inline bool shows_text_(const char *text) const;
  inline bool is_there_(uint8_t row, uint16_t digest);
  inline void on_answer_(const Values &values, bool shows_text);
  inline bool may_tell_(uint8_t row, const Values &values, uint16_t digest);
  bool is_believed_(uint8_t row, uint16_t digest);
  inline void on_result_(bool ok);
  inline void on_ready_line_();
  void on_damage_();
  bool is_raw_() const {
    return SENDS_RAW_COMMANDS && this->command_.task == Task::WISH && this->command_.row == NO_ROW;
  }
  inline bool is_raw_line_(uint8_t row, const char *name);
  inline uint8_t find_row_(const char *name) const;
  bool asks_(uint8_t row) const { return this->command_.row == row && this->command_.task != Task::NONE; }

  // one command at a time
  bool is_ready_to_work_() const { return this->work_ && this->link_.state() >= Link::State::AGEING; }
  void tick_();
  inline void give_up_();
  inline void starve_();
  inline void check_link_();
  void start_next_();
  inline bool start_wish_();
  inline bool start_kept_();
  void start_job_(const Schedule::Job &job);
  inline void send_wish_(const Wish &wish);
  void send_read_(Task task, uint8_t row);
  void begin_(Task task, uint8_t row, uint32_t timeout = Link::ANSWER_TIMEOUT_MS);
  void send_(const char *format, ...) __attribute__((format(printf, 2, 3)));

  // how it ends
  void finish_(Outcome outcome);
  void finish_read_(const Command &command, Outcome outcome);
  void on_answered_(uint8_t row, uint32_t number);
  inline void on_uptime_(uint32_t uptime);
  void resync_();
  inline void finish_list_(const Command &command, bool complete);
  void finish_wish_(Outcome outcome);
  inline bool read_attempt_(Attempt &attempt, const Command &command, Outcome outcome, bool proven);
  void finish_wish_read_(const Command &command, Outcome outcome);
  inline void finish_kept_read_(const Command &command, Outcome outcome);
  void end_wish_(Wish *wish, WishEnd end);
  void on_restart_(Restart restart);

  // The small ones first: they stay within reach of short instructions.
  AtClientListener *listener_;
  uint32_t now_{0};
  uint32_t next_tick_{0};
  bool keep_settings_{false};
  bool met_{false};  // something was heard of the charger: what restarts from now on is no start
  bool online_{false};
  bool in_step_{false};
  bool work_{false};         // there may be something to do
  bool wish_served_{false};  // the last command was a wish's: the schedule is next
  Command command_;
  Schedule schedule_;
  Link link_;
  std::array<uint32_t, COUNTERS> counters_{};
  Doubts doubts_;
  KeptSettings kept_;
  LineFramer framer_;
  Wishes wishes_;
};

}  // namespace esphome::esp32evse
