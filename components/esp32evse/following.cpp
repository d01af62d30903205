// What values mean for the hub itself: charging, sessions, faults, energy, clock, limits.

#include "esp32evse.h"

#include "utf8.h"
#include "esphome/core/hal.h"

namespace esphome::esp32evse {

void Esp32Evse::follow_state(Esp32Evse &hub, const Values &values) {
  const auto known = static_cast<uint64_t>(ChargerState::UNKNOWN);
  const ChargerState state =
      values[0].number < known ? static_cast<ChargerState>(values[0].number) : ChargerState::UNKNOWN;
  hub.state_read_ = true;
  if (state == hub.situation_.state)
    return;
  const bool was_charging = hub.is_charging();
  hub.situation_.state = state;
  hub.situation_.pending_authorization = false;  // until the charger has said it in this state
  hub.client_.schedule().set_charging(hub.is_charging());
  hub.client_.schedule().poll();  // much else has changed with it
  if (hub.is_charging() != was_charging)
    hub.entities_.hurry();
}

/// With the session's events and the state's trigger, where they are configured.
void Esp32Evse::follow_state_and_session(Esp32Evse &hub, const Values &values) {
  follow_state(hub, values);
  const ChargerState state = hub.situation_.state;
  if (state == ChargerState::UNKNOWN)
    return;
  hub.reports_.on_state(state);
  hub.on_session_events_(hub.session_.on_state(state, millis()));
}

void Esp32Evse::on_session_events_(uint8_t events) {
  if (events == SessionTracker::NOTHING)
    return;
  this->entities_.hurry();
  this->entities_.publish_derived(*this);  // automations read the last session's entities
  this->reports_.on_session(events, this->session_);
}

void Esp32Evse::follow_error(Esp32Evse &hub, const Values &values) {
  hub.situation_.faults = static_cast<uint8_t>(values[0].number);
}

/// With the event and the trigger of new faults, where they are configured.
void Esp32Evse::follow_error_and_report(Esp32Evse &hub, const Values &values) {
  follow_error(hub, values);
  hub.reports_.on_faults(hub.situation_.faults);
}

void Esp32Evse::follow_enable(Esp32Evse &hub, const Values &values) {
  hub.situation_.enabled = values[0].number != 0;
  hub.pause_.on_enable(hub.situation_.enabled);
}

void Esp32Evse::follow_pendauth(Esp32Evse &hub, const Values &values) {
  hub.situation_.pending_authorization = values[0].number != 0 && may_wait(hub.situation_.state);
}

void Esp32Evse::follow_limreach(Esp32Evse &hub, const Values &values) {
  hub.situation_.limit_reached = values[0].number != 0;
}

void Esp32Evse::follow_current(Esp32Evse &hub, const Values &values) {
  hub.active_phases_ = 0;
  for (uint8_t phase = 0; phase < 3; phase++)
    hub.active_phases_ += values[phase].number > ACTIVE_PHASE_MA ? 1 : 0;
}

void Esp32Evse::follow_session_time(Esp32Evse &hub, const Values &values) {
  hub.session_.on_duration(static_cast<uint32_t>(values[0].number), millis());
}

void Esp32Evse::follow_session_energy(Esp32Evse &hub, const Values &values) {
  const auto energy = static_cast<uint32_t>(values[0].number);
  if (COUNTS_LIFETIME)
    hub.lifetime_.energy.on_session(energy, hub.client_.uptime());
  if (FOLLOWS_SESSIONS)
    hub.session_.on_energy(energy, millis());
}

void Esp32Evse::follow_total_energy(Esp32Evse &hub, const Values &values) {
  if (COUNTS_LIFETIME) {
    if (hub.lifetime_.on_total(values[0].number, hub.client_.uptime())) {
      hub.read_followed_(follow_total_energy);
    } else if (hub.lifetime_.is_looking()) {
      hub.save_lifetime_();
    }
  }
  if (FOLLOWS_SESSIONS)
    hub.on_session_events_(hub.session_.on_total(values[0].number, millis()));
}

/// The row that is followed so, or NO_ROW.
uint8_t Esp32Evse::find_followed_(void (*follow)(Esp32Evse &hub, const Values &values)) const {
  for (uint8_t row = 0; row < this->client_.row_count(); row++) {
    if (this->rows_[row].follow == follow)
      return row;
  }
  return NO_ROW;
}

/// Reads again what is followed so, and is there: it counts when it comes twice.
void Esp32Evse::read_followed_(void (*follow)(Esp32Evse &hub, const Values &values)) {
  this->client_.read(this->find_followed_(follow));
}

/// Saves the lifetime energy if it has changed.
void Esp32Evse::save_lifetime_() {
  if (this->lifetime_.save(millis()) && !this->is_charging())
    this->entities_.hurry();
}

#ifdef USE_TIME
void Esp32Evse::follow_time(Esp32Evse &hub, const Values &values) {
  if (const uint32_t time = hub.clock_.judge(values[0].number, millis()))
    hub.write(hub.clock_.row(), time);
}
#endif

void Esp32Evse::follow_maximum_current(Esp32Evse &hub, const Values &values) {
  if (!hub.current_.hear_maximum(static_cast<uint8_t>(values[0].number))) {
    hub.read_followed_(follow_maximum_current);
    return;
  }
  const uint8_t refused = hub.current_.take_refused();
  if (refused != NO_ROW && !hub.is_managed_())
    hub.ask_number_(refused, hub.current_.maximum(), true);
}

void Esp32Evse::follow_wifi_scan(Esp32Evse &hub, const Values &values) {
  const Utf8Text ssid(values[0].text, values[0].length);
  hub.scan_callback_.call(StringRef(ssid.data(), ssid.length()), static_cast<int>(values[2].as_signed()),
                          static_cast<int>(values[1].number));
}

}  // namespace esphome::esp32evse
