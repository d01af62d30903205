#include "meter.h"

namespace esphome::esp32evse_load_manager {

/// Freshness counts on the raw callback: filters hide values that come and are the same.
void Meter::add(uint8_t phase, sensor::Sensor *sensor, float factor) {
  this->sources_[this->count_++] = {sensor, factor, phase};
  sensor->add_on_raw_state_callback([this, phase](float) { this->updated_ |= 1 << phase; });
}

void Meter::set_heartbeat(sensor::Sensor *sensor) {
  sensor->add_on_raw_state_callback([this](float beat) {
    if (!std::isnan(beat) && beat != this->beat_)
      this->updated_ = ALL_PHASES;
    this->beat_ = beat;
  });
}

PhaseMask Meter::take_updated() {
  const PhaseMask updated = this->updated_;
  this->updated_ = 0;
  return updated;
}

Phases Meter::read() const {
  float ampere[PHASES]{};
  for (uint8_t i = 0; i < this->count_; i++)
    ampere[this->sources_[i].phase] += this->sources_[i].sensor->state * this->sources_[i].factor;
  return {{to_milliampere(ampere[0]), to_milliampere(ampere[1]), to_milliampere(ampere[2])}};
}

}  // namespace esphome::esp32evse_load_manager
