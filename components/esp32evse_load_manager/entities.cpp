#include "entities.h"

#include "esphome/components/esp32evse/publish.h"

#include <cmath>
#include <cstring>

namespace esphome::esp32evse_load_manager {

// Each is called at every step. Sensors are published at their cadence, the rest when it has changed.

#ifdef USE_SELECT
void publish_select_mode(const Binding &binding, LoadManager &manager) {
  auto *select = static_cast<ModeSelect *>(binding.entity);
  for (size_t option = 0; option < select->size(); option++) {
    if (mode_of(option) != manager.mode(binding.index))
      continue;
    if (!select->has_state() || select->active_index() != option)
      select->publish_state(option);
  }
}
#endif

#ifdef USE_NUMBER
static void publish(number::Number *number, float value) {
  if (!number->has_state() || number->state != value)
    number->publish_state(value);
}

void publish_number_current_limit(const Binding &binding, LoadManager &manager) {
  publish(static_cast<CurrentLimitNumber *>(binding.entity),
          to_ampere(manager.law().circuit(binding.index).config().limit));
}

void publish_number_capacity_limit(const Binding &binding, LoadManager &manager) {
  publish(static_cast<CapacityLimitNumber *>(binding.entity), manager.capacity() * 0.001f);
}
#endif

#ifdef USE_SENSOR
static void publish(const Binding &binding, float value) {
  auto *sensor = static_cast<sensor::Sensor *>(binding.entity);
  // In tenths, in which the charger counts: others get a packet for each change.
  const float shown = binding.on_change ? std::round(value * 10.0f) * 0.1f : value;
  if (!binding.on_change || !sensor->has_state() || sensor->get_raw_state() != shown)
    esp32evse::publish_paced(sensor, binding.pacer, binding.cadence, shown);
}

void publish_sensor_target_current(const Binding &binding, LoadManager &manager) {
  const Order &order = manager.law().order(binding.index);
  publish(binding, order.run ? to_ampere(order.current) : 0.0f);
}

/// Nothing before the follower was heard, lest it pauses while this node starts.
void publish_sensor_share(const Binding &binding, LoadManager &manager) {
  if (manager.law().order(binding.index).valid)
    publish_sensor_target_current(binding, manager);
}

/// NAN tells a leader that this node knows nothing of its charger.
void publish_sensor_usable_current(const Binding &binding, LoadManager &manager) {
  publish(binding, manager.law().view(binding.index).online ? to_ampere(manager.law().usable(binding.index)) : NAN);
}

void publish_sensor_drawn_current(const Binding &binding, LoadManager &manager) {
  publish(binding, to_ampere(manager.law().own(binding.index)[binding.phase]));
}

void publish_sensor_available_current(const Binding &binding, LoadManager &manager) {
  publish(binding, to_ampere(manager.law().available(binding.index)));
}

void publish_sensor_house_current(const Binding &binding, LoadManager &manager) {
  const Circuit &circuit = manager.law().circuit(binding.index);
  publish(binding, circuit.is_valid() ? to_ampere(circuit.house(binding.phase)) : NAN);
}

void publish_sensor_breaker_budget(const Binding &binding, LoadManager &manager) {
  publish(binding, std::fmax(100.0f - 100.0f * manager.law().circuit(binding.index).breaker_used(), 0.0f));
}

void publish_sensor_surplus(const Binding &binding, LoadManager &manager) {
  publish(binding, manager.law().circuit(0).is_valid() ? static_cast<float>(manager.law().surplus()) : NAN);
}

void publish_sensor_quarter_mean(const Binding &binding, LoadManager &manager) {
  publish(binding, manager.law().quarter().mean());
}
#endif

#ifdef USE_TEXT_SENSOR
void publish_text_sensor_reason(const Binding &binding, LoadManager &manager) {
  auto *sensor = static_cast<text_sensor::TextSensor *>(binding.entity);
  const char *reason = manager.reason(binding.index);
  if (!sensor->has_state() || sensor->get_raw_state() != reason)
    sensor->publish_state(reason);
}
#endif

#ifdef USE_BINARY_SENSOR
static void publish(const Binding &binding, bool state) {
  static_cast<binary_sensor::BinarySensor *>(binding.entity)->publish_state(state);
}

void publish_binary_sensor_limiting(const Binding &binding, LoadManager &manager) {
  publish(binding, manager.is_limiting());
}

void publish_binary_sensor_meter_valid(const Binding &binding, LoadManager &manager) {
  publish(binding, manager.is_meter_valid(binding.index));
}
#endif

}  // namespace esphome::esp32evse_load_manager
