#include "law.h"

#include <algorithm>
#include <utility>

namespace esphome::esp32evse_load_manager {

// --- configuration ----------------------------------------------------------------------------------------------------

void Law::add_circuit(const CircuitConfig &config, uint32_t now) {
  this->circuits_[this->circuit_count_++].configure(config, now);
}

void Law::add_charger(const ChargerConfig &config) {
  Charger &charger = this->chargers_[this->charger_count_++];
  charger.config = config;
  uint8_t circuit = config.circuit;
  charger.path = 1 << circuit;
  while (MAX_CIRCUITS > 1 && (circuit = this->circuit(circuit).config().parent) != CircuitConfig::NO_PARENT)
    charger.path |= 1 << circuit;
}

void Law::adopt(uint8_t charger, bool running, Milliampere current) {
  this->chargers_[charger].order.run = running;
  this->chargers_[charger].order.current = std::max(current, this->chargers_[charger].minimum());
}

// --- what there is ----------------------------------------------------------------------------------------------------

/// No car draws more than it was offered: what is shown beyond that a charger's meter counts too much, or the house has
/// to bear it.
void Law::on_own(uint8_t index, const Phases &drawn, uint32_t now) {
  Charger &charger = this->chargers_[index];
  Phases believed;
  for (uint8_t phase = 0; phase < PHASES; phase++)
    believed[phase] = std::min(drawn[phase], charger.most_offered());
  charger.own.add(believed, now);
  charger.drawn = drawn.most();
  if (HAS_FOLLOWERS)
    charger.told = now;
}

void Law::on_sample(uint8_t circuit, const Phases &mains, uint32_t now, PhaseMask updated) {
  const uint32_t delay = this->circuit(circuit).config().delay_ms;
  Phases low, high;
  bool unheard = false, doubtful = false;
  for (uint8_t i = 0; i < this->chargers(); i++) {
    Charger &charger = this->chargers_[i];
    if (!charger.is_below(circuit))
      continue;
    if (!charger.own.is_known() && this->circuit(circuit).may_wait(now))
      return;  // what is the house's will be seen soon
    charger.own.advance(now);
    const bool remote = charger.config.is_remote(), unsure = this->is_unsure_(charger, now);
    const bool lost = this->is_lost_(charger, now);
    unheard |= remote && unsure;
    doubtful |= charger.drawn > charger.most_offered() + MeterSense::DRAWS / 2;
    const uint32_t youngest = remote ? 0 : delay / 2;  // what comes from afar is late itself
    // The meter sees it follow before it says so.
    const PhaseMask rising = remote && now - charger.raised < OBEYS_MS ? this->phases_of_(charger) : 0;
    for (uint8_t phase = 0; phase < PHASES; phase++) {
      const OwnCurrent::Range range = charger.own.range(phase, youngest, delay + delay / 2 + 1000);
      const Milliampere follows = has_phase(rising, phase) ? charger.order.current : 0;
      low[phase] += unsure ? 0 : range.low;
      high[phase] += lost ? charger.config.worst_case : std::max(range.high, follows);
    }
  }
  if (!this->circuit(circuit).on_sample(mains, low, high, now, updated, unheard, doubtful))
    return;
  for (uint8_t i = 0; i < this->chargers(); i++)
    this->chargers_[i].fresh |= 1 << circuit;
}

void Law::on_share(uint8_t circuit, Milliampere current, uint32_t now) {
  this->circuit(circuit).on_share(current, now);
  for (uint8_t i = 0; i < this->chargers(); i++)
    this->chargers_[i].fresh |= 1 << circuit;
}

void Law::update_circuits_(uint32_t now) {
  for (uint8_t i = 0; i < this->circuits(); i++) {
    this->circuit(i).update(now);
    if (this->circuit(i).has_meter())
      continue;
    for (uint8_t j = 0; j < this->chargers(); j++)
      this->chargers_[j].fresh |= 1 << i;
  }
}

int32_t Law::least_power_(const Charger &charger) const {
  return to_watt(charger.minimum() * count_phases(this->phases_of_(charger)));
}

/// The sun is what the house leaves over, and what the chargers that do not follow the sun leave of it.
void Law::update_surplus_(float seconds) {
  this->surplus_ =
      static_cast<int32_t>(this->settings_.surplus.grid_allowance) - to_watt(this->circuits_[0].house_sum());
  int32_t least = 0, next = 0, phases = 1;
  for (uint8_t i = 0; i < this->chargers(); i++) {
    const Charger &charger = this->chargers_[i];
    if (!charger.follows_sun()) {
      this->surplus_ -= to_watt(charger.own.latest().sum());
    } else if (charger.mode == Mode::SOLAR && charger.view.vehicle) {
      if (charger.order.run) {
        least += this->least_power_(charger);
      } else if (next == 0) {
        next = this->least_power_(charger);
        phases = count_phases(this->phases_of_(charger));
      }
    }
  }
  this->to_spare_ = (this->surplus_ - least - next) / phases;
  if (!this->circuits_[0].is_valid())
    return;
  this->account_->save(next > 0 ? this->to_spare_ : -1e6f, seconds);
  this->account_->borrow(this->surplus_, least, seconds);
}

void Law::update_quarter_(uint32_t epoch_s, float seconds) {
  this->quarter_->update(epoch_s, to_watt(this->circuits_[0].mains_sum()), to_watt(this->circuits_[0].house_sum()),
                         seconds);
}

void Law::fill_rooms_(Milliampere *rooms, bool lasting) const {
  std::fill(rooms, rooms + POOLS, 0);
  for (uint8_t i = 0; i < this->circuits(); i++) {
    for (uint8_t phase = 0; phase < PHASES; phase++) {
      const Circuit &circuit = this->circuit(i);
      rooms[i * PHASES + phase] = lasting ? circuit.lasting_room(phase) : circuit.room(phase);
    }
  }
  const Milliampere promised = lasting ? SPARE : 0_A;  // what does not come and go need not have it to spare
  if constexpr (HAS_UNBALANCE)
    std::fill_n(rooms + UNBALANCE_POOLS, PHASES, this->settings_.unbalance + promised);
  if constexpr (HAS_DIMMING)
    rooms[DIMMING_POOL] = current_of(this->settings_.dimming) + PHASES * promised;
  if constexpr (HAS_CAPACITY)
    rooms[CAPACITY_POOL] = current_of(static_cast<int32_t>(this->quarter_->available()));
  if constexpr (HAS_SURPLUS)
    rooms[SURPLUS_POOL] = current_of(this->surplus_);
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
  Milliampere rooms[POOLS];
  for (uint8_t i = 0; i < this->chargers(); i++) {
    demands[i] = this->demand_(this->chargers_[i], now);
    demands[i].wants &= this->chargers_[i].order.run || !this->chargers_[i].view.online;
  }
  this->fill_rooms_(rooms, false);
  share(demands, shares, this->chargers(), rooms);

  this->fill_rooms_(rooms, true);
  for (uint8_t i = 0; i < this->chargers(); i++) {
    Charger &charger = this->chargers_[i];
    charger.available = shares[i].current;
    if (!charger.view.online)
      continue;
    if (charger.order.run && (!HAS_SEVERAL || this->takes_part_(charger))) {
      // Nothing is lent to who had its turn: one that waits may take its place.
      if (HAS_SEVERAL && now - charger.switched >= TURN_MS)
        demands[i].lenders &= ~(pool_bit(CIRCUIT_POOLS) - 1);
      continue;
    }
    if constexpr (HAS_SEVERAL)
      take(demands[i], charger.drawn, rooms);  // a car takes its time to stop: until then nobody else rises
    demands[i].wants = this->takes_part_(charger) && this->obstacle_(charger, now).reason == Reason::NONE;
    demands[i].minimum += SPARE;
    demands[i].most = std::max(demands[i].most, demands[i].minimum);
  }
  share(demands, lasting, this->chargers(), rooms);
  this->turn_wanted_ = false;
  for (uint8_t i = 0; HAS_SEVERAL && i < this->chargers(); i++)
    this->turn_wanted_ |= !this->chargers_[i].order.run && lasting[i].current > 0;

  for (uint8_t i = 0; i < this->chargers(); i++) {
    Charger &charger = this->chargers_[i];
    this->decide_(charger, shares[i], lasting[i], now);
    this->remember_offer_(charger, now);
    if (charger.disobeys() && (charger.disobeyed || now - charger.switched >= OBEYS_MS))
      charger.order.why = {charger.why_disobeyed()};
  }
}

/// What its car draws may follow an offer of OBEYS_MS ago.
void Law::remember_offer_(Charger &charger, uint32_t now) {
  const Milliampere offer = charger.order.run ? charger.order.current : 0;
  if (now - charger.offered >= OBEYS_MS) {
    charger.offered = now;
    charger.offer_before = std::exchange(charger.offer, offer);
  }
  charger.offer = std::max(charger.offer, offer);
}

void Law::decide_(Charger &charger, const Share &share, const Share &lasting, uint32_t now) {
  Order &order = charger.order;
  const bool takes_part = this->takes_part_(charger);
  if (!charger.view.online || !order.run || !takes_part)
    charger.fresh = 0;  // samples from before do not count
  if (!charger.view.online) {
    order.why = {Reason::CHARGER_SILENT};
    charger.silent = now;
    if (this->is_lost_(charger, now))  // what it takes by itself, should it hear this
      order = {true, charger.config.worst_case > 0, charger.config.worst_case, order.why};
    return;
  }
  order.valid = true;
  const uint8_t starting = this->starting_(charger);
  if (takes_part && starting != NO_CIRCUIT) {  // goes on as it was found, but never higher
    order.why = {this->circuit(starting).is_led() ? Reason::WAITING_FOR_LEADER : Reason::STARTING, starting};
    order.current = std::max(charger.draws ? std::min(order.current, this->bound_of_(charger)) : 0, charger.minimum());
    return;
  }
  if (takes_part) {
    order.run ? this->run_(charger, share, lasting, now) : this->wait_(charger, lasting, now);
    return;
  }
  order.why = {charger.mode == Mode::OFF ? Reason::OFF
               : !charger.view.enabled   ? (charger.view.elsewhere ? Reason::PAUSED_ELSEWHERE : Reason::PAUSED_BY_YOU)
               : charger.view.holds      ? Reason::CHARGER_HOLDS
                                         : Reason::NO_VEHICLE};
  // Ready for a car, unless it would have to wait for the sun; its current is found when it has come.
  if (order.run || !charger.view.vehicle)
    charger.switched = now;
  order.run = charger.mode != Mode::OFF && charger.view.enabled && charger.mode != Mode::SOLAR &&
              this->narrow_(charger, now).reason == Reason::NONE;
  order.current = charger.minimum();
}

uint8_t Law::starting_(const Charger &charger) const {
  for (uint8_t i = 0; i < this->circuits(); i++) {
    if (charger.is_below(i) && this->circuit(i).is_starting())
      return i;
  }
  return NO_CIRCUIT;
}

void Law::run_(Charger &charger, const Share &share, const Share &lasting, uint32_t now) {
  Order &order = charger.order;
  if (share.current <= 0) {
    this->pause_(charger, this->why_nothing_(charger, share, now), now);
    return;
  }
  if (HAS_SEVERAL && this->turn_wanted_ && lasting.crowded_out && now - charger.switched >= TURN_MS) {
    this->pause_(charger, this->why_crowded_out_(charger, now), now);
    return;
  }
  const Milliampere rise = std::min(lasting.current - order.current, this->rise_(charger, now));
  const Milliampere old = order.current;
  order.current = std::min(order.current + std::max(rise, 0_A), share.current);
  const bool rising = order.current > old;
  if (rising)
    charger.raised = now;
  order.why = this->why_running_(charger, share, lasting, rising, now);
  if (order.why.next == Next::NOTHING && this->is_elsewhere_(charger))
    order.why.next = Next::ELSEWHERE;
}

/// What the offer may rise by: only on new samples of all the circuits above, and slowly.
Milliampere Law::rise_(Charger &charger, uint32_t now) const {
  if ((charger.fresh & charger.path) != charger.path)
    return 0;
  const uint32_t passed = now - charger.rose;
  charger.fresh = 0;
  charger.rose = now;
  return passed > LONGEST_STEP_MS ? 0 : std::min(static_cast<Milliampere>(passed * RISE_A_PER_S), ABOVE_DRAW);
}

void Law::wait_(Charger &charger, const Share &lasting, uint32_t now) {
  charger.available = lasting.current;
  charger.order.current = charger.minimum();
  const Why obstacle = this->obstacle_(charger, now);
  if (obstacle.reason != Reason::NONE) {
    charger.order.why = obstacle;
  } else if (lasting.current > 0) {
    this->start_(charger, now);
  } else {
    charger.order.why = this->why_nothing_(charger, lasting, now);
  }
}

void Law::start_(Charger &charger, uint32_t now) {
  charger.order.run = true;
  charger.order.why = {Reason::RISING};
  charger.starts = now - charger.switched < NIGHT_MS ? std::min(charger.starts + 1, int{UINT8_MAX}) : 1;
  charger.switched = charger.rose = charger.raised = now;
  charger.fresh = 0;
  if (HAS_SURPLUS && charger.mode == Mode::SOLAR)
    this->account_->reset();
}

void Law::pause_(Charger &charger, const Why &why, uint32_t now) {
  if (HAS_CAPACITY && why.reason == Reason::CAPACITY)
    charger.paused_in = this->quarter_->quarter();
  if (HAS_SURPLUS && charger.mode == Mode::SOLAR)
    this->account_->reset();
  charger.starts = std::max<uint8_t>(charger.starts, 1);
  charger.disobeyed = charger.disobeys();
  charger.order.run = false;
  charger.order.current = charger.minimum();
  charger.order.why = why;
  charger.switched = now;
}

}  // namespace esphome::esp32evse_load_manager
