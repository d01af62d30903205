#pragma once

#include <string>

#include "at_client.h"
#include "charging.h"
#include "esphome/components/uart/uart.h"
#include "esphome/core/component.h"
#include "esphome/core/defines.h"
#include "esphome/core/helpers.h"
#include "esphome/core/preferences.h"
#include "esphome/core/string_ref.h"
#ifdef USE_TIME
#include "esphome/components/time/real_time_clock.h"
#endif

namespace esphome::esp32evse {

/// Commands whose values the hub itself follows. The live settings stand together, from ENABLE on.
enum class Role : uint8_t {
  NONE,
  UPTIME,
  STATE,
  ERROR,
  PENDAUTH,
  LIMREACH,
  CURRENT,
  SESSION_TIME,
  SESSION_ENERGY,
  TOTAL_ENERGY,
  TIME,
  WIFI_SCAN,
  ENABLE,
  AVAILABLE,
  CHCUR,
  CONSUMLIM,
  CHTIMELIM,
  UNDERPOWERLIM,
};

/// How a value becomes an entity's state. Up to TEXT bound to a command, from ACTIVE_PHASES on derived by the hub.
enum class Kind : uint8_t {
  SENSOR,
  SENSOR_GATED,
  SENSOR_LIFETIME,
  BINARY_SENSOR,
  BINARY_SENSOR_BIT,
  TEXT_SENSOR,
  TEXT_SENSOR_NAME,
  TEXT_SENSOR_JOIN,
  TEXT_SENSOR_LIST,
  TEXT_SENSOR_TIME,
  TEXT_SENSOR_LIFETIME,
  SWITCH,
  NUMBER,
  SELECT,
  SELECT_NAME,
  TEXT,
  ACTIVE_PHASES,
  LAST_SESSION_ENERGY,
  LAST_SESSION_DURATION,
  COMMANDS_ANSWERED,
  COMMANDS_FAILED,
  COMMANDS_TIMED_OUT,
  RESYNCS,
  CHARGER_REBOOTS,
  LINES_DISCARDED,
  CONNECTED,
  TIMEOUT_FAULT,
  VEHICLE_CONNECTED,
  CHARGING,
  FAULT,
  STATUS,
  SESSION_EVENT,
  FAULT_EVENT,
};

/// An entity and where its value comes from. `entity` points to the very type that `kind` stands for (a base class
/// pointer would need run-time initialisation and drag the table from flash to RAM).
struct Binding {
  void *entity;
  Kind kind;
  uint8_t field;
  uint8_t parameter;  ///< sensors: power of ten that divides; bits: number of the bit
  bool every;         ///< publish unchanged values too, for the user's filters
};

class Esp32Evse final : public Component, public uart::UARTDevice, protected AtClientListener {
 public:
  void setup() override;
  void loop() override;
  void dump_config() override;
  void on_shutdown() override;
  float get_setup_priority() const override { return setup_priority::DATA; }

  // configuration, called once by the generated code
  void set_tables(const CommandRow *rows, RowState *states, uint8_t row_count, const Binding *bindings,
                  uint8_t binding_count, uint8_t first_derived);
  void set_push_interval(uint32_t push_ms) { this->client_.set_push_interval(push_ms); }
  void set_update_interval(uint32_t poll_ms) { this->client_.set_poll_interval(poll_ms); }
  void set_keep_settings() { this->keep_settings_ = true; }
  void set_lifetime_key(uint32_t key) { this->lifetime_key_ = key; }
#ifdef USE_TIME
  void set_time(time::RealTimeClock *clock) { this->clock_ = clock; }
#endif

  // what a person or an automation asks for
  void write(uint8_t row, uint32_t value);
  void write_string(uint8_t row, const std::string &value);
  void run(uint8_t row);
  void set_charging_current(uint8_t row, float ampere);
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

  // for conditions and lambdas
  bool is_connected() const { return this->client_.is_online(); }
  bool is_charging() const { return esp32evse::is_charging(this->situation_.state); }
  bool is_vehicle_connected() const { return is_session(this->situation_.state); }
  bool is_authorization_pending() const { return this->situation_.pending_authorization; }
  bool is_authorized() const { return this->is_vehicle_connected() && !this->is_authorization_pending(); }
  ChargerState get_state() const { return this->situation_.state; }

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

 protected:
  static constexpr size_t MAX_BYTES_PER_LOOP = 512;
  static constexpr uint32_t DIAGNOSTICS_MS = 10000;
  static constexpr uint32_t SAVE_STEP_WH = 10;
  static constexpr uint8_t LIVE_SETTINGS = 6;

  // AtClientListener
  void on_transmit(const char *data, size_t length) override;
  void on_values(uint8_t row, const Values &values) override;
  void on_lines_end(uint8_t row) override;
  void on_unsupported(uint8_t row) override;
  void on_written(uint8_t row, bool success) override;
  void on_run(uint8_t row, bool success) override;
  void on_online(bool online) override;
  void on_reboot(bool ready_line) override;
  void on_raw_line(const char *line, size_t length) override;
  void on_raw_result(bool success) override;

  void receive_(uint32_t now);
  void follow_(uint8_t row, const Values &values);
  void follow_live_setting_(Role role, uint32_t value);
  void follow_state_(ChargerState state);
  void follow_faults_(uint8_t faults);
  void follow_clock_(uint8_t row, uint64_t epoch);
  void follow_scan_(const Values &values);
  void on_session_events_(uint8_t events);
  void trigger_event_(Kind kind, const char *type);
  void save_lifetime_(bool now);
  void write_text_(uint8_t row, const Argument &argument, uint8_t provable);

  // entities, see publish.cpp
  void publish_(const Binding &binding, const Values &values);
  void publish_text_(const Binding &binding, const Values &values);
  void publish_derived_();
  void publish_derived_(const Binding &binding);
  void publish_counter_(const Binding &binding);
  void publish_unknown_(const Binding &binding);
  void forget_state_(const Binding &binding);

  AtClient client_{this};
  const CommandRow *rows_{nullptr};
  const Binding *bindings_{nullptr};
  uint8_t row_count_{0};
  uint8_t binding_count_{0};
  uint8_t first_derived_{0};
  bool keep_settings_{false};
  bool derived_dirty_{false};
  bool faults_known_{false};
  uint8_t kept_known_{0};  // one bit per live setting
  uint32_t kept_[LIVE_SETTINGS]{};
  uint32_t lifetime_key_{0};
  uint32_t next_diagnostics_{0};
  uint32_t session_energy_{0};
  uint32_t current_ma_[3]{};
  uint64_t saved_energy_{0};
  uint64_t lifetime_shown_{0};
  Situation situation_;
  SessionTracker session_;
  LifetimeEnergy lifetime_;
  ESPPreferenceObject preference_;
  HighFrequencyLoopRequester high_frequency_;
#ifdef USE_TIME
  time::RealTimeClock *clock_{nullptr};
#endif

  LazyCallbackManager<void()> ready_callback_;
  LazyCallbackManager<void()> connect_callback_;
  LazyCallbackManager<void()> disconnect_callback_;
  LazyCallbackManager<void(std::string)> state_callback_;
  LazyCallbackManager<void()> start_callback_;
  LazyCallbackManager<void(float, uint32_t)> end_callback_;
  LazyCallbackManager<void(std::string)> fault_callback_;
  LazyCallbackManager<void(std::string, int, int)> scan_callback_;
  LazyCallbackManager<void(std::string)> line_callback_;
  LazyCallbackManager<void(bool)> result_callback_;
};

}  // namespace esphome::esp32evse
