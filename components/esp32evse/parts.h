#pragma once

#include <cstddef>

// The generated code says what is configured. Built natively, without ESPHome, the client has everything.
#if __has_include("esphome/core/defines.h")
#include "esphome/core/defines.h"
#else
#define USE_ESP32EVSE_KEEP_SETTINGS
#define USE_ESP32EVSE_RAW_COMMANDS
#define USE_ESP32EVSE_TEXTS
#define USE_ESP32EVSE_SESSIONS
#define USE_ESP32EVSE_LIFETIME
#define USE_ESP32EVSE_SUBSCRIPTIONS
#endif

namespace esphome::esp32evse {

// What is not configured costs nothing: the compiler leaves out what asks these.

/// Some hub has `keep_settings`.
#ifdef USE_ESP32EVSE_KEEP_SETTINGS
constexpr bool KEEPS_SETTINGS = true;
#else
constexpr bool KEEPS_SETTINGS = false;
#endif
/// The action send_command.
#ifdef USE_ESP32EVSE_RAW_COMMANDS
constexpr bool SENDS_RAW_COMMANDS = true;
#else
constexpr bool SENDS_RAW_COMMANDS = false;
#endif
/// Texts, selects whose options are texts, and the network's actions.
#ifdef USE_ESP32EVSE_TEXTS
constexpr bool WRITES_TEXTS = true;
#else
constexpr bool WRITES_TEXTS = false;
#endif
/// Events, triggers and entities of sessions.
#ifdef USE_ESP32EVSE_SESSIONS
constexpr bool FOLLOWS_SESSIONS = true;
#else
constexpr bool FOLLOWS_SESSIONS = false;
#endif
/// The energy that never falls.
#ifdef USE_ESP32EVSE_LIFETIME
constexpr bool COUNTS_LIFETIME = true;
#else
constexpr bool COUNTS_LIFETIME = false;
#endif
/// Periods that the user has chosen, by the option `subscriptions` or by actions.
#ifdef USE_ESP32EVSE_SUBSCRIPTIONS
constexpr bool HAS_CHOSEN_PERIODS = true;
#else
constexpr bool HAS_CHOSEN_PERIODS = false;
#endif

}  // namespace esphome::esp32evse
