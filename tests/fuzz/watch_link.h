#pragma once

#include <cstdint>
#include <string_view>

#include "reference.h"
#include "script.h"

namespace fuzz {

#include "contract.inc"

/// Says when the client must not send: right after a start of the charger, beside another command, before question and
/// answer are known to belong together, into a silence, or where a second ERROR may come.
class LinkWatch {
 public:
  static constexpr uint32_t ERROR_PAUSE_MS = 20;
  static constexpr uint32_t SILENCE_MS = 1500;  // then a restart may have been missed
  static constexpr size_t MAX_COMMAND = 160;

  explicit LinkWatch(uint32_t now) : ready_at_(now - HOLDOFF_MS) {}

  /// One line, or the barrier. Returns whether it is a command that somebody must have a reason for.
  bool on_transmit(std::string_view data, uint32_t now) {
    require(data.size() >= 2 && data.size() <= MAX_COMMAND && data.ends_with('\n'), "not one line");
    const std::string_view command = data.substr(0, data.size() - 1);
    require(!has_control(command), "a control byte is sent");
    require(command == "~" || (command.size() >= 2 && (command[0] | 0x20) == 'a' && (command[1] | 0x20) == 't'),
            "a command does not begin with AT");
    require(now - this->ready_at_ >= HOLDOFF_MS, "sent within 1 s of RDY");
    this->follow_(command, now);
    this->in_flight_ = true;
    return this->sync_ == Sync::READY;
  }
  void on_ready(uint32_t now) {
    this->ready_at_ = now;
    this->lose();
  }
  /// Something was missed.
  void lose() {
    this->sync_ = Sync::LOST;
    this->in_flight_ = false;
  }
  void on_value(std::string_view name, uint32_t now) {
    this->heard_at_ = now;
    if (this->sync_ == Sync::QUESTION && name == "VER")
      this->sync_ = Sync::NAMED;
  }
  void on_uptime() { this->uptime_seen_ |= this->sync_ == Sync::READY; }
  /// Neither value nor result: it may have been the barrier's answer.
  void on_other() {
    if (this->sync_ == Sync::BARRIER)
      this->sync_ = Sync::CLEARED;
    else if (this->sync_ == Sync::QUESTION || this->sync_ == Sync::NAMED)
      this->sync_ = Sync::LOST;
  }
  /// Returns whether it is that of the command in flight.
  bool on_result(bool ok, uint32_t now) {
    const bool answers = this->sync_ == Sync::READY && this->in_flight_;
    this->heard_at_ = now;
    if (!ok) {
      this->error_at_ = now;
      this->error_seen_ = true;
    }
    if (this->sync_ == Sync::BARRIER) {
      this->sync_ = Sync::CLEARED;
    } else if (this->sync_ == Sync::QUESTION || this->sync_ == Sync::NAMED) {
      this->sync_ = ok && this->sync_ == Sync::NAMED ? Sync::READY : Sync::LOST;
      this->uptime_seen_ = this->error_seen_ = false;
    }
    this->in_flight_ = false;
    return answers;
  }
  bool in_flight() const { return this->in_flight_; }

 private:
  /// How far question and answer are known to belong together.
  enum class Sync : uint8_t { LOST, BARRIER, CLEARED, QUESTION, NAMED, READY };

  /// Nothing but the barrier while question and answer may not belong together; never two commands in flight.
  void follow_(std::string_view command, uint32_t now) {
    if (command == "~") {
      this->sync_ = Sync::BARRIER;
      this->uptime_seen_ = this->error_seen_ = false;
      return;
    }
    if (this->sync_ == Sync::CLEARED && command == "AT+VER?") {
      this->sync_ = Sync::QUESTION;
      return;
    }
    require(this->sync_ == Sync::READY, "a command before the barrier is through");
    require(!this->in_flight_, "two commands in flight");
    require(!this->error_seen_ || now - this->error_at_ >= ERROR_PAUSE_MS, "no wait for a second ERROR");
    if (command == "AT+UPTIME?")
      return;
    require(this->uptime_seen_, "a command before the uptime is known");
    require(now - this->heard_at_ <= SILENCE_MS, "a command into a silence that may hide a restart");
  }

  uint32_t ready_at_;
  uint32_t error_at_{0};
  uint32_t heard_at_{0};
  Sync sync_{Sync::LOST};
  bool in_flight_{false};
  bool error_seen_{false};
  bool uptime_seen_{false};
};

}  // namespace fuzz
