#include "pauses.h"

#include <algorithm>
#include <utility>

namespace esphome::esp32evse {

bool Pauses::contains(uint8_t row) const {
  for (const Entry &entry : this->entries_) {
    if (entry.row == row && entry.ticks > 0)
      return true;
  }
  return false;
}

/// The row's entry; else a new one in place of the one that is over soonest.
Pauses::Entry &Pauses::entry_(uint8_t row) {
  Entry *oldest = &this->entries_[0];
  for (Entry &entry : this->entries_) {
    if (entry.row == row)
      return entry;
    if (entry.ticks < oldest->ticks)
      oldest = &entry;
  }
  *oldest = {};
  oldest->row = row;
  return *oldest;
}

bool Pauses::is_news(uint8_t row) {
  for (Entry &entry : this->entries_) {
    if (entry.row == row && entry.ticks > 0)
      return std::exchange(entry.tells, false);
  }
  return false;
}

void Pauses::after_flash(uint8_t row) {
  Entry &entry = this->entry_(row);
  entry.ticks = FLASH_TICKS;
  entry.tells = true;
}

void Pauses::after_refusal(uint8_t row) {
  Entry &entry = this->entry_(row);
  entry.refused_ticks = entry.refused_ticks == 0
                            ? REFUSED_TICKS
                            : static_cast<uint8_t>(std::min<int>(entry.refused_ticks * 2, MAX_REFUSED_TICKS));
  entry.ticks = std::max(entry.ticks, entry.refused_ticks);
}

void Pauses::after_success(uint8_t row) {
  for (Entry &entry : this->entries_) {
    if (entry.row == row)
      entry.refused_ticks = 0;
  }
}

void Pauses::tick() {
  for (Entry &entry : this->entries_)
    entry.ticks -= entry.ticks > 0 ? 1 : 0;
}

}  // namespace esphome::esp32evse
