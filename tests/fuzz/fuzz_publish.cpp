// The hub of the full example and all its entities on arbitrary lines: every conversion of publish.cpp with ESPHome's
// own entities. main.cpp is what ESPHome has generated; nothing in it waits for time to pass.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <ctime>

#include "main.cpp"

#include "reference.h"
#include "script.h"

using namespace fuzz;
using esp32evse::AtClientListener;
using esp32evse::Binding;
using esp32evse::CommandRow;
using esp32evse::Values;

namespace esphome::host {
void setup_preferences();
}

namespace {

constexpr uint8_t ROWS = std::size(evse__rows);
constexpr size_t MAX_TEXT = 255;  // what ESPHome sends of a state

/// The hub as it is after its setup, to begin each time with the same.
struct Node {
  Node() {
    esphome::host::setup_preferences();
    setup();
    std::memcpy(this->fresh, esp32evse__evse__pstorage, sizeof(this->fresh));
  }
  void reset() const {
    std::memcpy(esp32evse__evse__pstorage, this->fresh, sizeof(this->fresh));
    AtClientListener &hub = *evse;
    for (uint8_t row = 0; row < ROWS; row++) {
      if (evse__rows[row].has(esp32evse::LINES))
        hub.on_lines_end(row, false);
    }
    hub.on_online(false);
  }

  unsigned char fresh[sizeof(esp32evse__evse__pstorage)];
};

// --- what an entity must show -----------------------------------------------------------------------------------------

void check_sensor(const Binding &binding, const ReferenceField &field) {
  const auto &entity = *static_cast<sensor::Sensor *>(binding.entity);
  const auto exact = static_cast<double>(static_cast<int64_t>(field.number)) / std::pow(10.0, binding.parameter);
  const double digit = std::pow(10.0, -const_cast<sensor::Sensor &>(entity).get_accuracy_decimals());
  const double rounding = std::fabs(exact) * 1e-6;  // a float has 24 bits
  require(std::fabs(entity.get_raw_state() - exact) <= digit / 2 + rounding, "a sensor shows another number");
}

/// What is UTF-8 is shown as it is; of the rest tests/native/test_native_text.py knows more.
void check_text(const std::string &shown, const std::string &meant) {
  const bool plain = std::all_of(meant.begin(), meant.end(), [](char byte) { return (byte & 0x80) == 0; });
  require(plain ? shown == meant : is_utf8(shown), "another text is shown");
}

std::string joined(const ReferenceFields &fields, size_t limit) {
  std::string out;
  for (const ReferenceField &field : fields) {
    out += out.empty() && &field == &fields.front() ? "" : " ";
    out += field.is_text ? field.text : std::to_string(static_cast<uint32_t>(field.number));
  }
  return out.substr(0, limit);
}

std::string iso_time(uint64_t number) {
  const auto seconds = static_cast<time_t>(number);
  std::tm parts{};
  char buffer[64];
  gmtime_r(&seconds, &parts);
  return {buffer, std::strftime(buffer, sizeof(buffer), "%Y-%m-%dT%H:%M:%S+00:00", &parts)};
}

/// The entity shows what the line says, by a way of its own for each kind.
void check(const Binding &binding, const ReferenceFields &fields) {
  if (binding.field >= fields.size())
    return;
  const ReferenceField &field = fields[binding.field];
  const uint64_t number = field.number;
  const auto is = [&](esp32evse::Publish *kind) { return binding.publish == kind; };
  void *const entity = binding.entity;
  if (is(esp32evse::publish_sensor)) {
    check_sensor(binding, field);
  } else if (is(esp32evse::publish_sensor_gated)) {
    if (fields[0].number != 0)
      check_sensor(binding, field);
    else
      require(std::isnan(static_cast<sensor::Sensor *>(entity)->state), "a value where there is none");
  } else if (is(esp32evse::publish_binary_sensor) || is(esp32evse::publish_binary_sensor_bit)) {
    const bool on = is(esp32evse::publish_binary_sensor) ? number != 0 : (number >> binding.parameter & 1) != 0;
    const auto &sensor = *static_cast<binary_sensor::BinarySensor *>(entity);
    require(sensor.has_state() && sensor.state == on, "a binary sensor shows the other state");
  } else if (is(esp32evse::publish_text_sensor)) {
    check_text(static_cast<text_sensor::TextSensor *>(entity)->state, field.text);
  } else if (is(esp32evse::publish_text_sensor_join)) {
    check_text(static_cast<text_sensor::TextSensor *>(entity)->state, joined(fields, MAX_LINE - 1));
  } else if (is(esp32evse::publish_text_sensor_time)) {
    if (number < 253402300800)  // the year 10000
      check_text(static_cast<text_sensor::TextSensor *>(entity)->state, iso_time(number));
  } else if (is(esp32evse::publish_switch)) {
    require(static_cast<esp32evse::EvseSwitch *>(entity)->state == (number != 0), "a switch shows the other state");
  } else if (is(esp32evse::publish_number)) {
    const auto &entity_number = *static_cast<esp32evse::EvseNumber *>(entity);
    const double exact = static_cast<double>(number) / entity_number.get_multiplier();
    require(std::fabs(entity_number.state - exact) <= std::fabs(exact) * 1e-6, "a number shows another value");
  } else if (is(esp32evse::publish_text)) {
    check_text(static_cast<esp32evse::EvseText *>(entity)->state, field.text);
  } else if (is(esp32evse::publish_select)) {
    const auto &select = *static_cast<esp32evse::NumberSelect *>(entity);
    require(select.has_state() == select.has_index(number), "a select shows what is no option");
    require(!select.has_state() || select.active_index() == number, "a select shows another option");
  }
}

// --- what happens -----------------------------------------------------------------------------------------------------

void receive_line(uint8_t row, std::string text) {
  const CommandRow &command = evse__rows[row];
  text.resize(std::min({text.size(), text.find('\0'), MAX_LINE}));
  const auto fields = parse_reference(text, command.signature);
  std::vector<char> line(text.begin(), text.end());
  line.push_back('\0');
  Values values;
  if (!values.parse(line.data(), command.signature))
    return;
  for (esp32evse::Pacer &pacer : evse__pacers)
    pacer.restart();  // time stands still here, and every value is wanted
  AtClientListener &hub = *evse;
  hub.on_values(row, values, true);
  for (uint8_t i = 0; i < command.bindings; i++)
    check(evse__bindings[command.first_binding + i], *fields);
}

/// Whatever was shown: no text is longer than ESPHome sends.
void check_texts() {
  for (const Binding &binding : evse__bindings) {
    if (binding.publish == esp32evse::publish_text_sensor_list ||
        binding.publish == esp32evse::publish_text_sensor_join)
      require(static_cast<text_sensor::TextSensor *>(binding.entity)->state.size() <= MAX_TEXT, "too long a text");
  }
}

void step(Script &script) {
  AtClientListener &hub = *evse;
  const uint8_t what = script.below(8);
  const uint8_t row = script.below(ROWS);
  if (what < 4)
    receive_line(row, script.text(MAX_LINE));
  else if (what == 4 && evse__rows[row].has(esp32evse::LINES))
    hub.on_lines_end(row, script.flag());
  else if (what == 5)
    hub.on_online(script.flag());
  else if (what == 6)
    hub.on_restart(static_cast<esp32evse::Restart>(script.below(3)));
  else
    hub.on_wish_end(row, static_cast<esp32evse::WishEnd>(script.below(6)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const Node NODE;
  NODE.reset();
  Script script(data, size);
  while (!script.empty())
    step(script);
  check_texts();
  return 0;
}
