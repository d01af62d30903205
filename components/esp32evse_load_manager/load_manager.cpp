#include "load_manager.h"

#include <algorithm>
#include <cmath>

#include "esphome/core/hal.h"
#include "esphome/core/log.h"

namespace esphome::esp32evse_load_manager {

static const char *const TAG = "esp32evse.load_manager";

// --- configuration ----------------------------------------------------------------------------------------------------

void LoadManager::set_circuit(uint8_t circuit, const char *name, const CircuitConfig &config) {
  this->names_[circuit] = name;
  this->memory_.limits[circuit] = to_ampere(config.limit);
  this->law_.add_circuit(config, millis());
}

void LoadManager::set_charger(uint8_t charger, esp32evse::Esp32Evse *hub, const Rows &rows, const ChargerConfig &config,
                              uint8_t l1, uint8_t l2, uint8_t l3, uint32_t lease_s, Mode mode) {
  const uint8_t phase_map[PHASES] = {l1, l2, l3};
  this->links_[charger].configure(hub, rows, phase_map, lease_s, mode);
  this->law_.add_charger(config);
}

#ifdef USE_ESP32EVSE_LOAD_MANAGER_FOLLOWERS
FollowerLink *LoadManager::add_follower(const ChargerConfig &config, uint32_t timeout_ms, Mode mode) {
  FollowerLink &follower = this->followers_[this->law_.chargers() - LOCAL];
  follower.configure(timeout_ms, mode);
  this->law_.add_charger(config);
  return &follower;
}
#endif

#ifdef USE_ESP32EVSE_LOAD_MANAGER_LEADER
void LoadManager::set_share(uint8_t circuit, sensor::Sensor *ampere) {
  ampere->add_on_raw_state_callback([this, circuit](float share) {
    this->law_.on_share(circuit, to_milliampere(share), millis());
    this->share_came_ = true;
  });
}
#endif

void LoadManager::setup() {
  for (uint8_t i = 0; i < LOCAL; i++)
    this->memory_.wishes[i] = this->links_[i].wish();
  this->restore_();
  const PhaseMask none[MAX_CIRCUITS]{};
  this->step_(none, millis());
}

void LoadManager::dump_config() {
  ESP_LOGCONFIG(TAG,
                "Load manager:\n"
                "  Circuits: %u, the first: %.1f A\n"
                "  Chargers: %u",
                MAX_CIRCUITS, to_ampere(this->law_.circuit(0).config().limit), LOCAL);
}

// --- memory -----------------------------------------------------------------------------------------------------------

void LoadManager::restore_() {
  this->preference_ = global_preferences->make_preference<Memory>(this->key_, true);
  Memory memory;
  if (this->preference_.load(&memory)) {
    for (uint8_t i = 0; i < MAX_CIRCUITS; i++) {
      const float most = this->memory_.limits[i];
      memory.limits[i] = CHANGES_LIMITS ? std::clamp(memory.limits[i], to_ampere(LEAST_CURRENT), most) : most;
    }
    this->memory_ = memory;
  }
  for (uint8_t i = 0; CHANGES_LIMITS && i < MAX_CIRCUITS; i++)
    this->law_.circuit(i).set_limit(to_milliampere(this->memory_.limits[i]));
  for (uint8_t i = 0; i < LOCAL; i++)
    this->links_[i].restore(this->memory_.wishes[i]);
}

void LoadManager::save_() {
  for (uint8_t i = 0; i < LOCAL; i++)
    this->memory_.wishes[i] = this->links_[i].wish();
  this->preference_.save(&this->memory_);
  global_preferences->sync();  // a person's word must outlive a loss of power
}

// --- requests ---------------------------------------------------------------------------------------------------------

void LoadManager::set_mode(uint8_t charger, Mode mode) { this->links_[charger].set_mode(mode); }

void LoadManager::set_current_limit(uint8_t circuit, float ampere) {
  if (!CHANGES_LIMITS) {
    ESP_LOGW(TAG, "Limit not taken: it would not be remembered; give the configuration a number `current_limit`");
    return;
  }
  const Milliampere most = this->law_.circuit(circuit).most();
  const Milliampere limit = to_milliampere(ampere);
  if (limit < LEAST_CURRENT || limit > most) {
    ESP_LOGW(TAG, "Limit %.1f A not taken: it must be 6 to %.0f A", ampere, to_ampere(most));
    return;
  }
  this->memory_.limits[circuit] = ampere;
  this->law_.circuit(circuit).set_limit(limit);
  this->save_();
}

void LoadManager::set_capacity_limit(float kilowatt) {
  if (!(kilowatt >= 1.0f && kilowatt <= 50.0f)) {
    ESP_LOGW(TAG, "Capacity limit %.1f kW not taken: it must be 1 to 50 kW", kilowatt);
    return;
  }
  this->memory_.capacity = kilowatt * 1000.0f;
  this->save_();
}

// --- loop -------------------------------------------------------------------------------------------------------------

void LoadManager::loop() {
  const uint32_t now = millis();
  PhaseMask updated[MAX_CIRCUITS], sampled = 0;
  for (uint8_t i = 0; i < MAX_CIRCUITS; i++)
    sampled |= updated[i] = this->meters_[i].take_updated();
  bool changed = false, astray = false;
  for (uint8_t i = 0; i < LOCAL; i++) {
    changed |= this->links_[i].take_changed();
    astray |= this->links_[i].take_astray();
  }
  if (changed)
    this->save_();
  if (sampled != 0 || changed || astray || this->share_came_ || now - this->stepped_ >= STEP_MS)
    this->step_(updated, now);
}

uint32_t LoadManager::epoch_() const {
#ifdef USE_ESP32EVSE_LOAD_MANAGER_CAPACITY
  static constexpr uint32_t YEAR_2019 = 1546300800;  // what is earlier ESPHome takes for no time
  const auto now = static_cast<uint32_t>(this->clock_->timestamp_now());
  return now >= YEAR_2019 ? now : 0;
#else
  return 0;
#endif
}

/// What the chargers are and do.
void LoadManager::look_(uint32_t now) {
  for (uint8_t i = 0; i < LOCAL; i++) {
    ChargerLink &link = this->links_[i];
    this->law_.set_mode(i, link.wish().mode);
    const ChargerView view = link.view();
    this->law_.set_view(i, view);
    if (link.is_own_known())
      this->law_.on_own(i, link.own(), now);
    if (!this->law_.order(i).valid && view.online)
      this->law_.adopt(i, link.is_running(), link.offered());
  }
#ifdef USE_ESP32EVSE_LOAD_MANAGER_FOLLOWERS
  for (uint8_t i = LOCAL; i < MAX_CHARGERS; i++) {
    FollowerLink &follower = this->followers_[i - LOCAL];
    const ChargerView view = follower.view(now);
    this->law_.set_mode(i, follower.mode());
    this->law_.set_view(i, view);
    if (!view.online || !follower.take_heard())
      continue;
    const Phases own = follower.own();
    this->law_.on_own(i, own, now);
    if (!this->law_.order(i).valid) {
      const Milliampere most = own.most();
      this->law_.adopt(i, most > Law::DRAWS, most);
    }
  }
#endif
}

void LoadManager::step_(const PhaseMask *updated, uint32_t now) {
  this->stepped_ = now;
  this->share_came_ = false;
  this->look_(now);
  for (uint8_t i = 0; i < MAX_CIRCUITS; i++) {  // after what the chargers have said until now: a sample shows no less
    if (updated[i] != 0)
      this->law_.on_sample(i, this->meters_[i].read(), now, updated[i]);
  }
#ifdef USE_ESP32EVSE_LOAD_MANAGER_DIMMING
  this->law_.set_dimmed(this->contact_->state);
#endif
#ifdef USE_ESP32EVSE_LOAD_MANAGER_CAPACITY
  const bool has_peak = this->month_peak_ != nullptr && this->month_peak_->has_state();
  const float peak = has_peak ? this->month_peak_->state * 1000.0f : 0.0f;
  this->law_.quarter().set_limit(peak > this->memory_.capacity ? peak : this->memory_.capacity);
#endif
  this->law_.step(now, this->epoch_());
  for (uint8_t i = 0; i < LOCAL; i++) {
    if (this->law_.order(i).valid)
      this->links_[i].apply(this->law_.order(i), now);
  }
  this->tell_reasons_(now);
  this->report_meters_();
  for (uint8_t i = 0; i < this->binding_count_; i++)
    this->bindings_[i].publish(this->bindings_[i], *this);
}

bool LoadManager::is_limiting(uint8_t /*unused*/) const {
  for (uint8_t i = 0; i < MAX_CHARGERS; i++) {
    if ((i < LOCAL ? this->told_[i].why : this->law_.order(i).why).is_limiting())
      return true;
  }
  return false;
}

const char *LoadManager::reason(uint8_t charger) {
  const Why &why = this->told_[charger].why;
  describe(why, this->names_[why.circuit], this->reason_, sizeof(this->reason_));
  return this->reason_;
}

/// What starts, pauses or is amiss at once; the play of loads not too often, for in a noisy house it is another one
/// every second, and a logbook keeps them all.
bool LoadManager::may_tell_(Told &told, const Order &order, uint32_t now) {
  if (order.run != told.run || std::min(order.why.reason, told.why.reason) < Reason::CIRCUIT_LIMIT)
    return true;
  if (now - told.spent > TELL_IN_A_ROW * TELL_MS)
    told.spent = now - TELL_IN_A_ROW * TELL_MS;
  if (now - told.spent < TELL_MS)
    return false;
  told.spent += TELL_MS;
  return true;
}

void LoadManager::tell_reasons_(uint32_t now) {
  for (uint8_t i = 0; i < LOCAL; i++) {
    const Order &order = this->law_.order(i);
    Told &told = this->told_[i];
    const bool same = order.why.is_same_but_for_time(told.why);
    if (same && order.why.rounded_seconds() == told.why.rounded_seconds())
      continue;
    if (!may_tell_(told, order, now))
      continue;
    told.why = order.why;
    told.run = order.run;
    if (same)
      continue;
    ESP_LOGI(TAG, "Charger %u: %s", i + 1, this->reason(i));
#ifdef USE_ESP32EVSE_LOAD_MANAGER_TRIGGERS
    this->reason_callback_.call(i, StringRef(this->reason(i)));
#endif
  }
}

void LoadManager::report_meters_() {
  uint8_t valid = 0;
  for (uint8_t i = 0; i < MAX_CIRCUITS; i++) {
    const uint8_t bit = 1 << i;
    if (this->law_.circuit(i).is_valid()) {
      valid |= bit;
    } else if ((this->valid_circuits_ & bit) != 0) {
      ESP_LOGW(TAG, "Meter of %s is silent", this->names_[i]);
    }
  }
  [[maybe_unused]] const uint8_t silent = this->valid_circuits_ & ~valid;
  [[maybe_unused]] const uint8_t heard = valid & ~this->valid_circuits_;
  this->valid_circuits_ = valid;
#ifdef USE_ESP32EVSE_LOAD_MANAGER_TRIGGERS
  if (silent != 0)
    this->silent_callback_.call();
  if (heard != 0)
    this->valid_callback_.call();
#endif
}

}  // namespace esphome::esp32evse_load_manager
