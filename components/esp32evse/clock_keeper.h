#pragma once

#include <cstdint>

#include "command_row.h"
#include "wishes.h"
#include "esphome/core/defines.h"
#ifdef USE_TIME
#include "esphome/components/time/real_time_clock.h"
#endif

namespace esphome::esp32evse {

/// Keeps the charger's clock set by an ESPHome time source, if one is configured. Times in ms, they may wrap around.
class ClockKeeper {
 public:
#ifdef USE_TIME
  void choose(time::RealTimeClock *clock, uint8_t row) {
    this->clock_ = clock;
    this->row_ = row;
  }
  bool is_chosen() const { return this->clock_ != nullptr; }
  /// The row of TIME.
  uint8_t row() const { return this->row_; }
  /// `seconds`: the charger's clock (Unix time). What it is to be set to; 0 if it is right, or right is not known.
  uint32_t judge(uint64_t seconds, uint32_t now) const;
  void on_wish_end(uint8_t row, WishEnd end, uint32_t now) {
    if (row != this->row_)
      return;
    this->refused_ = end != WishEnd::HELD;
    this->refused_at_ = now;
  }
  void on_restart() { this->refused_ = false; }

 protected:
  static constexpr uint32_t RETRY_MS = 600000;
  static constexpr int64_t TOLERANCE_S = 2;

  time::RealTimeClock *clock_{nullptr};
  uint8_t row_{NO_ROW};
  bool refused_{false};
  uint32_t refused_at_{0};
#else
  static constexpr bool is_chosen() { return false; }
  void on_wish_end(uint8_t /*row*/, WishEnd /*end*/, uint32_t /*now*/) {}
  void on_restart() {}
#endif
};

#ifdef USE_TIME
inline uint32_t ClockKeeper::judge(uint64_t seconds, uint32_t now) const {
  if (this->refused_ && now - this->refused_at_ < RETRY_MS)
    return 0;
  const ESPTime time = this->clock_->utcnow();
  const auto off = static_cast<int64_t>(seconds - static_cast<uint64_t>(time.timestamp));
  const bool right = off >= -TOLERANCE_S && off <= TOLERANCE_S;
  return right || !time.is_valid() ? 0 : static_cast<uint32_t>(time.timestamp);
}
#endif

}  // namespace esphome::esp32evse
