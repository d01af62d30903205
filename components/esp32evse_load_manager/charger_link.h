#pragma once

#include <utility>

#include "law.h"
#include "lease.h"
#include "esphome/components/esp32evse/charge_manager.h"
#include "esphome/components/esp32evse/esp32evse.h"

namespace esphome::esp32evse_load_manager {

/// A person's permission to charge, and where it was taken back.
enum class Permission : uint8_t { TAKEN_HERE, GIVEN, TAKEN_ELSEWHERE };

/// What a person asked for; kept over restarts of the node.
struct PersonsWish {
  uint32_t time_limit;  ///< s, 0: none
  uint16_t current;     ///< A/10
  Permission permission;
  Mode mode;
};

/// The hub's rows that the manager reads and writes.
struct Rows {
  uint8_t state, enable, current, maximum, own, time_limit, charging_time, meter_mode;
};

/// One charger, between the law and its hub: reports in, orders out, each written until the charger confirms it.
class ChargerLink final : public esp32evse::ChargeManager {
 public:
  static constexpr uint32_t RETRY_MS = 5000;
  static constexpr uint32_t TOO_HIGH_MS = 500;  ///< the same for what is above the order
  static constexpr uint16_t NO_WISH = 630;
  static constexpr uint8_t CONTESTED = 3;           ///< foreign writes: a person at the page is content with fewer
  static constexpr uint32_t CONTESTED_MS = 600000;  ///< without one, and nobody else is there any more

  void configure(esp32evse::Esp32Evse *hub, const Rows &rows, const uint8_t *phase_map, uint32_t lease_s, Mode mode);
  void restore(const PersonsWish &wish);
  const PersonsWish &wish() const { return this->wish_; }
  void set_mode(Mode mode);
  /// A wish has changed since the last call.
  bool take_changed() { return std::exchange(this->changed_, false); }
  /// The charger holds something else than it was told to, or nobody has told it anything since its start.
  bool take_astray() { return std::exchange(this->astray_, false); }
#ifdef USE_ESP32EVSE_LOAD_MANAGER_SAFE_DEFAULTS
  void set_safe_defaults(uint8_t current_row, uint8_t time_limit_row, uint16_t deciampere);
  void write_safe_defaults();
#endif

  // ChargeManager
  bool on_wish(uint8_t row, uint32_t value) override;
  void on_values(uint8_t row, esp32evse::Values &values) override;
  void on_online(bool online) override;
  void on_restart() override;

  /// What the law should know.
  ChargerView view() const;
  bool is_own_known() const { return this->own_known_; }
  const Phases &own() const { return this->own_; }
  /// The charger charges or would, and at what: what a node that has just started finds.
  bool is_running() const { return this->enable_.confirmed == 1; }
  Milliampere offered() const { return static_cast<Milliampere>(this->current_.confirmed) * DECIAMPERE; }
  void apply(const Order &order, uint32_t now);

 protected:
  static constexpr uint32_t UNKNOWN = UINT32_MAX;
  static constexpr Milliampere DECIAMPERE = 100;

  /// A value of the charger that the manager sets.
  struct Setting {
    uint32_t confirmed{UNKNOWN};  // read from the charger
    uint32_t asked{UNKNOWN};
    uint32_t asked_at{0};
  };

  void ensure_(Setting &setting, uint8_t row, uint32_t wanted, uint32_t now);
  void on_enable_(uint32_t enabled);
  void on_current_(uint32_t current);
  void on_meter_mode_(uint32_t mode);
  bool is_contested_() const { return this->foreign_writes_ >= CONTESTED; }

  esp32evse::Esp32Evse *hub_{nullptr};
  Rows rows_{};
  uint8_t phase_map_[PHASES]{0, 1, 2};  // the circuit's phase of each of the charger's
  Setting enable_, current_, time_limit_;
  PersonsWish wish_{0, NO_WISH, Permission::GIVEN, Mode::FAST};
  Phases own_;
#ifdef USE_ESP32EVSE_LOAD_MANAGER_SAFE_DEFAULTS
  static constexpr uint8_t NO_ROW = 0xFF;
  uint8_t default_current_row_{NO_ROW}, default_time_limit_row_{NO_ROW};
  uint16_t default_current_{0};  // A/10
#endif
  uint32_t charging_time_{0};
  uint32_t lease_s_{0};
  uint32_t foreign_at_{0};           // when something else last set the current
  uint16_t foreign_least_{NO_WISH};  // A/10, the least that it has set
  uint8_t foreign_writes_{0};
  uint8_t meter_mode_{UINT8_MAX};
  uint8_t maximum_{0};  // A, 0: not read yet
  uint8_t state_{0};
  bool online_{false};
  bool state_known_{false};
  bool own_known_{false};
  bool changed_{false};
  bool astray_{false};
};

}  // namespace esphome::esp32evse_load_manager
