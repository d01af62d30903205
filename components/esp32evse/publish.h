#pragma once

#include "at_value.h"
#include "cadence.h"
#include "esphome/core/defines.h"
#ifdef USE_SENSOR
#include "esphome/components/sensor/sensor.h"
#endif

namespace esphome::esp32evse {

class Esp32Evse;

/// An entity and where its value comes from. The tables are generated, const and in flash.
///
/// `entity` points to the very type that `publish` expects: a base class pointer would need run-time initialisation and
/// drag the table from flash to RAM.
struct Binding {
  static constexpr uint8_t NO_PACER = 0xFF;

  void *entity;
  /// Publishes the values, or "unknown" without any.
  void (*publish)(const Binding &binding, Esp32Evse &hub, const Values *values);
  uint8_t field;
  uint8_t parameter;  ///< sensors: power of ten that divides; bits, counters: their number
  uint8_t pacer;      ///< its number among the hub's; NO_PACER: every value as it comes
  bool every;         ///< the user's filters want every value, also where only changes are published
  Cadence cadence;

  const Field *find(const Values *values) const;
};

// Bound to a command: one function for each way in which a value becomes a state.
using Publish = void(const Binding &binding, Esp32Evse &hub, const Values *values);
Publish publish_sensor;
Publish publish_sensor_gated;
Publish publish_sensor_lifetime;
Publish publish_binary_sensor;
Publish publish_binary_sensor_bit;
Publish publish_binary_sensor_pending;
Publish publish_text_sensor;
Publish publish_text_sensor_name;
Publish publish_text_sensor_join;
Publish publish_text_sensor_list;
Publish publish_text_sensor_time;
Publish publish_text_sensor_lifetime;
Publish publish_switch;
Publish publish_number;
Publish publish_select;
Publish publish_select_name;
Publish publish_text;

// Derived by the hub; called without values.
Publish publish_active_phases;
Publish publish_last_session_energy;
Publish publish_last_session_duration;
Publish publish_sensor_counter;
Publish publish_connected;
Publish publish_timeout_fault;
Publish publish_vehicle_connected;
Publish publish_charging;
Publish publish_fault;
Publish publish_status;

#ifdef USE_SENSOR
/// At its pacer's cadence, or as it comes without one. NAN: unknown, published once, through the user's filters.
void publish_paced(sensor::Sensor *sensor, Pacer *pacer, Cadence cadence, float value);
#endif

/// Publishes what its pacer has held back, if it is due: of sensors only, the rest is published on a change.
void publish_held(const Binding &binding, Pacer &pacer, uint32_t now);

}  // namespace esphome::esp32evse
