#include "sharing.h"

#include <algorithm>

namespace esphome::esp32evse_load_manager {

void take(const Demand &demand, Milliampere current, Milliampere *rooms) {
  for (uint8_t pool = 0; pool < POOLS; pool++) {
    if ((demand.pools & pool_bit(pool)) != 0)
      rooms[pool] -= current * demand.weight(pool);
  }
}

namespace {

/// The pool that has too little for the charger's minimum, or NO_POOL.
uint8_t lacking(const Demand &demand, const Milliampere *rooms) {
  for (uint8_t pool = 0; pool < POOLS; pool++) {
    if ((demand.pools & ~demand.lenders & pool_bit(pool)) != 0 && rooms[pool] < demand.minimum * demand.weight(pool))
      return pool;
  }
  return NO_POOL;
}

struct Round {
  const Demand *demands;
  Share *shares;
  Milliampere *rooms;
  uint8_t count;
  uint8_t open;  // bits of the chargers that may still get more

  bool is_open(uint8_t charger) const { return (this->open >> charger & 1) != 0; }
  void close(uint8_t charger) { this->open &= ~(1 << charger); }

  /// What every open charger could get more from this pool.
  Milliampere part_of(uint8_t pool) const {
    int32_t weights = 0;
    for (uint8_t charger = 0; charger < this->count; charger++) {
      if (this->is_open(charger) && (this->demands[charger].pools & pool_bit(pool)) != 0)
        weights += this->demands[charger].weight(pool);
    }
    return std::max(this->rooms[pool], 0_A) / std::max<int32_t>(weights, 1);
  }

  /// Gives every open charger the same, until the first of them can get no more; that one is closed.
  void run() {
    uint8_t first = 0, bound_by = NO_POOL;
    Milliampere least = INT32_MAX;
    for (uint8_t charger = 0; charger < this->count; charger++) {
      if (!this->is_open(charger))
        continue;
      const Demand &demand = this->demands[charger];
      const auto bound = [&](Milliampere current, uint8_t pool) {
        if (current >= least)
          return;
        least = current;
        first = charger;
        bound_by = pool;
      };
      bound(demand.most - this->shares[charger].current, NO_POOL);
      for (uint8_t pool = 0; pool < POOLS; pool++) {
        if ((demand.pools & pool_bit(pool)) != 0)
          bound(this->part_of(pool), pool);
      }
    }
    for (uint8_t charger = 0; charger < this->count; charger++) {
      if (!this->is_open(charger))
        continue;
      this->shares[charger].current += least;
      take(this->demands[charger], least, this->rooms);
    }
    this->shares[first].bound_by = bound_by;
    this->close(first);
  }
};

/// What a single charger gets: the least of what its pools have.
[[maybe_unused]] void share_alone(const Demand &demand, Share &share, const Milliampere *rooms) {
  share = {};
  if (!demand.wants || (share.bound_by = lacking(demand, rooms)) != NO_POOL)
    return;
  share.current = demand.most;
  for (uint8_t pool = 0; pool < POOLS; pool++) {
    const Milliampere part = std::max(rooms[pool] / demand.weight(pool), demand.minimum);
    if ((demand.pools & pool_bit(pool)) == 0 || part >= share.current)
      continue;
    share.current = part;
    share.bound_by = pool;
  }
}

/// The charger that comes next by rank, or `count`.
uint8_t next_by_rank(const Demand *demands, uint8_t count, uint8_t served) {
  uint8_t next = count;
  for (uint8_t charger = 0; charger < count; charger++) {
    if ((served >> charger & 1) == 0 && demands[charger].wants &&
        (next == count || demands[charger].rank < demands[next].rank))
      next = charger;
  }
  return next;
}

}  // namespace

void share(const Demand *demands, Share *shares, uint8_t count, Milliampere *rooms) {
  if constexpr (!HAS_SEVERAL)
    return share_alone(demands[0], shares[0], rooms);
  Round round{demands, shares, rooms, count, 0};
  Milliampere whole[POOLS];
  std::copy(rooms, rooms + POOLS, whole);
  std::fill(shares, shares + count, Share{});
  uint8_t served = 0;
  for (uint8_t n = 0; n < count; n++) {
    const uint8_t charger = next_by_rank(demands, count, served);
    if (charger == count)
      break;
    served |= 1 << charger;
    const Demand &demand = demands[charger];
    Share &share = shares[charger];
    share.bound_by = lacking(demand, rooms);
    if (share.bound_by != NO_POOL) {
      share.crowded_out = lacking(demand, whole) == NO_POOL;
      continue;
    }
    share.current = demand.minimum;
    take(demand, demand.minimum, rooms);
    round.open |= 1 << charger;
  }
  while (round.open != 0)
    round.run();
}

}  // namespace esphome::esp32evse_load_manager
