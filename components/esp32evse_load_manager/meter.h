#pragma once

#include <cmath>

#include "phases.h"
#include "esphome/components/sensor/sensor.h"

namespace esphome::esp32evse_load_manager {

/// The sensors of a circuit's meter, gathered to samples.
class Meter {
 public:
  /// `factor`: A for one of the sensor's units. Sensors are added once, at setup.
  void add(uint8_t phase, sensor::Sensor *sensor, float factor);
  /// A change of this sensor proves that the others are as new as they can be; a repetition may come from a cache.
  void set_heartbeat(sensor::Sensor *sensor);

  bool is_present() const { return this->count_ > 0; }
  /// The phases of which every sensor has something new since it was among them last.
  PhaseMask take_updated();
  Phases read() const;

 protected:
  static constexpr uint8_t MAX_SOURCES = 2 * PHASES;

  struct Source {
    sensor::Sensor *sensor;
    float factor;
    uint8_t phase;
  };

  Source sources_[MAX_SOURCES];
  float beat_{NAN};
  uint8_t count_{0};
  uint8_t updated_{0};  // bits of the sources
};

}  // namespace esphome::esp32evse_load_manager
