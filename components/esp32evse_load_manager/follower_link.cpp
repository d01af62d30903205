#include "follower_link.h"

#ifdef USE_ESP32EVSE_LOAD_MANAGER_FOLLOWERS

#include <algorithm>
#include <cmath>

#include "esphome/core/hal.h"

namespace esphome::esp32evse_load_manager {

void FollowerLink::configure(uint32_t timeout_ms, Mode mode) {
  this->timeout_ms_ = timeout_ms;
  this->mode_ = mode;
}

void FollowerLink::set_usable(sensor::Sensor *usable) {
  this->usable_ = usable;
  usable->add_on_raw_state_callback([this](float ampere) {
    if (std::isnan(ampere)) {  // the link is dead, or the follower's charger
      this->known_ = false;
      return;
    }
    this->known_ = this->news_ = true;
    this->heard_ = millis();
  });
}

ChargerView FollowerLink::view(uint32_t now) {
  ChargerView view;
  this->known_ &= now - this->heard_ < this->timeout_ms_;
  view.online = this->known_;
  view.wish = std::clamp(to_milliampere(this->usable_->state), 0_A, 63_A);
  view.vehicle = view.wish >= LEAST_CURRENT;
  return view;
}

bool FollowerLink::take_heard() {
  const bool news = this->news_;
  this->news_ = false;
  return news;
}

Phases FollowerLink::own() const {
  Phases own;
  for (uint8_t phase = 0; phase < PHASES; phase++) {
    const sensor::Sensor *ampere = this->currents_[phase];
    own[phase] = ampere != nullptr ? to_milliampere(ampere->state) : 0;
  }
  return own;
}

}  // namespace esphome::esp32evse_load_manager

#endif
