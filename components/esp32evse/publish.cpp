#include "publish.h"

#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "entities.h"
#include "esp32evse.h"
#include "esphome/core/controller_registry.h"
#include "esphome/core/time.h"
#ifdef USE_BINARY_SENSOR
#include "esphome/components/binary_sensor/binary_sensor.h"
#endif
#ifdef USE_SENSOR
#include "esphome/components/sensor/sensor.h"
#endif

#ifdef USE_CONTROLLER_REGISTRY
#define NOTIFY(kind, entity) ControllerRegistry::notify_##kind##_update(entity)
#else
#define NOTIFY(kind, entity)
#endif

namespace esphome::esp32evse {

/// The binding's field; nullptr without values, or when an older firmware leaves it out.
const Field *Binding::find(const Values *values) const {
  return values != nullptr && this->field < values->size() ? &(*values)[this->field] : nullptr;
}

#if defined(USE_TEXT) || defined(USE_TEXT_SENSOR)
static bool holds(const std::string &string, const char *text, size_t length) {
  return string.size() == length && memcmp(string.data(), text, length) == 0;
}
#endif

// --- sensor -----------------------------------------------------------------------------------------------------------

#ifdef USE_SENSOR
/// A change below the last digit shown is not sent; one to or from an exact zero always is, because "nothing flows"
/// matters. Bits tell equal values as well as equal unknowns (NaN).
static void send(const Binding &binding, float value) {
  static const float HALF_DIGIT[] = {0.5f, 0.05f, 0.005f, 0.0005f};
  auto *sensor = static_cast<sensor::Sensor *>(binding.entity);
  const auto decimals = static_cast<uint8_t>(sensor->get_accuracy_decimals());
  const auto bits = bit_cast<uint32_t>(value);
  const auto old_bits = bit_cast<uint32_t>(sensor->state);
  const bool same = bits == old_bits || (bits != 0 && old_bits != 0 &&
                                         std::fabs(value - sensor->state) < HALF_DIGIT[decimals < 4 ? decimals : 3]);
  if (binding.every || !same)
    sensor->publish_state(value);
}

void publish_sensor(const Binding &binding, const Esp32Evse & /*hub*/, const Values *values) {
  static const float DIVISORS[] = {1.0f, 10.0f, 100.0f, 1000.0f};
  const Field *field = binding.find(values);
  send(binding, field == nullptr ? NAN : static_cast<float>(field->as_signed()) / DIVISORS[binding.parameter]);
}

void publish_sensor_gated(const Binding &binding, const Esp32Evse &hub, const Values *values) {
  const bool open = values != nullptr && (*values)[0].number != 0;
  publish_sensor(binding, hub, open ? values : nullptr);
}

void publish_sensor_lifetime(const Binding &binding, const Esp32Evse &hub, const Values *values) {
  send(binding, values == nullptr ? NAN : static_cast<float>(hub.get_lifetime_energy()));
}

void publish_active_phases(const Binding &binding, const Esp32Evse &hub, const Values * /*values*/) {
  send(binding, hub.is_connected() ? static_cast<float>(hub.get_active_phases()) : NAN);
}

void publish_last_session_energy(const Binding &binding, const Esp32Evse &hub, const Values * /*values*/) {
  if (hub.get_session().has_last())
    send(binding, static_cast<float>(hub.get_session().last_energy()));
}

void publish_last_session_duration(const Binding &binding, const Esp32Evse &hub, const Values * /*values*/) {
  if (hub.get_session().has_last())
    send(binding, static_cast<float>(hub.get_session().last_duration()));
}

void publish_sensor_counter(const Binding &binding, const Esp32Evse &hub, const Values * /*values*/) {
  send(binding, static_cast<float>(hub.get_counter(binding.parameter)));
}
#endif

// --- binary sensor ----------------------------------------------------------------------------------------------------

#ifdef USE_BINARY_SENSOR
static void send(const Binding &binding, bool known, bool value) {
  auto *sensor = static_cast<binary_sensor::BinarySensor *>(binding.entity);
  if (known) {
    sensor->publish_state(value);
  } else {
    sensor->invalidate_state();
  }
}

void publish_binary_sensor(const Binding &binding, const Esp32Evse & /*hub*/, const Values *values) {
  const Field *field = binding.find(values);
  send(binding, field != nullptr, field != nullptr && field->number != 0);
}

void publish_binary_sensor_bit(const Binding &binding, const Esp32Evse & /*hub*/, const Values *values) {
  const Field *field = binding.find(values);
  send(binding, field != nullptr, field != nullptr && (field->number >> binding.parameter & 1) != 0);
}

void publish_connected(const Binding &binding, const Esp32Evse &hub, const Values * /*values*/) {
  send(binding, true, hub.is_connected());
}

void publish_timeout_fault(const Binding &binding, const Esp32Evse &hub, const Values * /*values*/) {
  send(binding, true, !hub.is_connected());
}

void publish_vehicle_connected(const Binding &binding, const Esp32Evse &hub, const Values * /*values*/) {
  send(binding, hub.get_state() < ChargerState::E, hub.is_vehicle_connected());
}

void publish_charging(const Binding &binding, const Esp32Evse &hub, const Values * /*values*/) {
  send(binding, hub.get_state() != ChargerState::UNKNOWN, hub.is_charging());
}

void publish_fault(const Binding &binding, const Esp32Evse &hub, const Values * /*values*/) {
  const Situation &situation = hub.get_situation();
  send(binding, situation.state != ChargerState::UNKNOWN, situation.state == ChargerState::E || situation.faults != 0);
}
#endif

// --- text sensor ------------------------------------------------------------------------------------------------------

#ifdef USE_TEXT_SENSOR
/// `text` nullptr: unknown.
static void send(text_sensor::TextSensor *sensor, bool every, const char *text, size_t length) {
  if (text == nullptr) {
    sensor->set_has_state(false);
    sensor->state.clear();
    NOTIFY(text_sensor, sensor);
    return;
  }
  if (every || !sensor->has_state() || !holds(sensor->get_raw_state(), text, length))
    sensor->publish_state(text, length);
}

static void send(const Binding &binding, const char *text, size_t length) {
  send(static_cast<text_sensor::TextSensor *>(binding.entity), binding.every, text, length);
}

/// All fields with spaces between them, behind `prefix`.
static size_t join(const Values &values, const char *prefix, char *buffer, size_t size) {
  size_t length = 0;
  for (size_t i = 0; i < values.size() && length < size; i++) {
    if (values[i].text != nullptr) {
      length += snprintf(buffer + length, size - length, "%s%s", prefix, values[i].text);
    } else {
      length += snprintf(buffer + length, size - length, "%s%" PRIu32, prefix, static_cast<uint32_t>(values[i].number));
    }
    prefix = " ";
  }
  return length < size ? length : size - 1;
}

void publish_text_sensor(const Binding &binding, const Esp32Evse & /*hub*/, const Values *values) {
  const Field *field = binding.find(values);
  if (field == nullptr) {
    send(binding, nullptr, 0);
  } else {
    send(binding, field->text, field->length);
  }
}

void publish_text_sensor_name(const Binding &binding, const Esp32Evse & /*hub*/, const Values *values) {
  auto *sensor = static_cast<NameTextSensor *>(binding.entity);
  const Field *field = binding.find(values);
  const char *name = field == nullptr ? nullptr : sensor->name_of(field->number);
  send(sensor, binding.every, name, name == nullptr ? 0 : strlen(name));
}

void publish_text_sensor_join(const Binding &binding, const Esp32Evse & /*hub*/, const Values *values) {
  char buffer[LineFramer::MAX_LINE];
  const size_t length = values == nullptr ? 0 : join(*values, "", buffer, sizeof(buffer));
  send(binding, values == nullptr ? nullptr : buffer, length);
}

void publish_text_sensor_list(const Binding &binding, const Esp32Evse & /*hub*/, const Values *values) {
  auto *sensor = static_cast<ListTextSensor *>(binding.entity);
  if (values == nullptr) {
    send(sensor, false, nullptr, 0);
  } else {
    sensor->add(*values);
  }
}

void publish_text_sensor_time(const Binding &binding, const Esp32Evse & /*hub*/, const Values *values) {
  if (values == nullptr) {
    send(binding, nullptr, 0);
    return;
  }
  ESPTime time = ESPTime::from_epoch_utc(static_cast<time_t>((*values)[0].number));
  char buffer[40];
  send(binding, buffer, time.strftime(buffer, sizeof(buffer), "%Y-%m-%dT%H:%M:%S+00:00"));
}

void publish_text_sensor_lifetime(const Binding &binding, const Esp32Evse &hub, const Values *values) {
  // Two parts, because not every target's printf knows 64 bits; `%.0` prints nothing for 0.
  const uint64_t energy = hub.get_lifetime_energy();
  const auto billions = static_cast<uint32_t>(energy / 1000000000);
  const auto rest = static_cast<uint32_t>(energy % 1000000000);
  char buffer[24];
  const char *const format = billions > 0 ? "%" PRIu32 "%09" PRIu32 : "%.0" PRIu32 "%" PRIu32;
  const int length = snprintf(buffer, sizeof(buffer), format, billions, rest);
  send(binding, values == nullptr ? nullptr : buffer, length);
}

void publish_status(const Binding &binding, const Esp32Evse &hub, const Values * /*values*/) {
  if (hub.is_connected() && hub.get_state() == ChargerState::UNKNOWN)
    return;  // it is just about to be read
  const char *text = describe(hub.get_situation());
  send(binding, text, strlen(text));
}

void ListTextSensor::add(const Values &values) {
  const char *const separator = this->length_ > 0 ? ", " : "";
  this->length_ += join(values, separator, this->text_ + this->length_, sizeof(this->text_) - this->length_);
}

void ListTextSensor::finish(bool complete) {
  if (complete)
    send(this, false, this->text_, this->length_);
  this->length_ = 0;
}
#endif

// --- what can be written ----------------------------------------------------------------------------------------------

#ifdef USE_SWITCH
void publish_switch(const Binding &binding, const Esp32Evse & /*hub*/, const Values *values) {
  const Field *field = binding.find(values);
  if (field != nullptr)  // ESPHome's switches have no unknown state
    static_cast<EvseSwitch *>(binding.entity)->publish_state(field->number != 0);
}
#endif

#ifdef USE_NUMBER
void publish_number(const Binding &binding, const Esp32Evse &hub, const Values *values) {
  auto *number = static_cast<EvseNumber *>(binding.entity);
  if (values == nullptr) {
    number->set_has_state(false);
    number->state = NAN;
    NOTIFY(number, number);
    return;
  }
  const float value = static_cast<float>((*values)[0].number) / number->get_multiplier();
  if (hub.is_forcing() || !number->has_state() || number->state != value)
    number->publish_state(value);
}
#endif

#ifdef USE_SELECT
/// An index beyond the options: unknown.
static void send(select::Select *select, bool force, size_t index) {
  if (!select->has_index(index)) {
    select->set_has_state(false);
    NOTIFY(select, select);
  } else if (force || select->active_index() != index) {
    select->publish_state(index);
  }
}

void publish_select(const Binding &binding, const Esp32Evse &hub, const Values *values) {
  auto *select = static_cast<NumberSelect *>(binding.entity);
  send(select, hub.is_forcing(), values == nullptr ? SIZE_MAX : static_cast<size_t>((*values)[0].number));
}

void publish_select_name(const Binding &binding, const Esp32Evse &hub, const Values *values) {
  auto *select = static_cast<StringSelect *>(binding.entity);
  const auto index = values == nullptr ? optional<size_t>{} : select->index_of((*values)[0].text, (*values)[0].length);
  send(select, hub.is_forcing(), index.value_or(SIZE_MAX));
}
#endif

#ifdef USE_TEXT
void publish_text(const Binding &binding, const Esp32Evse &hub, const Values *values) {
  auto *text = static_cast<EvseText *>(binding.entity);
  if (values == nullptr) {
    text->set_has_state(false);
    NOTIFY(text, text);
    return;
  }
  const Field &field = (*values)[0];
  if (hub.is_forcing() || !text->has_state() || !holds(text->state, field.text, field.length))
    text->publish_state(field.text, field.length);
}
#endif

}  // namespace esphome::esp32evse
