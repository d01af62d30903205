#pragma once

#include "configured.h"

// Built natively, the client has everything.
#if !__has_include("esphome/core/defines.h")
#define USE_ESP32EVSE_KEEP_SETTINGS
#define USE_ESP32EVSE_RAW_COMMANDS
#define USE_ESP32EVSE_TEXTS
#define USE_ESP32EVSE_SESSIONS
#define USE_ESP32EVSE_LIFETIME
#define USE_ESP32EVSE_SUBSCRIPTIONS
#define USE_ESP32EVSE_PAUSES
#endif

namespace esphome::esp32evse {

// What is not configured costs nothing: the compiler leaves out what asks these.

/// Some hub has `keep_settings`.
constexpr bool KEEPS_SETTINGS = ESP32EVSE_HAS(USE_ESP32EVSE_KEEP_SETTINGS);
/// The action send_command.
constexpr bool SENDS_RAW_COMMANDS = ESP32EVSE_HAS(USE_ESP32EVSE_RAW_COMMANDS);
/// Texts, selects whose options are texts, and the network's actions.
constexpr bool WRITES_TEXTS = ESP32EVSE_HAS(USE_ESP32EVSE_TEXTS);
/// Events, triggers and entities of sessions.
constexpr bool FOLLOWS_SESSIONS = ESP32EVSE_HAS(USE_ESP32EVSE_SESSIONS);
/// The energy that never falls.
constexpr bool COUNTS_LIFETIME = ESP32EVSE_HAS(USE_ESP32EVSE_LIFETIME);
/// Periods that the user has chosen, by the option `subscriptions` or by actions.
constexpr bool HAS_CHOSEN_PERIODS = ESP32EVSE_HAS(USE_ESP32EVSE_SUBSCRIPTIONS);
/// Some hub has `below_minimum: pause`.
constexpr bool PAUSES_BELOW_MINIMUM = ESP32EVSE_HAS(USE_ESP32EVSE_PAUSES);

}  // namespace esphome::esp32evse
