#pragma once

#include <cstdint>

#include "../esp32evse/configured.h"

namespace esphome::esp32evse_load_manager {

#ifdef ESP32EVSE_LOAD_MANAGER_CHARGERS
constexpr uint8_t MAX_CHARGERS = ESP32EVSE_LOAD_MANAGER_CHARGERS;
constexpr uint8_t MAX_FOLLOWERS = ESP32EVSE_LOAD_MANAGER_FOLLOWERS;  // they are the last of the chargers
constexpr uint8_t MAX_CIRCUITS = ESP32EVSE_LOAD_MANAGER_CIRCUITS;
#else  // Built natively, the law has everything.
#define USE_ESP32EVSE_LOAD_MANAGER_SURPLUS
#define USE_ESP32EVSE_LOAD_MANAGER_CAPACITY
#define USE_ESP32EVSE_LOAD_MANAGER_DIMMING
#define USE_ESP32EVSE_LOAD_MANAGER_UNBALANCE
#define USE_ESP32EVSE_LOAD_MANAGER_FOLLOWERS
#define USE_ESP32EVSE_LOAD_MANAGER_LEADER
#define USE_ESP32EVSE_LOAD_MANAGER_SEVERAL
#define USE_ESP32EVSE_LOAD_MANAGER_UNMETERED
constexpr uint8_t MAX_CHARGERS = 4;
constexpr uint8_t MAX_FOLLOWERS = 0;
constexpr uint8_t MAX_CIRCUITS = 4;
#endif

constexpr bool HAS_SEVERAL = MAX_CHARGERS > 1;
/// A number or an action that lowers a circuit's limit.
constexpr bool CHANGES_LIMITS = ESP32EVSE_HAS(USE_ESP32EVSE_LOAD_MANAGER_LIMITS);

// What is not configured costs nothing: the law asks these with `if constexpr`.
constexpr bool HAS_SURPLUS = ESP32EVSE_HAS(USE_ESP32EVSE_LOAD_MANAGER_SURPLUS);
constexpr bool HAS_CAPACITY = ESP32EVSE_HAS(USE_ESP32EVSE_LOAD_MANAGER_CAPACITY);
constexpr bool HAS_DIMMING = ESP32EVSE_HAS(USE_ESP32EVSE_LOAD_MANAGER_DIMMING);
constexpr bool HAS_UNBALANCE = ESP32EVSE_HAS(USE_ESP32EVSE_LOAD_MANAGER_UNBALANCE);
constexpr bool HAS_FOLLOWERS = ESP32EVSE_HAS(USE_ESP32EVSE_LOAD_MANAGER_FOLLOWERS);
constexpr bool HAS_UNMETERED = ESP32EVSE_HAS(USE_ESP32EVSE_LOAD_MANAGER_UNMETERED);
constexpr bool HAS_LEADER = ESP32EVSE_HAS(USE_ESP32EVSE_LOAD_MANAGER_LEADER);

/// A part of an object, which takes no room where it is not configured: then nobody asks it.
template<typename T, bool CONFIGURED> class Part {
 public:
  T &operator*() { return this->part_; }
  const T &operator*() const { return this->part_; }
  T *operator->() { return &this->part_; }
  const T *operator->() const { return &this->part_; }

 protected:
  T part_;
};

template<typename T> class Part<T, false> {
 public:
  T &operator*() const { return part; }
  T *operator->() const { return &part; }

 protected:
  static inline T part;
};

}  // namespace esphome::esp32evse_load_manager
