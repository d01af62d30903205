#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace esphome::esp32evse {

/// A set of rows of the command table.
class RowSet {
 public:
  static constexpr size_t MAX_ROWS = 72;

  bool empty() const;
  bool contains(uint8_t row) const;
  void add(uint8_t row);
  /// True: it was in the set.
  bool remove(uint8_t row);

 protected:
  std::array<uint8_t, MAX_ROWS / 8> bits_{};
};

}  // namespace esphome::esp32evse
