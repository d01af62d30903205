#pragma once
#include <cstdlib>
#include <functional>
#include <string>

#include "ArduinoJson.h"

namespace esphome::json {

using json_parse_t = std::function<bool(JsonObject)>;
using json_build_t = std::function<void(JsonObject)>;

/// Nothing under test may come here.
inline std::string build_json(const json_build_t & /*build*/) { std::abort(); }
inline bool parse_json(const std::string & /*data*/, const json_parse_t & /*parse*/) { std::abort(); }

}  // namespace esphome::json
