#pragma once

#include <cstdint>

#include "parts.h"
#include "phases.h"

namespace esphome::esp32evse_load_manager {

/// Everything that several chargers share is a pool of current: a circuit's phase, or the sum of the phases where power
/// counts.
using PoolMask = uint32_t;

constexpr uint8_t CIRCUIT_POOLS = MAX_CIRCUITS * PHASES;  ///< the first ones; pool = circuit * PHASES + phase
constexpr uint8_t UNBALANCE_POOLS = CIRCUIT_POOLS;        ///< one a phase, for the cars that do not use all phases
constexpr uint8_t DIMMING_POOL = UNBALANCE_POOLS + (HAS_UNBALANCE ? PHASES : 0);
constexpr uint8_t CAPACITY_POOL = DIMMING_POOL + (HAS_DIMMING ? 1 : 0);
constexpr uint8_t SURPLUS_POOL = CAPACITY_POOL + (HAS_CAPACITY ? 1 : 0);
constexpr uint8_t POOLS = SURPLUS_POOL + (HAS_SURPLUS ? 1 : 0);
constexpr uint8_t NO_POOL = 0xFF;
static_assert(POOLS <= 32, "a pool is a bit");

constexpr PoolMask pool_bit(uint8_t pool) { return PoolMask{1} << pool; }
/// Of these pools a charger takes its current once for each of its phases.
constexpr bool counts_power(uint8_t pool) { return pool >= DIMMING_POOL; }

/// What one charger asks for.
struct Demand {
  PoolMask pools{0};       ///< that it draws from
  PoolMask lenders{0};     ///< of these, those that give it the minimum even if they do not have it
  PhaseMask phases{0};     ///< that it uses
  Milliampere minimum{0};  ///< less is nothing
  Milliampere most{0};
  uint32_t rank{0};  ///< the smallest is served first
  bool wants{false};

  int32_t weight(uint8_t pool) const { return counts_power(pool) ? count_phases(this->phases) : 1; }
};

/// What it gets: 0, or at least its minimum.
struct Share {
  Milliampere current{0};
  uint8_t bound_by{NO_POOL};  ///< the pool that gives no more; NO_POOL: it gets all that it asked for
  bool crowded_out{false};    ///< nothing, because others took what would have been enough
};

/// What a charger draws is no longer in the rooms.
void take(const Demand &demand, Milliampere current, Milliampere *rooms);
/// The minimum to each by rank, as long as it fits; then the rest in equal parts, up to what each asks for.
void share(const Demand *demands, Share *shares, uint8_t count, Milliampere *rooms);

}  // namespace esphome::esp32evse_load_manager
