#include <algorithm>

#include "esp32evse_load_manager/law.h"
#include "esp32evse_load_manager/lease.h"

// The law, call by call, for law.py.

using namespace esphome::esp32evse_load_manager;

namespace {

Phases phases_of(const float *ampere) {
  return {{to_milliampere(ampere[0]), to_milliampere(ampere[1]), to_milliampere(ampere[2])}};
}

}  // namespace

extern "C" {

struct FlatOrder {
  uint8_t valid, run, reason, circuit, phase, next;
  uint16_t seconds;
  float ampere, available;
};

Law *law_new() { return new Law(); }
void law_delete(Law *law) { delete law; }
void law_configure(Law *law, uint32_t min_off_ms, float dimming, float unbalance, float start, float stop, float grid) {
  Settings settings;
  settings.min_off_ms = min_off_ms;
  settings.dimming = static_cast<int32_t>(dimming);
  settings.unbalance = to_milliampere(unbalance);
  settings.surplus = {start, stop, grid};
  law->configure(settings);
}
void law_add_circuit(Law *law, float limit, float margin, float fallback, uint32_t timeout_ms, uint32_t delay_ms,
                     uint8_t phases, uint8_t parent, uint32_t now) {
  law->add_circuit(
      {to_milliampere(limit), to_milliampere(margin), to_milliampere(fallback), timeout_ms, delay_ms, phases, parent},
      now);
}
void law_add_charger(Law *law, float minimum, uint8_t phases, uint8_t circuit, uint8_t priority) {
  law->add_charger({to_milliampere(minimum), phases, circuit, priority});
}
void law_add_follower(Law *law, float minimum, uint8_t phases, uint8_t circuit, uint8_t priority, float worst_case) {
  law->add_charger({to_milliampere(minimum), phases, circuit, priority, to_milliampere(worst_case)});
}
void law_add_led(Law *law, float limit, float worst_case, uint32_t timeout_ms, uint32_t now) {
  law->add_circuit(
      {to_milliampere(limit), 0, to_milliampere(worst_case), timeout_ms, 0, ALL_PHASES, CircuitConfig::NO_PARENT, true},
      now);
}
void law_on_share(Law *law, uint8_t circuit, float ampere, uint32_t now) {
  law->on_share(circuit, to_milliampere(ampere), now);
}
void law_set_limit(Law *law, uint8_t circuit, float ampere) { law->circuit(circuit).set_limit(to_milliampere(ampere)); }
void law_adopt(Law *law, uint8_t charger, uint8_t running, float ampere) {
  law->adopt(charger, running != 0, to_milliampere(ampere));
}
void law_set_mode(Law *law, uint8_t charger, uint8_t mode) { law->set_mode(charger, static_cast<Mode>(mode)); }
void law_set_dimmed(Law *law, uint8_t dimmed) { law->set_dimmed(dimmed != 0); }
void law_set_capacity(Law *law, float watt) { law->quarter().set_limit(watt); }
void law_set_view(Law *law, uint8_t charger, uint8_t online, uint8_t vehicle, uint8_t enabled, float wish,
                  float maximum, uint8_t holds, uint8_t time_is_up, uint8_t lease_is_up, uint8_t contested) {
  ChargerView view;
  view.online = online != 0;
  view.vehicle = vehicle != 0;
  view.enabled = enabled != 0;
  view.wish = to_milliampere(wish);
  view.maximum = to_milliampere(maximum);
  view.holds = holds != 0;
  view.time_is_up = time_is_up != 0;
  view.lease_is_up = lease_is_up != 0;
  view.contested = contested != 0;
  law->set_view(charger, view);
}
void law_on_own(Law *law, uint8_t charger, const float *ampere, uint32_t now) {
  law->on_own(charger, phases_of(ampere), now);
}
void law_on_sample(Law *law, uint8_t circuit, const float *ampere, uint32_t now, uint8_t updated) {
  law->on_sample(circuit, phases_of(ampere), now, updated);
}
void law_step(Law *law, uint32_t now, uint32_t epoch_s) { law->step(now, epoch_s); }
void law_order(Law *law, uint8_t charger, FlatOrder *flat) {
  const Order &order = law->order(charger);
  *flat = {order.valid,
           order.run,
           static_cast<uint8_t>(order.why.reason),
           order.why.circuit,
           order.why.phase,
           static_cast<uint8_t>(order.why.next),
           order.why.seconds,
           to_ampere(order.current),
           to_ampere(law->available(charger))};
}
float law_house(Law *law, uint8_t circuit, uint8_t phase) { return to_ampere(law->circuit(circuit).house(phase)); }
void law_describe(uint8_t reason, uint8_t phase, uint16_t seconds, uint8_t next, const char *circuit, char *text) {
  describe({static_cast<Reason>(reason), 0, phase, static_cast<Next>(next), seconds}, circuit, text, MAX_REASON);
}
uint32_t lease_wanted(uint32_t length, uint32_t current, uint32_t charging_time, uint32_t person) {
  return Lease(length).wanted(current, charging_time, person);
}
}
