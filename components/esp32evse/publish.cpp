#include "publish.h"

#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "entities.h"
#include "esp32evse.h"
#include "iso_time.h"
#include "utf8.h"
#include "esphome/core/hal.h"
#ifdef USE_API
#include "esphome/components/api/api_server.h"
#endif
#ifdef USE_SENSOR
#include "esphome/components/sensor/sensor.h"
#endif

namespace esphome::esp32evse {

/// The binding's field; nullptr without values, or when an older firmware leaves it out.
const Field *Binding::find(const Values *values) const {
  return values != nullptr && this->field < values->size() ? &(*values)[this->field] : nullptr;
}

// --- ESPHome's API ----------------------------------------------------------------------------------------------------

#ifdef USE_API
uint16_t BatchDelay::get() { return api::global_api_server->get_batch_delay(); }

BatchDelay::BatchDelay(uint16_t ms) : before_(get()) { api::global_api_server->set_batch_delay(ms); }

BatchDelay::~BatchDelay() { api::global_api_server->set_batch_delay(this->before_); }
#endif

// --- sensor -----------------------------------------------------------------------------------------------------------

#ifdef USE_SENSOR
void publish_paced(sensor::Sensor *sensor, Pacer *pacer, Cadence cadence, float value) {
  if (std::isnan(value)) {
    if (pacer != nullptr)
      pacer->restart();
    if (!sensor->has_state())
      return;
    sensor->publish_state(NAN);
    sensor->set_has_state(false);
  } else if (pacer == nullptr) {
    sensor->publish_state(value);
  } else {
    const Pacer::Publication publication = pacer->put(value, cadence, millis());
    for (uint8_t i = 0; i < publication.count; i++)
      sensor->publish_state(publication.values[i]);
  }
}

static void send(const Binding &binding, Esp32Evse &hub, float value) {
  Pacer *pacer = hub.get_entities().find_pacer(binding);
  if (pacer != nullptr && hub.get_entities().is_unpaced()) {
    pacer->restart();
    pacer = nullptr;
  }
  publish_paced(static_cast<sensor::Sensor *>(binding.entity), pacer, binding.cadence, value);
}

void publish_sensor(const Binding &binding, Esp32Evse &hub, const Values *values) {
  static const float DIVISORS[] = {1.0f, 10.0f, 100.0f, 1000.0f};
  const Field *field = binding.find(values);
  send(binding, hub, field == nullptr ? NAN : static_cast<float>(field->as_signed()) / DIVISORS[binding.parameter]);
}

void publish_sensor_gated(const Binding &binding, Esp32Evse &hub, const Values *values) {
  const bool open = values != nullptr && (*values)[0].number != 0;
  publish_sensor(binding, hub, open ? values : nullptr);
}

void publish_sensor_lifetime(const Binding &binding, Esp32Evse &hub, const Values *values) {
  if (values == nullptr) {
    send(binding, hub, NAN);
  } else if (hub.get_lifetime_energy() != LifetimeEnergy::NONE) {
    send(binding, hub, static_cast<float>(hub.get_lifetime_energy()));
  }
}

void publish_active_phases(const Binding &binding, Esp32Evse &hub, const Values * /*values*/) {
  send(binding, hub, hub.is_connected() ? static_cast<float>(hub.get_active_phases()) : NAN);
}

void publish_last_session_energy(const Binding &binding, Esp32Evse &hub, const Values * /*values*/) {
  if (hub.get_session().has_last())
    send(binding, hub, static_cast<float>(hub.get_session().last_energy()));
}

void publish_last_session_duration(const Binding &binding, Esp32Evse &hub, const Values * /*values*/) {
  if (hub.get_session().has_last())
    send(binding, hub, static_cast<float>(hub.get_session().last_duration()));
}

void publish_sensor_counter(const Binding &binding, Esp32Evse &hub, const Values * /*values*/) {
  send(binding, hub, static_cast<float>(hub.get_counter(binding.parameter)));
}
#endif

void publish_held([[maybe_unused]] const Binding &binding, Pacer &pacer, uint32_t now) {
  float value;
  if (!pacer.take(binding.cadence, now, &value))
    return;
#ifdef USE_SENSOR
  static_cast<sensor::Sensor *>(binding.entity)->publish_state(value);
#endif
}

// --- binary sensor ----------------------------------------------------------------------------------------------------

#ifdef USE_BINARY_SENSOR
void EvseBinarySensor::publish(bool value) {
  const bool as_before = this->unknown_ && this->output_.has_value() && value == this->input_;
  this->unknown_ = false;
  this->input_ = value;
  if (as_before) {
    this->send_state_internal(*this->output_);
  } else {
    this->publish_state(value);
  }
}

void EvseBinarySensor::publish_unknown() {
  this->unknown_ = true;
  this->invalidate_state();
}

bool EvseBinarySensor::set_new_state(const optional<bool> &new_state) {
  if (new_state.has_value())
    this->output_ = new_state;
  if (this->unknown_ && new_state.has_value())
    return false;
  return BinarySensor::set_new_state(new_state);
}

static void send(const Binding &binding, bool known, bool value) {
  auto *sensor = static_cast<EvseBinarySensor *>(binding.entity);
  if (known) {
    sensor->publish(value);
  } else {
    sensor->publish_unknown();
  }
}

void publish_binary_sensor(const Binding &binding, Esp32Evse & /*hub*/, const Values *values) {
  const Field *field = binding.find(values);
  send(binding, field != nullptr, field != nullptr && field->number != 0);
}

void publish_binary_sensor_bit(const Binding &binding, Esp32Evse & /*hub*/, const Values *values) {
  const Field *field = binding.find(values);
  send(binding, field != nullptr, field != nullptr && (field->number >> binding.parameter & 1) != 0);
}

/// Not the charger's bit itself: see may_wait().
void publish_binary_sensor_pending(const Binding &binding, Esp32Evse &hub, const Values *values) {
  send(binding, values != nullptr, values != nullptr && hub.is_authorization_pending());
}

void publish_connected(const Binding &binding, Esp32Evse &hub, const Values * /*values*/) {
  send(binding, true, hub.is_connected());
}

void publish_timeout_fault(const Binding &binding, Esp32Evse &hub, const Values * /*values*/) {
  send(binding, true, !hub.is_connected());
}

void publish_vehicle_connected(const Binding &binding, Esp32Evse &hub, const Values * /*values*/) {
  send(binding, !hides_vehicle(hub.get_state()), hub.is_vehicle_connected());
}

void publish_charging(const Binding &binding, Esp32Evse &hub, const Values * /*values*/) {
  send(binding, hub.get_state() != ChargerState::UNKNOWN, hub.is_charging());
}

void publish_fault(const Binding &binding, Esp32Evse &hub, const Values * /*values*/) {
  const Situation &situation = hub.get_situation();
  send(binding, situation.state != ChargerState::UNKNOWN, situation.state == ChargerState::E || situation.faults != 0);
}
#endif

// --- text sensor ------------------------------------------------------------------------------------------------------

#if defined(USE_TEXT) || defined(USE_TEXT_SENSOR)
static bool holds(const std::string &string, const char *text, size_t length) {
  return string.size() == length && memcmp(string.data(), text, length) == 0;
}
#endif

#ifdef USE_TEXT_SENSOR
/// `text` nullptr: unknown, an empty text and then no state. Else published on a change; what the charger has said
/// comes from a Utf8Text.
static void send(text_sensor::TextSensor *sensor, bool every, const char *text, size_t length) {
  if (text == nullptr) {
    if (!sensor->has_state())
      return;
    const BatchDelay some(BatchDelay::LATER);
    sensor->publish_state("", 0);
    sensor->set_has_state(false);
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

void publish_text_sensor(const Binding &binding, Esp32Evse & /*hub*/, const Values *values) {
  const Field *field = binding.find(values);
  if (field == nullptr) {
    send(binding, nullptr, 0);
  } else {
    const Utf8Text valid(field->text, field->length);
    send(binding, valid.data(), valid.length());
  }
}

void publish_text_sensor_name(const Binding &binding, Esp32Evse & /*hub*/, const Values *values) {
  auto *sensor = static_cast<NameTextSensor *>(binding.entity);
  const Field *field = binding.find(values);
  const char *name = field == nullptr ? nullptr : sensor->name_of(field->number);
  send(sensor, binding.every, name, name == nullptr ? 0 : strlen(name));
}

void publish_text_sensor_join(const Binding &binding, Esp32Evse & /*hub*/, const Values *values) {
  if (values == nullptr) {
    send(binding, nullptr, 0);
    return;
  }
  char buffer[LineFramer::MAX_LINE];
  const Utf8Text valid(buffer, join(*values, "", buffer, sizeof(buffer)));
  send(binding, valid.data(), valid.length());
}

void publish_text_sensor_list(const Binding &binding, Esp32Evse & /*hub*/, const Values *values) {
  auto *sensor = static_cast<ListTextSensor *>(binding.entity);
  if (values == nullptr) {
    send(sensor, false, nullptr, 0);
  } else {
    sensor->add(*values);
  }
}

void publish_text_sensor_time(const Binding &binding, Esp32Evse &hub, const Values *values) {
  Pacer *pacer = hub.get_entities().find_pacer(binding);
  if (values == nullptr || (*values)[0].number > LAST_ISO_TIME) {
    if (pacer != nullptr)
      pacer->restart();
    send(binding, nullptr, 0);
    return;
  }
  if (pacer != nullptr && !hub.get_entities().is_unpaced() && !pacer->pass(binding.cadence, millis()))
    return;
  char buffer[ISO_TIME_SIZE];
  format_iso_time((*values)[0].number, buffer);
  send(binding, buffer, ISO_TIME_SIZE - 1);
}

void publish_text_sensor_lifetime(const Binding &binding, Esp32Evse &hub, const Values *values) {
  const uint64_t energy = hub.get_lifetime_energy();
  if (values != nullptr && energy == LifetimeEnergy::NONE)
    return;
  // While it counts, every digit would be a line in a logbook.
  const auto *sensor = static_cast<text_sensor::TextSensor *>(binding.entity);
  if (values != nullptr && hub.is_charging() && sensor->has_state() && !binding.every &&
      !hub.get_entities().is_unpaced())
    return;
  // Two parts, because not every target's printf knows 64 bits; `%.0` prints nothing for 0.
  const auto billions = static_cast<uint32_t>(energy / 1000000000);
  const auto rest = static_cast<uint32_t>(energy % 1000000000);
  char buffer[24];
  const char *const format = billions > 0 ? "%" PRIu32 "%09" PRIu32 : "%.0" PRIu32 "%" PRIu32;
  const int length = snprintf(buffer, sizeof(buffer), format, billions, rest);
  send(binding, values == nullptr ? nullptr : buffer, length);
}

void publish_status(const Binding &binding, Esp32Evse &hub, const Values * /*values*/) {
  if (hub.is_connected() && !hub.is_state_read())
    return;  // it is just about to be read
  const bool known = !hub.is_connected() || hub.get_state() != ChargerState::UNKNOWN;
  const char *text = known ? describe(hub.get_situation()) : nullptr;
  send(binding, text, known ? strlen(text) : 0);
}

void ListTextSensor::add(const Values &values) {
  const char *const separator = this->length_ > 0 ? ", " : "";
  this->length_ += join(values, separator, this->text_ + this->length_, sizeof(this->text_) - this->length_);
}

void ListTextSensor::finish(bool complete) {
  if (complete) {
    const Utf8Text valid(this->text_, this->length_);
    send(this, false, valid.data(), valid.length());
  }
  this->length_ = 0;
}
#endif

// --- what can be written ----------------------------------------------------------------------------------------------

#if defined(USE_NUMBER) || defined(USE_SELECT) || defined(USE_SWITCH)
static void send(WishingEntity *entity, bool known, uint64_t number) {
  if (known) {
    entity->publish(static_cast<uint32_t>(number));
  } else {
    entity->publish_unknown();
  }
}
#endif

#ifdef USE_SWITCH
void publish_switch(const Binding &binding, Esp32Evse & /*hub*/, const Values *values) {
  const Field *field = binding.find(values);
  send(static_cast<EvseSwitch *>(binding.entity), field != nullptr, field != nullptr && field->number != 0);
}
#endif

#ifdef USE_NUMBER
void publish_number(const Binding &binding, Esp32Evse & /*hub*/, const Values *values) {
  const bool known = values != nullptr;
  send(static_cast<EvseNumber *>(binding.entity), known, known ? (*values)[0].number : 0);
}
#endif

#ifdef USE_SELECT
/// An index beyond the options: unknown.
void publish_select(const Binding &binding, Esp32Evse & /*hub*/, const Values *values) {
  auto *select = static_cast<NumberSelect *>(binding.entity);
  const size_t index = values == nullptr ? SIZE_MAX : static_cast<size_t>((*values)[0].number);
  send(select, select->has_index(index), index);
}

void publish_select_name(const Binding &binding, Esp32Evse & /*hub*/, const Values *values) {
  auto *select = static_cast<StringSelect *>(binding.entity);
  const auto index = values == nullptr ? optional<size_t>{} : select->index_of((*values)[0].text, (*values)[0].length);
  send(select, index.has_value(), index.value_or(0));
}
#endif

#ifdef USE_TEXT
void publish_text(const Binding &binding, Esp32Evse & /*hub*/, const Values *values) {
  auto *text = static_cast<EvseText *>(binding.entity);
  if (values == nullptr) {
    if (!text->has_state())
      return;
    const BatchDelay some(BatchDelay::LATER);
    text->publish_state("", 0);
    text->set_has_state(false);
    return;
  }
  const Utf8Text valid((*values)[0].text, (*values)[0].length);
  if (!text->has_state() || !holds(text->state, valid.data(), valid.length()))
    text->publish_state(valid.data(), valid.length());
}
#endif

}  // namespace esphome::esp32evse
