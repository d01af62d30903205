#pragma once

#include "charger_link.h"
#include "follower_link.h"
#include "law.h"
#include "meter.h"
#include "esphome/components/esp32evse/cadence.h"
#include "esphome/core/component.h"
#include "esphome/core/helpers.h"
#include "esphome/core/preferences.h"
#include "esphome/core/string_ref.h"
#ifdef USE_BINARY_SENSOR
#include "esphome/components/binary_sensor/binary_sensor.h"
#endif
#ifdef USE_TIME
#include "esphome/components/time/real_time_clock.h"
#endif

namespace esphome::esp32evse_load_manager {

class LoadManager;

/// An entity, the function that shows its value, and the charger or circuit and its phase that it belongs to.
/// Generated, const.
struct Binding {
  void *entity;
  void (*publish)(const Binding &binding, LoadManager &manager);
  uint8_t index;
  uint8_t phase;
  bool on_change;           ///< sensors without a pacer: only what has changed, for others that wait for it
  esp32evse::Pacer *pacer;  ///< nullptr: every value as it comes
  esp32evse::Cadence cadence;
};

/// The ESPHome shell of the law: meters and chargers in, orders and entities out.
class LoadManager final : public Component {
 public:
  void setup() override;
  void loop() override;
  void dump_config() override;
  float get_setup_priority() const override { return setup_priority::DATA - 1.0f; }  // after the hubs

  // configuration, called once by the generated code
  void set_key(uint32_t key) { this->key_ = key; }
  void set_bindings(const Binding *bindings, uint8_t count) {
    this->bindings_ = bindings;
    this->binding_count_ = count;
  }
  void set_circuit(uint8_t circuit, const char *name, const CircuitConfig &config);
  void set_charger(uint8_t charger, esp32evse::Esp32Evse *hub, const Rows &rows, const ChargerConfig &config,
                   uint8_t l1, uint8_t l2, uint8_t l3, uint32_t lease_s, Mode mode);
#ifdef USE_ESP32EVSE_LOAD_MANAGER_FOLLOWERS
  /// After the chargers of this node. Returns it, for its sensors.
  FollowerLink *add_follower(const ChargerConfig &config, uint32_t timeout_ms, Mode mode);
#endif
#ifdef USE_ESP32EVSE_LOAD_MANAGER_LEADER
  void set_share(uint8_t circuit, sensor::Sensor *ampere);
#endif
  Meter &meter(uint8_t circuit) { return this->meters_[circuit]; }
  void configure(const Settings &settings) { this->law_.configure(settings); }
#ifdef USE_ESP32EVSE_LOAD_MANAGER_DIMMING
  void set_dimming(binary_sensor::BinarySensor *contact) { this->contact_ = contact; }
#endif
#ifdef USE_ESP32EVSE_LOAD_MANAGER_CAPACITY
  void set_capacity(time::RealTimeClock *clock, float watt) {
    this->clock_ = clock;
    this->memory_.capacity = watt;
  }
  void set_month_peak(sensor::Sensor *kilowatt) { this->month_peak_ = kilowatt; }
#endif

  // what a person or an automation asks for
  void set_mode(uint8_t charger, Mode mode);
  void set_current_limit(uint8_t circuit, float ampere);
  void set_capacity_limit(float kilowatt);
#ifdef USE_ESP32EVSE_LOAD_MANAGER_SAFE_DEFAULTS
  void set_safe_defaults(uint8_t charger, uint8_t current_row, uint8_t time_limit_row, uint16_t deciampere) {
    this->links_[charger].set_safe_defaults(current_row, time_limit_row, deciampere);
  }
  /// What the charger does after a restart of its own, without a living node; kept in its flash.
  void write_safe_defaults(uint8_t charger) { this->links_[charger].write_safe_defaults(); }
#endif

  // for conditions and lambdas
  bool is_limiting(uint8_t = 0) const;
  bool is_meter_valid(uint8_t circuit) const { return this->law_.circuit(circuit).is_valid(); }
  bool is_paused(uint8_t charger) const { return this->law_.order(charger).valid && !this->law_.order(charger).run; }

  // for the entities
  const Law &law() const { return this->law_; }
  float capacity() const { return this->memory_.capacity; }
  Mode mode(uint8_t charger) const { return this->links_[charger].wish().mode; }
  /// As it was told last. The text stays until the next call.
  const char *reason(uint8_t charger);

#ifdef USE_ESP32EVSE_LOAD_MANAGER_TRIGGERS
  template<typename F> void add_on_reason_callback(F &&f) { this->reason_callback_.add(std::forward<F>(f)); }
  template<typename F> void add_on_meter_silent_callback(F &&f) { this->silent_callback_.add(std::forward<F>(f)); }
  template<typename F> void add_on_meter_valid_callback(F &&f) { this->valid_callback_.add(std::forward<F>(f)); }
#endif

 protected:
  static constexpr uint32_t STEP_MS = 1000;
  // Texts of the play of loads: in the mean one in so long, of those that were not needed some in a row.
  static constexpr uint32_t TELL_MS = 20000;
  static constexpr uint32_t TELL_IN_A_ROW = 6;
  static constexpr uint8_t LOCAL = MAX_CHARGERS - MAX_FOLLOWERS;  // chargers of this node

  /// What people and automations know of a charger.
  struct Told {
    Why why;
    uint32_t spent{0 - TELL_IN_A_ROW * TELL_MS};  // ms: up to here there was a text for each TELL_MS
    bool run{false};
  };

  /// Kept over restarts of the node.
  struct Memory {
    PersonsWish wishes[LOCAL];
    float limits[MAX_CIRCUITS];  // A
    float capacity;              // W
  };

  void restore_();
  void save_();
  /// `updated`: phases of each circuit's meter that are new; a meter's sensors are published one after the other,
  /// together they are one sample.
  void step_(const PhaseMask *updated, uint32_t now);
  void look_(uint32_t now);
  uint32_t epoch_() const;
  void tell_reasons_(uint32_t now);
  static bool may_tell_(Told &told, const Order &order, uint32_t now);
  void report_meters_();

  const Binding *bindings_{nullptr};
  const char *names_[MAX_CIRCUITS]{};
  Meter meters_[MAX_CIRCUITS];
  ChargerLink links_[LOCAL];
#ifdef USE_ESP32EVSE_LOAD_MANAGER_FOLLOWERS
  FollowerLink followers_[MAX_FOLLOWERS];
#endif
  Memory memory_{};
  Law law_;
  ESPPreferenceObject preference_;
#ifdef USE_ESP32EVSE_LOAD_MANAGER_DIMMING
  binary_sensor::BinarySensor *contact_{nullptr};
#endif
#ifdef USE_ESP32EVSE_LOAD_MANAGER_CAPACITY
  time::RealTimeClock *clock_{nullptr};
  sensor::Sensor *month_peak_{nullptr};
#endif
  uint32_t key_{0};
  uint32_t stepped_{0};
  Told told_[LOCAL];
  char reason_[MAX_REASON];
  uint8_t binding_count_{0};
  bool share_came_{false};
  uint8_t valid_circuits_{0};

#ifdef USE_ESP32EVSE_LOAD_MANAGER_TRIGGERS
  LazyCallbackManager<void(int, StringRef)> reason_callback_;
  LazyCallbackManager<void()> silent_callback_;
  LazyCallbackManager<void()> valid_callback_;
#endif
};

}  // namespace esphome::esp32evse_load_manager
