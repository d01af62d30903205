#include "row_set.h"

namespace esphome::esp32evse {

static uint8_t bit_of(uint8_t row) { return static_cast<uint8_t>(1 << row % 8); }

bool RowSet::empty() const {
  for (const uint8_t bits : this->bits_) {
    if (bits != 0)
      return false;
  }
  return true;
}

bool RowSet::contains(uint8_t row) const { return (this->bits_[row / 8] & bit_of(row)) != 0; }

void RowSet::add(uint8_t row) { this->bits_[row / 8] |= bit_of(row); }

bool RowSet::remove(uint8_t row) {
  const bool contained = this->contains(row);
  this->bits_[row / 8] &= ~bit_of(row);
  return contained;
}

}  // namespace esphome::esp32evse
