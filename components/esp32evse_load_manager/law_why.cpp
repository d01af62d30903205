#include "law.h"

#include <algorithm>

// Why a charger has what it has: the reasons, and what will happen next.

namespace esphome::esp32evse_load_manager {

/// What forbids a start, whatever others take: of several obstacles the one that lasts longest.
Why Law::obstacle_(const Charger &charger, uint32_t now) const {
  Why last = this->narrow_(charger, now);
  const auto lasts = [&last](Reason reason, uint16_t seconds, Next next = Next::NOTHING) {
    if (seconds > last.seconds)
      last = {reason, 0, 0, next, seconds};
  };
  const uint32_t since = now - charger.switched;
  const uint32_t pause = this->settings_.min_off_ms;
  if (charger.starts > 0 && since < pause)
    lasts(Reason::PAUSE_LASTS, (pause - since + 999) / 1000, Next::TRIES);
  if (charger.disobeyed && since < TURN_MS)
    lasts(charger.why_disobeyed(), (TURN_MS - since + 999) / 1000, Next::TRIES);
  if (HAS_CAPACITY && this->quarter_->quarter() != 0 && charger.paused_in == this->quarter_->quarter()) {
    const uint16_t left = this->quarter_->seconds_left();
    // Below the minimum each quarter would end with a pause: then every second one is enough.
    const uint16_t last = this->quarter_->limit() >= this->least_power_(charger) ? CapacityQuarter::AGAIN_S : 0;
    if (left > last)
      lasts(Reason::CAPACITY, left - last, Next::TRIES);
  }
  if (!HAS_SURPLUS || charger.mode != Mode::SOLAR)
    return last;
  if (charger.starts >= SOLAR_STARTS && since < NIGHT_MS) {
    lasts(Reason::ENOUGH_STARTS, Why::NOT_IN_SIGHT);
  } else if (!this->account_->may_start()) {
    const uint16_t seconds = this->account_->starts_in(this->to_spare_);
    seconds < 600 ? lasts(Reason::STARTS_SOON, std::max<uint16_t>(seconds, 1))
                  : lasts(Reason::WAITING_FOR_SUN, Why::NOT_IN_SIGHT);
  }
  return last;
}

/// The circuit's phase that has not had room for a start for long enough, of several the one that will last.
Why Law::narrow_(const Charger &charger, uint32_t now) const {
  const PoolMask pools = this->pools_of_(charger);
  const Milliampere needed = charger.minimum() + SPARE;
  uint8_t narrowest = NO_POOL;
  uint16_t longest = 0;
  Milliampere least = 0;
  for (uint8_t pool = 0; pool < this->circuits() * PHASES; pool++) {
    const Circuit &circuit = this->circuit(pool / PHASES);
    if ((pools & pool_bit(pool)) == 0)
      continue;
    const uint16_t seconds = circuit.seconds_to(pool % PHASES, needed, 0, now);
    const Milliampere room = circuit.room(pool % PHASES);
    if (seconds == 0 || seconds < longest || (seconds == longest && room >= least))
      continue;
    narrowest = pool;
    longest = seconds;
    least = room;
  }
  if (narrowest == NO_POOL)
    return {Reason::NONE};
  Why why = this->why_pool_(narrowest);
  why.seconds = longest;
  if (why.reason == Reason::CIRCUIT_LIMIT)
    this->await_(why, Next::STARTS);
  return why;
}

/// When there will be room, and whether the meter is only watched until then.
void Law::await_(Why &why, Next next) const {
  if (why.seconds == Why::NOT_IN_SIGHT) {
    why.next = Next::WAITS_FOR_ROOM;
    return;
  }
  why.next = next;
  if (this->circuit(why.circuit).has_gap(why.phase))
    why.reason = Reason::WATCHING;
}

Why Law::why_pool_(uint8_t pool) const {
  if (pool < CIRCUIT_POOLS) {
    const auto circuit = static_cast<uint8_t>(pool / PHASES);
    const Circuit &found = this->circuit(circuit);
    const Reason limit = found.is_led() ? Reason::LEADERS_SHARE : Reason::CIRCUIT_LIMIT;
    return {found.is_valid() ? limit : found.fault(), circuit, static_cast<uint8_t>(pool % PHASES)};
  }
  if (HAS_DIMMING && pool == DIMMING_POOL)
    return {Reason::DIMMED};
  if (HAS_CAPACITY && pool == CAPACITY_POOL)
    return {Reason::CAPACITY};
  return {HAS_SURPLUS && pool == SURPLUS_POOL ? Reason::FOLLOWS_SUN : Reason::UNBALANCE};
}

bool Law::is_kept_for_silent_(uint8_t pool, uint32_t now) const {
  for (uint8_t i = 0; HAS_SEVERAL && i < this->chargers(); i++) {
    const Charger &charger = this->chargers_[i];
    if (!charger.view.online && (this->pools_of_(charger) & pool_bit(pool)) != 0 && this->demand_(charger, now).wants)
      return true;
  }
  return false;
}

/// Another one of its priority goes when it had its turn; those that come first stay.
Why Law::why_crowded_out_(const Charger &charger, uint32_t now) const {
  uint32_t left = TURN_MS;
  for (uint8_t i = 0; i < this->chargers(); i++) {
    const Charger &other = this->chargers_[i];
    if (&other != &charger && other.order.run && other.config.priority >= charger.config.priority)
      left = std::min(left, TURN_MS - std::min(now - other.switched, TURN_MS));
  }
  const bool known = left > 0 && left < TURN_MS;
  return {Reason::OTHER_FIRST, 0, 0, known ? Next::TRIES : Next::WAITS_FOR_ROOM,
          static_cast<uint16_t>(known ? left / 1000 : 0)};
}

Why Law::why_nothing_(const Charger &charger, const Share &share, uint32_t now) const {
  if (HAS_SEVERAL && share.crowded_out && !this->is_kept_for_silent_(share.bound_by, now))
    return this->why_crowded_out_(charger, now);
  if (HAS_SURPLUS && share.bound_by == SURPLUS_POOL)
    return {Reason::WAITING_FOR_SUN};
  Why why = this->why_pool_(share.bound_by);
  if (HAS_SEVERAL && share.crowded_out && why.reason == Reason::CIRCUIT_LIMIT)
    why.reason = Reason::KEPT_FOR_SILENT;
  if (why.reason >= Reason::CIRCUIT_LIMIT && why.reason <= Reason::CAPACITY)
    why.next = Next::WAITS_FOR_ROOM;
  return why;
}

bool Law::is_elsewhere_(const Charger &charger) const {
  bool elsewhere = false;
  for (uint8_t i = 0; i < this->circuits(); i++)
    elsewhere |= charger.is_below(i) && this->circuit(i).is_elsewhere();
  return elsewhere;
}

/// What is ordered from a circuit's phase now. Who starts just now finds room in the next step only, and who has no car
/// offers without a share.
Milliampere Law::ordered_(uint8_t pool, uint32_t now) const {
  if constexpr (!HAS_SEVERAL)
    return this->chargers_[0].order.current;
  Milliampere current = 0;
  for (uint8_t i = 0; i < this->chargers(); i++) {
    const Charger &charger = this->chargers_[i];
    if (charger.order.run && charger.switched != now && (this->pools_of_(charger) & pool_bit(pool)) != 0)
      current += std::min(charger.order.current, charger.available);
  }
  return current;
}

/// Why it gets no more of this pool, and what will happen: it rises, or the breaker gets warm.
Why Law::why_limited_(uint8_t pool, uint32_t now) const {
  Why why = this->why_pool_(pool);
  if (why.reason != Reason::CIRCUIT_LIMIT)
    return why;
  const Circuit &circuit = this->circuit(why.circuit);
  const Milliampere ordered = this->ordered_(pool, now);
  why.seconds = circuit.seconds_to(why.phase, ordered + 0.1_A, circuit.slack(), now);
  if (why.seconds != 0 && why.seconds != Why::NOT_IN_SIGHT) {
    this->await_(why, Next::RISES);
  } else if (const uint16_t seconds = circuit.seconds_of_overload(why.phase, ordered); seconds < 600) {
    why.next = Next::PAUSES;
    why.seconds = seconds;
  }
  if (why.reason == Reason::CIRCUIT_LIMIT && this->is_kept_for_silent_(pool, now))
    why.reason = Reason::KEPT_FOR_SILENT;
  return why;
}

Why Law::why_running_(const Charger &charger, const Share &share, const Share &lasting, bool rising,
                      uint32_t now) const {
  if (charger.view.holds && now - charger.switched >= READY_MS && now - charger.silent >= READY_MS)
    return {charger.view.time_is_up    ? Reason::YOUR_TIME_LIMIT
            : charger.view.lease_is_up ? Reason::LEASE_REFUSED
                                       : Reason::CHARGER_HOLDS};
  if (HAS_SURPLUS && charger.mode == Mode::SOLAR && this->surplus_ < this->least_power_(charger)) {
    const uint16_t seconds = this->account_->stops_in(this->surplus_);
    return seconds == Why::NOT_IN_SIGHT ? Why{Reason::FOLLOWS_SUN}
                                        : Why{Reason::STOPS_SOON, 0, 0, Next::NOTHING, seconds};
  }
  if (rising && lasting.current > charger.order.current)
    return {Reason::RISING};
  const bool at_its_bound = charger.order.current > share.current - SPARE;
  const uint8_t bound_by = at_its_bound ? share.bound_by : lasting.bound_by;
  if (bound_by != NO_POOL) {
    Why why = this->why_limited_(bound_by, now);
    if (charger.view.contested && why.next == Next::NOTHING)
      why.next = Next::CONTESTED;
    return why;
  }
  const Milliampere bound = std::min(charger.view.wish, charger.view.maximum);
  if (charger.order.current < bound)
    return {charger.draws ? Reason::CAR_TAKES_LESS : Reason::CAR_TAKES_NOTHING};
  if (charger.view.contested)
    return {Reason::SET_ELSEWHERE};
  return {charger.view.wish < charger.view.maximum ? Reason::YOUR_LIMIT : Reason::CHARGER_MAXIMUM};
}

}  // namespace esphome::esp32evse_load_manager
