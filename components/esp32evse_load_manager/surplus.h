#pragma once

#include <cstdint>

namespace esphome::esp32evse_load_manager {

struct SurplusConfig {
  float start_energy;    ///< Wh above the minimum that must have been left over before a start
  float stop_energy;     ///< Wh below the minimum that may be borrowed before a stop
  float grid_allowance;  ///< W from the grid that count as sun
};

/// When sun is enough to start, and when it is too little to go on: by energy, so that a short cloud stops nothing.
class SurplusAccount {
 public:
  void configure(const SurplusConfig &config) { this->config_ = config; }
  const SurplusConfig &config() const { return this->config_; }

  /// `to_spare` W: the surplus without what the chargers need at least.
  void save(float to_spare, float seconds);
  void borrow(float to_spare, float seconds);
  void reset() { this->saved_ = this->borrowed_ = 0; }

  bool may_start() const { return this->saved_ >= this->config_.start_energy; }
  bool must_stop() const { return this->borrowed_ >= this->config_.stop_energy; }
  /// s, at the present rate; UINT16_MAX: not in sight
  uint16_t starts_in(float to_spare) const;
  uint16_t stops_in(float to_spare) const;

 protected:
  SurplusConfig config_{};
  float saved_{0};     // Wh
  float borrowed_{0};  // Wh
};

}  // namespace esphome::esp32evse_load_manager
