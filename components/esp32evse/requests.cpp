// What people, automations and the load manager ask the charger for.

#include "esp32evse.h"

#include <algorithm>
#include <cmath>

#include "utf8.h"
#include "esphome/core/hal.h"
#include "esphome/core/log.h"

namespace esphome::esp32evse {

static const char *const TAG = "esp32evse";
/// What only a lambda calls.
static const char *const LEFT_OUT = "nothing else in the configuration asks for this, so it was left out (parts.h)";
static const char *const TOO_MANY = "too many wishes at once";

/// Not one that the charger begins with.
static bool is_present_current(const CommandRow &command) {
  return command.has(CHARGING_CURRENT) && !command.has(STORED);
}

// --- numbers ----------------------------------------------------------------------------------------------------------

void Esp32Evse::write(uint8_t row, uint32_t value) {
  const CommandRow &command = this->rows_[row];
  const bool may_pause = this->pause_.is_chosen() && is_present_current(command);
  const bool pause = may_pause && value < command.low;
  if (PAUSES_BELOW_MINIMUM && row == this->pause_.enable_row())
    this->pause_.forget();
  if (pause) {
    this->show_refusal(row);
  } else {
    const uint32_t possible = saturate(value, command.low, this->high_of_(row));
    this->write_number_(row, possible, possible != value);
  }
  if (may_pause)
    this->pause_by_current_(pause);
}

void Esp32Evse::pause_by_current_(bool pause) {
  const uint8_t row = this->pause_.enable_row();
  if (this->pause_.update(pause, this->is_managed_() ? nullptr : this->client_.find_wish(row)))
    this->write_number_(row, pause ? 0 : 1, false);
}

void Esp32Evse::write_number_(uint8_t row, uint32_t value, bool saturated) {
#ifdef USE_ESP32EVSE_LOAD_MANAGER
  if (this->manager_ != nullptr && this->manager_->on_wish(row, value)) {
    Values wish;
    wish.set_number(value);
    this->take_values_(row, wish, true);
    return;
  }
#endif
  this->ask_number_(row, value, saturated);
  this->tell_wishing_(row, value);
}

void Esp32Evse::ask_number_(uint8_t row, uint32_t value, bool saturated) {
  if (!this->client_.write_number(row, value, saturated, millis())) {
    this->refuse_(row, TOO_MANY);
  } else if (is_present_current(this->rows_[row])) {
    this->current_.ask(row, value);
  }
}

/// The largest number that may be written now, or when the wishes before it have come true.
uint32_t Esp32Evse::high_of_(uint8_t row) const {
  const CommandRow &command = this->rows_[row];
  if (!command.has(CHARGING_CURRENT))
    return command.high;
  const Wish *wish = this->client_.find_wish(this->find_followed_(follow_maximum_current));
  const uint32_t maximum = wish != nullptr ? wish->number * 10 : this->current_.maximum();
  return maximum > 0 ? std::min(command.high, maximum) : command.high;
}

#ifdef USE_ESP32EVSE_LOAD_MANAGER
void Esp32Evse::write_managed(uint8_t row, uint32_t value) { this->ask_number_(row, value, false); }
#endif

void Esp32Evse::write_scaled(uint8_t row, float value, float multiplier) {
  static constexpr float HIGHEST = 4294967040.0f;  // the largest float below 2^32
  if (std::isnan(value)) {
    this->refuse_(row, "not a number");
    return;
  }
  // std::round would come with a part of the C library. A double holds the half of every float here.
  // Of a limit 0 means none, so what is above it is not rounded to it.
  const double wire = std::clamp(value * multiplier, value > 0 ? 0.5f : 0.0f, HIGHEST);
  this->write(row, static_cast<uint32_t>(wire + 0.5));
}

void Esp32Evse::write_limit(uint8_t row, float value, float multiplier) {
  if (value >= 0)  // false for NaN, too
    this->write_scaled(row, value, multiplier);
}

#ifdef USE_TIME
void Esp32Evse::write_time(uint8_t row, time::RealTimeClock *clock) {
  const ESPTime time = clock->utcnow();
  if (!time.is_valid()) {
    this->refuse_(row, "the time source has no time yet");
    return;
  }
  this->write(row, static_cast<uint32_t>(time.timestamp));
}
#endif

// --- texts, runs, subscriptions ---------------------------------------------------------------------------------------

void Esp32Evse::write_text_(uint8_t row, const AtText &argument, uint8_t provable) {
  if (!WRITES_TEXTS) {
    this->refuse_(row, LEFT_OUT);
  } else if (!argument.ok()) {
    this->refuse_(row, "too few or too many bytes, or control characters");
  } else if (!this->client_.write_text(row, argument, provable, millis())) {
    this->refuse_(row, TOO_MANY);
  }
}

/// People read it, and the charger's own page: it must be UTF-8. A network's name may be any bytes.
void Esp32Evse::write_string(uint8_t row, const char *value, size_t length) {
  if (!is_utf8(value, length)) {
    this->refuse_(row, "it is not UTF-8");
    return;
  }
  AtText argument;
  argument.add_string(value, length, this->rows_[row].high);
  this->write_text_(row, argument, argument.length());
}

void Esp32Evse::run(uint8_t row) {
  if (!this->client_.run(row, millis()))
    this->refuse_(row, TOO_MANY);
}

void Esp32Evse::set_wifi_station(uint8_t row, bool enabled, const std::string &ssid, const std::string *password) {
  AtText argument;
  argument.add(enabled ? "1," : "0,").add_string(ssid.data(), ssid.size(), AtText::MAX_NAME);
  const uint8_t provable = argument.length();  // the charger does not show the password
  if (password != nullptr && password->empty()) {
    argument.add(",\"\"");  // an open network
  } else if (password != nullptr) {
    argument.add(",").add_string(password->data(), password->size());
  }
  this->write_text_(row, argument, provable);
}

/// Empty addresses are left as they are, which is possible only all at once and where none is needed.
void Esp32Evse::set_static_ip(uint8_t row, bool enabled, const std::string &ip, const std::string &gateway,
                              const std::string &netmask, const std::string &dns) {
  if (!enabled && ip.empty() && gateway.empty() && netmask.empty() && dns.empty()) {
    this->write(row, 0);
    return;
  }
  AtText argument;
  argument.add(enabled ? "1" : "0");
  for (const std::string *address : {&ip, &gateway, &netmask, &dns}) {
    if (address == &dns && dns.empty())
      break;
    if (!is_ipv4(address->data(), address->size())) {
      this->refuse_(row, "an address is not IPv4, such as 192.168.1.50");
      return;
    }
    argument.add(",").add_string(address->data(), address->size());
  }
  this->write_text_(row, argument, argument.length());
}

void Esp32Evse::send_command(const std::string &command, bool force) {
  const char *reason = SENDS_RAW_COMMANDS ? refuse_raw_command(command.data(), command.size(), force) : LEFT_OUT;
  if (reason == nullptr && !this->client_.send_raw(command.data(), command.size(), millis()))
    reason = TOO_MANY;
  if (reason == nullptr)
    return;
  ESP_LOGW(TAG, "Command not sent: %s", reason);
  this->on_raw_result(false);
}

void Esp32Evse::subscribe(uint8_t row, uint32_t period_ms) {
  if (!HAS_CHOSEN_PERIODS) {
    ESP_LOGW(TAG, "Not subscribed: %s", LEFT_OUT);
    return;
  }
  if (period_ms != 0)
    period_ms = std::clamp<uint32_t>(period_ms, 100, 42949671);  // larger ones wrap to 0 in the charger
  this->client_.schedule().subscribe(row, period_ms);
}

void Esp32Evse::unsubscribe_all() { this->client_.schedule().unsubscribe_all(); }

void Esp32Evse::refresh() { this->client_.schedule().refresh(); }

// --- what becomes of it -----------------------------------------------------------------------------------------------

/// The row's entities learn of a wish, or that none is pending any more.
void Esp32Evse::tell_wishing_(uint8_t row, uint32_t number) {
  const bool pending = this->client_.is_pending(row);
  for (WishingEntity *entity = this->wishing_; entity != nullptr; entity = entity->next) {
    if (entity->row() == row)
      entity->follow_wish(pending, number);
  }
}

/// A wish that the charger never hears of.
void Esp32Evse::refuse_(uint8_t row, const char *reason) {
  ESP_LOGW(TAG, "%s not sent: %s", this->rows_[row].name, reason);
  this->tell_failure_(row, reason);
  this->client_.read(row);
}

/// Clients see a change, and automations are told.
void Esp32Evse::tell_failure_(uint8_t row, const char *reason) {
  this->show_refusal(row);
  // A wish that on_write_failed itself asks for, and that fails at once, is not told: it could go on for ever.
  if (this->wish_names_ == nullptr || std::exchange(this->tells_failure_, true))
    return;
  this->failed_callback_.call(StringRef(this->wish_names_[row]), StringRef(reason));
  this->tells_failure_ = false;
}

/// Whoever has entered what the charger does not hold sees a change: unknown for a moment.
void Esp32Evse::show_refusal(uint8_t row) {
  if (this->refusals_.begin(row, millis()))
    this->publish_row_(row, nullptr);
}

}  // namespace esphome::esp32evse
