#pragma once

#include <cstddef>
#include <cstdint>

namespace esphome::esp32evse {

/// Bytes of `2026-06-09T10:11:12+00:00` and its end.
constexpr size_t ISO_TIME_SIZE = 26;
constexpr uint64_t LAST_ISO_TIME = 253402300799;  ///< the last second of the year 9999

/// Writes seconds since 1970, at most LAST_ISO_TIME, as ISO 8601 in UTC. The C library's strftime would bring its time
/// zones and locales along: 23 kB of flash.
void format_iso_time(uint64_t epoch, char *buffer);

}  // namespace esphome::esp32evse
