#pragma once

#include <cstdint>

namespace esphome::esp32evse_load_manager {

struct SurplusConfig {
  float start_energy;    ///< Wh above the minimum that must have been left over for each phase before a start
  float stop_energy;     ///< Wh below the minimum that are borrowed at least before a stop
  float grid_allowance;  ///< W from the grid that count as sun
};

/// When sun is enough to start, and when it is too little to go on: by energy, and by what the last time has brought,
/// so that clouds on a good day stop nothing, and an evening soon does.
class SurplusAccount {
 public:
  static constexpr float MEMORY_S = 1200.0f;  ///< of the sun
  static constexpr float ENOUGH = 0.95f;      ///< x the minimum that the sun must have brought

  /// What a node finds charging at its start has no credit: every charger charges after a restart of its own.
  void configure(const SurplusConfig &config) {
    this->config_ = config;
    this->borrowed_ = config.stop_energy;
  }
  const SurplusConfig &config() const { return this->config_; }

  /// `to_spare` W: the surplus without what the chargers need at least, for each phase of the one that waits.
  void save(float to_spare, float seconds);
  /// W: the surplus, and what the running chargers need of it at least, 0 while none runs for it.
  void borrow(float surplus, float needed, float seconds);
  void reset() { this->saved_ = this->borrowed_ = 0; }

  bool may_start() const { return this->saved_ >= this->config_.start_energy; }
  bool must_stop() const {
    return this->borrowed_ >= this->config_.stop_energy && this->mean_ < ENOUGH * this->needed_;
  }
  /// s, at the present rate; UINT16_MAX: not in sight
  uint16_t starts_in(float to_spare) const;
  uint16_t stops_in(float surplus) const;

 protected:
  SurplusConfig config_{};
  float saved_{0};     // Wh
  float borrowed_{0};  // Wh
  float needed_{0};    // W
  float mean_{0};      // W, of the surplus
};

}  // namespace esphome::esp32evse_load_manager
