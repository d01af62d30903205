#pragma once

#include <cstdint>

#include "at_value.h"
#include "cadence.h"
#include "command_row.h"
#include "parts.h"
#include "publish.h"

namespace esphome::esp32evse {

/// Which entities show what: those of each row, and behind them those that the hub derives from several rows.
class EntityTable {
 public:
  EntityTable() = default;
  EntityTable(const Binding *bindings, uint8_t count, uint8_t first_derived, Pacer *pacers)
      : bindings_(bindings), pacers_(pacers), count_(count), first_derived_(first_derived) {}

  /// Without values: unknown. `unpaced`: the user chose the period in which they come, and wants every one.
  void publish_row(Esp32Evse &hub, const CommandRow &row, const Values *values, bool unpaced);
  void publish_derived(Esp32Evse &hub) { this->publish_from_(hub, this->first_derived_); }
  /// All rows are unknown; what is derived follows from it.
  void publish_unknown(Esp32Evse &hub) { this->publish_from_(hub, 0); }
  /// The lines of a list have been published, all of them if `complete`.
  void finish_list(const CommandRow &row, bool complete);

  /// Publishes what pacers have held back, where it is due.
  void publish_held(uint32_t now);
  /// What is held back now, and every value that comes next, goes out at once.
  void hurry();
  /// Its pacer; nullptr if every value is published as it comes.
  Pacer *find_pacer(const Binding &binding) const {
    return binding.pacer == Binding::NO_PACER ? nullptr : &this->pacers_[binding.pacer];
  }
  bool is_unpaced() const { return HAS_CHOSEN_PERIODS && this->unpaced_; }

 protected:
  void publish_from_(Esp32Evse &hub, uint8_t first);

  const Binding *bindings_{nullptr};
  Pacer *pacers_{nullptr};
  uint8_t count_{0};
  uint8_t first_derived_{0};
  bool unpaced_{false};  // the row that is published now
};

}  // namespace esphome::esp32evse
