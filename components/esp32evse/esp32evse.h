#pragma once

#include <string>
#include <utility>

#include "at_client.h"
#include "charge_manager.h"
#include "charging.h"
#include "charging_current.h"
#include "energy.h"
#include "parts.h"
#include "publish.h"
#include "row_set.h"
#include "wishing_entity.h"
#include "esphome/components/uart/uart.h"
#include "esphome/core/component.h"
#include "esphome/core/defines.h"
#include "esphome/core/helpers.h"
#include "esphome/core/preferences.h"
#include "esphome/core/string_ref.h"
#ifdef USE_EVENT
#include "esphome/components/event/event.h"
#endif
#ifdef USE_TIME
#include "esphome/components/time/real_time_clock.h"
#endif

namespace esphome::esp32evse {

class Esp32Evse final : public AtClientListener, public PollingComponent, public uart::UARTDevice {
 public:
  void setup() override;
  void loop() override;
  /// Everything that can change is read again: ESPHome's poller asks for it, or `component.update`.
  void update() override { this->client_.schedule().poll(); }
  void dump_config() override;
  void on_shutdown() override;
  float get_setup_priority() const override { return setup_priority::DATA; }

  // configuration, called once by the generated code
  void set_tables(const CommandRow *rows, RowState *states, uint8_t row_count, const Binding *bindings,
                  uint8_t binding_count, uint8_t first_derived, Pacer *pacers);
  void set_push_interval(uint32_t push_ms) { this->client_.set_push_interval(push_ms); }
  void set_keep_settings() { this->client_.set_keep_settings(); }
  /// What a charging current below 6 A means; a pause is written to the row of ENABLE.
  void set_below_minimum(BelowMinimum meaning, uint8_t enable_row) {
    this->below_minimum_ = meaning;
    this->enable_row_ = enable_row;
  }
  void set_lifetime_key(uint32_t key) { this->lifetime_key_ = key; }
  /// What a person calls each row when a write of it fails.
  void set_wish_names(const char *const *names) { this->wish_names_ = names; }
#ifdef USE_EVENT
  /// Their event types are in the catalog's order.
  void set_session_event(event::Event *event) { this->session_event_ = event; }
  void set_fault_event(event::Event *event) { this->fault_event_ = event; }
#endif
#ifdef USE_TIME
  void set_time(time::RealTimeClock *clock, uint8_t row) {
    this->clock_ = clock;
    this->time_row_ = row;
  }
#endif

#ifdef USE_ESP32EVSE_LOAD_MANAGER
  void set_charge_manager(ChargeManager *manager) { this->manager_ = manager; }
  /// What the manager asks for: passes by the person's wish.
  void write_managed(uint8_t row, uint32_t value);
#endif

  // what a person or an automation asks for
  void write(uint8_t row, uint32_t value);
  void write_string(uint8_t row, const char *value, size_t length);
  /// Returns the one that was added before.
  WishingEntity *add_wishing(WishingEntity *entity) { return std::exchange(this->wishing_, entity); }
  void run(uint8_t row);
  /// Rounded to the charger's tenths. The nearest one that it takes; below 6 A what `below_minimum` says.
  void set_charging_current(uint8_t row, float ampere) { this->write_scaled(row, ampere, 10.0f); }
  /// `value` times `multiplier` is the wire's integer; the nearest one that the charger takes.
  void write_scaled(uint8_t row, float value, float multiplier);
  /// A negative value leaves the limit as it is.
  void write_limit(uint8_t row, float value, float multiplier);
  void set_wifi_station(uint8_t row, bool enabled, const std::string &ssid, const std::string *password);
  void set_static_ip(uint8_t row, bool enabled, const std::string &ip, const std::string &gateway,
                     const std::string &netmask, const std::string &dns);
#ifdef USE_TIME
  void write_time(uint8_t row, time::RealTimeClock *clock);
#endif
  void send_command(const std::string &command, bool force);
  void subscribe(uint8_t row, uint32_t period_ms);
  void unsubscribe_all();
  void refresh();
  /// The client of this row's entity shows what it has asked for until something changes: a failure must be a change.
  void await_outcome(uint8_t row) { this->awaited_.add(row); }
  /// What it has asked for was rounded to what it is shown already.
  void show_rounded(uint8_t row);
  /// It is unknown for a moment, so that clients see a change.
  bool is_refused(uint8_t row) const;

  // for conditions and lambdas
  bool is_connected() const { return this->client_.is_online(); }
  bool is_charging() const { return esp32evse::is_charging(this->situation_.state); }
  bool is_vehicle_connected() const { return is_session(this->situation_.state); }
  bool is_authorization_pending() const {
    return this->situation_.pending_authorization && this->situation_.state != ChargerState::E;
  }
  bool is_authorized() const { return this->is_vehicle_connected() && !this->is_authorization_pending(); }
  ChargerState get_state() const { return this->situation_.state; }
  /// Somebody has asked to write this row, and the charger has not shown it yet.
  bool is_pending(uint8_t row) const { return this->client_.is_pending(row); }
  /// That wish, or nullptr.
  const Wish *find_wish(uint8_t row) const { return this->client_.find_wish(row); }

  // for the entities
  const Situation &get_situation() const { return this->situation_; }
  const SessionTracker &get_session() const { return this->session_; }
  uint32_t get_counter(uint8_t counter) const { return this->client_.counter(counter); }
  /// Wh; LifetimeEnergy::NONE until it is known.
  uint64_t get_lifetime_energy() const { return this->saved_energy_; }
  uint8_t get_active_phases() const { return this->active_phases_; }
  /// A state has come since the charger answers, be it one that is not known here.
  bool is_state_read() const { return this->state_read_; }
  /// Its pacer; nullptr if every value is published as it comes.
  Pacer *find_pacer(const Binding &binding) const {
    return binding.pacer == Binding::NO_PACER ? nullptr : &this->pacers_[binding.pacer];
  }
  /// The user chose the period in which these values come.
  bool is_unpaced() const { return HAS_CHOSEN_PERIODS && this->unpaced_; }

  // followed by the hub itself, named in the command table
  static void follow_state(Esp32Evse &hub, const Values &values);
  static void follow_state_and_session(Esp32Evse &hub, const Values &values);
  static void follow_error(Esp32Evse &hub, const Values &values);
  static void follow_error_and_report(Esp32Evse &hub, const Values &values);
  static void follow_enable(Esp32Evse &hub, const Values &values);
  static void follow_pendauth(Esp32Evse &hub, const Values &values);
  static void follow_limreach(Esp32Evse &hub, const Values &values);
  static void follow_current(Esp32Evse &hub, const Values &values);
  static void follow_session_time(Esp32Evse &hub, const Values &values);
  static void follow_session_energy(Esp32Evse &hub, const Values &values);
  static void follow_total_energy(Esp32Evse &hub, const Values &values);
  static void follow_time(Esp32Evse &hub, const Values &values);
  static void follow_maximum_current(Esp32Evse &hub, const Values &values);
  static void follow_wifi_scan(Esp32Evse &hub, const Values &values);

  template<typename F> void add_on_ready_callback(F &&f) { this->ready_callback_.add(std::forward<F>(f)); }
  template<typename F> void add_on_connect_callback(F &&f) { this->connect_callback_.add(std::forward<F>(f)); }
  template<typename F> void add_on_disconnect_callback(F &&f) { this->disconnect_callback_.add(std::forward<F>(f)); }
  template<typename F> void add_on_state_callback(F &&f) { this->state_callback_.add(std::forward<F>(f)); }
  template<typename F> void add_on_session_start_callback(F &&f) { this->start_callback_.add(std::forward<F>(f)); }
  template<typename F> void add_on_session_end_callback(F &&f) { this->end_callback_.add(std::forward<F>(f)); }
  template<typename F> void add_on_fault_callback(F &&f) { this->fault_callback_.add(std::forward<F>(f)); }
  template<typename F> void add_on_wifi_scan_result_callback(F &&f) { this->scan_callback_.add(std::forward<F>(f)); }
  template<typename F> void add_on_command_line_callback(F &&f) { this->line_callback_.add(std::forward<F>(f)); }
  template<typename F> void add_on_command_result_callback(F &&f) { this->result_callback_.add(std::forward<F>(f)); }
  template<typename F> void add_on_write_failed_callback(F &&f) { this->failed_callback_.add(std::forward<F>(f)); }

 protected:
  static constexpr size_t MAX_BYTES_PER_LOOP = 1024;
  static constexpr size_t BYTES_AT_ONCE = 256;
  static constexpr uint32_t LATE_MS = 400;  // with Link::HEARD_MS less than a restart takes
  static constexpr uint32_t CLOCK_RETRY_MS = 600000;
  static constexpr size_t MAX_EVENT_TYPE = 31;
  static constexpr uint32_t SAVE_CHARGING_MS = 60000;  // flash wears
  static constexpr uint32_t SAVE_IDLE_MS = 10000;
  static constexpr uint32_t PACE_MS = 100;
  static constexpr uint32_t UNKNOWN_FOR_MS = 1000;
  static constexpr uint32_t ROUNDS_AGAIN_MS = 30000;  // a control loop, which does not round, must not make it flicker
  static constexpr uint32_t ACTIVE_PHASE_MA = 500;
  static constexpr int64_t CLOCK_TOLERANCE_S = 2;

  // AtClientListener
  void on_transmit(const char *data, size_t length) override;
  bool is_late() const override;
  void on_values(uint8_t row, const Values &values, bool asked) override;
  void on_lines_end(uint8_t row, bool complete) override;
  void on_lacking(uint8_t row) override;
  void on_wish_end(uint8_t row, WishEnd end) override;
  void on_held_back(uint8_t row) override;
  void on_online(bool online) override;
  void on_restart(Restart restart) override;
  void on_raw_line(const char *line, size_t length) override;
  void on_raw_result(bool success) override;

  void on_session_events_(uint8_t events);
  void take_values_(uint8_t row, const Values &values, bool asked);
  void receive_(bool drops);
  uint32_t high_of_(uint8_t row) const;
  void write_number_(uint8_t row, uint32_t value, bool saturated);
  void ask_number_(uint8_t row, uint32_t value, bool saturated);
#ifdef USE_EVENT
  void trigger_(event::Event *event, uint8_t type);
#endif
  uint8_t find_followed_(void (*follow)(Esp32Evse &hub, const Values &values)) const;
  void read_followed_(void (*follow)(Esp32Evse &hub, const Values &values));
  void tell_wishing_(uint8_t row, uint32_t number);
  void forget_refused_current_();
  void count_lifetime_(uint64_t total);
  void save_lifetime_(uint32_t interval_ms);
  void pause_by_current_(bool pause);
  void show_refusal_(uint8_t row);
  void end_refusals_(uint32_t now);
  void publish_held_(uint32_t now);
  void hurry_pacers_();
  bool is_keeping_time_() const {
#ifdef USE_TIME
    return this->clock_ != nullptr;
#else
    return false;
#endif
  }
  void write_text_(uint8_t row, const AtText &argument, uint8_t provable);
  void refuse_(uint8_t row, const char *reason);
  void tell_failure_(uint8_t row, const char *reason);
  void publish_from_(uint8_t first);
  void publish_row_(uint8_t row, const Values *values);

  const CommandRow *rows_{nullptr};
  const Binding *bindings_{nullptr};
  const char *const *wish_names_{nullptr};
  Pacer *pacers_{nullptr};
  uint8_t binding_count_{0};
  uint8_t first_derived_{0};
  uint8_t active_phases_{0};
  BelowMinimum below_minimum_{BelowMinimum::MINIMUM};
  uint8_t enable_row_{NO_ROW};
  WishingEntity *wishing_{nullptr};
  uint32_t turn_at_{0};        // of the loop
  uint32_t asked_current_{0};  // A/10, of CHCUR, until the wish has ended; 0: none
  uint8_t current_row_{NO_ROW};
  bool current_refused_{false};    // perhaps because the maximum was not known
  uint8_t saturated_row_{NO_ROW};  // logged already
  uint8_t heard_maximum_{0};       // A
  uint8_t maximum_current_{0};     // A, heard twice; 0: unknown
  bool paused_by_current_{false};  // ENABLE=0 stands for a current below 6 A
  bool enable_held_{true};         // by the charger, when it was heard last
  bool tells_failure_{false};
  bool tells_result_{false};
  bool clock_refused_{false};
  uint32_t clock_refused_at_{0};
  bool unpaced_{false};
  bool state_read_{false};
  bool lifetime_dirty_{false};  // not saved yet
  bool lifetime_saved_{false};  // since the start
  bool derived_dirty_{false};
  uint8_t reported_faults_{0xFF};  // what is there at first is no news
  uint32_t lifetime_key_{0};
  uint32_t lifetime_saved_at_{0};
  uint32_t refused_at_{0};
  uint32_t rounded_at_{0u - ROUNDS_AGAIN_MS};
  uint32_t paced_at_{0};
  uint64_t saved_energy_{LifetimeEnergy::NONE};  // what is shown: only what is saved cannot fall
  RowSet chosen_;                                // the user chose the subscription
  RowSet awaited_;                               // somebody waits to see what becomes of the wish
  RowSet refused_;                               // unknown for a moment, since refused_at_
  RowSet refused_later_;                         // and those since then: their moment comes after it
  ChargerState reported_state_{ChargerState::UNKNOWN};
  Situation situation_;
  SessionTracker session_;
  LifetimeEnergy lifetime_;
  ESPPreferenceObject preference_;
  HighFrequencyLoopRequester high_frequency_;
#ifdef USE_ESP32EVSE_LOAD_MANAGER
  ChargeManager *manager_{nullptr};
  bool is_managed_() const { return this->manager_ != nullptr; }
#else
  static constexpr bool is_managed_() { return false; }
#endif
#ifdef USE_EVENT
  event::Event *session_event_{nullptr};
  event::Event *fault_event_{nullptr};
  std::string event_type_;  // ESPHome takes it as a string, and nothing may be allocated after the start
#endif
#ifdef USE_TIME
  time::RealTimeClock *clock_{nullptr};
  uint8_t time_row_{NO_ROW};
#endif

  LazyCallbackManager<void()> ready_callback_;
  LazyCallbackManager<void()> connect_callback_;
  LazyCallbackManager<void()> disconnect_callback_;
  LazyCallbackManager<void(StringRef)> state_callback_;
  LazyCallbackManager<void()> start_callback_;
  LazyCallbackManager<void(float, uint32_t)> end_callback_;
  LazyCallbackManager<void(StringRef)> fault_callback_;
  LazyCallbackManager<void(StringRef, int, int)> scan_callback_;
  LazyCallbackManager<void(StringRef)> line_callback_;
  LazyCallbackManager<void(bool)> result_callback_;
  LazyCallbackManager<void(StringRef, StringRef)> failed_callback_;

  AtClient client_{this};  // last, because it is large: the others stay within reach of short instructions
};

}  // namespace esphome::esp32evse
