#include "reports.h"

namespace esphome::esp32evse {

void Reports::on_state(ChargerState state) {
  if (state == this->state_)
    return;
  this->state_ = state;
  this->state_callback.call(StringRef(state_name(state)));
}

void Reports::on_faults(uint8_t faults) {
  const uint8_t appeared = faults & ~this->faults_;
  this->faults_ = faults;
  for (uint8_t bit = 0; bit < FAULT_COUNT; bit++) {
    if ((appeared >> bit & 1) == 0)
      continue;
#ifdef USE_EVENT
    this->trigger_(this->fault_event_, bit);
#endif
    this->fault_callback.call(StringRef(fault_name(bit)));
  }
}

void Reports::on_session(uint8_t events, const SessionTracker &session) {
  if ((events & SessionTracker::FINISHED) != 0) {
#ifdef USE_EVENT
    this->trigger_(this->session_event_, 1);
#endif
    this->end_callback.call(static_cast<float>(session.last_energy()), session.last_duration());
  }
  if ((events & SessionTracker::STARTED) != 0) {
#ifdef USE_EVENT
    this->trigger_(this->session_event_, 0);
#endif
    this->start_callback.call();
  }
}

#ifdef USE_EVENT
void Reports::setup() { this->set_event_type_("longer than every type of event"); }

void Reports::set_event_type_(const char *type) {
  this->event_type_.clear();
  this->event_type_.append(type);
}

void Reports::trigger_(event::Event *event, uint8_t type) {
  if (event == nullptr)
    return;
  this->set_event_type_(event->get_event_type(type));
  event->trigger(this->event_type_);
}
#endif

}  // namespace esphome::esp32evse
