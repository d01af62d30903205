#pragma once

#include "load_manager.h"
#include "esphome/core/automation.h"

namespace esphome::esp32evse_load_manager {

template<typename... Ts> class SetModeAction final : public Action<Ts...> {
 public:
  SetModeAction(LoadManager *manager, uint8_t index) : manager_(manager), index_(index) {}
  TEMPLATABLE_VALUE(Mode, mode)
  void play(const Ts &...x) override { this->manager_->set_mode(this->index_, this->mode_.value(x...)); }

 protected:
  LoadManager *manager_;
  uint8_t index_;
};

template<typename... Ts> class SetCurrentLimitAction final : public Action<Ts...> {
 public:
  SetCurrentLimitAction(LoadManager *manager, uint8_t index) : manager_(manager), index_(index) {}
  TEMPLATABLE_VALUE(float, current)
  void play(const Ts &...x) override { this->manager_->set_current_limit(this->index_, this->current_.value(x...)); }

 protected:
  LoadManager *manager_;
  uint8_t index_;
};

#ifdef USE_ESP32EVSE_LOAD_MANAGER_SAFE_DEFAULTS
template<typename... Ts> class WriteSafeDefaultsAction final : public Action<Ts...> {
 public:
  WriteSafeDefaultsAction(LoadManager *manager, uint8_t index) : manager_(manager), index_(index) {}
  void play(const Ts &...x) override { this->manager_->write_safe_defaults(this->index_); }

 protected:
  LoadManager *manager_;
  uint8_t index_;
};
#endif

template<typename... Ts> class SetCapacityLimitAction final : public Action<Ts...> {
 public:
  SetCapacityLimitAction(LoadManager *manager, uint8_t) : manager_(manager) {}
  TEMPLATABLE_VALUE(float, power)
  void play(const Ts &...x) override { this->manager_->set_capacity_limit(this->power_.value(x...)); }

 protected:
  LoadManager *manager_;
};

/// All conditions are questions to the manager, some about one of its circuits or chargers.
template<bool (LoadManager::*QUESTION)(uint8_t) const, typename... Ts>
class ManagerCondition : public Condition<Ts...> {
 public:
  ManagerCondition(LoadManager *manager, uint8_t index) : manager_(manager), index_(index) {}
  bool check(const Ts &...x) override { return (this->manager_->*QUESTION)(this->index_); }

 protected:
  LoadManager *manager_;
  uint8_t index_;
};

template<typename... Ts> using IsLimitingCondition = ManagerCondition<&LoadManager::is_limiting, Ts...>;
template<typename... Ts> using IsMeterValidCondition = ManagerCondition<&LoadManager::is_meter_valid, Ts...>;
template<typename... Ts> using IsPausedCondition = ManagerCondition<&LoadManager::is_paused, Ts...>;

}  // namespace esphome::esp32evse_load_manager
