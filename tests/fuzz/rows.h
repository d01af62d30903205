#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

#include "at_client.h"

namespace fuzz {

/// A command of the catalog: what the client's table says, and what the charger needs to answer.
struct Row {
  const char *name;
  const char *answer;
  const char *signature;
  esphome::esp32evse::Refresh refresh;
  uint8_t traits;
  bool readable, writable, runnable;
  uint8_t provable;    ///< leading fields that a read-back must show
  bool hides;          ///< a read shows the others empty
  uint32_t low, high;  ///< of a number that may be written
  const char *samples[2];
};

// Written by targets.py from the catalog: UPTIME is the first.
constexpr Row ROWS[] = {
#include "rows.inc"
};
constexpr size_t ROW_COUNT = std::size(ROWS);
constexpr size_t UPTIME = 0;

}  // namespace fuzz
