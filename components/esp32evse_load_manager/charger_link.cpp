#include "charger_link.h"

#include <algorithm>

#include "esphome/core/hal.h"
#include "esphome/core/log.h"

namespace esphome::esp32evse_load_manager {

using esp32evse::ChargerState;

static const char *const TAG = "esp32evse.load_manager";
static constexpr uint32_t DUMMY_METER = 0;  // EMETERMODE

void ChargerLink::configure(esp32evse::Esp32Evse *hub, const Rows &rows, const uint8_t *phase_map, uint32_t lease_s,
                            Mode mode) {
  this->hub_ = hub;
  this->rows_ = rows;
  std::copy_n(phase_map, PHASES, this->phase_map_);
  this->lease_s_ = lease_s;
  this->wish_.mode = mode;
  hub->set_charge_manager(this);
}

static bool is_offering(ChargerState state) {
  return state == ChargerState::B2 || state == ChargerState::C2 || state == ChargerState::D2;
}

/// What was remembered with `surplus:` may meet a configuration without it.
static bool is_possible(Mode mode) { return HAS_SURPLUS || (mode != Mode::SOLAR && mode != Mode::MIN_SOLAR); }

void ChargerLink::restore(const PersonsWish &wish) {
  this->wish_ = wish;
  if (!is_possible(wish.mode))
    this->wish_.mode = Mode::FAST;
}

void ChargerLink::set_mode(Mode mode) {
  if (!is_possible(mode)) {
    ESP_LOGW(TAG, "Mode not taken: it needs `surplus:`");
    return;
  }
  this->changed_ |= this->wish_.mode != mode;
  this->wish_.mode = mode;
}

// --- a person ---------------------------------------------------------------------------------------------------------

bool ChargerLink::on_wish(uint8_t row, uint32_t value) {
  if (row == this->rows_.enable) {
    this->wish_.permission = value != 0 ? Permission::GIVEN : Permission::TAKEN_HERE;
  } else if (row == this->rows_.current) {
    this->wish_.current = static_cast<uint16_t>(std::min<uint32_t>(value, NO_WISH));
  } else if (row == this->rows_.time_limit && this->lease_s_ != 0) {
    this->wish_.time_limit = value;
  } else {
    return false;
  }
  this->changed_ = true;
  return true;
}

#ifdef USE_ESP32EVSE_LOAD_MANAGER_SAFE_DEFAULTS
void ChargerLink::set_safe_defaults(uint8_t current_row, uint8_t time_limit_row, uint16_t deciampere) {
  this->default_current_row_ = current_row;
  this->default_time_limit_row_ = time_limit_row;
  this->default_current_ = deciampere;
}

/// The hub reads back what it writes, and tells if the charger holds something else.
void ChargerLink::write_safe_defaults() {
  this->hub_->write(this->default_current_row_, this->default_current_);
  if (this->default_time_limit_row_ != NO_ROW)
    this->hub_->write(this->default_time_limit_row_, this->lease_s_);
}
#endif

// --- the charger ------------------------------------------------------------------------------------------------------

void ChargerLink::on_values(uint8_t row, esp32evse::Values &values) {
  const auto number = static_cast<uint32_t>(values[0].number);
  if (row == this->rows_.own) {
    this->own_known_ = true;
    for (uint8_t phase = 0; phase < PHASES; phase++)
      this->own_[this->phase_map_[phase]] = values[phase].number;
  } else if (row == this->rows_.state) {
    this->state_ = static_cast<uint8_t>(number);
    this->state_known_ = true;
  } else if (row == this->rows_.maximum) {
    this->maximum_ = static_cast<uint8_t>(number);
  } else if (row == this->rows_.charging_time) {
    this->charging_time_ = number;
  } else if (row == this->rows_.meter_mode) {
    this->on_meter_mode_(number);
  } else if (row == this->rows_.enable) {
    this->on_enable_(number);
    values.set_number(this->wish_.permission == Permission::GIVEN);
  } else if (row == this->rows_.current) {
    this->on_current_(number);
    const uint32_t most = this->maximum_ != 0 ? this->maximum_ * 10u : number;
    values.set_number(std::min<uint32_t>(this->wish_.current, most));
  } else if (row == this->rows_.time_limit && this->lease_s_ != 0) {
    this->time_limit_.confirmed = number;
    values.set_number(this->wish_.time_limit);
  }
}

/// Something else switches it off where the manager has it on: a person at the charger's own page, another system. What
/// switches it on may be a restart that was missed.
void ChargerLink::on_enable_(uint32_t enabled) {
  const bool switched_off = enabled == 0 && this->enable_.confirmed == 1 && this->enable_.asked == 1 &&
                            !this->hub_->is_pending(this->rows_.enable);
  this->enable_.confirmed = enabled;
  this->astray_ |= enabled != this->enable_.asked;
  if (!switched_off)
    return;
  this->wish_.permission = Permission::TAKEN_ELSEWHERE;
  this->changed_ = true;
}

/// Two managers at one charger would raise what the other has lowered: where something else goes on setting the
/// current, its least value holds as well.
void ChargerLink::on_current_(uint32_t current) {
  const bool foreign = this->current_.confirmed != UNKNOWN && current != this->current_.confirmed &&
                       current != this->current_.asked && !this->hub_->is_pending(this->rows_.current);
  this->current_.confirmed = current;
  this->astray_ |= current != this->current_.asked;
  if (!foreign)
    return;
  ESP_LOGW(TAG, "Something else has set the charging current to %.1f A", current * 0.1f);
  this->foreign_at_ = millis();
  this->foreign_least_ = static_cast<uint16_t>(std::min<uint32_t>(this->foreign_least_, current));
  if (this->foreign_writes_ < CONTESTED)
    this->foreign_writes_++;
}

void ChargerLink::on_meter_mode_(uint32_t mode) {
  if (mode == DUMMY_METER && this->meter_mode_ != DUMMY_METER) {
    ESP_LOGW(TAG, "The charger's meter mode is `dummy`: it does not show what the car takes");
  }
  this->meter_mode_ = static_cast<uint8_t>(mode);
}

void ChargerLink::on_online(bool online) {
  this->online_ = online;
  if (!online)
    this->on_restart();
}

/// Whatever was confirmed is so no more.
void ChargerLink::on_restart() {
  for (Setting *setting : {&this->enable_, &this->current_, &this->time_limit_})
    setting->confirmed = setting->asked = UNKNOWN;
  this->charging_time_ = 0;
  this->state_known_ = false;
}

ChargerView ChargerLink::view() const {
  const auto state = static_cast<ChargerState>(this->state_);
  ChargerView view;
  view.online = this->online_ && this->state_known_ && this->own_known_ && this->maximum_ != 0 &&
                this->enable_.confirmed != UNKNOWN && this->current_.confirmed != UNKNOWN;
  view.vehicle = esp32evse::is_session(state);
  view.holds = esp32evse::hides_vehicle(state) || (view.vehicle && !is_offering(state) && this->enable_.confirmed == 1);
  view.time_is_up = this->wish_.time_limit != 0 && this->charging_time_ >= this->wish_.time_limit;
  view.lease_is_up = this->time_limit_.confirmed != 0 && this->charging_time_ >= this->time_limit_.confirmed;
  view.enabled = this->wish_.permission == Permission::GIVEN;
  view.elsewhere = this->wish_.permission == Permission::TAKEN_ELSEWHERE;
  view.contested = this->is_contested_();
  view.wish = (view.contested ? std::min(this->wish_.current, this->foreign_least_) : this->wish_.current) * DECIAMPERE;
  view.maximum = this->maximum_ * 1_A;
  return view;
}

// --- orders -----------------------------------------------------------------------------------------------------------

/// What is lower is written first, so that a start never meets an old, higher current. A charger that does not take a
/// pause gets no longer lease, either.
void ChargerLink::apply(const Order &order, uint32_t now) {
  if (this->foreign_writes_ > 0 && now - this->foreign_at_ >= CONTESTED_MS) {
    this->foreign_writes_ = 0;
    this->foreign_least_ = NO_WISH;
  }
  if (!this->online_)
    return;
  const auto current = static_cast<uint32_t>(order.current / DECIAMPERE);  // never rounded up
  this->ensure_(this->current_, this->rows_.current, current, now);
  const bool obeys = order.run || this->enable_.confirmed == 0;
  if (this->lease_s_ != 0 && this->time_limit_.confirmed != UNKNOWN && obeys) {
    const Lease lease(this->lease_s_);
    const uint32_t time = esp32evse::is_session(static_cast<ChargerState>(this->state_)) ? this->charging_time_ : 0;
    this->ensure_(this->time_limit_, this->rows_.time_limit,
                  lease.wanted(this->time_limit_.confirmed, time, this->wish_.time_limit), now);
  }
  if (!order.run || (this->current_.confirmed != UNKNOWN && this->current_.confirmed <= current))
    this->ensure_(this->enable_, this->rows_.enable, order.run ? 1 : 0, now);
}

void ChargerLink::ensure_(Setting &setting, uint8_t row, uint32_t wanted, uint32_t now) {
  if (setting.confirmed == UNKNOWN)
    return;
  const bool pending = this->hub_->is_pending(row);
  const bool newer = setting.asked != wanted;
  // What is too low may be meant by something else.
  const uint32_t patience = setting.confirmed > wanted && !pending ? TOO_HIGH_MS : RETRY_MS;
  const bool again = newer || now - setting.asked_at >= patience;
  const bool overtaken = newer && pending;  // an older order is on its way
  setting.asked = wanted;
  if ((setting.confirmed == wanted && !overtaken) || !again)
    return;
  setting.asked_at = now;
  this->hub_->write_managed(row, wanted);
}

}  // namespace esphome::esp32evse_load_manager
