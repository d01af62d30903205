#include "esp32evse.h"

#include <algorithm>
#include <cstring>

#include "esphome/core/application.h"
#include "esphome/core/log.h"
#ifdef USE_EVENT
#include "esphome/components/event/event.h"
#endif

namespace esphome::esp32evse {

static const char *const TAG = "esp32evse";

// --- component --------------------------------------------------------------------------------------------------------

void Esp32Evse::set_tables(const CommandRow *rows, RowState *states, uint8_t row_count, const Binding *bindings,
                           uint8_t binding_count, uint8_t first_derived) {
  this->rows_ = rows;
  this->row_count_ = row_count;
  this->bindings_ = bindings;
  this->binding_count_ = binding_count;
  this->first_derived_ = first_derived;
  this->client_.set_rows(rows, states, row_count);
}

void Esp32Evse::setup() {
  if (this->lifetime_key_ != 0) {
    this->preference_ = global_preferences->make_preference<LifetimeEnergy::Memory>(this->lifetime_key_);
    LifetimeEnergy::Memory memory;
    if (this->preference_.load(&memory)) {
      this->lifetime_.restore(memory);
      this->saved_energy_ = memory.shown;
    }
  }
  this->client_.start(App.get_loop_component_start_time());
}

void Esp32Evse::loop() {
  const uint32_t now = App.get_loop_component_start_time();
  this->receive_(now);
  this->client_.loop(now);
  // An answer takes some milliseconds; the next loop would come 16 ms later.
  if (this->client_.is_busy()) {
    this->high_frequency_.start();
  } else {
    this->high_frequency_.stop();
  }
  if (static_cast<int32_t>(now - this->next_diagnostics_) >= 0) {
    this->next_diagnostics_ = now + DIAGNOSTICS_MS;
    this->derived_dirty_ = true;
  }
  if (this->derived_dirty_) {
    this->derived_dirty_ = false;
    this->publish_derived_();
  }
}

void Esp32Evse::receive_(uint32_t now) {
  uint8_t buffer[64];
  size_t budget = MAX_BYTES_PER_LOOP;
  size_t available = this->available();
  while (available > 0 && budget > 0) {
    const size_t length = std::min({available, sizeof(buffer), budget});
    if (!this->read_array(buffer, length))
      return;
    this->client_.receive(buffer, length, now);
    budget -= length;
    available -= length;
  }
}

void Esp32Evse::dump_config() {
  ESP_LOGCONFIG(TAG,
                "ESP32-EVSE charger:\n"
                "  Commands in use: %u\n"
                "  Entities: %u\n"
                "  Keeps settings over charger restarts: %s\n"
                "  Answers: %s",
                this->row_count_, this->binding_count_, YESNO(this->keep_settings_),
                YESNO(this->client_.is_online()));
  this->check_uart_settings(115200);
}

void Esp32Evse::on_shutdown() { this->save_lifetime_(true); }

// --- requests ---------------------------------------------------------------------------------------------------------

void Esp32Evse::write(uint8_t row, uint32_t value) {
  const uint32_t now = App.get_loop_component_start_time();
  this->client_.write_number(row, value, now);
  this->client_.loop(now);
}

void Esp32Evse::write_text_(uint8_t row, const Argument &argument, uint8_t provable) {
  const uint32_t now = App.get_loop_component_start_time();
  if (!argument.ok()) {
    ESP_LOGW(TAG, "%s not sent: a text may have 31 bytes and no control characters", this->rows_[row].name);
    this->on_written(row, false);
  } else if (!this->client_.write_text(row, argument, provable, now)) {
    ESP_LOGW(TAG, "%s not sent: too many texts at once, try again", this->rows_[row].name);
    this->on_written(row, false);
  }
  this->client_.loop(now);
}

void Esp32Evse::write_string(uint8_t row, const std::string &value) {
  Argument argument;
  argument.string(value.data(), value.size());
  if (value.empty()) {
    ESP_LOGW(TAG, "%s not sent: it must not be empty", this->rows_[row].name);
    this->on_written(row, false);
    return;
  }
  this->write_text_(row, argument, argument.length());
}

void Esp32Evse::run(uint8_t row) {
  const uint32_t now = App.get_loop_component_start_time();
  this->client_.run(row, now);
  this->client_.loop(now);
}

void Esp32Evse::set_charging_current(uint8_t row, float ampere) {
  if (!(ampere >= 6.0f && ampere <= 63.0f)) {
    ESP_LOGW(TAG, "Charging current %.1f A not sent: it must be 6 to 63 A", ampere);
    return;
  }
  this->write(row, static_cast<uint32_t>(ampere * 10.0f + 0.5f));
}

void Esp32Evse::set_wifi_station(uint8_t row, bool enabled, const std::string &ssid, const std::string *password) {
  Argument argument;
  argument.number(enabled ? 1 : 0).string(ssid.data(), ssid.size());
  const uint8_t provable = argument.length();  // the charger does not show the password
  if (password != nullptr)
    argument.string(password->data(), password->size());
  this->write_text_(row, argument, provable);
}

void Esp32Evse::set_static_ip(uint8_t row, bool enabled, const std::string &ip, const std::string &gateway,
                              const std::string &netmask, const std::string &dns) {
  Argument argument;
  argument.number(enabled ? 1 : 0)
      .string(ip.data(), ip.size())
      .string(gateway.data(), gateway.size())
      .string(netmask.data(), netmask.size());
  if (!dns.empty())
    argument.string(dns.data(), dns.size());
  this->write_text_(row, argument, argument.length());
}

#ifdef USE_TIME
void Esp32Evse::write_time(uint8_t row, time::RealTimeClock *clock) {
  const ESPTime time = clock->utcnow();
  if (!time.is_valid()) {
    ESP_LOGW(TAG, "Clock not set: the time source has no time yet");
    return;
  }
  this->write(row, static_cast<uint32_t>(time.timestamp));
}
#endif

void Esp32Evse::send_command(const std::string &command, bool force) {
  const uint32_t now = App.get_loop_component_start_time();
  const char *reason = refuse_raw_command(command.data(), command.size(), force);
  if (reason == nullptr && !this->client_.send_raw(command.data(), command.size()))
    reason = "another one is under way";
  if (reason != nullptr) {
    ESP_LOGW(TAG, "Command not sent: %s", reason);
    this->result_callback_.call(false);
    return;
  }
  this->client_.loop(now);
}

void Esp32Evse::subscribe(uint8_t row, uint32_t period_ms) {
  if (period_ms != 0 && (period_ms < 100 || period_ms > 42949671)) {
    ESP_LOGW(TAG, "%s not subscribed: the period must be 100 ms to 11 h, not %" PRIu32 " ms", this->rows_[row].name,
             period_ms);
    return;
  }
  this->client_.subscribe(row, period_ms);
}

void Esp32Evse::unsubscribe_all() { this->client_.unsubscribe_all(); }

void Esp32Evse::refresh() { this->client_.refresh(); }

// --- what the charger says --------------------------------------------------------------------------------------------

void Esp32Evse::on_transmit(const char *data, size_t length) {
  this->write_array(reinterpret_cast<const uint8_t *>(data), length);
}

void Esp32Evse::on_values(uint8_t row, const Values &values) {
  const CommandRow &command = this->rows_[row];
  if (command.role != static_cast<uint8_t>(Role::NONE))
    this->follow_(row, values);
  const uint8_t end = command.first_binding + command.bindings;
  for (uint8_t i = command.first_binding; i < end; i++)
    this->publish_(this->bindings_[i], values);
}

void Esp32Evse::follow_(uint8_t row, const Values &values) {
  const auto role = static_cast<Role>(this->rows_[row].role);
  const auto value = static_cast<uint32_t>(values[0].number);
  switch (role) {
    case Role::STATE:
      this->follow_state_(value < static_cast<uint32_t>(ChargerState::UNKNOWN) ? static_cast<ChargerState>(value)
                                                                              : ChargerState::UNKNOWN);
      break;
    case Role::ERROR:
      this->follow_faults_(static_cast<uint8_t>(value));
      break;
    case Role::PENDAUTH:
      this->situation_.pending_authorization = value != 0;
      break;
    case Role::LIMREACH:
      this->situation_.limit_reached = value != 0;
      break;
    case Role::CURRENT:
      for (uint8_t phase = 0; phase < 3; phase++)
        this->current_ma_[phase] = static_cast<uint32_t>(values[phase].number);
      break;
    case Role::SESSION_TIME:
      this->session_.on_duration(value);
      break;
    case Role::SESSION_ENERGY:
      this->session_energy_ = value;
      this->session_.on_energy(value);
      break;
    case Role::TOTAL_ENERGY:
      this->lifetime_shown_ = this->lifetime_.update(values[0].number, this->session_energy_);
      this->save_lifetime_(false);
      break;
    case Role::TIME:
      this->follow_clock_(row, values[0].number);
      break;
    case Role::WIFI_SCAN:
      this->follow_scan_(values);
      break;
    default:
      this->follow_live_setting_(role, value);
      break;
  }
  this->derived_dirty_ = true;
}

void Esp32Evse::follow_live_setting_(Role role, uint32_t value) {
  if (role < Role::ENABLE)
    return;
  const uint8_t index = static_cast<uint8_t>(role) - static_cast<uint8_t>(Role::ENABLE);
  this->kept_[index] = value;
  this->kept_known_ |= 1 << index;
  if (role == Role::ENABLE)
    this->situation_.enabled = value != 0;
}

void Esp32Evse::follow_state_(ChargerState state) {
  const bool changed = state != this->situation_.state;
  this->situation_.state = state;
  if (changed) {
    this->client_.set_charging(esp32evse::is_charging(state));
    this->state_callback_.call(state_name(state));
  }
  if (state != ChargerState::UNKNOWN)
    this->on_session_events_(this->session_.on_state(state));
}

void Esp32Evse::on_session_events_(uint8_t events) {
  if (events == SessionTracker::NOTHING)
    return;
  this->publish_derived_();  // automations read the last session's entities
  if ((events & SessionTracker::FINISHED) != 0) {
    this->save_lifetime_(true);
    this->trigger_event_(Kind::SESSION_EVENT, "finished");
    this->end_callback_.call(static_cast<float>(this->session_.last_energy()), this->session_.last_duration());
  }
  if ((events & SessionTracker::STARTED) != 0) {
    this->trigger_event_(Kind::SESSION_EVENT, "started");
    this->start_callback_.call();
  }
}

void Esp32Evse::follow_faults_(uint8_t faults) {
  const uint8_t appeared = this->faults_known_ ? faults & ~this->situation_.faults : 0;
  this->situation_.faults = faults;
  this->faults_known_ = true;
  for (uint8_t bit = 0; bit < FAULT_COUNT; bit++) {
    if ((appeared & (1 << bit)) == 0)
      continue;
    this->trigger_event_(Kind::FAULT_EVENT, fault_name(bit));
    this->fault_callback_.call(fault_name(bit));
  }
}

void Esp32Evse::follow_clock_(uint8_t row, uint64_t epoch) {
#ifdef USE_TIME
  if (this->clock_ == nullptr)
    return;
  const ESPTime time = this->clock_->utcnow();
  if (time.is_valid() && (epoch + 2 < static_cast<uint64_t>(time.timestamp) ||
                          epoch > static_cast<uint64_t>(time.timestamp) + 2))
    this->write(row, static_cast<uint32_t>(time.timestamp));
#endif
}

void Esp32Evse::follow_scan_(const Values &values) {
  this->scan_callback_.call(std::string(values[0].text, values[0].length), static_cast<int>(values[2].as_signed()),
                            static_cast<int>(values[1].number));
}

void Esp32Evse::trigger_event_(Kind kind, const char *type) {
#ifdef USE_EVENT
  for (uint8_t i = this->first_derived_; i < this->binding_count_; i++) {
    if (this->bindings_[i].kind == kind)
      static_cast<event::Event *>(this->bindings_[i].entity)->trigger(type);
  }
#endif
}

void Esp32Evse::save_lifetime_(bool now) {
  if (this->lifetime_key_ == 0)
    return;
  const LifetimeEnergy::Memory &memory = this->lifetime_.memory();
  const uint64_t step = now ? 1 : SAVE_STEP_WH;
  if (memory.shown >= this->saved_energy_ && memory.shown < this->saved_energy_ + step)
    return;
  this->saved_energy_ = memory.shown;
  this->preference_.save(&memory);
}

// --- what the client says ---------------------------------------------------------------------------------------------

void Esp32Evse::on_unsupported(uint8_t row) {
  ESP_LOGW(TAG, "This charger does not know %s: its entities stay unknown", this->rows_[row].name);
}

void Esp32Evse::on_written(uint8_t row, bool success) {
  const CommandRow &command = this->rows_[row];
  if (success) {
    if (command.role == static_cast<uint8_t>(Role::TOTAL_ENERGY)) {
      this->lifetime_.reset();
      this->save_lifetime_(true);
    }
    return;
  }
  ESP_LOGW(TAG, "The charger did not take %s: showing what it holds", command.name);
  for (uint8_t i = 0; i < command.bindings; i++)
    this->forget_state_(this->bindings_[command.first_binding + i]);
}

void Esp32Evse::on_run(uint8_t row, bool success) {
  if (!success)
    ESP_LOGW(TAG, "The charger did not confirm %s; it is not repeated", this->rows_[row].name);
}

void Esp32Evse::on_online(bool online) {
  this->derived_dirty_ = true;
  if (online) {
    ESP_LOGI(TAG, "Charger answers");
    this->status_clear_warning();
    this->connect_callback_.call();
    return;
  }
  ESP_LOGW(TAG, "Charger does not answer");
  this->status_set_warning(LOG_STR("charger does not answer"));
  this->situation_.state = ChargerState::UNKNOWN;
  this->client_.set_charging(false);
  for (uint8_t i = 0; i < this->first_derived_; i++)
    this->publish_unknown_(this->bindings_[i]);
  this->publish_derived_();
  this->disconnect_callback_.call();
}

void Esp32Evse::on_reboot(bool ready_line) {
  ESP_LOGW(TAG, "Charger has restarted%s", ready_line ? "" : " unnoticed");
  const uint32_t now = App.get_loop_component_start_time();
  this->session_energy_ = 0;
  this->derived_dirty_ = true;
  for (uint8_t row = 0; this->keep_settings_ && row < this->row_count_; row++) {
    const uint8_t role = this->rows_[row].role;
    if (role < static_cast<uint8_t>(Role::ENABLE))
      continue;
    const uint8_t index = role - static_cast<uint8_t>(Role::ENABLE);
    if ((this->kept_known_ & (1 << index)) != 0)
      this->client_.restore_number(row, this->kept_[index], now);
  }
  if (ready_line)
    this->ready_callback_.call();
}

void Esp32Evse::on_raw_line(const char *line, size_t length) { this->line_callback_.call(std::string(line, length)); }

void Esp32Evse::on_raw_result(bool success) { this->result_callback_.call(success); }

}  // namespace esphome::esp32evse
