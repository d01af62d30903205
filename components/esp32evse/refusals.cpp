#include "refusals.h"

namespace esphome::esp32evse {

bool Refusals::begin(uint8_t row, uint32_t now) {
  if (!this->awaited_.remove(row))
    return false;
  if (this->now_.empty()) {
    this->begun_at_ = now;
    this->now_.add(row);
  } else {
    this->later_.add(row);
  }
  return true;
}

bool Refusals::contains(uint8_t row) const { return this->now_.contains(row) || this->later_.contains(row); }

}  // namespace esphome::esp32evse
