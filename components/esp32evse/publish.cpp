// From the charger's values to the entities' states.

#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "entities.h"
#include "esp32evse.h"
#include "esphome/core/controller_registry.h"
#include "esphome/core/log.h"
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

namespace {

#if defined(USE_SENSOR) || defined(USE_NUMBER)
constexpr float POWERS_OF_TEN[] = {1.0f, 10.0f, 100.0f, 1000.0f};
#endif

#ifdef USE_SENSOR
/// Unchanged to the last digit shown, a value is not sent again; an exact zero always is, because "nothing flows" matters.
bool looks_the_same(sensor::Sensor *sensor, float value) {
  if (!sensor->has_state() || std::isnan(sensor->state) || std::isnan(value))
    return sensor->has_state() && std::isnan(sensor->state) == std::isnan(value);
  if (value == 0.0f || sensor->state == 0.0f)
    return value == sensor->state;
  const int8_t decimals = sensor->get_accuracy_decimals();
  if (decimals <= 0 || decimals > 3)
    return value == sensor->state;
  return std::lround(value * POWERS_OF_TEN[decimals]) == std::lround(sensor->state * POWERS_OF_TEN[decimals]);
}

void publish_sensor(const Binding &binding, float value) {
  auto *sensor = static_cast<sensor::Sensor *>(binding.entity);
  if (binding.every || !looks_the_same(sensor, value))
    sensor->publish_state(value);
}
#endif

#ifdef USE_TEXT_SENSOR
void publish_text_sensor(text_sensor::TextSensor *sensor, bool every, const char *text, size_t length) {
  if (every || !sensor->has_state() || sensor->get_raw_state().compare(0, std::string::npos, text, length) != 0)
    sensor->publish_state(text, length);
}

void publish_text_sensor(const Binding &binding, const char *text, size_t length) {
  publish_text_sensor(static_cast<text_sensor::TextSensor *>(binding.entity), binding.every, text, length);
}

void forget(text_sensor::TextSensor *sensor) {
  if (!sensor->has_state())
    return;
  sensor->state.clear();
  sensor->set_has_state(false);
  NOTIFY(text_sensor, sensor);
}

/// Adds text or number and a separating space; what does not fit is left out whole.
size_t append_field(char *buffer, size_t length, size_t size, const Field &field, bool text) {
  const char *const space = length > 0 && buffer[length - 1] != ' ' ? " " : "";
  const int added = text ? snprintf(buffer + length, size - length, "%s%s", space, field.text)
                         : snprintf(buffer + length, size - length, "%s%" PRIu32, space,
                                    static_cast<uint32_t>(field.number));
  return added > 0 && length + added < size ? length + added : length;
}

size_t join_fields(char *buffer, size_t size, const Values &values) {
  size_t length = 0;
  buffer[0] = '\0';
  for (size_t i = 0; i < values.size(); i++)
    length = append_field(buffer, length, size, values[i], values[i].text != nullptr);
  return length;
}
#endif

}  // namespace

#ifdef USE_TEXT_SENSOR
void ListTextSensor::add(const Values &values) {
  char line[64];
  const size_t length = join_fields(line, sizeof(line), values);
  const size_t separator = this->length_ > 0 ? 2 : 0;
  if (this->length_ + separator + length > MAX_STATE_LEN)
    return;
  memcpy(this->text_ + this->length_, ", ", separator);
  memcpy(this->text_ + this->length_ + separator, line, length);
  this->length_ += separator + length;
}

void ListTextSensor::finish() {
  publish_text_sensor(this, false, this->text_, this->length_);
  this->length_ = 0;
}
#endif

// --- bound to a command -----------------------------------------------------------------------------------------------

void Esp32Evse::publish_(const Binding &binding, const Values &values) {
  if (binding.field >= values.size())
    return;  // an older firmware leaves out trailing fields
  const Field &field = values[binding.field];
  switch (binding.kind) {
#ifdef USE_SENSOR
    case Kind::SENSOR_GATED:
      if (values[0].number == 0) {
        publish_sensor(binding, NAN);
        break;
      }
      [[fallthrough]];
    case Kind::SENSOR:
      publish_sensor(binding, static_cast<float>(field.as_signed()) / POWERS_OF_TEN[binding.parameter]);
      break;
    case Kind::SENSOR_LIFETIME:
      publish_sensor(binding, static_cast<float>(this->lifetime_shown_));
      break;
#endif
#ifdef USE_BINARY_SENSOR
    case Kind::BINARY_SENSOR:
      static_cast<binary_sensor::BinarySensor *>(binding.entity)->publish_state(field.number != 0);
      break;
    case Kind::BINARY_SENSOR_BIT:
      static_cast<binary_sensor::BinarySensor *>(binding.entity)
          ->publish_state((field.number & (1U << binding.parameter)) != 0);
      break;
#endif
#ifdef USE_SWITCH
    case Kind::SWITCH:
      static_cast<EvseSwitch *>(binding.entity)->publish_state(field.number != 0);
      break;
#endif
#ifdef USE_NUMBER
    case Kind::NUMBER: {
      auto *number = static_cast<EvseNumber *>(binding.entity);
      const float value = static_cast<float>(field.number) / number->get_multiplier();
      if (!number->has_state() || number->state != value)
        number->publish_state(value);
      break;
    }
#endif
#ifdef USE_SELECT
    case Kind::SELECT: {
      auto *select = static_cast<NumberSelect *>(binding.entity);
      const auto index = static_cast<size_t>(field.number);
      if (select->has_index(index) && select->active_index() != index)
        select->publish_state(index);
      break;
    }
    case Kind::SELECT_NAME: {
      auto *select = static_cast<StringSelect *>(binding.entity);
      const auto index = select->index_of(field.text, field.length);
      if (index.has_value() && select->active_index() != index)
        select->publish_state(*index);
      break;
    }
#endif
#ifdef USE_TEXT
    case Kind::TEXT: {
      auto *text = static_cast<EvseText *>(binding.entity);
      if (!text->has_state() || text->state.compare(0, std::string::npos, field.text, field.length) != 0)
        text->publish_state(field.text, field.length);
      break;
    }
#endif
    default:
      this->publish_text_(binding, values);
      break;
  }
}

void Esp32Evse::publish_text_(const Binding &binding, const Values &values) {
#ifdef USE_TEXT_SENSOR
  const Field &field = values[binding.field];
  char buffer[64];
  size_t length = 0;
  switch (binding.kind) {
    case Kind::TEXT_SENSOR:
      publish_text_sensor(binding, field.text, field.length);
      return;
    case Kind::TEXT_SENSOR_NAME: {
      auto *sensor = static_cast<NameTextSensor *>(binding.entity);
      const char *name = sensor->name_of(field.number);
      if (name == nullptr) {
        forget(sensor);
      } else {
        publish_text_sensor(sensor, binding.every, name, strlen(name));
      }
      return;
    }
    case Kind::TEXT_SENSOR_LIST:
      static_cast<ListTextSensor *>(binding.entity)->add(values);
      return;
    case Kind::TEXT_SENSOR_JOIN:
      length = join_fields(buffer, sizeof(buffer), values);
      break;
    case Kind::TEXT_SENSOR_TIME: {
      const ESPTime time = ESPTime::from_epoch_utc(static_cast<time_t>(field.number));
      length = snprintf(buffer, sizeof(buffer), "%04u-%02u-%02uT%02u:%02u:%02u+00:00", time.year, time.month,
                        time.day_of_month, time.hour, time.minute, time.second);
      break;
    }
    case Kind::TEXT_SENSOR_LIFETIME:
      length = snprintf(buffer, sizeof(buffer), "%" PRIu64, this->lifetime_shown_);
      break;
    default:
      return;
  }
  publish_text_sensor(binding, buffer, length);
#endif
}

void Esp32Evse::on_lines_end(uint8_t row) {
#ifdef USE_TEXT_SENSOR
  const CommandRow &command = this->rows_[row];
  for (uint8_t i = 0; i < command.bindings; i++) {
    const Binding &binding = this->bindings_[command.first_binding + i];
    if (binding.kind == Kind::TEXT_SENSOR_LIST)
      static_cast<ListTextSensor *>(binding.entity)->finish();
  }
#endif
}

// --- derived ----------------------------------------------------------------------------------------------------------

void Esp32Evse::publish_derived_() {
  for (uint8_t i = this->first_derived_; i < this->binding_count_; i++)
    this->publish_derived_(this->bindings_[i]);
}

#ifdef USE_BINARY_SENSOR
static void publish_binary(const Binding &binding, bool known, bool value) {
  auto *sensor = static_cast<binary_sensor::BinarySensor *>(binding.entity);
  if (known) {
    sensor->publish_state(value);
  } else {
    sensor->invalidate_state();
  }
}
#endif

void Esp32Evse::publish_derived_(const Binding &binding) {
  const ChargerState state = this->situation_.state;
  const bool known = state != ChargerState::UNKNOWN;
  switch (binding.kind) {
#ifdef USE_SENSOR
    case Kind::ACTIVE_PHASES: {
      uint8_t phases = 0;
      for (const uint32_t current : this->current_ma_)
        phases += current > 500 ? 1 : 0;
      publish_sensor(binding, this->client_.is_online() ? phases : NAN);
      break;
    }
    case Kind::LAST_SESSION_ENERGY:
      if (this->session_.has_last())
        publish_sensor(binding, static_cast<float>(this->session_.last_energy()));
      break;
    case Kind::LAST_SESSION_DURATION:
      if (this->session_.has_last())
        publish_sensor(binding, static_cast<float>(this->session_.last_duration()));
      break;
#endif
#ifdef USE_BINARY_SENSOR
    case Kind::CONNECTED:
      static_cast<binary_sensor::BinarySensor *>(binding.entity)->publish_state(this->client_.is_online());
      break;
    case Kind::TIMEOUT_FAULT:
      static_cast<binary_sensor::BinarySensor *>(binding.entity)->publish_state(!this->client_.is_online());
      break;
    case Kind::VEHICLE_CONNECTED:
      publish_binary(binding, known && !hides_vehicle(state), is_session(state));
      break;
    case Kind::CHARGING:
      publish_binary(binding, known, esp32evse::is_charging(state));
      break;
    case Kind::FAULT:
      publish_binary(binding, known, state == ChargerState::E || this->situation_.faults != 0);
      break;
#endif
#ifdef USE_TEXT_SENSOR
    case Kind::STATUS: {
      const char *text = describe(this->situation_);
      publish_text_sensor(binding, text, strlen(text));
      break;
    }
#endif
    default:
      this->publish_counter_(binding);
      break;
  }
}

void Esp32Evse::publish_counter_(const Binding &binding) {
#ifdef USE_SENSOR
  const Counters &counters = this->client_.counters();
  uint32_t count = 0;
  switch (binding.kind) {
    case Kind::COMMANDS_ANSWERED:
      count = counters.answered;
      break;
    case Kind::COMMANDS_FAILED:
      count = counters.failed;
      break;
    case Kind::COMMANDS_TIMED_OUT:
      count = counters.timed_out;
      break;
    case Kind::RESYNCS:
      count = counters.resyncs;
      break;
    case Kind::CHARGER_REBOOTS:
      count = counters.reboots;
      break;
    case Kind::LINES_DISCARDED:
      count = counters.discarded;
      break;
    default:
      return;
  }
  publish_sensor(binding, static_cast<float>(count));
#endif
}

// --- unknown ----------------------------------------------------------------------------------------------------------

void Esp32Evse::publish_unknown_(const Binding &binding) {
  switch (binding.kind) {
#ifdef USE_SENSOR
    case Kind::SENSOR:
    case Kind::SENSOR_GATED:
    case Kind::SENSOR_LIFETIME: {
      auto *sensor = static_cast<sensor::Sensor *>(binding.entity);
      if (sensor->has_state())
        sensor->publish_state(NAN);
      break;
    }
#endif
#ifdef USE_BINARY_SENSOR
    case Kind::BINARY_SENSOR:
    case Kind::BINARY_SENSOR_BIT:
      static_cast<binary_sensor::BinarySensor *>(binding.entity)->invalidate_state();
      break;
#endif
#ifdef USE_TEXT_SENSOR
    case Kind::TEXT_SENSOR:
    case Kind::TEXT_SENSOR_JOIN:
    case Kind::TEXT_SENSOR_TIME:
    case Kind::TEXT_SENSOR_LIFETIME:
      forget(static_cast<text_sensor::TextSensor *>(binding.entity));
      break;
    case Kind::TEXT_SENSOR_NAME:
      forget(static_cast<NameTextSensor *>(binding.entity));
      break;
    case Kind::TEXT_SENSOR_LIST:
      forget(static_cast<ListTextSensor *>(binding.entity));
      break;
#endif
#ifdef USE_NUMBER
    case Kind::NUMBER: {
      auto *number = static_cast<EvseNumber *>(binding.entity);
      number->state = NAN;
      this->forget_state_(binding);
      NOTIFY(number, number);
      break;
    }
#endif
#ifdef USE_SELECT
    case Kind::SELECT:
      this->forget_state_(binding);
      NOTIFY(select, static_cast<NumberSelect *>(binding.entity));
      break;
    case Kind::SELECT_NAME:
      this->forget_state_(binding);
      NOTIFY(select, static_cast<StringSelect *>(binding.entity));
      break;
#endif
#ifdef USE_TEXT
    case Kind::TEXT:
      this->forget_state_(binding);
      NOTIFY(text, static_cast<EvseText *>(binding.entity));
      break;
#endif
    default:
      break;  // ESPHome's switches have no unknown state
  }
}

/// The next value counts as new, so that a client whose wish failed sees the old value again.
void Esp32Evse::forget_state_(const Binding &binding) {
  switch (binding.kind) {
#ifdef USE_NUMBER
    case Kind::NUMBER:
      static_cast<EvseNumber *>(binding.entity)->set_has_state(false);
      break;
#endif
#ifdef USE_SELECT
    case Kind::SELECT:
      static_cast<NumberSelect *>(binding.entity)->set_has_state(false);
      break;
    case Kind::SELECT_NAME:
      static_cast<StringSelect *>(binding.entity)->set_has_state(false);
      break;
#endif
#ifdef USE_TEXT
    case Kind::TEXT:
      static_cast<EvseText *>(binding.entity)->set_has_state(false);
      break;
#endif
    default:
      break;
  }
}

}  // namespace esphome::esp32evse
