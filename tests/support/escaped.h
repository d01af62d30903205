#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Bytes for people: ASCII as it is, line ends, backslashes and everything else escaped.
inline std::string escaped(std::string_view text) {
  static const char *const DIGITS = "0123456789abcdef";
  std::string out;
  for (const char character : text) {
    const auto byte = static_cast<uint8_t>(character);
    if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\\') {
      out += "\\\\";
    } else if (byte < 0x20 || byte >= 0x7F) {
      out += {'\\', 'x', DIGITS[byte >> 4], DIGITS[byte & 15]};
    } else {
      out += character;
    }
  }
  return out;
}
