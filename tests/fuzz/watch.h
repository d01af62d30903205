#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "at_client.h"
#include "charger.h"
#include "reference.h"
#include "rows.h"
#include "script.h"
#include "watch_link.h"

namespace fuzz {

/// Sees all that goes over the line and all that is asked for, and says what the client must never do.
///
/// It knows only the contract, not how the client works: what a line means it finds with reference.h, when the client
/// may speak says watch_link.h, and the numbers are those of tools/soak/oracle/contract.py.
class Watch {
 public:
  static constexpr uint32_t WRITE_ENDS_MS = WISH_EXPIRES_MS + 3000;
  static constexpr uint32_t RUN_WAITS_MS = RUN_EXPIRES_MS + 200;  // and the same command may have been in flight before
  static constexpr uint32_t RUN_ENDS_MS = 28000;
  static constexpr uint32_t LACKING_MS = 600000;
  static constexpr uint32_t STARVED_MS = 700;
  static constexpr uint32_t RAW_TIMEOUT_MS = 4000;

  Watch(const std::vector<const Row *> &rows, uint32_t now, bool keeps_settings)
      : rows_(rows), states_(rows.size()), link_(now), started_at_(now), keeps_settings_(keeps_settings) {}

  // --- what is asked for ----------------------------------------------------------------------------------------------

  /// A write: `provable` bytes of the argument can be read back; without, it is a number.
  void wish(uint8_t row, std::string_view argument, std::optional<size_t> provable, uint32_t now) {
    State &state = this->states_[row];
    const Wish wish = this->merged_(state, argument, provable, now);
    if (state.wish && state.wish->argument == wish.argument && !wish.provable) {
      state.wish->time = now;  // the same once more: one write serves both
      return;
    }
    state.wish = wish;
    state.shown_since_read = false;
    state.held = false;
  }
  void wish_run(uint8_t row, uint32_t now) {
    State &state = this->states_[row];
    state.run_wanted = state.run_waits = true;
    state.run_at = now;
  }
  void wish_raw(std::string_view text, uint32_t now) {
    this->raws_.push_back({std::string(text), now});
    this->raw_waits_++;
  }
  void wish_refresh() { this->refreshes_++; }
  void wish_unsubscribe() { this->unsubscribe_asked_ = true; }

  // --- the line -------------------------------------------------------------------------------------------------------

  void on_transmit(std::string_view data, uint32_t now);
  void on_receive(std::string_view piece, uint32_t now);
  /// What the charger has sent while the loop stood still is dropped.
  void on_drop() {
    this->link_.lose();
    this->framer_ = {};
    this->drops_ = true;
  }
  /// Bytes come that the charger has not sent: what it holds proves nothing any more.
  void on_forgery() { this->honest_ = false; }

  // --- what the client says -------------------------------------------------------------------------------------------

  void on_values(uint8_t row, const esphome::esp32evse::Values &values);
  void on_unsupported(uint8_t row) {
    require(!std::exchange(this->states_[row].unsupported, true), "unsupported is said twice");
  }
  void on_done(uint8_t row, esphome::esp32evse::WishEnd end);
  void on_online(bool online) {
    require(!online || !this->online_, "online twice");
    this->online_ = online;
  }
  void on_reboot();
  void on_raw_line(std::string_view line) {
    require(this->raw_in_flight_ && this->line_ == line, "a line of a raw command that was not one");
  }
  void on_raw_result(uint32_t now) {
    require(this->raw_waits_-- > 0, "nobody waits for this result");
    if (!this->link_.in_flight() || now - this->raw_sent_at_ >= RAW_TIMEOUT_MS)
      this->raw_in_flight_ = false;  // else another one was given up
    this->wish_refresh();
  }

  // --- at any time ----------------------------------------------------------------------------------------------------

  void check_charger(const Charger &charger) const {
    if (this->honest_ && charger.damage() != nullptr)
      fail(charger.damage());
  }
  void check_requests(uint32_t now) const;
  /// A request has not ended yet.
  bool is_waiting() const;
  void check_shown(uint8_t row, const Charger &charger) const;
  bool is_online() const { return this->online_; }
  uint32_t sent() const { return this->sent_; }

 private:
  struct Wish {
    std::string argument;
    std::optional<size_t> provable;
    uint32_t time;
    uint32_t since;  // of the first of those that it has replaced
    uint8_t sends{0};
    bool acknowledged{false};
  };
  struct State {
    std::optional<Wish> wish;
    std::string shown;              // what the client has told last
    std::string heard;              // of a setting that is kept
    uint32_t times{0};              // in a row
    std::vector<std::string> kept;  // values that may be put back after a restart: heard three times, or proven
    bool may_restore{false};
    std::optional<std::string> failed;  // the last wish of which nobody knows whether the charger holds it
    std::string read;                   // what the last read has shown
    bool unsupported{false};
    bool shown_since_read{false};  // the wish's value, in answer to the read in flight
    bool held{false};              // and that read has ended
    bool run_wanted{false};        // to be sent
    bool run_waits{false};         // for its end
    bool run_in_flight{false};
    uint32_t run_at{0};
    uint32_t vain_reads{0};
    uint32_t lines{0};  // heard of it: each is a reason to ask whether the firmware has it
  };

  struct Raw {
    std::string text;
    uint32_t time;
  };

  static Wish merged_(const State &state, std::string_view argument, std::optional<size_t> provable, uint32_t now);
  void on_line_(const ReferenceFramer::Line &line, uint32_t now);
  void on_result_(bool ok, uint32_t now);
  void on_value_line_(std::string_view name, std::string_view text);
  void check_command_(std::string_view command, uint32_t now);
  void check_read_(std::string_view name);
  void check_run_(std::string_view name, uint32_t now);
  void check_subscription_(std::string_view argument, bool on);
  void check_write_(uint8_t row, std::string_view argument);
  uint8_t row_of_(std::string_view name) const;
  static void keep_(State &state, std::string value);
  bool fulfils_(const Row &row, const Wish &wish, std::string_view text, const ReferenceFields &fields) const;

  const std::vector<const Row *> &rows_;
  std::vector<State> states_;
  LinkWatch link_;
  ReferenceFramer framer_;
  std::string line_;                            // the last one received
  std::optional<ReferenceFields> line_fields_;  // if it was a value
  uint8_t line_row_{0xFF};
  std::vector<Raw> raws_;  // to be sent
  uint32_t raw_sent_at_{0};
  uint32_t now_{0};
  uint32_t started_at_;
  uint32_t refreshes_{0};
  uint32_t sent_{0};
  uint8_t read_row_{0xFF};   // the command in flight reads this
  uint8_t write_row_{0xFF};  // or writes this
  bool raw_in_flight_{false};
  bool drops_{false};  // up to the next line end
  int raw_waits_{0};
  bool online_{false};
  bool honest_{true};
  bool unsubscribe_asked_{true};  // those of an earlier life
  bool keeps_settings_;
};

// --- out --------------------------------------------------------------------------------------------------------------

inline void Watch::on_transmit(std::string_view data, uint32_t now) {
  this->sent_++;
  this->now_ = now;
  this->read_row_ = this->write_row_ = 0xFF;
  this->raw_in_flight_ = false;
  if (this->link_.on_transmit(data, now))
    this->check_command_(data.substr(0, data.size() - 1), now);
}

inline void Watch::check_command_(std::string_view command, uint32_t now) {
  const auto raw = std::find_if(this->raws_.begin(), this->raws_.end(), [&](const Raw &each) {
    return command == each.text && now - each.time <= RUN_WAITS_MS;
  });
  if (raw != this->raws_.end()) {
    this->raw_in_flight_ = true;
    this->raw_sent_at_ = now;
    this->raws_.erase(this->raws_.begin(), raw + 1);  // those before it were given up
    return;
  }
  if (command == "ATE0")
    return;
  require(command.starts_with("AT+"), "not a command of this client");
  const std::string_view text = command.substr(3);
  const size_t mark = std::min(text.find_first_of("=?"), text.size());
  const std::string_view name = text.substr(0, mark), form = text.substr(mark);
  if (form.empty())
    this->check_run_(name, now);
  else if (form == "?")
    this->check_read_(name);
  else if (name == "SUB" || name == "UNSUB")
    this->check_subscription_(form.substr(1), name == "SUB");
  else
    this->check_write_(this->row_of_(name), form.substr(1));
}

inline uint8_t Watch::row_of_(std::string_view name) const {
  for (size_t row = 0; row < this->rows_.size(); row++) {
    if (name == this->rows_[row]->name)
      return static_cast<uint8_t>(row);
  }
  fail("a command that is not configured");
}

inline void Watch::check_read_(std::string_view name) {
  const uint8_t row = this->row_of_(name);
  State &state = this->states_[row];
  require(this->rows_[row]->readable, "a read of what cannot be read");
  const uint32_t reasons = 2 + state.lines + (this->now_ - this->started_at_) / LACKING_MS;
  if (state.unsupported && !state.wish && !state.may_restore)
    require(++state.vain_reads <= reasons, "what the firmware lacks is asked again and again");
  this->read_row_ = row;
  state.shown_since_read = state.held = false;
}

inline void Watch::check_run_(std::string_view name, uint32_t now) {
  const uint8_t row = this->row_of_(name);
  State &state = this->states_[row];
  require(this->rows_[row]->runnable && std::exchange(state.run_wanted, false),
          "a run that nobody asked for, or again");
  state.run_in_flight = true;
  const uint32_t before = (this->rows_[row]->traits & esphome::esp32evse::LINES) != 0 ? 11000 : 1000;
  require(now - state.run_at <= RUN_WAITS_MS + before, "a run long after it was asked for");
}

inline void Watch::check_subscription_(std::string_view argument, bool on) {
  if (!on && argument == "\"\"") {
    require(this->unsubscribe_asked_, "all subscriptions are stopped, nobody asked");
    return;
  }
  const auto fields = parse_reference(argument, on ? "sI" : "s");
  require(fields &&
              quoted((*fields)[0].text).size() + (on ? 1 + std::to_string((*fields)[1].number).size() : 0) ==
                  argument.size() &&
              (*fields)[0].text.starts_with('+'),
          "a malformed subscription");
  const Row &row = *this->rows_[this->row_of_((*fields)[0].text.substr(1))];
  require(row.readable && (row.traits & esphome::esp32evse::LINES) == 0, "a subscription that hangs the charger");
  require(!on || ((*fields)[1].number >= SHORTEST_PERIOD_MS && (*fields)[1].number <= 42949671),
          "a period that the charger mistakes");
}

inline void Watch::check_write_(uint8_t row, std::string_view argument) {
  State &state = this->states_[row];
  const Row &meant = *this->rows_[row];
  require(meant.writable, "a write of what cannot be written");
  this->write_row_ = row;
  if (!state.wish) {
    const bool known = std::find(state.kept.begin(), state.kept.end(), argument) != state.kept.end();
    require(state.may_restore && known, "a write that nobody asked for");
    require(state.failed != state.read, "a kept setting undoes a newer wish that the charger holds after all");
    return;
  }
  Wish &wish = *state.wish;
  const bool clock = (meant.traits & esphome::esp32evse::CLOCK) != 0;
  if (!clock && wish.provable && argument != wish.argument) {
    // An older firmware shows fewer fields: the others are left out.
    require(wish.argument.starts_with(argument) && wish.argument[argument.size()] == ',', "not the newest wish");
    wish.argument = argument;
    wish.provable = std::min(*wish.provable, argument.size());
  }
  require(clock || argument == wish.argument, "not the newest wish is written");
  require(++wish.sends <= MAX_SENDS, "written too often");
  const bool hides = wish.provable && *wish.provable < wish.argument.size();
  const bool flash =
      (meant.traits & (esphome::esp32evse::STORED | esphome::esp32evse::UNPROVABLE)) == esphome::esp32evse::STORED;
  require(!flash || hides || !state.held, "written to flash, though the charger holds it");
  wish.acknowledged = false;
}

// --- in ---------------------------------------------------------------------------------------------------------------

inline void Watch::on_receive(std::string_view piece, uint32_t now) {
  this->line_row_ = 0xFF;
  if (this->drops_) {
    this->drops_ = piece.find_first_of("\r\n") == std::string_view::npos;
    return;
  }
  if (const auto line = this->framer_.feed(piece))
    this->on_line_(*line, now);
}

inline void Watch::on_line_(const ReferenceFramer::Line &line, uint32_t now) {
  this->now_ = now;
  this->line_ = line.text;
  const std::string_view text = this->line_;
  const size_t equals = text.find('=');
  if (line.damaged) {
    this->link_.on_other();
  } else if (text == "OK" || text == "ERROR") {
    this->on_result_(text == "OK", now);
  } else if (text == "RDY") {
    this->link_.on_ready(now);
  } else if (text[0] == '+' && equals != std::string_view::npos) {
    this->link_.on_value(text.substr(1, equals - 1), now);
    this->on_value_line_(text.substr(1, equals - 1), text.substr(equals + 1));
  } else if (text[0] != '~' && !text.starts_with("AT")) {
    this->link_.on_other();
  }
}

inline void Watch::on_result_(bool ok, uint32_t now) {
  if (!this->link_.on_result(ok, now))
    return;
  if (this->read_row_ != 0xFF)
    this->states_[this->read_row_].held = this->states_[this->read_row_].shown_since_read;
  if (this->write_row_ != 0xFF && this->states_[this->write_row_].wish)
    this->states_[this->write_row_].wish->acknowledged = ok && this->states_[this->write_row_].wish->sends > 0;
}

inline void Watch::on_value_line_(std::string_view name, std::string_view text) {
  for (size_t row = 0; row < this->rows_.size(); row++) {
    const Row &meant = *this->rows_[row];
    if (name != meant.answer && name != meant.name)
      continue;
    const bool ignored = meant.refresh >= esphome::esp32evse::Refresh::ONCE;  // while in step it does not matter
    this->line_fields_ = parse_reference(text, meant.signature);
    if (!this->line_fields_) {
      if (!ignored)
        this->link_.on_other();
      return;
    }
    this->line_row_ = static_cast<uint8_t>(row);
    if (row == UPTIME)
      this->link_.on_uptime();
    State &state = this->states_[row];
    state.lines += state.unsupported ? 1 : 0;
    if (state.wish && state.lines >= 2) {  // the firmware has it after all, though nothing is shown beside a wish
      state.unsupported = false;
      state.lines = state.vain_reads = 0;
    }
    if (state.wish && this->read_row_ == row && this->link_.in_flight())
      state.shown_since_read = this->fulfils_(meant, *state.wish, text, *this->line_fields_);
    if (this->keeps_settings_ && (meant.traits & esphome::esp32evse::LIVE) != 0) {
      const std::string value = std::to_string((*this->line_fields_)[0].number);  // `00` is written as `0`
      if (this->link_.in_flight() && this->read_row_ == row)
        state.read = value;
      if (state.failed == value)
        state.kept.push_back(value);
      this->keep_(state, value);
    }
    return;
  }
}

/// Noise comes once, or the same twice.
inline void Watch::keep_(State &state, std::string value) {
  state.times = state.heard == value ? state.times + 1 : 1;
  if (state.times >= 3)
    state.kept.push_back(value);
  state.heard = std::move(value);
}

inline size_t fields_end(std::string_view text, size_t count) {
  bool quoted = false;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == '\\')
      i++;
    else if (text[i] == '"')
      quoted = !quoted;
    else if (text[i] == ',' && !quoted && --count == 0)
      return i;
  }
  return text.size();
}

/// A newer wish takes an older one's place, field by field.
inline Watch::Wish Watch::merged_(const State &state, std::string_view argument, std::optional<size_t> provable,
                                  uint32_t now) {
  Wish wish{std::string(argument), provable, now, state.wish ? state.wish->since : now};
  if (!state.wish || !state.wish->provable)
    return wish;
  const Wish &old = *state.wish;
  size_t count = 1;
  while (fields_end(argument, count) < argument.size())
    count++;
  const size_t end = fields_end(old.argument, count);
  if (!provable)
    wish.provable = *old.provable + argument.size() - end;
  else if (*provable == argument.size() && *old.provable == old.argument.size())
    wish.provable = argument.size() + old.argument.size() - end;
  wish.argument += old.argument.substr(end);
  return wish;
}

/// Whether a value line shows what was wished for.
inline bool Watch::fulfils_(const Row &row, const Wish &wish, std::string_view text,
                            const ReferenceFields &fields) const {
  if (wish.provable) {
    const std::string_view proven = std::string_view(wish.argument).substr(0, *wish.provable);
    const std::string_view behind = text.substr(std::min(proven.size(), text.size()));
    return text.starts_with(proven) && (behind.empty() || behind.starts_with(','));
  }
  const auto off = static_cast<int64_t>(fields[0].number - std::stoull(wish.argument));
  const int64_t tolerance = (row.traits & esphome::esp32evse::CLOCK) != 0 ? 4 + (this->now_ - wish.time) / 1000 : 0;
  return off >= -tolerance && off <= tolerance;
}

// --- what the client says ---------------------------------------------------------------------------------------------

inline void Watch::on_values(uint8_t row, const esphome::esp32evse::Values &values) {
  require(this->line_row_ == row && values.size() == this->line_fields_->size(), "a value that was not on the line");
  for (size_t i = 0; i < values.size(); i++) {
    const ReferenceField &field = (*this->line_fields_)[i];
    const bool same = field.is_text ? field.text == std::string_view(values[i].text, values[i].length)
                                    : values[i].text == nullptr && field.number == values[i].number;
    require(same, "not the value that was on the line");
  }
  State &state = this->states_[row];
  const bool starved = state.wish && this->now_ - state.wish->since > STARVED_MS;
  require(!state.wish || state.shown_since_read || starved, "another value is told while a write is pending");
  state.unsupported = false;
  state.shown = this->line_.substr(this->line_.find('=') + 1);
}

inline void Watch::on_done(uint8_t row, esphome::esp32evse::WishEnd end) {
  using esphome::esp32evse::WishEnd;
  const bool success = end == WishEnd::HELD || end == WishEnd::SATURATED;
  State &state = this->states_[row];
  if (state.run_waits) {
    if (!std::exchange(state.run_in_flight, false))
      state.run_wanted = false;          // given up
    state.run_waits = state.run_wanted;  // asked for once more meanwhile
    return;
  }
  require(state.wish || state.may_restore, "nobody waits for this");
  const std::optional<Wish> wish = std::exchange(state.wish, std::nullopt);
  state.failed.reset();
  if (!wish || success)
    state.may_restore = false;
  else if (end == WishEnd::UNANSWERED || end == WishEnd::DIFFERENT)
    state.failed = wish->argument;
  if (!wish || !success)
    return;
  const Row &meant = *this->rows_[row];
  if ((meant.traits & esphome::esp32evse::UNPROVABLE) != 0) {
    require(wish->acknowledged || state.held, "done, without an OK");
    return;
  }
  require(state.held, "done, but no read-back has shown it");
  require(!wish->provable || *wish->provable == wish->argument.size() || wish->acknowledged,
          "done, but nothing tells whether the part was taken that cannot be read");
  if (this->keeps_settings_)
    state.kept.push_back(wish->argument);
}

inline void Watch::on_reboot() {
  for (size_t row = 0; row < this->rows_.size(); row++) {
    State &state = this->states_[row];
    state.unsupported = false;
    state.heard.clear();
    state.failed.reset();
    state.may_restore |= this->keeps_settings_ && (this->rows_[row]->traits & esphome::esp32evse::LIVE) != 0;
  }
}

// --- at any time ------------------------------------------------------------------------------------------------------

inline void Watch::check_requests(uint32_t now) const {
  for (const State &state : this->states_) {
    require(!state.wish || now - state.wish->time <= WRITE_ENDS_MS, "a write has no end");
    require(!state.run_waits || now - state.run_at <= RUN_ENDS_MS, "a run has no end");
  }
}

inline bool Watch::is_waiting() const {
  if (this->raw_waits_ > 0)
    return true;
  return std::any_of(this->states_.begin(), this->states_.end(),
                     [](const State &state) { return state.wish || state.run_waits; });
}

/// The client must have told what the charger holds.
inline void Watch::check_shown(uint8_t row, const Charger &charger) const {
  const Row &meant = *this->rows_[row];
  const State &state = this->states_[row];
  const bool known = meant.readable && (meant.traits & (esphome::esp32evse::LINES | esphome::esp32evse::CLOCK)) == 0;
  if (!known || state.unsupported || row == UPTIME)
    return;
  const auto held = find_row(meant.name);
  require(held.has_value(), "a row that the charger does not know");
  if (charger.lacks(*held))
    return;
  if (state.shown != charger.value(*held)) {
    fprintf(stderr, "%s: shown %s, held %s\n", meant.name, state.shown.c_str(), charger.value(*held).c_str());
    fail("another value than the charger's is shown");
  }
}

}  // namespace fuzz
