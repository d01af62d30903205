// The component's pure C++ parts as a program: one request a line on stdin, any number of answer lines, then a line
// `.`. What the AT client tells its listener is answered too, as `<ms since the start> <event>`. See the tables in
// handle() and Session::request().

#include <cstdint>
#include <deque>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../support/escaped.h"
#include "at_client.h"
#include "at_value.h"
#include "cadence.h"
#include "charging.h"
#include "energy.h"
#include "iso_time.h"
#include "line_framer.h"
#include "utf8.h"

using namespace esphome::esp32evse;

namespace {

// --- text -------------------------------------------------------------------------------------------------------------

std::string unescape(const std::string &text) {
  std::string out;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const char next = text.at(++i);
    if (next == 'x') {
      out += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      out += next == 'n' ? '\n' : next == 'r' ? '\r' : next == '0' ? '\0' : next;
    }
  }
  return out;
}

/// The rest of a request's line, without the space before it.
std::string rest(std::istream &in) {
  std::string text;
  in.get();
  std::getline(in, text);
  return text;
}

template<typename T> T next(std::istream &in) {
  T value;
  if (!(in >> value))
    throw std::runtime_error("a word is missing or is not a number");
  return value;
}

void answer(bool yes) { std::cout << (yes ? "yes\n" : "no\n"); }

const char *outcome(bool success) { return success ? "ok" : "failed"; }

/// Words into a charger's argument: a number, or `"` and an escaped string (its spaces as \x20); `/` ends the part that
/// a read-back can prove.
AtText read_argument(std::istream &in, uint8_t *provable) {
  AtText argument;
  int provable_length = -1;
  for (std::string word; in >> word;) {
    if (word == "/") {
      provable_length = static_cast<int>(argument.length());
      continue;
    }
    if (argument.length() > 0)
      argument.add(",");
    if (word[0] == '"') {
      const std::string text = unescape(word.substr(1));
      argument.add_string(text.data(), text.size());
    } else {
      argument.add(word.c_str());
    }
  }
  *provable = static_cast<uint8_t>(provable_length < 0 ? argument.length() : provable_length);
  return argument;
}

/// Each field as its letter in the signature says.
std::string show(const Values &values, std::string signature) {
  std::erase(signature, '|');
  std::string out;
  for (size_t i = 0; i < values.size(); i++) {
    const Field &field = values[i];
    const char letter = signature.at(i);
    out += i == 0 ? "" : ",";
    if (letter == 's') {
      out += '"' + escaped({field.text, field.length}) + '"';
    } else {
      out += letter == 'b' || letter == 'i' ? std::to_string(field.as_signed()) : std::to_string(field.number);
    }
  }
  return out;
}

// --- the client -------------------------------------------------------------------------------------------------------

const std::map<std::string, Refresh> REFRESH = {
    {"PUSH", Refresh::PUSH}, {"CHARGING", Refresh::CHARGING}, {"SLOW", Refresh::SLOW},
    {"POLL", Refresh::POLL}, {"ONCE", Refresh::ONCE},         {"NEVER", Refresh::NEVER},
};

const std::map<std::string, uint8_t> TRAITS = {
    {"STORED", STORED},         {"LINES", LINES},         {"CLOCK", CLOCK},
    {"UNPROVABLE", UNPROVABLE}, {"LIVE", LIVE},           {"CHARGING_CURRENT", CHARGING_CURRENT},
    {"WATCHED", WATCHED},       {"STARTS_ON", STARTS_ON},
};

/// An AT client with its clock and its rows.
class Session final : public AtClientListener {
 public:
  void request(const std::string &verb, std::istream &in);

  void on_transmit(const char *data, size_t length) override {
    this->transmitted_ = true;
    this->say_("> " + escaped({data, length}));
  }
  void on_values(uint8_t row, const Values &values, bool asked) override {
    this->say_((asked ? "values " : "looked ") + this->names_[row] + " " + show(values, this->rows_[row].signature));
  }
  void on_lines_end(uint8_t row, bool complete) override {
    this->say_("lines_end " + this->names_[row] + " " + outcome(complete));
  }
  void on_lacking(uint8_t row) override { this->say_("lacking " + this->names_[row]); }
  void on_wish_end(uint8_t row, WishEnd end) override {
    static const char *const ENDS[] = {"held", "saturated", "refused", "different", "unanswered", "expired"};
    this->say_("end " + this->names_[row] + " " + ENDS[static_cast<int>(end)]);
  }
  void on_held_back(uint8_t row) override { this->say_("held_back " + this->names_[row]); }
  void on_online(bool online) override { this->say_(online ? "online" : "offline"); }
  void on_restart(Restart restart) override {
    static const char *const RESTARTS[] = {"first_ready", "ready", "missed"};
    this->say_(std::string("restart ") + RESTARTS[static_cast<int>(restart)]);
  }
  void on_raw_line(const char *line, size_t length) override { this->say_("raw_line " + escaped({line, length})); }
  void on_raw_result(bool success) override { this->say_(std::string("raw_result ") + outcome(success)); }

 private:
  void say_(const std::string &event) {
    std::cout << this->now_ - this->start_ << " " << event << "\n";
    // An automation answers an event with a request of its own, from inside the client.
    const auto reaction = this->reactions_.find(event);
    if (reaction == this->reactions_.end())
      return;
    std::istringstream in(reaction->second);
    this->reactions_.erase(reaction);
    this->request(next<std::string>(in), in);
  }

  void add_row_(std::istream &in) {
    const auto name = next<std::string>(in), answer = next<std::string>(in), signature = next<std::string>(in);
    const Refresh refresh = REFRESH.at(next<std::string>(in));
    uint8_t traits = 0;
    for (std::string word; in >> word;)
      traits |= TRAITS.at(word);
    this->names_.push_back(name);
    const char *const types = this->texts_.emplace_back(signature == "-" ? "" : signature).c_str();
    CommandRow &row = this->rows_.emplace_back();
    row.name = this->texts_.emplace_back(name).c_str();
    row.answer = this->texts_.emplace_back(answer).c_str();
    row.signature = types;
    row.refresh = refresh;
    row.traits = traits;
  }

  void start_client_(std::istream &in) {
    this->now_ = this->start_ = next<uint32_t>(in);
    this->next_poll_ = this->now_ + this->poll_ms_;
    this->states_ = std::vector<RowState>(this->rows_.size());
    this->client_.set_rows(this->rows_.data(), this->states_.data(), static_cast<uint8_t>(this->rows_.size()));
    this->client_.start(this->now_);
  }

  /// Loops at every millisecond before `end`; with `stop` only until something was transmitted.
  void pass_(uint32_t end, bool stop) {
    this->transmitted_ = false;
    while (this->now_ - this->start_ < end && !(stop && this->transmitted_)) {
      this->turn_();
      this->now_++;
    }
    std::cout << "now " << this->now_ - this->start_ << "\n";
  }

  /// One of the main loop. What came before a loop that stood still is dropped.
  void turn_() {
    if (this->client_.wake(this->now_))
      this->received_.clear();
    this->client_.receive(this->received_.data(), this->received_.size(), this->now_);
    this->received_.clear();
    this->poll_();
    this->client_.loop(this->now_);
  }

  /// As ESPHome's poller does.
  void poll_() {
    if (!reached(this->next_poll_, this->now_))
      return;
    this->next_poll_ = this->now_ + this->poll_ms_;
    this->client_.schedule().poll();
  }

  /// The main loop stands still until `end`.
  void block_(std::istream &in) {
    this->now_ = this->start_ + next<uint32_t>(in);
    std::cout << "now " << this->now_ - this->start_ << "\n";
  }

  /// The bytes wait in the UART for the next turn.
  void wait_(std::istream &in) {
    const std::string bytes = unescape(rest(in));
    this->received_.insert(this->received_.end(), bytes.begin(), bytes.end());
  }

  /// The bytes in pieces of a size, without a loop between them.
  void receive_(std::istream &in) {
    const auto size = next<size_t>(in);
    const std::string bytes = unescape(rest(in));
    for (size_t i = 0; i < bytes.size(); i += size) {
      const std::string piece = bytes.substr(i, size);
      // A copy of just that size, so that the sanitizer sees a byte read behind it.
      const std::vector<uint8_t> exact(piece.begin(), piece.end());
      this->client_.receive(exact.data(), exact.size(), this->now_);
    }
  }

  void write_number_(std::istream &in) {
    const uint8_t row = this->row_(in);
    const auto value = next<uint32_t>(in);
    std::string word;
    if (!this->client_.write_number(row, value, static_cast<bool>(in >> word), this->now_))
      this->say_("no room for " + this->names_[row]);
  }

  void subscribe_(std::istream &in) {
    const uint8_t row = this->row_(in);
    this->client_.schedule().subscribe(row, next<uint32_t>(in));
  }

  void write_text_(std::istream &in) {
    const uint8_t row = this->row_(in);
    uint8_t provable;
    const AtText argument = read_argument(in, &provable);
    if (!this->client_.write_text(row, argument, provable, this->now_))
      this->say_("no room for " + this->names_[row]);
  }

  void send_raw_(const std::string &text) {
    if (!this->client_.send_raw(text.data(), text.size(), this->now_))
      this->say_("no room for a raw command");
  }

  void show_counters_() {
    static const char *const NAMES[COUNTERS] = {"answered", "failed", "timed_out", "resyncs", "reboots", "discarded"};
    std::ostringstream out;
    out << "counters";
    for (uint8_t counter = 0; counter < COUNTERS; counter++)
      out << " " << NAMES[counter] << " " << this->client_.counter(counter);
    this->say_(out.str());
  }

  void react_(std::istream &in) {
    std::string event;
    std::getline(in >> std::ws, event, ':');
    this->reactions_[event] = rest(in);
  }

  uint8_t row_(std::istream &in) const {
    const auto name = next<std::string>(in);
    for (size_t row = 0; row < this->names_.size(); row++) {
      if (this->names_[row] == name)
        return static_cast<uint8_t>(row);
    }
    throw std::runtime_error("no row " + name);
  }

  AtClient client_{this};
  std::deque<std::string> texts_;
  std::vector<std::string> names_;
  std::vector<CommandRow> rows_;
  std::vector<RowState> states_;
  std::map<std::string, std::string> reactions_;
  std::vector<uint8_t> received_;
  uint32_t now_{0};
  uint32_t start_{0};
  uint32_t poll_ms_{0};
  uint32_t next_poll_{0};
  bool transmitted_{false};
};

void Session::request(const std::string &verb, std::istream &in) {
  using Verb = void (*)(Session &, std::istream &);
  static const std::map<std::string, Verb> VERBS = {
      {"row", [](Session &session, std::istream &in) { session.add_row_(in); }},
      {"push", [](Session &session, std::istream &in) { session.client_.set_push_interval(next<uint32_t>(in)); }},
      {"poll", [](Session &session, std::istream &in) { session.poll_ms_ = next<uint32_t>(in); }},
      {"keep_settings", [](Session &session, std::istream &) { session.client_.set_keep_settings(); }},
      {"start", [](Session &session, std::istream &in) { session.start_client_(in); }},
      {"pass", [](Session &session, std::istream &in) { session.pass_(next<uint32_t>(in), false); }},
      {"watch", [](Session &session, std::istream &in) { session.pass_(next<uint32_t>(in), true); }},
      {"block", [](Session &session, std::istream &in) { session.block_(in); }},
      {"wait", [](Session &session, std::istream &in) { session.wait_(in); }},
      {"receive", [](Session &session, std::istream &in) { session.receive_(in); }},
      {"write", [](Session &session, std::istream &in) { session.write_number_(in); }},
      {"text", [](Session &session, std::istream &in) { session.write_text_(in); }},
      {"run", [](Session &session, std::istream &in) { session.client_.run(session.row_(in), session.now_); }},
      {"raw", [](Session &session, std::istream &in) { session.send_raw_(unescape(rest(in))); }},
      {"subscribe", [](Session &session, std::istream &in) { session.subscribe_(in); }},
      {"unsubscribe_all", [](Session &session, std::istream &) { session.client_.schedule().unsubscribe_all(); }},
      {"refresh", [](Session &session, std::istream &) { session.client_.schedule().refresh(); }},
      {"charging", [](Session &session, std::istream &in) { session.client_.schedule().set_charging(next<bool>(in)); }},
      {"when", [](Session &session, std::istream &in) { session.react_(in); }},
      {"counters", [](Session &session, std::istream &) { session.show_counters_(); }},
      {"is_online", [](Session &session, std::istream &) { answer(session.client_.is_online()); }},
      {"is_busy", [](Session &session, std::istream &) { answer(session.client_.is_busy()); }},
      {"is_pending", [](Session &session, std::istream &in) { answer(session.client_.is_pending(session.row_(in))); }},
  };
  const auto found = VERBS.find(verb);
  if (found == VERBS.end())
    throw std::runtime_error("unknown request " + verb);
  found->second(*this, in);
}

// --- framer and values ------------------------------------------------------------------------------------------------

void frame(const std::string &bytes) {
  LineFramer framer;
  for (const char byte : bytes) {
    switch (framer.feed(static_cast<uint8_t>(byte))) {
      case LineFramer::Event::LINE:
        if (framer.line()[framer.length()] != '\0')
          throw std::runtime_error("the line has no NUL behind it");
        std::cout << "line " << escaped({framer.line(), framer.length()}) << "\n";
        break;
      case LineFramer::Event::DAMAGED:
        std::cout << "damaged\n";
        break;
      default:
        break;
    }
  }
}

void parse(std::istream &in) {
  const auto signature = next<std::string>(in);
  const std::string text = unescape(rest(in));
  std::vector<char> line(text.begin(), text.end());
  line.push_back('\0');
  Values values;
  std::cout << (values.parse(line.data(), signature.c_str()) ? "values " + show(values, signature) : "refused") << "\n";
}

void make_argument(std::istream &in) {
  uint8_t provable;
  const AtText argument = read_argument(in, &provable);
  if (argument.ok()) {
    std::cout << "argument " << escaped({argument.data(), argument.length()}) << "\n";
  } else {
    std::cout << "refused\n";
  }
}

void refuse(std::istream &in) {
  const bool force = next<bool>(in);
  const std::string text = unescape(rest(in));
  // A copy of just that size, so that the sanitizer sees a byte read behind it.
  const std::vector<char> exact(text.begin(), text.end());
  const char *const reason = refuse_raw_command(exact.data(), exact.size(), force);
  std::cout << (reason == nullptr ? "sent" : reason) << "\n";
}

// --- charging ---------------------------------------------------------------------------------------------------------

std::string events_text(uint8_t events) {
  std::string out;
  if ((events & SessionTracker::FINISHED) != 0)
    out += "finished ";
  if ((events & SessionTracker::STARTED) != 0)
    out += "started ";
  return out.empty() ? "nothing" : out.substr(0, out.size() - 1);
}

ChargerState read_state(std::istream &in) { return static_cast<ChargerState>(next<int>(in)); }

/// `state N` (after which nothing more is heard of its session), `seen N` (the state alone), `energy Wh`, `duration s`,
/// `total Wh`, `wait s`, in any number and order. Values are a second apart.
void track_session(std::istream &in) {
  SessionTracker tracker;
  uint32_t now = UINT32_MAX - 5000;  // it wraps around
  for (std::string verb; in >> verb;) {
    if (verb == "state") {
      const uint8_t events = tracker.on_state(read_state(in), now);
      std::cout << events_text(events | tracker.loop(now += SessionTracker::END_WAITS_MS)) << "\n";
    } else if (verb == "seen") {
      std::cout << events_text(tracker.on_state(read_state(in), now)) << "\n";
    } else if (verb == "energy") {
      tracker.on_energy(next<uint32_t>(in), now += 1000);
    } else if (verb == "duration") {
      tracker.on_duration(next<uint32_t>(in), now += 1000);
    } else if (verb == "total") {
      std::cout << events_text(tracker.on_total(next<uint64_t>(in), now)) << "\n";
    } else {
      std::cout << events_text(tracker.loop(now += next<uint32_t>(in) * 1000)) << "\n";
    }
  }
  if (tracker.has_last()) {
    std::cout << "last " << tracker.last_energy() << " " << tracker.last_duration() << "\n";
  } else {
    std::cout << "no last\n";
  }
}

/// `uptime s`, `session Wh`, `total Wh`, `reset`, `forget`, `power` (the node restarts), in any number and order;
/// answers what is shown behind each total.
void count_lifetime(std::istream &in) {
  LifetimeEnergy energy;
  uint32_t uptime = LifetimeEnergy::NO_UPTIME;
  for (std::string verb; in >> verb;) {
    if (verb == "uptime") {
      uptime = next<uint32_t>(in);
    } else if (verb == "session") {
      energy.on_session(next<uint32_t>(in), uptime);
    } else if (verb == "total") {
      energy.on_total(next<uint64_t>(in), uptime);
      std::cout << (energy.is_known() ? std::to_string(energy.shown()) : "unknown") << "\n";
    } else if (verb == "reset") {
      energy.on_reset();
    } else if (verb == "forget") {
      uptime = LifetimeEnergy::NO_UPTIME;
    } else {
      const LifetimeEnergy::Memory memory = energy.memory();
      energy = {};
      energy.restore(memory);
    }
  }
}

/// `SECONDS STEPS COUNTS`, then `put VALUE`, `pass`, `tick`, `hurry`, `restart`, `wait MS`; answers what is published.
void pace(std::istream &in) {
  Pacer pacer;
  const auto seconds = static_cast<uint16_t>(next<int>(in));
  const bool steps = next<bool>(in);
  const Cadence cadence{seconds, steps, next<bool>(in)};
  uint32_t now = UINT32_MAX - 3000;  // it wraps around
  for (std::string verb; in >> verb;) {
    float value;
    if (verb == "put") {
      const Pacer::Publication publication = pacer.put(next<float>(in), cadence, now);
      for (uint8_t i = 0; i < publication.count; i++)
        std::cout << publication.values[i] << " ";
      std::cout << "\n";
    } else if (verb == "pass") {
      answer(pacer.pass(cadence, now));
    } else if (verb == "tick") {
      if (pacer.take(cadence, now, &value))
        std::cout << value;
      std::cout << "\n";
    } else if (verb == "hurry") {
      pacer.hurry();
    } else if (verb == "restart") {
      pacer.restart();
    } else {
      now += next<uint32_t>(in);
    }
  }
}

void make_utf8(std::istream &in) {
  const std::string text = unescape(rest(in));
  // A copy of just that size, so that the sanitizer sees a byte read behind it.
  const std::vector<char> exact(text.begin(), text.end());
  const Utf8Text valid(exact.data(), exact.size());
  std::cout << escaped({valid.data(), valid.length()}) << "\n";
}

void write_time(std::istream &in) {
  char buffer[ISO_TIME_SIZE];
  format_iso_time(next<uint64_t>(in), buffer);
  std::cout << buffer << "\n";
}

/// `STATE FAULTS ENABLED PENDING LIMIT` as numbers.
void describe_situation(std::istream &in) {
  Situation situation;
  situation.state = read_state(in);
  situation.faults = static_cast<uint8_t>(next<int>(in));
  situation.enabled = next<bool>(in);
  situation.pending_authorization = next<bool>(in);
  situation.limit_reached = next<bool>(in);
  std::cout << describe(situation) << "\n";
}

void list_states() {
  for (int number = 0; number <= static_cast<int>(ChargerState::UNKNOWN); number++) {
    const auto state = static_cast<ChargerState>(number);
    std::cout << '"' << state_name(state) << "\" charging " << is_charging(state) << " session " << is_session(state)
              << " hidden " << hides_vehicle(state) << "\n";
  }
}

void list_faults() {
  for (uint8_t bit = 0; bit < FAULT_COUNT; bit++)
    std::cout << fault_name(bit) << "\n";
}

// --- requests ---------------------------------------------------------------------------------------------------------

void handle(const std::string &line, std::unique_ptr<Session> *session) {
  using Verb = void (*)(std::istream &);
  static const std::map<std::string, Verb> VERBS = {
      {"frame", [](std::istream &in) { frame(unescape(rest(in))); }},
      {"parse", parse},
      {"argument", make_argument},
      {"refuse", refuse},
      {"session", track_session},
      {"lifetime", count_lifetime},
      {"pace", pace},
      {"utf8", make_utf8},
      {"time", write_time},
      {"describe", describe_situation},
      {"states", [](std::istream &) { list_states(); }},
      {"faults", [](std::istream &) { list_faults(); }},
  };
  std::istringstream in(line);
  const auto verb = next<std::string>(in);
  const auto found = VERBS.find(verb);
  if (found != VERBS.end()) {
    found->second(in);
  } else if (verb == "new") {
    *session = std::make_unique<Session>();
  } else {
    (*session)->request(verb, in);
  }
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  auto session = std::make_unique<Session>();
  for (std::string line; std::getline(std::cin, line);) {
    try {
      handle(line, &session);
    } catch (const std::exception &problem) {
      std::cout << "error " << problem.what() << " in: " << line << "\n";
    }
    std::cout << "." << std::endl;
  }
  return 0;
}
