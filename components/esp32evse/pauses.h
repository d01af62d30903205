#pragma once

#include <array>
#include <cstdint>

#include "command_row.h"

namespace esphome::esp32evse {

/// Rows that must wait before they are written again. Ticks are the client's, of 50 ms.
class Pauses {
 public:
  static constexpr uint8_t FLASH_TICKS = 200;  // 10 s: the charger's flash wears out
  // 0.5 s, before anything older is shown; doubles with every refusal in a row ...
  static constexpr uint8_t REFUSED_TICKS = 10;
  static constexpr uint8_t MAX_REFUSED_TICKS = 160;  // ... but the next wish shall not expire because of it

  bool contains(uint8_t row) const;
  /// Whether the row waits because of the flash, and nobody has been told yet.
  bool is_news(uint8_t row);
  void after_flash(uint8_t row);
  void after_refusal(uint8_t row);
  void after_success(uint8_t row);
  void tick();

 protected:
  struct Entry {
    uint8_t row{0};  // nobody writes row 0
    uint8_t ticks{0};
    uint8_t refused_ticks{0};
    bool tells{false};
  };
  Entry &entry_(uint8_t row);

  std::array<Entry, 16> entries_;
};

}  // namespace esphome::esp32evse
