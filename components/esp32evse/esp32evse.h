#pragma once

#include <string>
#include <utility>

#include "at_client.h"
#include "charge_manager.h"
#include "charging.h"
#include "charging_current.h"
#include "clock_keeper.h"
#include "entity_table.h"
#include "lifetime_store.h"
#include "parts.h"
#include "refusals.h"
#include "reports.h"
#include "wishing_entity.h"
#include "esphome/components/uart/uart.h"
#include "esphome/core/component.h"
#include "esphome/core/defines.h"
#include "esphome/core/helpers.h"
#include "esphome/core/string_ref.h"
namespace esphome::esp32evse {

/// One charger: joins the client that speaks with it, the entities that show it and the people who ask for something.
/// Life cycle and what the client says: esp32evse.cpp; requests: requests.cpp; what values mean for the hub itself:
/// following.cpp.
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
                  uint8_t binding_count, uint8_t first_derived, Pacer *pacers) {
    this->rows_ = rows;
    this->entities_ = {bindings, binding_count, first_derived, pacers};
    this->client_.set_rows(rows, states, row_count);
  }
  void set_push_interval(uint32_t push_ms) { this->client_.set_push_interval(push_ms); }
  void set_keep_settings() { this->client_.set_keep_settings(); }
  /// A charging current below 6 A is a pause, which is written to the row of ENABLE.
  void set_pause_below_minimum(uint8_t enable_row) { this->pause_.choose(enable_row); }
  void set_lifetime_key(uint32_t key) { this->lifetime_.set_key(key); }
  /// What a person calls each row when a write of it fails.
  void set_wish_names(const char *const *names) { this->wish_names_ = names; }
#ifdef USE_EVENT
  void set_session_event(event::Event *event) { this->reports_.set_session_event(event); }
  void set_fault_event(event::Event *event) { this->reports_.set_fault_event(event); }
#endif
#ifdef USE_TIME
  void set_time(time::RealTimeClock *clock, uint8_t row) { this->clock_.choose(clock, row); }
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
  void await_outcome(uint8_t row) { this->refusals_.await(row); }
  /// Whoever waits for the outcome sees a change: unknown for a moment, then the charger's value.
  void show_refusal(uint8_t row);
  /// It is unknown for that moment.
  bool is_refused(uint8_t row) const { return this->is_connected() && this->refusals_.contains(row); }

  // for conditions and lambdas
  bool is_connected() const { return this->client_.is_online(); }
  bool is_charging() const { return esp32evse::is_charging(this->situation_.state); }
  bool is_vehicle_connected() const { return is_session(this->situation_.state); }
  bool is_authorization_pending() const { return this->situation_.pending_authorization; }
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
  uint64_t get_lifetime_energy() const { return this->lifetime_.shown(); }
  uint8_t get_active_phases() const { return this->active_phases_; }
  /// A state has come since the charger answers, be it one that is not known here.
  bool is_state_read() const { return this->state_read_; }
  const EntityTable &get_entities() const { return this->entities_; }

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
  template<typename F> void add_on_state_callback(F &&f) { this->reports_.state_callback.add(std::forward<F>(f)); }
  template<typename F> void add_on_session_start_callback(F &&f) {
    this->reports_.start_callback.add(std::forward<F>(f));
  }
  template<typename F> void add_on_session_end_callback(F &&f) { this->reports_.end_callback.add(std::forward<F>(f)); }
  template<typename F> void add_on_fault_callback(F &&f) { this->reports_.fault_callback.add(std::forward<F>(f)); }
  template<typename F> void add_on_wifi_scan_result_callback(F &&f) { this->scan_callback_.add(std::forward<F>(f)); }
  template<typename F> void add_on_command_line_callback(F &&f) { this->line_callback_.add(std::forward<F>(f)); }
  template<typename F> void add_on_command_result_callback(F &&f) { this->result_callback_.add(std::forward<F>(f)); }
  template<typename F> void add_on_write_failed_callback(F &&f) { this->failed_callback_.add(std::forward<F>(f)); }

 protected:
  static constexpr size_t MAX_BYTES_PER_LOOP = 1024;
  static constexpr size_t BYTES_AT_ONCE = 256;
  static constexpr uint32_t LATE_MS = 400;             // with Link::HEARD_MS less than a restart takes
  static constexpr uint32_t SAVE_CHARGING_MS = 60000;  // flash wears
  static constexpr uint32_t SAVE_IDLE_MS = 10000;
  static constexpr uint32_t PACE_MS = 100;
  static constexpr uint32_t ACTIVE_PHASE_MA = 500;

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

  void receive_(bool drops);
  void pace_(uint32_t now);

  // requests
  uint32_t high_of_(uint8_t row) const;
  void write_number_(uint8_t row, uint32_t value, bool saturated);
  void ask_number_(uint8_t row, uint32_t value, bool saturated);
  void write_text_(uint8_t row, const AtText &argument, uint8_t provable);
  void pause_by_current_(bool pause);
  void refuse_(uint8_t row, const char *reason);
  void tell_failure_(uint8_t row, const char *reason);
  void tell_wishing_(uint8_t row, uint32_t number);

  // what the charger says
  void take_values_(uint8_t row, const Values &values, bool asked);
  void publish_row_(uint8_t row, const Values *values);
  uint8_t find_followed_(void (*follow)(Esp32Evse &hub, const Values &values)) const;
  void read_followed_(void (*follow)(Esp32Evse &hub, const Values &values));
  void save_lifetime_();
  void on_session_events_(uint8_t events);

  // The small ones first, and the client last: they stay within reach of short instructions.
  const CommandRow *rows_{nullptr};
  const char *const *wish_names_{nullptr};
  WishingEntity *wishing_{nullptr};
  uint32_t turn_at_{0};  // of the loop
  uint32_t paced_at_{0};
  uint8_t active_phases_{0};
  uint8_t saturated_row_{NO_ROW};  // logged already
  bool tells_failure_{false};
  bool tells_result_{false};
  bool state_read_{false};
  bool derived_dirty_{false};
  Situation situation_;
  EntityTable entities_;
  ChargingCurrent current_;
  CurrentPause pause_;
  ClockKeeper clock_;
  Refusals refusals_;
  Reports reports_;
  SessionTracker session_;
  LifetimeStore lifetime_;
  HighFrequencyLoopRequester high_frequency_;
#ifdef USE_ESP32EVSE_LOAD_MANAGER
  ChargeManager *manager_{nullptr};
  bool is_managed_() const { return this->manager_ != nullptr; }
#else
  static constexpr bool is_managed_() { return false; }
#endif

  LazyCallbackManager<void()> ready_callback_;
  LazyCallbackManager<void()> connect_callback_;
  LazyCallbackManager<void()> disconnect_callback_;
  LazyCallbackManager<void(StringRef, int, int)> scan_callback_;
  LazyCallbackManager<void(StringRef)> line_callback_;
  LazyCallbackManager<void(bool)> result_callback_;
  LazyCallbackManager<void(StringRef, StringRef)> failed_callback_;

  AtClient client_{this};
};

}  // namespace esphome::esp32evse
