#pragma once

#include <cstdint>

#include "energy.h"
#include "esphome/core/preferences.h"

namespace esphome::esp32evse {

/// The lifetime energy in the node's flash. Only what is saved is shown, for only that cannot fall with a loss of
/// power.
class LifetimeStore {
 public:
  /// Of the preference; without one nothing is saved.
  void set_key(uint32_t key) { this->key_ = key; }
  void restore();
  /// Whether something has changed, and was not saved within `interval_ms`. Then the total is to be read, and read
  /// again: what is saved is as old as one answer, and no more than this interval can be lost.
  bool looks(uint32_t interval_ms, uint32_t now);
  bool is_looking() const { return this->looking_; }
  /// Saves what has changed. True: it is saved.
  bool save(uint32_t now);
  /// As LifetimeEnergy::on_total(). True: it is to be read again, for it counts when it comes twice.
  bool on_total(uint64_t watt_hours, uint32_t uptime);
  /// Wh; LifetimeEnergy::NONE until it is known.
  uint64_t shown() const { return this->shown_; }

 protected:
  uint64_t shown_{LifetimeEnergy::NONE};
  uint32_t key_{0};
  uint32_t saved_at_{0};
  bool dirty_{false};  // not saved yet
  bool looking_{false};
  bool saved_{false};  // since the start
  ESPPreferenceObject preference_;

 public:
  LifetimeEnergy energy;  // last, because it is large
};

}  // namespace esphome::esp32evse
