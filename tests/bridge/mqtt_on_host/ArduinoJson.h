#pragma once
// Stands in for the library, which cannot be had without the internet, as far as ESPHome's MQTT code needs it to
// compile. It holds nothing: the package under test builds its own JSON, and ESPHome's discovery is switched off.
#include <cstddef>

struct JsonString {
  JsonString(const char * /*text*/, size_t /*size*/, bool /*is_static*/) {}
};

struct JsonVariant {
  template<typename K> JsonVariant operator[](const K & /*key*/) const { return {}; }
  template<typename T> JsonVariant &operator=(const T & /*value*/) { return *this; }
  template<typename T> void add(const T & /*value*/) const {}
  template<typename T> bool set(const T & /*value*/) { return true; }
  template<typename T> T to() { return {}; }
};
using JsonObject = JsonVariant;
using JsonObjectConst = JsonVariant;
using JsonArray = JsonVariant;
