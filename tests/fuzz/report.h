#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "at_client.h"
#include "rows.h"
#include "script.h"

namespace fuzz {

/// The oracle in a process of its own, see tools/soak/oracle/client.py: it gets the events of an execution as a line of
/// JSON and answers with a line, which is empty or says what must not be.
class Judge {
 public:
  Judge() {
    const char *command = std::getenv("EVSE_JUDGE");
    require(command != nullptr, "there is no judge: EVSE_JUDGE");
    int asked[2], answered[2];
    require(pipe(asked) == 0 && pipe(answered) == 0, "no pipe");
    if (fork() == 0) {
      dup2(asked[0], STDIN_FILENO);
      dup2(answered[1], STDOUT_FILENO);
      for (const int end : {asked[0], asked[1], answered[0], answered[1]})
        close(end);
      execl("/bin/sh", "sh", "-c", command, nullptr);
      _exit(127);
    }
    close(asked[0]);
    close(answered[1]);
    this->out_ = asked[1];
    this->in_ = answered[0];
  }
  void judge(std::string_view events) {
    while (!events.empty())
      events.remove_prefix(moved_([&] { return write(this->out_, events.data(), events.size()); }));
    char verdict[512];
    size_t length = 0;
    while (length == 0 || verdict[length - 1] != '\n')
      length += moved_([&] { return read(this->in_, verdict + length, sizeof(verdict) - length); });
    verdict[length - 1] = '\0';
    if (length > 1)
      fail(verdict);
  }

 private:
  /// Bytes; libFuzzer's alarm interrupts what waits.
  template<typename Call> static size_t moved_(Call call) {
    ssize_t bytes;
    do
      bytes = call();
    while (bytes < 0 && errno == EINTR);
    require(bytes > 0, "the judge has died");
    return bytes;
  }

  int out_, in_;
};

/// What happens in one execution, to be judged at its end. Moments are in ms since its begin.
class Report {
 public:
  template<typename... Words> void add(const char *kind, uint32_t now, const Words &...words) {
    this->events_ += this->events_.empty() ? "[[" : ",[";
    this->put_(std::string_view(kind));
    this->put_(now);
    (this->put_(words), ...);
    this->events_.back() = ']';
  }
  void begin(bool keeps_settings, const std::vector<const Row *> &rows) {
    this->add("begin", 0, keeps_settings);
    for (const Row *row : rows)
      this->more_(row->name);
  }
  void values(uint32_t now, const char *name, const esphome::esp32evse::Values &values) {
    this->add("values", now, name);
    for (size_t i = 0; i < values.size(); i++) {
      if (values[i].text != nullptr)
        this->more_(std::string_view(values[i].text, values[i].length));
      else
        this->more_(values[i].number);
    }
  }
  void judge() {
    static Judge judge;
    this->events_ += "]\n";
    judge.judge(this->events_);
  }

 private:
  /// One more word of the last event.
  template<typename Word> void more_(const Word &word) {
    this->events_.back() = ',';
    this->put_(word);
    this->events_.back() = ']';
  }
  void put_(uint64_t number) { this->events_.append(std::to_string(number)).append(","); }
  void put_(uint32_t number) { this->put_(static_cast<uint64_t>(number)); }
  void put_(bool flag) { this->events_ += flag ? "true," : "false,"; }
  void put_(const char *text) { this->put_(std::string_view(text)); }
  void put_(const std::string &text) { this->put_(std::string_view(text)); }
  /// Each byte is a character.
  void put_(std::string_view text) {
    this->events_ += '"';
    for (size_t i = 0, plain; i < text.size(); i = plain + 1) {
      plain = i;
      while (plain < text.size() && is_plain_(text[plain]))
        plain++;
      this->events_.append(text, i, plain - i);
      if (plain < text.size()) {
        char escape[8];
        std::snprintf(escape, sizeof(escape), "\\u%04x", static_cast<uint8_t>(text[plain]));
        this->events_ += escape;
      }
    }
    this->events_ += "\",";
  }
  static bool is_plain_(char character) {
    return character >= 0x20 && character < 0x7F && character != '"' && character != '\\';
  }

  std::string events_;
};

}  // namespace fuzz
