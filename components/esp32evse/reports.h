#pragma once

#include <cstdint>
#include <string>

#include "charging.h"
#include "esphome/core/defines.h"
#include "esphome/core/helpers.h"
#include "esphome/core/string_ref.h"
#ifdef USE_EVENT
#include "esphome/components/event/event.h"
#endif

namespace esphome::esp32evse {

/// Tells of states, sessions and faults: events and triggers. What is there at first is no news.
class Reports {
 public:
#ifdef USE_EVENT
  /// Their event types are in the catalog's order.
  void set_session_event(event::Event *event) { this->session_event_ = event; }
  void set_fault_event(event::Event *event) { this->fault_event_ = event; }
  void setup();
#else
  void setup() {}
#endif
  void on_state(ChargerState state);
  void on_faults(uint8_t faults);
  /// `events`: of `session`.
  void on_session(uint8_t events, const SessionTracker &session);

  LazyCallbackManager<void(StringRef)> state_callback;
  LazyCallbackManager<void()> start_callback;
  LazyCallbackManager<void(float, uint32_t)> end_callback;
  LazyCallbackManager<void(StringRef)> fault_callback;

 protected:
  ChargerState state_{ChargerState::UNKNOWN};
  uint8_t faults_{0xFF};
#ifdef USE_EVENT
  void set_event_type_(const char *type);
  void trigger_(event::Event *event, uint8_t type);

  event::Event *session_event_{nullptr};
  event::Event *fault_event_{nullptr};
  std::string event_type_;  // ESPHome takes it as a string, and nothing may be allocated after the start
#endif
};

}  // namespace esphome::esp32evse
