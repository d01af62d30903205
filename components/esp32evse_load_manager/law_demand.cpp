#include "law.h"

#include <algorithm>

// What there is of the cars, and what each asks for.

namespace esphome::esp32evse_load_manager {

void Law::observe_(Charger &charger, uint32_t now) {
  charger.own.advance(now);
  if (HAS_FOLLOWERS && (charger.view.online || charger.heard == 0))
    charger.heard = now;
  const PhaseMask carrying = charger.own.latest().above(DRAWS);
  if (charger.draws != (carrying != 0)) {
    charger.draws = carrying != 0;
    charger.drawing = now;
  }
  if (!charger.view.vehicle) {
    charger.used = charger.starts = 0;
    charger.disobeyed = false;
    charger.drawing = now;
  } else if (this->is_drawing_for_(charger, true, OwnCurrent::SECONDS * 1000, now)) {
    charger.used = charger.own.peaks().above(DRAWS);
  } else if (charger.used != 0 || (carrying & ~charger.config.phases) != 0) {
    charger.used |= carrying;
  }
}

/// It is there, it may, and it has a car.
bool Law::takes_part_(const Charger &charger) const {
  return charger.view.vehicle && charger.view.enabled && charger.mode != Mode::OFF;
}

Milliampere Law::usable(uint8_t charger) const {
  const ChargerView &view = this->chargers_[charger].view;
  return this->takes_part_(this->chargers_[charger]) ? std::min(view.wish, view.maximum) : 0;
}

PoolMask Law::pools_of_(const Charger &charger) const {
  PoolMask pools = 0;
  const PhaseMask phases = this->phases_of_(charger);
  for (uint8_t i = 0; i < this->circuits(); i++) {
    if (charger.is_below(i))
      pools |= PoolMask{this->circuit(i).is_elsewhere() ? ALL_PHASES : phases} << (i * PHASES);
  }
  if (HAS_UNBALANCE && this->settings_.unbalance > 0 && count_phases(phases) < PHASES)
    pools |= PoolMask{phases} << UNBALANCE_POOLS;
  if (HAS_DIMMING && this->dimmed_)
    pools |= pool_bit(DIMMING_POOL);
  if (HAS_CAPACITY && this->quarter_->limit() > 0)
    pools |= pool_bit(CAPACITY_POOL);
  if (HAS_SURPLUS && charger.follows_sun())
    pools |= pool_bit(SURPLUS_POOL);
  return pools;
}

/// Who gives a running charger its minimum without having it: a breaker that is still cool, a quarter with something
/// left, sun that has only gone behind a cloud.
PoolMask Law::lenders_of_(const Charger &charger) const {
  PoolMask lenders = 0;
  if (HAS_SURPLUS && (charger.mode == Mode::MIN_SOLAR || (charger.order.run && !this->account_->must_stop())))
    lenders |= pool_bit(SURPLUS_POOL);
  if (!charger.order.run)
    return lenders;
  for (uint8_t pool = 0; pool < this->circuits() * PHASES; pool++) {
    if (this->circuit(pool / PHASES).allows_overload(pool % PHASES))
      lenders |= pool_bit(pool);
  }
  if (HAS_CAPACITY && !this->quarter_->is_exhausted())
    lenders |= pool_bit(CAPACITY_POOL);
  return lenders;
}

/// By priority; then who charges, who waits longest, who had its turn, whose car takes nothing.
uint32_t Law::rank_(const Charger &charger, uint32_t now) const {
  enum : uint32_t { CHARGES, WAITS, HAD_ITS_TURN, IDLE };
  const uint32_t since_s = std::min<uint32_t>((now - charger.switched) / 1000, UINT16_MAX);
  uint32_t place = charger.order.run ? CHARGES : WAITS;
  if (this->is_drawing_for_(charger, false, IDLE_MS, now) && charger.order.run) {
    place = IDLE;
  } else if (charger.order.run && since_s >= TURN_MS / 1000) {
    place = HAD_ITS_TURN;
  }
  return uint32_t{charger.config.priority} << 24 | place << 16 | (place == WAITS ? UINT16_MAX - since_s : since_s);
}

/// By the person, the charger, and what the car takes.
Milliampere Law::bound_of_(const Charger &charger) const {
  const Milliampere need = charger.own.peaks().most() + ABOVE_DRAW;
  return std::max(std::min({charger.view.wish, charger.view.maximum, need}), charger.minimum());
}

Demand Law::demand_(const Charger &charger, uint32_t now) const {
  Demand demand;
  demand.phases = this->phases_of_(charger);
  demand.pools = this->pools_of_(charger);
  demand.lenders = this->lenders_of_(charger);
  if constexpr (HAS_SEVERAL)
    demand.rank = this->rank_(charger, now);
  demand.minimum = charger.minimum();
  demand.most = this->bound_of_(charger);
  demand.wants = this->takes_part_(charger);
  if (HAS_SEVERAL && !charger.view.online) {  // it may go on with what it last had
    const Milliampere last = std::max(charger.order.run ? charger.order.current : 0, charger.own.peaks().most());
    demand.minimum = demand.most =
        this->is_lost_(charger, now) ? charger.config.worst_case : std::max(last, charger.config.worst_case);
    demand.lenders = demand.pools;
    demand.rank = 0;
    demand.wants = demand.most > 0;
  }
  return demand;
}

}  // namespace esphome::esp32evse_load_manager
