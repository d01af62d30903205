#pragma once

#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "at_client.h"
#include "rows.h"
#include "reference.h"

namespace fuzz {

/// Spoils the answer to the next command.
enum class Fault : uint8_t {
  NONE,
  LOSE_ANSWER,
  LOSE_VALUE,
  LOSE_RESULT,
  LATE,
  REFUSE,  ///< ERROR, and nothing is applied
  APPLY_AND_REFUSE,
  DOUBLE_ERROR,
  NOISE,  ///< a control byte in the value line, or the result
  LOSE_COMMAND,
  CUT_COMMAND,  ///< one byte of the command is lost
  COUNT,
};

/// A charger that is just big enough to answer everything as the protocol says, until the fuzzer spoils something.
class Charger {
 public:
  static constexpr uint32_t ANSWER_MS = 2;
  static constexpr uint32_t BOOT_MS = 2000;
  static constexpr uint32_t RESTART_DELAY_MS = 5000;
  static constexpr uint32_t SCAN_MS = 2000;
  static constexpr uint32_t PUSH_MS = 260;
  static constexpr size_t MOST_INPUT = 400;
  static constexpr size_t MOST_LINE = 128;

  explicit Charger(uint32_t now) : now_(now), booted_at_(now - 3600000), busy_until_(now), next_push_(now) {
    for (size_t row = 0; row < ROW_COUNT; row++)
      this->values_[row] = ROWS[row].samples[0];
  }

  /// Bytes from the client.
  void receive(std::string_view data);
  /// Goes on to `now`; what it sends then.
  std::string advance(uint32_t now);

  void spoil(Fault fault, uint8_t parameter) {
    this->fault_ = fault;
    this->parameter_ = parameter;
  }
  void hang(uint32_t duration) { this->busy_until_ = this->now_ + duration; }
  void restart(bool silent);
  void set_value(size_t row, std::string value) { this->values_[row] = std::move(value); }
  /// The firmware lacks every command whose row, divided by 8, leaves this; but never what shows that it lives.
  void lack(uint8_t remainder) { this->lacking_ = remainder; }
  bool lacks(size_t row) const {
    return row != UPTIME && row % 8 == this->lacking_ && std::string_view(ROWS[row].name) != "VER";
  }
  void set_echo() { this->echo_ = true; }
  void heal() { this->spoil(Fault::NONE, 0); }

  bool is_up() const { return this->up_ && !this->restart_pending_ && !this->is_busy_(); }
  /// What a value line shows now, behind its `=`.
  std::string value(size_t row) const;
  /// Milliseconds since RDY was, or should have been, sent.
  uint32_t age() const { return this->up_ ? this->now_ - this->booted_at_ : 0; }
  /// A write came before the charger could bear one.
  const char *damage() const { return this->damage_; }

 private:
  struct Output {
    uint32_t time;
    std::string bytes;
  };
  struct Subscription {
    uint32_t period{0};
    uint32_t due{0};
    bool active{false};
  };

  bool is_busy_() const { return static_cast<int32_t>(this->busy_until_ - this->now_) > 0; }
  void execute_(std::string line);
  bool execute_form_(std::string_view line, std::vector<std::string> *lines);
  bool write_(size_t row, std::string_view argument);
  bool subscribe_(std::string_view argument);
  bool unsubscribe_(std::string_view argument);
  void answer_(std::vector<std::string> lines, bool ok);
  void push_();
  void send_(std::string bytes, uint32_t delay = 0) { this->output_.push_back({this->now_ + delay, std::move(bytes)}); }
  std::string line_(size_t row) const { return std::string("+") + ROWS[row].answer + "=" + this->value(row); }

  std::array<std::string, ROW_COUNT> values_;
  std::array<Subscription, ROW_COUNT> subscriptions_{};
  std::vector<Output> output_;
  std::string input_;
  uint32_t now_;
  uint32_t booted_at_;
  uint32_t busy_until_;
  uint32_t next_push_;
  uint32_t restart_at_{0};
  const char *damage_{nullptr};
  uint8_t parameter_{0};
  uint8_t lacking_{0xFF};
  Fault fault_{Fault::NONE};
  bool up_{true};
  bool silent_boot_{false};
  bool restart_pending_{false};
  bool echo_{false};
};

/// The row whose name is the text; whole names only, as the client sends them.
inline std::optional<size_t> find_row(std::string_view name) {
  for (size_t row = 0; row < ROW_COUNT; row++) {
    if (name == ROWS[row].name)
      return row;
  }
  return std::nullopt;
}

inline void Charger::restart(bool silent) {
  this->up_ = this->restart_pending_ = this->echo_ = false;
  this->silent_boot_ = silent;
  this->booted_at_ = this->now_ + BOOT_MS;
  this->subscriptions_ = {};
  this->output_.clear();
  this->input_.clear();
}

inline void Charger::receive(std::string_view data) {
  if (!this->up_)
    return;
  std::string bytes(data);
  if (this->fault_ == Fault::LOSE_COMMAND || this->fault_ == Fault::CUT_COMMAND) {
    const bool cut = std::exchange(this->fault_, Fault::NONE) == Fault::CUT_COMMAND;
    bytes.erase(cut ? this->parameter_ % bytes.size() : 0, cut ? 1 : std::string::npos);
  }
  if (this->echo_)
    this->send_(bytes);
  this->input_ += bytes;
  if (this->input_.size() > MOST_INPUT)
    this->input_ = "spoiled";
}

inline std::string Charger::advance(uint32_t now) {
  this->now_ = now;
  if (this->restart_pending_ && static_cast<int32_t>(now - this->restart_at_) >= 0)
    this->restart(false);
  if (!this->up_ && static_cast<int32_t>(now - this->booted_at_) >= 0) {
    this->up_ = true;
    this->booted_at_ = this->busy_until_ = now;
    for (size_t row = 0; row < ROW_COUNT; row++) {
      if ((ROWS[row].traits & esphome::esp32evse::LIVE) != 0)
        this->values_[row] = ROWS[row].samples[0];
    }
    if (!this->silent_boot_)
      this->send_(std::string("\n\nRDY\n\0", 7));
  }
  if (this->up_ && !this->is_busy_()) {
    for (size_t end; !this->is_busy_() && (end = this->input_.find_first_of("\r\n")) != std::string::npos;) {
      std::string line = this->input_.substr(0, end);
      this->input_.erase(0, end + 1);
      if (!line.empty())
        this->execute_(std::move(line));
    }
    this->push_();
  }
  std::string sent;
  if (this->output_.empty())
    return sent;
  std::erase_if(this->output_, [&](const Output &output) {
    if (static_cast<int32_t>(now - output.time) < 0)
      return false;
    sent += output.bytes;
    return true;
  });
  return sent;
}

inline std::string Charger::value(size_t row) const {
  if (row == UPTIME)
    return std::to_string((this->now_ - this->booted_at_) / 1000);
  return this->values_[row];
}

inline void Charger::execute_(std::string line) {
  const Fault fault = this->fault_;
  std::vector<std::string> lines;
  bool ok = false;
  for (size_t i = 0; i < line.size() && line[i] != '='; i++)
    line[i] = static_cast<char>(line[i] >= 'a' && line[i] <= 'z' ? line[i] - 32 : line[i]);
  if (fault != Fault::REFUSE)
    ok = this->execute_form_(line, &lines);
  this->answer_(std::move(lines), ok && fault != Fault::APPLY_AND_REFUSE && fault != Fault::DOUBLE_ERROR);
}

/// Whether it is answered with OK.
inline bool Charger::execute_form_(std::string_view line, std::vector<std::string> *lines) {
  if (line == "AT" || line == "ATE0" || line == "ATE1") {
    this->echo_ = line == "ATE1" || (this->echo_ && line == "AT");
    return true;
  }
  if (!line.starts_with("AT+"))
    return false;
  line.remove_prefix(3);
  const size_t end = std::min(line.find_first_of("=?"), line.size());
  const std::string_view form = line.substr(end), name = line.substr(0, end);
  if (name == "SUB" || name == "UNSUB")
    return form.starts_with('=') &&
           (name == "SUB" ? this->subscribe_(form.substr(1)) : this->unsubscribe_(form.substr(1)));
  const auto row = find_row(name);
  if (!row || this->lacks(*row))
    return false;
  if (form.starts_with('='))
    return ROWS[*row].writable && this->write_(*row, form.substr(1));
  const bool scans = form.empty() && ROWS[*row].runnable && (ROWS[*row].traits & esphome::esp32evse::LINES) != 0;
  const bool reads = form == "?" && ROWS[*row].readable;
  if (reads || scans) {
    const bool list = (ROWS[*row].traits & esphome::esp32evse::LINES) != 0;
    for (size_t count = list ? this->parameter_ % 4 : 1; count > 0; count--)
      lines->push_back(this->line_(*row));
  }
  if (scans)
    this->hang(SCAN_MS);
  if (name == "RST" && form.empty()) {
    this->restart_pending_ = true;
    this->restart_at_ = this->now_ + RESTART_DELAY_MS;
  }
  return reads || (form.empty() && ROWS[*row].runnable);
}

/// The argument cut at the commas between its fields.
inline std::vector<std::string> fields_of(std::string_view text) {
  std::vector<std::string> fields{""};
  bool quoted = false;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == '"')
      quoted = !quoted;
    if (text[i] == ',' && !quoted) {
      fields.emplace_back();
      continue;
    }
    fields.back() += text[i];
    if (text[i] == '\\' && i + 1 < text.size())
      fields.back() += text[++i];
  }
  return fields;
}

inline bool Charger::write_(size_t row, std::string_view argument) {
  if (this->age() < 60)
    this->damage_ = "written to while it starts";
  std::string signature = ROWS[row].signature;
  std::erase(signature, '|');
  std::vector<std::string> given = fields_of(argument), held = fields_of(this->values_[row]);
  if (given.size() > signature.size() || !parse_reference(argument, signature.substr(0, given.size())))
    return false;
  if ((ROWS[row].traits & esphome::esp32evse::UNPROVABLE) != 0)
    return true;
  held.resize(std::max(held.size(), given.size()));
  std::string value;
  for (size_t i = 0; i < held.size(); i++) {
    const bool hidden = ROWS[row].provable > 0 && i >= ROWS[row].provable && ROWS[row].hides;
    value += (i > 0 ? "," : "") + (hidden ? "\"\"" : i < given.size() ? given[i] : held[i]);
  }
  if (strlen("+=") + strlen(ROWS[row].name) + value.size() > MOST_LINE)
    return false;  // it could not tell it any more
  this->values_[row] = value;
  return true;
}

inline bool Charger::subscribe_(std::string_view argument) {
  const auto fields = parse_reference(argument, "sI");
  const auto row = fields && (*fields)[0].text.starts_with('+') ? find_row((*fields)[0].text.substr(1)) : std::nullopt;
  if (!row || !ROWS[*row].readable || this->lacks(*row))
    return false;
  const auto period = static_cast<uint32_t>((*fields)[1].number);
  this->subscriptions_[*row] = {std::max(period, PUSH_MS), this->now_ + 5, true};
  return true;
}

inline bool Charger::unsubscribe_(std::string_view argument) {
  if (argument == "\"\"") {
    this->subscriptions_ = {};
    return true;
  }
  const auto fields = parse_reference(argument, "s");
  const auto row = fields && (*fields)[0].text.starts_with('+') ? find_row((*fields)[0].text.substr(1)) : std::nullopt;
  if (row)
    this->subscriptions_[*row].active = false;
  return row.has_value();
}

inline void Charger::answer_(std::vector<std::string> lines, bool ok) {
  const Fault fault = std::exchange(this->fault_, Fault::NONE);
  if (fault == Fault::LOSE_ANSWER)
    return;
  if (fault == Fault::LOSE_VALUE)
    lines.clear();
  if (fault != Fault::LOSE_RESULT)
    lines.push_back(ok ? "OK" : "ERROR");
  if (fault == Fault::DOUBLE_ERROR)
    lines.push_back("ERROR");
  if (fault == Fault::NOISE)
    lines.front().insert(this->parameter_ % lines.front().size(), 1, '\x01');
  const uint32_t late = fault == Fault::LATE ? this->parameter_ * 20u : 0;
  if (late > 0)
    this->hang(late);
  const uint32_t wait = this->is_busy_() ? this->busy_until_ - this->now_ : 0;
  std::string bytes;
  for (const std::string &line : lines)
    bytes.append("\n").append(line).append("\n");
  this->send_(std::move(bytes), wait + ANSWER_MS);
}

inline void Charger::push_() {
  if (static_cast<int32_t>(this->now_ - this->next_push_) < 0)
    return;
  this->next_push_ = this->now_ + PUSH_MS / 4;
  for (size_t row = 0; row < ROW_COUNT; row++) {
    Subscription &subscription = this->subscriptions_[row];
    if (!subscription.active || static_cast<int32_t>(this->now_ - subscription.due) < 0)
      continue;
    subscription.due = this->now_ + subscription.period;
    this->send_("\n" + this->line_(row) + "\n");
  }
}

}  // namespace fuzz
