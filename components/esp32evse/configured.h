#pragma once

// The generated code says what is configured. There is none where pure parts are built natively, without ESPHome.
#if __has_include("esphome/core/defines.h")
#include "esphome/core/defines.h"
#endif

#define ESP32EVSE_TEXT(...) #__VA_ARGS__
/// Whether a define `USE_...` is there: what is not defined remains its own name.
#define ESP32EVSE_HAS(define) (ESP32EVSE_TEXT(define)[0] != 'U')
