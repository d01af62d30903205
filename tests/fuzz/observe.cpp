// What the AT client makes of bytes, as text, for comparison with evse_host.wire.codec: a library, called by ctypes.
//
// Each line of the answer is one event, in the order of the lines received:
//     line TEXT       any line but a result or RDY, as the user of a raw command sees it, in hexadecimal digits
//     value NAME N,N  its fields, strings as `"` and hexadecimal digits
//     ok, error, ready
// and at last `discarded N`, how many lines the idle client counts as lost.

#include <cstring>
#include <string>
#include <vector>

#define protected public  // it holds the client in one state
#include "at_client.h"
#undef protected
#include "rows.h"
#include "utf8.h"

using namespace esphome::esp32evse;

namespace {

std::string hexadecimal(const char *data, size_t length) {
  static const char *const DIGITS = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < length; i++) {
    const auto byte = static_cast<uint8_t>(data[i]);
    out += {DIGITS[byte >> 4], DIGITS[byte & 15]};
  }
  return out;
}

std::string show(const Values &values, std::string signature) {
  std::erase(signature, '|');
  std::string out;
  for (size_t i = 0; i < values.size(); i++) {
    const Field &field = values[i];
    const char letter = signature.at(i);
    out += i > 0 ? "," : "";
    if (letter == 's') {
      const Utf8Text shown(field.text, field.length);
      out += '"' + hexadecimal(shown.data(), shown.length());
    } else {
      out += letter == 'b' || letter == 'i' ? std::to_string(field.as_signed()) : std::to_string(field.number);
    }
  }
  return out;
}

/// A client that is always in step with its charger and always waits for the same: for a raw command, which lets it
/// tell every line, or for nothing, which lets it count what it did not expect.
class Observer final : public AtClientListener, private AtClient {
 public:
  explicit Observer(bool raw) : AtClient(this), raw_mode_(raw) {
    for (const fuzz::Row &from : fuzz::ROWS) {
      CommandRow &row = this->commands_.emplace_back();
      row.name = from.name;
      row.signature = from.signature;
      row.refresh = Refresh::POLL;  // told even if nobody has asked, unlike facts and lists
      row.answer = from.answer;
    }
    this->row_states_.resize(this->commands_.size());
    this->set_rows(this->commands_.data(), this->row_states_.data(), static_cast<uint8_t>(this->commands_.size()));
    this->keep_();
  }

  void feed(const uint8_t *data, size_t length) { this->receive(data, length, 0); }
  uint32_t discarded() const { return this->counter(DISCARDED); }
  std::string told;

  void on_transmit(const char *, size_t) override {}
  void on_values(uint8_t row, const Values &values, bool /*asked*/) override {
    this->told +=
        std::string("value ") + this->commands_[row].name + " " + show(values, this->commands_[row].signature) + "\n";
    this->keep_();
  }
  void on_lines_end(uint8_t, bool) override {}
  void on_lacking(uint8_t) override {}
  void on_wish_end(uint8_t, WishEnd) override {}
  void on_held_back(uint8_t) override {}
  void on_online(bool) override {}
  void on_restart(Restart restart) override {
    this->told += restart != Restart::MISSED ? "ready\n" : "";
    this->keep_();
  }
  void on_raw_line(const char *line, size_t length) override {
    this->told += "line " + hexadecimal(line, length) + "\n";
  }
  void on_raw_result(bool success) override {
    this->told += success ? "ok\n" : "error\n";
    this->keep_();
  }

 private:
  void keep_() {
    this->link_.state_ = Link::State::READY;
    this->command_ = {};
    if (!this->raw_mode_)
      return;
    if (this->wishes_.empty())
      this->wishes_.ask_raw("at", 2, 0);
    this->wishes_.first()->in_flight = true;
    this->command_.task = Task::WISH;
  }

  std::vector<CommandRow> commands_;
  std::vector<RowState> row_states_;
  bool raw_mode_;
};

}  // namespace

/// `sizes` of the pieces that make up the bytes. The answer lives until the next call.
extern "C" const char *observe(const uint8_t *data, const size_t *sizes, size_t count) {
  static std::string answer;
  Observer telling(true), counting(false);
  for (size_t i = 0; i < count; data += sizes[i], i++) {
    telling.feed(data, sizes[i]);
    counting.feed(data, sizes[i]);
  }
  answer = telling.told + "discarded " + std::to_string(counting.discarded());
  return answer.c_str();
}

/// What an argument of one string is, quoted and escaped; nullptr if it is refused.
extern "C" const char *format_string(const char *text, size_t length) {
  static std::string answer;
  AtText argument;
  argument.add_string(text, length);
  answer.assign(argument.data(), argument.length());
  return argument.ok() ? answer.c_str() : nullptr;
}

/// Why a raw command is not sent; nullptr if it is.
extern "C" const char *refuse(const char *text, size_t length) { return refuse_raw_command(text, length, true); }
