#include "law.h"

#include <algorithm>

namespace esphome::esp32evse_load_manager {

// --- configuration ----------------------------------------------------------------------------------------------------

void Law::add_circuit(const CircuitConfig &config, uint32_t now) {
  this->circuits_[this->circuit_count_++].configure(config, now);
}

void Law::add_charger(const ChargerConfig &config) {
  Charger &charger = this->chargers_[this->charger_count_++];
  charger.config = config;
  for (uint8_t circuit = config.circuit; circuit != CircuitConfig::NO_PARENT;
       circuit = this->circuits_[circuit].config().parent) {
    charger.path |= 1 << circuit;
  }
}

void Law::adopt(uint8_t charger, bool running, float ampere) {
  this->chargers_[charger].order.run = running;
  this->chargers_[charger].order.ampere = std::max(ampere, this->chargers_[charger].minimum());
}

// --- what there is ----------------------------------------------------------------------------------------------------

void Law::on_sample(uint8_t circuit, const Phases &mains, uint32_t now, PhaseMask updated) {
  const uint32_t delay = this->circuits_[circuit].config().delay_ms;
  Phases low, high;
  bool unheard = false;
  for (uint8_t i = 0; i < this->chargers(); i++) {
    Charger &charger = this->chargers_[i];
    if (!charger.is_below(circuit))
      continue;
    if (!charger.own.is_known() && this->circuits_[circuit].is_starting())
      return;  // what is the house's will be seen soon
    charger.own.advance(now);
    unheard |= charger.config.is_remote() && this->is_unsure_(charger, now);
    for (uint8_t phase = 0; phase < PHASES; phase++) {
      const uint32_t youngest = charger.config.is_remote() ? 0 : delay / 2;  // what comes from afar is late itself
      const OwnCurrent::Range range = charger.own.range(phase, youngest, delay + delay / 2 + 1000);
      low[phase] += this->is_unsure_(charger, now) ? 0.0f : range.low;
      high[phase] += this->is_lost_(charger, now) ? charger.config.worst_case : range.high;
    }
  }
  if (!this->circuits_[circuit].on_sample(mains, low, high, now, updated, unheard))
    return;
  for (uint8_t i = 0; i < this->chargers(); i++)
    this->chargers_[i].fresh |= 1 << circuit;
}

void Law::on_share(uint8_t circuit, float ampere, uint32_t now) {
  this->circuits_[circuit].on_share(ampere, now);
  for (uint8_t i = 0; i < this->chargers(); i++)
    this->chargers_[i].fresh |= 1 << circuit;
}

void Law::update_circuits_(uint32_t now) {
  for (uint8_t i = 0; i < this->circuits(); i++) {
    this->circuits_[i].update(now);
    if (this->circuits_[i].has_meter())
      continue;
    for (uint8_t j = 0; j < this->chargers(); j++)
      this->chargers_[j].fresh |= 1 << i;
  }
}

float Law::least_power_(const Charger &charger) const {
  return charger.minimum() * count_phases(this->phases_of_(charger)) * VOLTAGE;
}

/// The sun is what the house leaves over, and what the chargers that do not follow the sun leave of it.
void Law::update_surplus_(float seconds) {
  this->surplus_ = this->settings_.surplus.grid_allowance - this->circuits_[0].house_sum() * VOLTAGE;
  float least = 0, next = 0;
  for (uint8_t i = 0; i < this->chargers(); i++) {
    const Charger &charger = this->chargers_[i];
    if (!charger.follows_sun()) {
      this->surplus_ -= charger.own.latest().sum() * VOLTAGE;
    } else if (charger.mode == Mode::SOLAR && charger.view.vehicle) {
      (charger.order.run ? least : next) += charger.order.run || next == 0 ? this->least_power_(charger) : 0;
    }
  }
  this->to_spare_ = this->surplus_ - least - next;
  if (!this->circuits_[0].is_valid())
    return;
  this->account_.save(next > 0 ? this->to_spare_ : -1e6f, seconds);
  this->account_.borrow(this->surplus_, least, seconds);
}

void Law::update_quarter_(uint32_t epoch_s, float seconds) {
  this->quarter_.update(epoch_s, this->circuits_[0].mains_sum() * VOLTAGE, this->circuits_[0].house_sum() * VOLTAGE,
                        seconds);
}

void Law::fill_rooms_(float *rooms, bool lasting) const {
  std::fill(rooms, rooms + POOLS, 0.0f);
  for (uint8_t i = 0; i < this->circuits(); i++) {
    for (uint8_t phase = 0; phase < PHASES; phase++) {
      const Circuit &circuit = this->circuits_[i];
      rooms[i * PHASES + phase] = lasting ? circuit.lasting_room(phase) : circuit.room(phase);
    }
  }
  if constexpr (HAS_UNBALANCE)
    std::fill_n(rooms + UNBALANCE_POOLS, PHASES, this->settings_.unbalance);
  if constexpr (HAS_DIMMING)
    rooms[DIMMING_POOL] = this->settings_.dimming / VOLTAGE;
  if constexpr (HAS_CAPACITY)
    rooms[CAPACITY_POOL] = this->quarter_.available() / VOLTAGE;
  if constexpr (HAS_SURPLUS)
    rooms[SURPLUS_POOL] = this->surplus_ / VOLTAGE;
}

// --- what each asks for -----------------------------------------------------------------------------------------------

void Law::observe_(Charger &charger, uint32_t now) {
  charger.own.advance(now);
  if (charger.view.online || charger.heard == 0)
    charger.heard = now;
  PhaseMask carrying = 0;
  for (uint8_t phase = 0; phase < PHASES; phase++)
    carrying |= charger.own.latest()[phase] > DRAWS ? 1 << phase : 0;
  if (charger.draws != (carrying != 0)) {
    charger.draws = carrying != 0;
    charger.drawing = now;
  }
  if (!charger.view.vehicle) {
    charger.used = charger.starts = 0;
    charger.drawing = now;
  } else if (this->is_drawing_for_(charger, true, OwnCurrent::SECONDS * 1000, now)) {
    charger.used = charger.own.carrying(DRAWS);
  } else if (charger.used != 0) {
    charger.used |= carrying;
  }
}

/// It is there, it may, and it has a car.
bool Law::takes_part_(const Charger &charger) const {
  return charger.view.vehicle && charger.view.enabled && charger.mode != Mode::OFF;
}

float Law::usable(uint8_t charger) const {
  const ChargerView &view = this->chargers_[charger].view;
  return this->takes_part_(this->chargers_[charger]) ? std::min(view.wish, view.maximum) : 0.0f;
}

PoolMask Law::pools_of_(const Charger &charger) const {
  PoolMask pools = 0;
  const PhaseMask phases = this->phases_of_(charger);
  for (uint8_t i = 0; i < this->circuits(); i++) {
    if (charger.is_below(i))
      pools |= PoolMask{phases} << (i * PHASES);
  }
  if (HAS_UNBALANCE && this->settings_.unbalance > 0 && count_phases(phases) < PHASES)
    pools |= PoolMask{phases} << UNBALANCE_POOLS;
  if (HAS_DIMMING && this->dimmed_)
    pools |= pool_bit(DIMMING_POOL);
  if (HAS_CAPACITY && this->quarter_.limit() > 0)
    pools |= pool_bit(CAPACITY_POOL);
  if (HAS_SURPLUS && charger.follows_sun())
    pools |= pool_bit(SURPLUS_POOL);
  return pools;
}

/// Who gives a running charger its minimum without having it: a breaker that is still cool, a quarter with something
/// left, sun that has only gone behind a cloud.
PoolMask Law::lenders_of_(const Charger &charger) const {
  PoolMask lenders = 0;
  if (HAS_SURPLUS && (charger.mode == Mode::MIN_SOLAR || (charger.order.run && !this->account_.must_stop())))
    lenders |= pool_bit(SURPLUS_POOL);
  if (!charger.order.run)
    return lenders;
  for (uint8_t pool = 0; pool < this->circuits() * PHASES; pool++) {
    if (this->circuits_[pool / PHASES].allows_overload(pool % PHASES))
      lenders |= pool_bit(pool);
  }
  if (HAS_CAPACITY && !this->quarter_.is_exhausted())
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

/// A, by the person, the charger, and what the car takes.
float Law::bound_of_(const Charger &charger) const {
  const float need = charger.own.peak() + ABOVE_DRAW;
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
    const float last = std::max(charger.order.run ? charger.order.ampere : 0.0f, charger.own.peak());
    demand.minimum = demand.most =
        this->is_lost_(charger, now) ? charger.config.worst_case : std::max(last, charger.config.worst_case);
    demand.lenders = demand.pools;
    demand.rank = 0;
    demand.wants = demand.most > 0;
  }
  return demand;
}

/// What forbids a start, whatever others take: of several obstacles the one that lasts longest.
Why Law::obstacle_(const Charger &charger, uint32_t now) const {
  Why last = this->narrow_(charger, now);
  const auto lasts = [&last](Reason reason, uint16_t seconds, Next next = Next::NOTHING) {
    if (seconds > last.seconds)
      last = {reason, 0, 0, seconds, next};
  };
  const uint32_t since = now - charger.switched;
  const uint32_t pause = this->settings_.min_off_ms;
  if (charger.starts > 0 && since < pause)
    lasts(Reason::PAUSE_LASTS, (pause - since + 999) / 1000, Next::TRIES);
  if (HAS_CAPACITY && this->quarter_.quarter() != 0 && charger.paused_in == this->quarter_.quarter())
    lasts(Reason::CAPACITY, this->quarter_.seconds_left(), Next::TRIES);
  if (!HAS_SURPLUS || charger.mode != Mode::SOLAR)
    return last;
  if (charger.starts >= SOLAR_STARTS && since < NIGHT_MS) {
    lasts(Reason::ENOUGH_STARTS, Why::NOT_IN_SIGHT);
  } else if (!this->account_.may_start()) {
    const uint16_t seconds = this->account_.starts_in(this->to_spare_);
    seconds < 600 ? lasts(Reason::STARTS_SOON, std::max<uint16_t>(seconds, 1))
                  : lasts(Reason::WAITING_FOR_SUN, Why::NOT_IN_SIGHT);
  }
  return last;
}

/// The circuit's phase that has not had room for a start for long enough, of several the one that will last.
Why Law::narrow_(const Charger &charger, uint32_t now) const {
  const PoolMask pools = this->pools_of_(charger);
  const float needed = charger.minimum() + SPARE;
  Why narrowest{Reason::NONE};
  float least = 0;
  for (uint8_t pool = 0; pool < this->circuits() * PHASES; pool++) {
    const Circuit &circuit = this->circuits_[pool / PHASES];
    const uint8_t phase = pool % PHASES;
    if ((pools & pool_bit(pool)) == 0)
      continue;
    const uint16_t seconds = circuit.seconds_to(phase, needed, 0, now);
    const float room = circuit.room(phase);
    if (seconds < narrowest.seconds || seconds == 0 || (seconds == narrowest.seconds && room >= least))
      continue;
    least = room;
    narrowest = this->why_pool_(pool);
    narrowest.seconds = seconds;
    if (narrowest.reason != Reason::CIRCUIT_LIMIT)
      continue;
    narrowest.next = seconds == Why::NOT_IN_SIGHT ? Next::WAITS_FOR_ROOM : Next::STARTS;
    if (seconds != Why::NOT_IN_SIGHT && circuit.has_gap(phase))
      narrowest.reason = Reason::WATCHING;
  }
  return narrowest;
}

// --- what each gets ---------------------------------------------------------------------------------------------------

void Law::step(uint32_t now, uint32_t epoch_s) {
  const float seconds = std::min(now - this->stepped_, LONGEST_STEP_MS) * 0.001f;
  this->stepped_ = now;
  this->update_circuits_(now);
  for (uint8_t i = 0; i < this->chargers(); i++)
    this->observe_(this->chargers_[i], now);
  if constexpr (HAS_SURPLUS)
    this->update_surplus_(seconds);
  if constexpr (HAS_CAPACITY)
    this->update_quarter_(epoch_s, seconds);

  Demand demands[MAX_CHARGERS];
  Share shares[MAX_CHARGERS], lasting[MAX_CHARGERS];
  float rooms[POOLS];
  for (uint8_t i = 0; i < this->chargers(); i++) {
    demands[i] = this->demand_(this->chargers_[i], now);
    demands[i].wants &= this->chargers_[i].order.run || !this->chargers_[i].view.online;
  }
  this->fill_rooms_(rooms, false);
  share(demands, shares, this->chargers(), rooms);

  for (uint8_t i = 0; i < this->chargers(); i++) {
    const Charger &charger = this->chargers_[i];
    if (!charger.view.online)
      continue;
    if (charger.order.run) {
      // Nothing is lent to who had its turn: one that waits may take its place.
      if (HAS_SEVERAL && now - charger.switched >= TURN_MS)
        demands[i].lenders &= ~(pool_bit(CIRCUIT_POOLS) - 1);
      continue;
    }
    demands[i].wants = this->takes_part_(charger) && this->obstacle_(charger, now).reason == Reason::NONE;
    demands[i].minimum += SPARE;
    demands[i].most = std::max(demands[i].most, demands[i].minimum);
  }
  this->fill_rooms_(rooms, true);
  share(demands, lasting, this->chargers(), rooms);
  this->turn_wanted_ = false;
  for (uint8_t i = 0; HAS_SEVERAL && i < this->chargers(); i++)
    this->turn_wanted_ |= !this->chargers_[i].order.run && lasting[i].ampere > 0;

  for (uint8_t i = 0; i < this->chargers(); i++)
    this->decide_(this->chargers_[i], shares[i], lasting[i], now);
}

void Law::decide_(Charger &charger, const Share &share, const Share &lasting, uint32_t now) {
  Order &order = charger.order;
  if (!charger.view.online || !order.run || !this->takes_part_(charger))
    charger.fresh = 0;  // samples from before do not count
  if (!charger.view.online) {
    order.why = {Reason::CHARGER_SILENT};
    if (this->is_lost_(charger, now))  // what it takes by itself, should it hear this
      order = {true, charger.config.worst_case > 0, charger.config.worst_case, order.why};
    return;
  }
  order.valid = true;
  const Circuit *starting = this->starting_(charger);
  if (this->takes_part_(charger) && starting != nullptr) {  // goes on as it was found, but never higher
    order.why = {starting->is_led() ? Reason::WAITING_FOR_LEADER : Reason::STARTING};
    order.ampere = std::max(charger.draws ? std::min(order.ampere, this->bound_of_(charger)) : 0.0f, charger.minimum());
    return;
  }
  if (this->takes_part_(charger)) {
    order.run ? this->run_(charger, share, lasting, now) : this->wait_(charger, lasting, now);
    return;
  }
  order.why = {charger.mode == Mode::OFF ? Reason::OFF
               : !charger.view.enabled   ? Reason::PAUSED_BY_YOU
               : charger.view.holds      ? Reason::CHARGER_HOLDS
                                         : Reason::NO_VEHICLE};
  // Ready for a car, unless it would have to wait for the sun; its current is found when it has come.
  if (order.run || !charger.view.vehicle)
    charger.switched = now;
  order.run = charger.mode != Mode::OFF && charger.view.enabled && charger.mode != Mode::SOLAR &&
              this->narrow_(charger, now).reason == Reason::NONE;
  order.ampere = charger.minimum();
  charger.available = 0;
}

const Circuit *Law::starting_(const Charger &charger) const {
  for (uint8_t i = 0; i < this->circuits(); i++) {
    if (charger.is_below(i) && this->circuits_[i].is_starting())
      return &this->circuits_[i];
  }
  return nullptr;
}

void Law::run_(Charger &charger, const Share &share, const Share &lasting, uint32_t now) {
  Order &order = charger.order;
  charger.available = share.ampere;
  if (share.ampere <= 0) {
    this->pause_(charger, this->why_nothing_(share), now);
    return;
  }
  if (HAS_SEVERAL && this->turn_wanted_ && lasting.crowded_out && now - charger.switched >= TURN_MS) {
    this->pause_(charger, {Reason::OTHER_FIRST}, now);
    return;
  }
  const float rise = std::min(lasting.ampere - order.ampere, this->rise_(charger, now));
  const float old = order.ampere;
  order.ampere = std::min(order.ampere + std::max(rise, 0.0f), share.ampere);
  order.why = this->why_running_(charger, share, lasting, order.ampere > old, now);
}

/// A that the offer may rise by: only on new samples of all the circuits above, and slowly.
float Law::rise_(Charger &charger, uint32_t now) const {
  if ((charger.fresh & charger.path) != charger.path)
    return 0;
  const uint32_t passed = now - charger.rose;
  charger.fresh = 0;
  charger.rose = now;
  return passed > LONGEST_STEP_MS ? 0 : std::min(passed * 0.001f * RISE_A_PER_S, ABOVE_DRAW);
}

void Law::wait_(Charger &charger, const Share &lasting, uint32_t now) {
  charger.available = lasting.ampere;
  charger.order.ampere = charger.minimum();
  const Why obstacle = this->obstacle_(charger, now);
  if (obstacle.reason != Reason::NONE) {
    charger.order.why = obstacle;
  } else if (lasting.ampere > 0) {
    this->start_(charger, now);
  } else {
    charger.order.why = this->why_nothing_(lasting);
  }
}

void Law::start_(Charger &charger, uint32_t now) {
  charger.order.run = true;
  charger.order.why = {Reason::RISING};
  charger.starts = now - charger.switched < NIGHT_MS ? std::min(charger.starts + 1, int{UINT8_MAX}) : 1;
  charger.switched = charger.rose = now;
  charger.fresh = 0;
  if (HAS_SURPLUS && charger.mode == Mode::SOLAR)
    this->account_.reset();
}

void Law::pause_(Charger &charger, const Why &why, uint32_t now) {
  if (why.reason == Reason::CAPACITY)
    charger.paused_in = this->quarter_.quarter();
  if (HAS_SURPLUS && charger.mode == Mode::SOLAR)
    this->account_.reset();
  charger.starts = std::max<uint8_t>(charger.starts, 1);
  charger.order.run = false;
  charger.order.ampere = charger.minimum();
  charger.order.why = why;
  charger.switched = now;
}

// --- why --------------------------------------------------------------------------------------------------------------

Why Law::why_pool_(uint8_t pool) const {
  if (pool < CIRCUIT_POOLS) {
    const auto circuit = static_cast<uint8_t>(pool / PHASES);
    const Circuit &found = this->circuits_[circuit];
    const Reason limit = found.is_led() ? Reason::LEADERS_SHARE : Reason::CIRCUIT_LIMIT;
    return {found.is_valid() ? limit : found.fault(), circuit, static_cast<uint8_t>(pool % PHASES)};
  }
  if (HAS_DIMMING && pool == DIMMING_POOL)
    return {Reason::DIMMED};
  if (HAS_CAPACITY && pool == CAPACITY_POOL)
    return {Reason::CAPACITY};
  return {HAS_SURPLUS && pool == SURPLUS_POOL ? Reason::FOLLOWS_SUN : Reason::UNBALANCE};
}

Why Law::why_nothing_(const Share &share) const {
  if (HAS_SEVERAL && share.crowded_out)
    return {Reason::OTHER_FIRST};
  if (HAS_SURPLUS && share.bound_by == SURPLUS_POOL)
    return {Reason::WAITING_FOR_SUN};
  Why why = this->why_pool_(share.bound_by);
  if (why.reason >= Reason::CIRCUIT_LIMIT && why.reason <= Reason::CAPACITY)
    why.next = Next::WAITS_FOR_ROOM;
  return why;
}

/// A that is ordered from a circuit's phase now.
float Law::ordered_(uint8_t pool) const {
  float ampere = 0;
  for (uint8_t i = 0; i < this->chargers(); i++) {
    if (this->chargers_[i].order.run && (this->pools_of_(this->chargers_[i]) & pool_bit(pool)) != 0)
      ampere += this->chargers_[i].order.ampere;
  }
  return ampere;
}

/// Why it gets no more of this pool, and what will happen: it rises, or the breaker gets warm.
Why Law::why_limited_(uint8_t pool, uint32_t now) const {
  Why why = this->why_pool_(pool);
  if (why.reason != Reason::CIRCUIT_LIMIT)
    return why;
  const Circuit &circuit = this->circuits_[why.circuit];
  const float ordered = this->ordered_(pool);
  why.seconds = circuit.seconds_to(why.phase, ordered + 0.1f, circuit.slack(), now);
  if (why.seconds != 0 && why.seconds != Why::NOT_IN_SIGHT) {
    why.next = Next::RISES;
    if (circuit.has_gap(why.phase))
      why.reason = Reason::WATCHING;
  } else if (const float seconds = circuit.seconds_of_overload(why.phase, ordered); seconds < 600) {
    why.next = Next::PAUSES;
    why.seconds = static_cast<uint16_t>(std::max(seconds, 0.0f));
  }
  return why;
}

Why Law::why_running_(const Charger &charger, const Share &share, const Share &lasting, bool rising,
                      uint32_t now) const {
  if (charger.view.holds && now - charger.switched >= READY_MS)
    return {charger.view.time_is_up ? Reason::YOUR_TIME_LIMIT : Reason::CHARGER_HOLDS};
  if (HAS_SURPLUS && charger.mode == Mode::SOLAR && this->surplus_ < this->least_power_(charger)) {
    const uint16_t seconds = this->account_.stops_in(this->surplus_);
    return seconds == Why::NOT_IN_SIGHT ? Why{Reason::FOLLOWS_SUN} : Why{Reason::STOPS_SOON, 0, 0, seconds};
  }
  if (rising && lasting.ampere > charger.order.ampere)
    return {Reason::RISING};
  const bool at_its_bound = charger.order.ampere > share.ampere - SPARE;
  const uint8_t bound_by = at_its_bound ? share.bound_by : lasting.bound_by;
  if (bound_by != NO_POOL)
    return this->why_limited_(bound_by, now);
  const float bound = std::min(charger.view.wish, charger.view.maximum);
  if (charger.order.ampere < bound)
    return {charger.draws ? Reason::CAR_TAKES_LESS : Reason::CAR_TAKES_NOTHING};
  if (charger.view.contested)
    return {Reason::SET_ELSEWHERE};
  return {charger.view.wish < charger.view.maximum ? Reason::YOUR_LIMIT : Reason::CHARGER_MAXIMUM};
}

bool Law::is_limiting() const {
  for (uint8_t i = 0; i < this->chargers(); i++) {
    const Why &why = this->chargers_[i].order.why;
    if (why.reason >= Reason::WATCHING && why.reason <= Reason::PAUSE_LASTS)
      return true;
  }
  return false;
}

}  // namespace esphome::esp32evse_load_manager
