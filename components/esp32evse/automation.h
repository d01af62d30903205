#pragma once

#include "esp32evse.h"
#include "esphome/core/automation.h"

namespace esphome::esp32evse {

template<typename... Ts> class WriteAction final : public Action<Ts...> {
 public:
  WriteAction(Esp32Evse *hub, uint8_t row, uint32_t value) : hub_(hub), value_(value), row_(row) {}
  void play(const Ts &...x) override { this->hub_->write(this->row_, this->value_); }

 protected:
  Esp32Evse *hub_;
  uint32_t value_;
  uint8_t row_;
};

template<typename... Ts> class RunAction final : public Action<Ts...> {
 public:
  RunAction(Esp32Evse *hub, uint8_t row) : hub_(hub), row_(row) {}
  void play(const Ts &...x) override { this->hub_->run(this->row_); }

 protected:
  Esp32Evse *hub_;
  uint8_t row_;
};

template<typename... Ts> class RefreshAction final : public Action<Ts...> {
 public:
  explicit RefreshAction(Esp32Evse *hub) : hub_(hub) {}
  void play(const Ts &...x) override { this->hub_->refresh(); }

 protected:
  Esp32Evse *hub_;
};

template<typename... Ts> class UnsubscribeAllAction final : public Action<Ts...> {
 public:
  explicit UnsubscribeAllAction(Esp32Evse *hub) : hub_(hub) {}
  void play(const Ts &...x) override { this->hub_->unsubscribe_all(); }

 protected:
  Esp32Evse *hub_;
};

template<typename... Ts> class SubscribeAction final : public Action<Ts...> {
 public:
  SubscribeAction(Esp32Evse *hub, uint8_t row) : hub_(hub), row_(row) {}
  TEMPLATABLE_VALUE(uint32_t, period)
  void play(const Ts &...x) override { this->hub_->subscribe(this->row_, this->period_.value(x...)); }

 protected:
  Esp32Evse *hub_;
  uint8_t row_;
};

template<typename... Ts> class SetChargingCurrentAction final : public Action<Ts...> {
 public:
  SetChargingCurrentAction(Esp32Evse *hub, uint8_t row) : hub_(hub), row_(row) {}
  TEMPLATABLE_VALUE(float, current)
  void play(const Ts &...x) override { this->hub_->set_charging_current(this->row_, this->current_.value(x...)); }

 protected:
  Esp32Evse *hub_;
  uint8_t row_;
};

template<typename... Ts> class SetSessionLimitsAction final : public Action<Ts...> {
 public:
  SetSessionLimitsAction(Esp32Evse *hub, uint8_t energy_row, uint8_t time_row, uint8_t power_row)
      : hub_(hub), energy_row_(energy_row), time_row_(time_row), power_row_(power_row) {}
  TEMPLATABLE_VALUE(float, energy)
  TEMPLATABLE_VALUE(float, charging_time)
  TEMPLATABLE_VALUE(float, under_power)
  void play(const Ts &...x) override {
    if (this->energy_.has_value())
      this->hub_->write_limit(this->energy_row_, this->energy_.value(x...), 1000);
    if (this->charging_time_.has_value())
      this->hub_->write_limit(this->time_row_, this->charging_time_.value(x...), 3600);
    if (this->under_power_.has_value())
      this->hub_->write_limit(this->power_row_, this->under_power_.value(x...), 1000);
  }

 protected:
  Esp32Evse *hub_;
  uint8_t energy_row_;
  uint8_t time_row_;
  uint8_t power_row_;
};

template<typename... Ts> class SetWifiStationAction final : public Action<Ts...> {
 public:
  SetWifiStationAction(Esp32Evse *hub, uint8_t row) : hub_(hub), row_(row) {}
  TEMPLATABLE_VALUE(bool, enabled)
  TEMPLATABLE_VALUE(std::string, ssid)
  TEMPLATABLE_VALUE(std::string, password)
  void play(const Ts &...x) override {
    const std::string password = this->password_.value(x...);
    this->hub_->set_wifi_station(this->row_, this->enabled_.value(x...), this->ssid_.value(x...),
                                 this->password_.has_value() ? &password : nullptr);
  }

 protected:
  Esp32Evse *hub_;
  uint8_t row_;
};

template<typename... Ts> class SetStaticIpAction final : public Action<Ts...> {
 public:
  SetStaticIpAction(Esp32Evse *hub, uint8_t row) : hub_(hub), row_(row) {}
  TEMPLATABLE_VALUE(bool, enabled)
  TEMPLATABLE_VALUE(std::string, ip)
  TEMPLATABLE_VALUE(std::string, gateway)
  TEMPLATABLE_VALUE(std::string, netmask)
  TEMPLATABLE_VALUE(std::string, dns)
  void play(const Ts &...x) override {
    this->hub_->set_static_ip(this->row_, this->enabled_.value(x...), this->ip_.value(x...), this->gateway_.value(x...),
                              this->netmask_.value(x...), this->dns_.value(x...));
  }

 protected:
  Esp32Evse *hub_;
  uint8_t row_;
};

#ifdef USE_TIME
template<typename... Ts> class SetTimeAction final : public Action<Ts...> {
 public:
  SetTimeAction(Esp32Evse *hub, uint8_t row, time::RealTimeClock *clock) : hub_(hub), clock_(clock), row_(row) {}
  void play(const Ts &...x) override { this->hub_->write_time(this->row_, this->clock_); }

 protected:
  Esp32Evse *hub_;
  time::RealTimeClock *clock_;
  uint8_t row_;
};
#endif

template<typename... Ts> class SendCommandAction final : public Action<Ts...> {
 public:
  SendCommandAction(Esp32Evse *hub, bool force) : hub_(hub), force_(force) {}
  TEMPLATABLE_VALUE(std::string, command)
  void play(const Ts &...x) override { this->hub_->send_command(this->command_.value(x...), this->force_); }

 protected:
  Esp32Evse *hub_;
  bool force_;
};

/// All conditions are questions to the hub.
template<bool (Esp32Evse::*QUESTION)() const, typename... Ts> class HubCondition : public Condition<Ts...> {
 public:
  explicit HubCondition(Esp32Evse *hub) : hub_(hub) {}
  bool check(const Ts &...x) override { return (this->hub_->*QUESTION)(); }

 protected:
  Esp32Evse *hub_;
};

template<typename... Ts> using IsConnectedCondition = HubCondition<&Esp32Evse::is_connected, Ts...>;
template<typename... Ts> using IsChargingCondition = HubCondition<&Esp32Evse::is_charging, Ts...>;
template<typename... Ts> using IsVehicleConnectedCondition = HubCondition<&Esp32Evse::is_vehicle_connected, Ts...>;
template<typename... Ts>
using IsAuthorizationPendingCondition = HubCondition<&Esp32Evse::is_authorization_pending, Ts...>;
template<typename... Ts> using IsAuthorizedCondition = HubCondition<&Esp32Evse::is_authorized, Ts...>;

}  // namespace esphome::esp32evse
