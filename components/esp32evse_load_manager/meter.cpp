#include "meter.h"

#include "esphome/core/log.h"

namespace esphome::esp32evse_load_manager {

static const char *const TAG = "esp32evse.load_manager";
/// A float counts the seconds up to here; of the seconds since 1970 it sees every 128th only.
static constexpr float MOST_EXACT = 1 << 24;

/// A sign of life is a number from the meter, filters may hide it when it is the same; and what filters make of a NaN.
void Meter::add(uint8_t phase, sensor::Sensor *sensor, float factor) {
  const uint8_t bit = 1 << this->count_;
  this->sources_[this->count_++] = {sensor, factor, phase};
  sensor->add_on_raw_state_callback([this, bit](float value) { this->updated_ |= std::isnan(value) ? 0 : bit; });
  sensor->add_on_state_callback([this, bit](float) { this->updated_ |= bit; });
}

void Meter::set_heartbeat(sensor::Sensor *sensor) {
  sensor->add_on_raw_state_callback([this](float beat) {
    if (!std::isnan(beat) && beat != this->beat_) {
      this->updated_ = UINT8_MAX;
    } else if (beat > MOST_EXACT) {
      ESP_LOGW(TAG, "Heartbeat %.0f is too large a number to show small changes", beat);
    }
    this->beat_ = beat;
  });
}

PhaseMask Meter::take_updated() {
  PhaseMask updated = 0, waiting = 0;
  for (uint8_t i = 0; i < this->count_; i++)
    ((this->updated_ >> i & 1) != 0 ? updated : waiting) |= 1 << this->sources_[i].phase;
  updated &= ~waiting;
  for (uint8_t i = 0; i < this->count_; i++) {
    if (has_phase(updated, this->sources_[i].phase))
      this->updated_ &= ~(1 << i);
  }
  return updated;
}

Phases Meter::read() const {
  float ampere[PHASES]{};
  for (uint8_t i = 0; i < this->count_; i++)
    ampere[this->sources_[i].phase] += this->sources_[i].sensor->state * this->sources_[i].factor;
  return {{to_milliampere(ampere[0]), to_milliampere(ampere[1]), to_milliampere(ampere[2])}};
}

}  // namespace esphome::esp32evse_load_manager
