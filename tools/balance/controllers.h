#pragma once

#include <memory>

#include "world.h"

namespace balance {

/// What every controller is told about the installation.
struct Installation {
  double limit;     // A per phase
  double most;      // A, of a charger
  double capacity;  // W mean of a clock quarter, 0: none
  int32_t chargers;
  int32_t phases[4];   // bits, wired
  int32_t mode;        // as load_manager's Mode
  double meter_delay;  // s, as configured
  double min_current;  // A, as configured
  /// s that what all chargers but the first say and hear is late, for they are other nodes'; 0: they are not
  int32_t late;
};

std::unique_ptr<Controller> make_law(const Installation &installation);
/// Offers everything always.
std::unique_ptr<Controller> make_nothing(const Installation &installation);
// The plain laws of others, restated for one charger.
std::unique_ptr<Controller> make_integrator(const Installation &installation);
std::unique_ptr<Controller> make_subtraction(const Installation &installation);
std::unique_ptr<Controller> make_thermal(const Installation &installation);

}  // namespace balance
