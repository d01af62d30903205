// The AT client and a charger that mostly answers well, with a script of requests, faults and time between them.
//
// What was asked for, stood on the line and was said is judged at the end (report.h).

#include <set>
#include <vector>

#include "at_client.h"
#include "charger.h"
#include "report.h"
#include "rows.h"
#include "script.h"

using namespace esphome::esp32evse;
using namespace fuzz;

namespace {

constexpr uint32_t RECOVERY_MS = 12000;
constexpr uint32_t CALM_MS = 6000;
constexpr uint32_t PATIENCE_MS = 60000;
constexpr uint32_t POLL_MS = 20000;
constexpr uint32_t LIMIT_MS = 40000;  // of a script
constexpr int MAX_STEPS = 50;

/// The rows of one configuration: all, or one or two eighths of them; UPTIME is always there.
struct Table {
  explicit Table(uint8_t choice) {
    for (size_t row = 0; row < ROW_COUNT; row++) {
      const Row &from = ROWS[row];
      if (row == UPTIME || choice == 0xFF || row % 8 == (choice & 7U) || row % 8 == (choice >> 3 & 7U)) {
        CommandRow &command = this->commands.emplace_back();
        command.name = from.name;
        command.answer = from.answer;
        command.signature = from.signature;
        command.low = from.low;
        command.high = from.high;
        command.refresh = from.refresh;
        command.traits = from.traits;
        this->rows.push_back(&from);
      }
    }
    this->states.resize(this->commands.size());
  }

  std::vector<CommandRow> commands;
  std::vector<RowState> states;
  std::vector<const Row *> rows;
};

class Session final : public AtClientListener {
 public:
  explicit Session(Script &script)
      : script_(script),
        table_(script.byte()),
        options_(script.byte()),
        now_(start_of_clock(this->options_ & 3)),
        charger_(this->now_) {
    this->report_.begin((this->options_ & 4) != 0, this->table_.rows);
    this->client_.set_rows(this->table_.commands.data(), this->table_.states.data(), this->row_count_());
    this->client_.set_push_interval((this->options_ & 8) != 0 ? 0 : 250);
    if ((this->options_ & 4) != 0)
      this->client_.set_keep_settings();
    const uint8_t lacking = script.byte();
    if ((lacking & 0x80) != 0)
      this->charger_.lack(lacking & 7);
    this->client_.start(this->now_);
    this->next_poll_ = this->now_ + POLL_MS;
  }

  void run() {
    if ((this->options_ & 16) == 0)
      this->pass_(1200, 6);
    for (int step = 0; step < MAX_STEPS && !this->script_.empty() && this->passed_ < LIMIT_MS; step++)
      this->step_();
    if ((this->options_ & 0x60) == 0)
      this->recover_();
    this->report_.judge();
  }

  void on_transmit(const char *data, size_t length) override {
    const std::string_view line(data, length);
    this->tell_("> ", line);
    this->event_("sent", line);
    this->charger_.receive(line);
  }
  void on_values(uint8_t row, const Values &values, bool /*asked*/) override {
    this->report_.values(this->passed_, this->name_(row), values);
    this->tell_("shows ", this->table_.rows[row]->name);
    this->react_(REACT_VALUES, row);
  }
  void on_lines_end(uint8_t row, bool /*complete*/) override { this->react_(REACT_VALUES, row); }
  void on_lacking(uint8_t row) override { this->event_("lacking", this->name_(row)); }
  void on_wish_end(uint8_t row, WishEnd end) override {
    const bool success = end == WishEnd::HELD || end == WishEnd::SATURATED;
    this->tell_(success ? "done " : "failed ", this->table_.rows[row]->name);
    this->event_("done", this->name_(row), success, end == WishEnd::UNANSWERED || end == WishEnd::DIFFERENT);
    this->waiting_.erase(row);
    this->react_(REACT_DONE, row);
  }
  void on_held_back(uint8_t /*row*/) override {}
  void on_online(bool online) override {
    this->tell_("", online ? "online" : "offline");
    this->event_("online", online);
    this->react_(REACT_ONLINE, 0);
  }
  void on_restart(Restart restart) override {
    this->tell_("", restart != Restart::MISSED ? "reboot" : "reboot missed");
    this->event_("restart");
    this->react_(REACT_ONLINE, 0);
  }
  void on_raw_line(const char *line, size_t length) override {
    this->event_("raw_line", std::string_view(line, length));
  }
  void on_raw_result(bool /*success*/) override {
    this->event_("raw_result");
    this->raws_waiting_--;
    this->react_(REACT_DONE, 0);
  }

 private:
  enum Reaction : uint8_t { REACT_NEVER, REACT_VALUES, REACT_DONE, REACT_ONLINE, REACTIONS };

  static uint32_t start_of_clock(uint8_t choice) {
    static const uint32_t STARTS[] = {5, 0U - 20000, 0x7FFFFFFF - 7000, 1000000};
    return STARTS[choice];
  }

  void tell_(const char *what, std::string_view text) const {
    if (TELLS)
      std::fprintf(stderr, "%8u %s%s\n", this->passed_, what, escaped(text).c_str());
  }

  uint8_t row_count_() const { return static_cast<uint8_t>(this->table_.rows.size()); }
  uint8_t row_() { return this->script_.below(this->row_count_()); }

  // --- time -----------------------------------------------------------------------------------------------------------

  void pass_(uint32_t duration, uint32_t step) {
    for (uint32_t passed = 0; passed < duration; passed += step) {
      this->now_ += step;
      this->passed_ += step;
      this->turn_(this->charger_.advance(this->now_));
      this->look_at_charger_();
    }
    this->event_("look");
  }

  void turn_(const std::string &received) {
    if (this->client_.wake(this->now_)) {
      this->event_("dropped");
      this->line_ended_ = false;
    } else {
      this->deliver_(received);
    }
    this->poll_();
    this->client_.loop(this->now_);
  }

  /// As ESPHome's poller does.
  void poll_() {
    if (!reached(this->next_poll_, this->now_))
      return;
    this->next_poll_ = this->now_ + POLL_MS;
    this->client_.schedule().poll();
  }

  /// The main loop stands still, and what comes meanwhile waits.
  void block_() {
    const uint32_t end = this->now_ + this->script_.byte() * 20U;
    this->tell_("", "* block");
    std::string received;
    for (; this->now_ != end; this->now_++, this->passed_++)
      received += this->charger_.advance(this->now_);
    this->turn_(received);
    this->look_at_charger_();
  }

  /// At most one line at a time: what the client says belongs to it.
  void deliver_(std::string_view data) {
    while (!data.empty()) {
      const size_t end = std::min(data.find_first_of("\r\n"), data.size() - 1) + 1;
      const std::string_view piece = data.substr(0, end);
      data.remove_prefix(end);
      const bool ends = piece.ends_with('\n') || piece.ends_with('\r');
      if (piece.size() > 1 || !ends || !this->line_ended_)  // an empty line says nothing
        this->event_("received", piece);
      this->line_ended_ = ends;
      if (piece.size() > 1)
        this->tell_("< ", piece);
      this->client_.receive(reinterpret_cast<const uint8_t *>(piece.data()), piece.size(), this->now_);
    }
  }

  // --- what the script may do -----------------------------------------------------------------------------------------

  void step_() {
    using Step = void (Session::*)();
    // What a person does more often stands here more often.
    static constexpr Step STEPS[] = {
        &Session::wait_,        &Session::wait_,     &Session::write_,   &Session::write_,    &Session::write_text_,
        &Session::run_,         &Session::raw_,      &Session::spoil_,   &Session::spoil_,    &Session::subscribe_,
        &Session::change_,      &Session::noise_,    &Session::value_,   &Session::word_,     &Session::restart_,
        &Session::hang_,        &Session::react_to_, &Session::refresh_, &Session::charging_, &Session::unsubscribe_,
        &Session::switch_echo_, &Session::block_,
    };
    (this->*STEPS[this->script_.below(std::size(STEPS))])();
    this->client_.loop(this->now_);
  }

  void wait_() {
    static const uint16_t DURATIONS[] = {1, 3, 10, 30, 60, 250, 600, 1100, 1600, 3000, 6000, 12000};
    const uint32_t duration = DURATIONS[this->script_.below(std::size(DURATIONS))];
    this->pass_(duration, std::min<uint32_t>(40, 1 + duration / 50));
  }

  void write_() {
    const uint8_t row = this->row_();
    const Row &meant = *this->table_.rows[row];
    const uint32_t offset = this->script_.byte();
    const uint32_t value = (offset & 1) != 0 ? meant.high : std::min(meant.low + offset / 2, meant.high);
    if (meant.writable && meant.signature[0] != 's' && meant.provable < 2)
      this->ask_number_(row, value);
  }

  void ask_number_(uint8_t row, uint32_t value) {
    this->tell_("write ", std::string(this->table_.rows[row]->name) + " " + std::to_string(value));
    if (this->client_.write_number(row, value, false, this->now_))
      this->wished_("wish", row, std::to_string(value));
  }

  void write_text_() {
    const uint8_t row = this->row_();
    const Row &meant = *this->table_.rows[row];
    AtText argument;
    size_t provable = 0, count = 0;
    const bool hidden = this->script_.flag();
    for (const char *letter = meant.signature; *letter != '\0'; letter++, count++) {
      if (*letter == '|')
        continue;
      if (count == meant.provable) {
        provable = argument.length();
        if (!hidden)
          break;
      }
      if (argument.length() > 0)
        argument.add(",");
      const std::string text = this->script_.text(32);
      *letter == 's' ? argument.add_string(text.data(), text.size()) : argument.add(text.empty() ? "0" : "1");
    }
    if (!meant.writable || !std::string_view(meant.signature).ends_with('s'))
      return;
    if (count <= meant.provable)
      provable = argument.length();
    this->tell_("text ", {argument.data(), argument.length()});
    if (this->client_.write_text(row, argument, static_cast<uint8_t>(provable), this->now_))
      this->wished_("wish", row, std::string_view(argument.data(), argument.length()), provable);
  }

  void run_() {
    const uint8_t row = this->row_();
    if (!this->table_.rows[row]->runnable)
      return;
    this->tell_("run ", this->table_.rows[row]->name);
    if (this->client_.run(row, this->now_))
      this->wished_("run", row);
  }

  /// In small letters, unlike all that the client makes itself.
  void raw_() {
    static const char *const COMMANDS[] = {"at", "at+state?", "at+chcur=77", "ate1", "at+rst", "at+nothing"};
    const uint8_t choice = this->script_.below(std::size(COMMANDS) + 1);
    const std::string text = choice < std::size(COMMANDS) ? COMMANDS[choice] : "at" + this->script_.text(130);
    if (refuse_raw_command(text.data(), text.size(), false) != nullptr)
      return;
    this->tell_("raw ", text);
    if (this->client_.send_raw(text.data(), text.size(), this->now_)) {
      this->event_("raw", text);
      this->raws_waiting_++;
    }
  }

  void subscribe_() {
    static const uint32_t PERIODS[] = {0, 100, 260, 1000, 5000, 42949671};
    const uint8_t row = this->row_();
    const uint32_t period = PERIODS[this->script_.below(std::size(PERIODS))];
    if (!this->table_.rows[row]->readable || (this->table_.rows[row]->traits & LINES) != 0)
      return;
    this->client_.schedule().subscribe(row, period);
  }

  void spoil_() {
    const auto fault = static_cast<Fault>(this->script_.below(static_cast<size_t>(Fault::COUNT)));
    this->tell_("* fault ", std::to_string(static_cast<int>(fault)));
    this->charger_.spoil(fault, this->script_.byte());
  }

  void change_() {
    const size_t row = this->script_.below(ROW_COUNT);
    this->charger_.set_value(row, ROWS[row].samples[this->script_.flag()]);
  }

  /// Bytes that no charger has sent.
  void noise_() { this->forge_(this->script_.text(200)); }
  void value_() {
    const uint8_t row = this->row_();
    const std::string text = this->script_.flag() ? this->table_.rows[row]->samples[1] : this->script_.text(40);
    this->forge_("\n+" + std::string(this->table_.rows[row]->answer) + "=" + text + "\n");
  }
  void word_() {
    static const char *const WORDS[] = {"OK", "ERROR", "RDY", "~", "AT+STATE?", "+STATE", "?"};
    this->forge_(std::string("\n") + WORDS[this->script_.below(std::size(WORDS))] + "\n");
  }
  void forge_(const std::string &bytes) {
    this->event_("forged");
    this->deliver_(bytes);
  }

  void restart_() {
    this->tell_("", "* restart");
    this->charger_.restart(this->script_.flag());
  }
  void hang_() {
    this->tell_("", "* hang");
    this->charger_.hang(this->script_.byte() * 50U);
  }
  void refresh_() { this->client_.schedule().refresh(); }
  void charging_() { this->client_.schedule().set_charging(this->script_.flag()); }
  void switch_echo_() { this->charger_.set_echo(); }
  void unsubscribe_() {
    this->event_("unsubscribe");
    this->client_.schedule().unsubscribe_all();
  }

  // An automation answers an event with a request of its own, from inside the client.
  void react_to_() {
    this->reaction_ = this->script_.below(REACTIONS);
    this->reaction_row_ = this->row_();
    this->reaction_value_ = this->script_.byte();
  }
  void react_(Reaction event, uint8_t row) {
    if (this->reaction_ != event)
      return;
    this->reaction_ = REACT_NEVER;
    const Row &meant = *this->table_.rows[this->reaction_row_];
    const uint8_t target = (this->reaction_value_ & 1) != 0 ? row : this->reaction_row_;
    const Row &chosen = *this->table_.rows[target];
    if (chosen.runnable) {
      if (this->client_.run(target, this->now_))
        this->wished_("run", target);
    } else if (chosen.writable && chosen.signature[0] != 's' && chosen.provable < 2) {
      this->ask_number_(target, (this->reaction_value_ & 2) != 0 ? chosen.low : chosen.high);
    } else if (meant.readable) {
      this->refresh_();
    }
  }

  // --- the end --------------------------------------------------------------------------------------------------------

  /// From now on all is well: soon everything that is shown is true, and the line is calm.
  void recover_() {
    this->tell_("", "* all is well");
    this->reaction_ = REACT_NEVER;
    this->charger_.heal();
    const uint32_t begin = this->passed_;  // what has no end by then is found by the judge
    while (this->passed_ - begin < PATIENCE_MS && (!this->charger_.is_up() || this->is_waiting_()))
      this->pass_(200, 40);
    this->refresh_();
    this->pass_(RECOVERY_MS, 16);  // as often as ESPHome looks after it
    this->event_("recovered", this->client_.is_online());
    for (const Row *row : this->table_.rows) {
      const auto held = find_row(row->name);
      if (!this->charger_.lacks(*held))
        this->event_("held", row->name, this->charger_.value(*held));
    }
    this->pass_(CALM_MS, 40);
    this->event_("calm");
  }

  // --- what the judge is told -----------------------------------------------------------------------------------------

  const char *name_(uint8_t row) const { return this->table_.rows[row]->name; }
  template<typename... Words> void event_(const char *kind, const Words &...words) {
    this->report_.add(kind, this->passed_, words...);
  }
  template<typename... Words> void wished_(const char *kind, uint8_t row, const Words &...words) {
    this->event_(kind, this->name_(row), words...);
    this->waiting_.insert(row);
  }
  bool is_waiting_() const { return this->raws_waiting_ > 0 || !this->waiting_.empty(); }
  void look_at_charger_() {
    if (this->charger_.damage() != nullptr)
      this->event_("damage", this->charger_.damage());
  }

  Script &script_;
  Table table_;
  uint8_t options_;
  uint32_t now_;
  uint32_t next_poll_;
  Charger charger_;
  Report report_;
  std::set<uint8_t> waiting_;
  int raws_waiting_{0};
  bool line_ended_{false};
  AtClient client_{this};
  uint32_t passed_{0};
  uint8_t reaction_{REACT_NEVER};
  uint8_t reaction_row_{0};
  uint8_t reaction_value_{0};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Script script(data, size);
  Session(script).run();
  return 0;
}
