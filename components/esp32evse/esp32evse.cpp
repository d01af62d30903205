#include "esp32evse.h"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstring>
#include <utility>

#include "entities.h"
#include "utf8.h"
#include "esphome/core/hal.h"
#include "esphome/core/log.h"

namespace esphome::esp32evse {

static const char *const TAG = "esp32evse";
static const char *const TOO_MANY = "too many wishes at once";
/// What only a lambda calls.
static const char *const LEFT_OUT = "nothing else in the configuration asks for this, so it was left out (parts.h)";

// --- component --------------------------------------------------------------------------------------------------------

void Esp32Evse::set_tables(const CommandRow *rows, RowState *states, uint8_t row_count, const Binding *bindings,
                           uint8_t binding_count, uint8_t first_derived, Pacer *pacers) {
  this->rows_ = rows;
  this->bindings_ = bindings;
  this->binding_count_ = binding_count;
  this->first_derived_ = first_derived;
  this->pacers_ = pacers;
  this->client_.set_rows(rows, states, row_count);
}

void Esp32Evse::setup() {
  if (COUNTS_LIFETIME && this->lifetime_key_ != 0) {
    this->preference_ = global_preferences->make_preference<LifetimeEnergy::Memory>(this->lifetime_key_, true);
    LifetimeEnergy::Memory memory;
    if (this->preference_.load(&memory)) {
      this->lifetime_.restore(memory);
      this->saved_energy_ = this->lifetime_.shown();
    }
  }
#ifdef USE_EVENT
  this->event_type_.reserve(MAX_EVENT_TYPE);
#endif
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
    this->publish_from_(this->first_derived_);
  }
  if (now - this->paced_at_ >= PACE_MS) {
    this->paced_at_ = now;
    this->publish_held_(now);
    this->end_refusals_(now);
  }
  // An answer takes some milliseconds; the next loop would come 16 ms later.
  if (!this->client_.is_busy()) {
    this->high_frequency_.stop();
    return;
  }
  this->high_frequency_.start();
  if (this->available() == 0)
    delay(1);  // the others want to live, too
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
                YESNO(this->client_.is_keeping_settings()), YESNO(this->is_keeping_time_()));
}

void Esp32Evse::on_shutdown() {
  if (COUNTS_LIFETIME)
    this->save_lifetime_(0);
}

// --- requests ---------------------------------------------------------------------------------------------------------

void Esp32Evse::write(uint8_t row, uint32_t value) {
  const CommandRow &command = this->rows_[row];
  const bool may_pause = PAUSES_BELOW_MINIMUM && this->below_minimum_ == BelowMinimum::PAUSE &&
                         command.has(CHARGING_CURRENT) && !command.has(STORED);
  const bool pause = may_pause && value < command.low;
  if (PAUSES_BELOW_MINIMUM && row == this->enable_row_)
    this->paused_by_current_ = false;  // somebody decides about ENABLE itself
  if (pause) {
    this->show_refusal_(row);
  } else {
    const uint32_t possible = saturate(value, command.low, this->high_of_(row));
    this->write_number_(row, possible, possible != value);
  }
  if (may_pause)
    this->pause_by_current_(pause);
}

/// ENABLE=0 stands for a current below 6 A until one that is possible is wished for. Somebody's own pause outlasts it.
void Esp32Evse::pause_by_current_(bool pause) {
  const Wish *wish = this->is_managed_() ? nullptr : this->client_.find_wish(this->enable_row_);
  const bool enabled = wish != nullptr ? wish->number != 0 : this->enable_held_;
  const bool paused_before = std::exchange(this->paused_by_current_, pause && (this->paused_by_current_ || enabled));
  // Again and again: somebody else, or a restart of the charger, may have ended the pause.
  if (pause || paused_before)
    this->write_number_(this->enable_row_, pause ? 0 : 1, false);
}

/// The row's entities learn of a wish, or that none is pending any more.
void Esp32Evse::tell_wishing_(uint8_t row, uint32_t number) {
  const bool pending = this->client_.is_pending(row);
  for (WishingEntity *entity = this->wishing_; entity != nullptr; entity = entity->next) {
    if (entity->row() == row)
      entity->follow_wish(pending, number);
  }
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
  } else if (this->rows_[row].has(CHARGING_CURRENT) && !this->rows_[row].has(STORED)) {
    this->current_row_ = row;
    this->asked_current_ = value;
    this->current_refused_ = false;
  }
}

/// The largest number that may be written now, or when the wishes before it have come true.
uint32_t Esp32Evse::high_of_(uint8_t row) const {
  const CommandRow &command = this->rows_[row];
  if (!command.has(CHARGING_CURRENT))
    return command.high;
  const Wish *wish = this->client_.find_wish(this->find_followed_(follow_maximum_current));
  const uint32_t maximum = wish != nullptr ? wish->number : this->maximum_current_;
  return maximum > 0 ? std::min(command.high, maximum * 10) : command.high;
}

#ifdef USE_ESP32EVSE_LOAD_MANAGER
void Esp32Evse::write_managed(uint8_t row, uint32_t value) { this->ask_number_(row, value, false); }
#endif

/// A wish that the charger never hears of.
void Esp32Evse::refuse_(uint8_t row, const char *reason) {
  ESP_LOGW(TAG, "%s not sent: %s", this->rows_[row].name, reason);
  this->tell_failure_(row, reason);
  this->client_.schedule().read(row);
}

void Esp32Evse::write_text_(uint8_t row, const AtText &argument, uint8_t provable) {
  if (!WRITES_TEXTS) {
    this->refuse_(row, LEFT_OUT);
  } else if (!argument.ok()) {
    this->refuse_(row, "too few or too many bytes, or control characters");
  } else if (!this->client_.write_text(row, argument, provable, millis())) {
    this->refuse_(row, TOO_MANY);
  }
}

void Esp32Evse::write_string(uint8_t row, const char *value, size_t length) {
  AtText argument;
  argument.add_string(value, length, this->rows_[row].high);
  this->write_text_(row, argument, argument.length());
}

void Esp32Evse::run(uint8_t row) {
  if (!this->client_.run(row, millis()))
    this->refuse_(row, TOO_MANY);
}

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
  if (period_ms != 0) {
    this->chosen_.add(row);
  } else {
    this->chosen_.remove(row);
  }
  this->client_.schedule().subscribe(row, period_ms);
}

void Esp32Evse::unsubscribe_all() { this->client_.schedule().unsubscribe_all(); }

void Esp32Evse::refresh() { this->client_.schedule().refresh(); }

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
  const CommandRow &command = this->rows_[row];
  this->unpaced_ = HAS_CHOSEN_PERIODS && this->chosen_.contains(row);
  const Binding *binding = &this->bindings_[command.first_binding];
  for (uint8_t count = command.bindings; count > 0; count--, binding++)
    binding->publish(*binding, *this, values);
  this->unpaced_ = false;
}

/// Without values: the derived entities in the table's last part; before them, "unknown".
void Esp32Evse::publish_from_(uint8_t first) {
  for (uint8_t i = first; i < this->binding_count_; i++)
    this->bindings_[i].publish(this->bindings_[i], *this, nullptr);
}

void Esp32Evse::on_lines_end([[maybe_unused]] uint8_t row, [[maybe_unused]] bool complete) {
#ifdef USE_TEXT_SENSOR
  const CommandRow &command = this->rows_[row];
  if (command.has(LINES) && command.bindings > 0)
    static_cast<ListTextSensor *>(this->bindings_[command.first_binding].entity)->finish(complete);
#endif
}

void Esp32Evse::publish_held_(uint32_t now) {
  for (uint8_t i = 0; i < this->binding_count_; i++) {
    if (Pacer *pacer = this->find_pacer(this->bindings_[i]))
      publish_held(this->bindings_[i], *pacer, now);
  }
}

/// What is held back now, and every value that comes next, goes out at once.
void Esp32Evse::hurry_pacers_() {
  for (uint8_t i = 0; i < this->binding_count_; i++) {
    if (Pacer *pacer = this->find_pacer(this->bindings_[i]))
      pacer->hurry();
  }
}

void Esp32Evse::follow_state(Esp32Evse &hub, const Values &values) {
  const auto known = static_cast<uint64_t>(ChargerState::UNKNOWN);
  const ChargerState state =
      values[0].number < known ? static_cast<ChargerState>(values[0].number) : ChargerState::UNKNOWN;
  hub.state_read_ = true;
  if (state == hub.situation_.state)
    return;
  const bool was_charging = hub.is_charging();
  hub.situation_.state = state;
  hub.client_.schedule().set_charging(hub.is_charging());
  hub.client_.schedule().poll();  // much else has changed with it
  if (hub.is_charging() != was_charging)
    hub.hurry_pacers_();
}

/// With the session's events and the state's trigger, where they are configured.
void Esp32Evse::follow_state_and_session(Esp32Evse &hub, const Values &values) {
  follow_state(hub, values);
  const ChargerState state = hub.situation_.state;
  if (state == ChargerState::UNKNOWN)
    return;
  if (state != hub.reported_state_) {
    hub.reported_state_ = state;
    hub.state_callback_.call(StringRef(state_name(state)));
  }
  hub.on_session_events_(hub.session_.on_state(state, millis()));
}

#ifdef USE_EVENT
void Esp32Evse::trigger_(event::Event *event, uint8_t type) {
  if (event == nullptr)
    return;
  this->event_type_ = event->get_event_type(type);
  event->trigger(this->event_type_);
}
#endif

void Esp32Evse::on_session_events_(uint8_t events) {
  if (events == SessionTracker::NOTHING)
    return;
  this->hurry_pacers_();
  this->publish_from_(this->first_derived_);  // automations read the last session's entities
  if ((events & SessionTracker::FINISHED) != 0) {
#ifdef USE_EVENT
    this->trigger_(this->session_event_, 1);
#endif
    this->end_callback_.call(static_cast<float>(this->session_.last_energy()), this->session_.last_duration());
  }
  if ((events & SessionTracker::STARTED) != 0) {
#ifdef USE_EVENT
    this->trigger_(this->session_event_, 0);
#endif
    this->start_callback_.call();
  }
}

void Esp32Evse::follow_error(Esp32Evse &hub, const Values &values) {
  hub.situation_.faults = static_cast<uint8_t>(values[0].number);
}

/// With the event and the trigger of new faults, where they are configured.
void Esp32Evse::follow_error_and_report(Esp32Evse &hub, const Values &values) {
  follow_error(hub, values);
  const uint8_t appeared = hub.situation_.faults & ~hub.reported_faults_;
  hub.reported_faults_ = hub.situation_.faults;
  for (uint8_t bit = 0; bit < FAULT_COUNT; bit++) {
    if ((appeared >> bit & 1) == 0)
      continue;
#ifdef USE_EVENT
    hub.trigger_(hub.fault_event_, bit);
#endif
    hub.fault_callback_.call(StringRef(fault_name(bit)));
  }
}

void Esp32Evse::follow_enable(Esp32Evse &hub, const Values &values) {
  hub.situation_.enabled = hub.enable_held_ = values[0].number != 0;
}

void Esp32Evse::follow_pendauth(Esp32Evse &hub, const Values &values) {
  hub.situation_.pending_authorization = values[0].number != 0;
}

void Esp32Evse::follow_limreach(Esp32Evse &hub, const Values &values) {
  hub.situation_.limit_reached = values[0].number != 0;
}

void Esp32Evse::follow_current(Esp32Evse &hub, const Values &values) {
  hub.active_phases_ = 0;
  for (uint8_t phase = 0; phase < 3; phase++)
    hub.active_phases_ += values[phase].number > ACTIVE_PHASE_MA ? 1 : 0;
}

void Esp32Evse::follow_session_time(Esp32Evse &hub, const Values &values) {
  hub.session_.on_duration(static_cast<uint32_t>(values[0].number), millis());
}

void Esp32Evse::follow_session_energy(Esp32Evse &hub, const Values &values) {
  const auto energy = static_cast<uint32_t>(values[0].number);
  if (COUNTS_LIFETIME)
    hub.lifetime_.on_session(energy, hub.client_.uptime());
  if (FOLLOWS_SESSIONS)
    hub.session_.on_energy(energy, millis());
}

void Esp32Evse::follow_total_energy(Esp32Evse &hub, const Values &values) {
  if (COUNTS_LIFETIME)
    hub.count_lifetime_(values[0].number);
  if (FOLLOWS_SESSIONS)
    hub.on_session_events_(hub.session_.on_total(values[0].number, millis()));
}

void Esp32Evse::count_lifetime_(uint64_t total) {
  const bool first = !this->lifetime_.is_doubted();
  this->lifetime_dirty_ |= this->lifetime_.on_total(total, this->client_.uptime());
  if (first && this->lifetime_.is_doubted())
    this->read_followed_(follow_total_energy);
  this->save_lifetime_(this->is_charging() ? SAVE_CHARGING_MS : SAVE_IDLE_MS);
}

/// The row that is followed so, or NO_ROW.
uint8_t Esp32Evse::find_followed_(void (*follow)(Esp32Evse &hub, const Values &values)) const {
  for (uint8_t row = 0; row < this->client_.row_count(); row++) {
    if (this->rows_[row].follow == follow)
      return row;
  }
  return NO_ROW;
}

/// Reads again what is followed so, and is there: it counts when it comes twice.
void Esp32Evse::read_followed_(void (*follow)(Esp32Evse &hub, const Values &values)) {
  this->client_.schedule().read(this->find_followed_(follow));
}

/// Saves the lifetime energy if it has changed and was not saved within `interval_ms`.
void Esp32Evse::save_lifetime_(uint32_t interval_ms) {
  const uint32_t now = millis();
  const bool recently = this->lifetime_saved_ && now - this->lifetime_saved_at_ < interval_ms;
  if (this->lifetime_key_ == 0 || !this->lifetime_dirty_ || recently)
    return;
  this->preference_.save(&this->lifetime_.memory());
  global_preferences->sync();  // only what a loss of power cannot take is shown
  this->lifetime_dirty_ = false;
  this->lifetime_saved_ = true;
  this->lifetime_saved_at_ = now;
  this->saved_energy_ = this->lifetime_.shown();
  if (!this->is_charging())
    this->hurry_pacers_();
}

#ifdef USE_TIME
void Esp32Evse::follow_time(Esp32Evse &hub, const Values &values) {
  if (hub.clock_refused_ && millis() - hub.clock_refused_at_ < CLOCK_RETRY_MS)
    return;
  const ESPTime time = hub.clock_->utcnow();
  const auto off = static_cast<int64_t>(values[0].number - static_cast<uint64_t>(time.timestamp));
  if (time.is_valid() && (off > CLOCK_TOLERANCE_S || off < -CLOCK_TOLERANCE_S))
    hub.write(hub.time_row_, static_cast<uint32_t>(time.timestamp));
}
#endif

/// A lost digit would saturate every wish: it counts when it comes twice.
void Esp32Evse::follow_maximum_current(Esp32Evse &hub, const Values &values) {
  const auto heard = static_cast<uint8_t>(values[0].number);
  if (heard == hub.heard_maximum_)
    hub.maximum_current_ = heard;
  hub.heard_maximum_ = heard;
  if (heard != hub.maximum_current_) {
    hub.read_followed_(follow_maximum_current);
  } else if (std::exchange(hub.current_refused_, false) && hub.asked_current_ > heard * 10u && !hub.is_managed_()) {
    hub.ask_number_(hub.current_row_, heard * 10, true);  // the old current may be the higher one
  }
}

void Esp32Evse::follow_wifi_scan(Esp32Evse &hub, const Values &values) {
  const Utf8Text ssid(values[0].text, values[0].length);
  hub.scan_callback_.call(StringRef(ssid.data(), ssid.length()), static_cast<int>(values[2].as_signed()),
                          static_cast<int>(values[1].number));
}

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
#ifdef USE_TIME
  if (row == this->time_row_) {
    this->clock_refused_ = end != WishEnd::HELD;
    this->clock_refused_at_ = millis();
  }
#endif
  if (row == this->current_row_ && end != WishEnd::REFUSED)
    this->asked_current_ = 0;
  if (end == WishEnd::HELD) {
    this->awaited_.remove(row);
    this->saturated_row_ = row == this->saturated_row_ ? NO_ROW : this->saturated_row_;
    if (COUNTS_LIFETIME && this->rows_[row].has(UNPROVABLE))
      this->lifetime_.on_reset();
    return;
  }
  if (end == WishEnd::REFUSED && row == this->current_row_ && this->asked_current_ > 0) {
    this->current_refused_ = true;
    this->read_followed_(follow_maximum_current);
  }
  if (end == WishEnd::SATURATED && row == this->saturated_row_) {
    this->show_refusal_(row);  // told already
    return;
  }
  this->saturated_row_ = end == WishEnd::SATURATED ? row : this->saturated_row_;
  const char *reason = REASONS[static_cast<uint8_t>(end)];
  ESP_LOGW(TAG, "Charger did not take %s: %s", this->rows_[row].name, reason);
  this->tell_failure_(row, reason);
}

/// Clients see a change, and automations are told.
void Esp32Evse::tell_failure_(uint8_t row, const char *reason) {
  this->show_refusal_(row);
  // A wish that on_write_failed itself asks for, and that fails at once, is not told: it could go on for ever.
  if (this->wish_names_ == nullptr || std::exchange(this->tells_failure_, true))
    return;
  this->failed_callback_.call(StringRef(this->wish_names_[row]), StringRef(reason));
  this->tells_failure_ = false;
}

/// Whoever has entered what the charger does not hold sees a change: unknown for a moment.
void Esp32Evse::show_refusal_(uint8_t row) {
  if (!this->awaited_.remove(row))
    return;
  if (this->refused_.empty()) {
    this->refused_at_ = millis();
    this->refused_.add(row);
  } else {
    this->refused_later_.add(row);
  }
  this->publish_row_(row, nullptr);
}

void Esp32Evse::show_rounded(uint8_t row) {
  const uint32_t now = millis();
  if (now - this->rounded_at_ >= ROUNDS_AGAIN_MS)
    this->show_refusal_(row);
  this->rounded_at_ = now;
}

bool Esp32Evse::is_refused(uint8_t row) const {
  return this->is_connected() && (this->refused_.contains(row) || this->refused_later_.contains(row));
}

/// It was asked of a charger that has gone since: nobody waits for it any more.
void Esp32Evse::forget_refused_current_() {
  if (std::exchange(this->current_refused_, false))
    this->asked_current_ = 0;
}

/// What was refused shows the charger's value again.
void Esp32Evse::end_refusals_(uint32_t now) {
  if (this->refused_.empty() || now - this->refused_at_ < UNKNOWN_FOR_MS + BatchDelay::get())
    return;
  for (uint8_t row = 0; row < this->client_.row_count(); row++) {
    if (this->refused_.remove(row))
      this->client_.schedule().read(row);
  }
  std::swap(this->refused_, this->refused_later_);
  this->refused_at_ = now;
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
  this->forget_refused_current_();
  this->lifetime_.forget_readings();
  this->client_.schedule().set_charging(false);
  this->publish_from_(0);
  this->disconnect_callback_.call();
}

void Esp32Evse::on_held_back(uint8_t row) {
  ESP_LOGW(TAG, "%s is written too often for the charger's flash: held back for up to 10 s", this->rows_[row].name);
}

void Esp32Evse::on_restart(Restart restart) {
#ifdef USE_ESP32EVSE_LOAD_MANAGER
  if (this->manager_ != nullptr)
    this->manager_->on_restart();
#endif
  this->clock_refused_ = false;
  this->forget_refused_current_();
  if (restart == Restart::FIRST_READY) {
    ESP_LOGI(TAG, "Charger started");
  } else {
    ESP_LOGW(TAG, "Charger restarted");
  }
  this->lifetime_.forget_readings();
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
