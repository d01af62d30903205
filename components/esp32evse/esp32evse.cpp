#include "esp32evse.h"

#include <algorithm>
#include <cinttypes>
#include <utility>

#include "entities.h"
#include "utf8.h"
#include "esphome/core/hal.h"
#include "esphome/core/log.h"

namespace esphome::esp32evse {

static const char *const TAG = "esp32evse";

// --- component --------------------------------------------------------------------------------------------------------

void Esp32Evse::setup() {
  if (COUNTS_LIFETIME)
    this->lifetime_.restore();
  this->reports_.setup();
  this->client_.start(millis());
}

void Esp32Evse::loop() {
  this->receive_(this->client_.wake(millis()));
  const uint32_t now = this->turn_at_ = millis();  // automations on what was received may have taken their time
  if (this->available() == 0)
    this->client_.loop(now);
  if (FOLLOWS_SESSIONS)
    this->on_session_events_(this->session_.loop(now));
  if (this->derived_dirty_) {
    this->derived_dirty_ = false;
    this->entities_.publish_derived(*this);
  }
  if (now - this->paced_at_ >= PACE_MS)
    this->pace_(now);
  // An answer takes some milliseconds; the next loop would come 16 ms later.
  if (!this->client_.is_busy()) {
    this->high_frequency_.stop();
    return;
  }
  this->high_frequency_.start();
  if (this->available() == 0)
    delay(1);  // the others want to live, too
}

/// Publishes and saves what has waited for its time.
void Esp32Evse::pace_(uint32_t now) {
  this->paced_at_ = now;
  this->entities_.publish_held(now);
  if (COUNTS_LIFETIME && this->lifetime_.looks(this->is_charging() ? SAVE_CHARGING_MS : SAVE_IDLE_MS, now))
    this->read_followed_(follow_total_energy);
  if (!this->refusals_.is_over(now, Refusals::UNKNOWN_FOR_MS + BatchDelay::get()))
    return;
  for (uint8_t row = 0; row < this->client_.row_count(); row++) {
    if (this->refusals_.end(row))
      this->client_.read(row);
  }
  this->refusals_.next(now);
}

/// `drops`: all that waits is thrown away.
void Esp32Evse::receive_(bool drops) {
  uint8_t buffer[BYTES_AT_ONCE];
  for (size_t taken = 0; drops || taken < MAX_BYTES_PER_LOOP; taken += sizeof(buffer)) {
    const size_t length = std::min(this->available(), sizeof(buffer));
    if (length == 0 || !this->read_array(buffer, length))
      return;
    if (!drops)
      this->client_.receive(buffer, length, millis());
  }
}

void Esp32Evse::dump_config() {
  ESP_LOGCONFIG(TAG,
                "ESP32-EVSE charger:\n"
                "  Update interval: %" PRIu32
                " ms\n"
                "  Push interval: %" PRIu32
                " ms\n"
                "  Keep settings: %s\n"
                "  Keep the clock set: %s",
                this->get_update_interval(), this->client_.get_push_interval(),
                YESNO(this->client_.is_keeping_settings()), YESNO(this->clock_.is_chosen()));
}

void Esp32Evse::on_shutdown() {
  if (COUNTS_LIFETIME)
    this->save_lifetime_();
}

// --- what the charger says --------------------------------------------------------------------------------------------

bool Esp32Evse::is_late() const { return millis() - this->turn_at_ >= LATE_MS; }

void Esp32Evse::on_transmit(const char *data, size_t length) {
  this->write_array(reinterpret_cast<const uint8_t *>(data), length);
}

void Esp32Evse::on_values(uint8_t row, const Values &values, bool asked) {
#ifdef USE_ESP32EVSE_LOAD_MANAGER
  if (this->manager_ != nullptr) {
    Values shown = values;
    this->manager_->on_values(row, shown);
    this->take_values_(row, shown, asked);
    return;
  }
#endif
  this->take_values_(row, values, asked);
}

void Esp32Evse::take_values_(uint8_t row, const Values &values, bool asked) {
  const CommandRow &command = this->rows_[row];
  if (command.follow != nullptr)
    command.follow(*this, values);
  // The heartbeat brings the counters along.
  this->derived_dirty_ |= command.follow != nullptr || row == AtClient::UPTIME_ROW;
  if (asked && !this->is_refused(row))
    this->publish_row_(row, &values);
}

/// Without values: unknown.
void Esp32Evse::publish_row_(uint8_t row, const Values *values) {
  this->entities_.publish_row(*this, this->rows_[row], values, this->client_.has_chosen_period(row));
}

void Esp32Evse::on_lines_end(uint8_t row, bool complete) { this->entities_.finish_list(this->rows_[row], complete); }

// --- what the client says ---------------------------------------------------------------------------------------------

void Esp32Evse::on_lacking(uint8_t row) {
  ESP_LOGW(TAG, "Charger has no %s", this->rows_[row].name);
  this->publish_row_(row, nullptr);
}

/// Why a wish has not come true, in a person's words; by WishEnd.
static const char *const REASONS[] = {
    "",
    "out of range, the nearest value was set",
    "the charger refused it",
    "the charger shows another value",
    "the charger did not answer",
    "the charger was silent for too long",
};

void Esp32Evse::on_wish_end(uint8_t row, WishEnd end) {
  if (!this->client_.is_pending(row))
    this->tell_wishing_(row, 0);  // whoever is told of the end begins with what the charger holds
  this->clock_.on_wish_end(row, end, millis());
  if (this->current_.on_wish_end(row, end))
    this->read_followed_(follow_maximum_current);
  if (end == WishEnd::HELD) {
    this->refusals_.fulfil(row);
    this->saturated_row_ = row == this->saturated_row_ ? NO_ROW : this->saturated_row_;
    if (COUNTS_LIFETIME && this->rows_[row].has(UNPROVABLE))
      this->lifetime_.energy.on_reset();
    return;
  }
  if (end == WishEnd::SATURATED && row == this->saturated_row_) {
    this->show_refusal(row);  // told already
    return;
  }
  this->saturated_row_ = end == WishEnd::SATURATED ? row : this->saturated_row_;
  const char *reason = REASONS[static_cast<uint8_t>(end)];
  ESP_LOGW(TAG, "Charger did not take %s: %s", this->rows_[row].name, reason);
  this->tell_failure_(row, reason);
}

void Esp32Evse::on_online(bool online) {
#ifdef USE_ESP32EVSE_LOAD_MANAGER
  if (this->manager_ != nullptr)
    this->manager_->on_online(online);
#endif
  this->derived_dirty_ = true;
  if (online) {
    this->status_clear_warning();
    this->connect_callback_.call();
    return;
  }
  this->status_set_warning(LOG_STR("charger does not answer"));  // logs it, too
  this->situation_ = {};
  this->state_read_ = false;
  this->current_.forget_refused();
  this->client_.schedule().set_charging(false);
  this->entities_.publish_unknown(*this);
  this->disconnect_callback_.call();
}

void Esp32Evse::on_held_back(uint8_t row) {
  ESP_LOGW(TAG, "%s waits: the charger's flash is written at most once in 10 s", this->rows_[row].name);
}

void Esp32Evse::on_restart(Restart restart) {
#ifdef USE_ESP32EVSE_LOAD_MANAGER
  if (this->manager_ != nullptr)
    this->manager_->on_restart();
#endif
  this->clock_.on_restart();
  this->current_.forget_refused();
  if (restart == Restart::FIRST_READY) {
    ESP_LOGI(TAG, "Charger started");
  } else {
    ESP_LOGW(TAG, "Charger restarted");
  }
  this->derived_dirty_ = true;
  if (restart != Restart::MISSED)
    this->ready_callback_.call();
}

void Esp32Evse::on_raw_line(const char *line, size_t length) {
  if (!SENDS_RAW_COMMANDS)
    return;
  const Utf8Text valid(line, length);
  this->line_callback_.call(StringRef(valid.data(), valid.length()));
}

void Esp32Evse::on_raw_result(bool success) {
  // As in on_wish_end(): one that on_command_result itself sends, and that is refused, is not told.
  if (!SENDS_RAW_COMMANDS || std::exchange(this->tells_result_, true))
    return;
  this->result_callback_.call(success);
  this->tells_result_ = false;
}

}  // namespace esphome::esp32evse
