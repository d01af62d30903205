#include "load_manager.h"

#include <algorithm>
#include <cmath>

#include "esphome/core/hal.h"
#include "esphome/core/log.h"

namespace esphome::esp32evse_load_manager {

static const char *const TAG = "esp32evse.load_manager";

// --- configuration ----------------------------------------------------------------------------------------------------

void LoadManager::add_circuit(const char *name, const CircuitConfig &config) {
  this->names_[this->circuit_count_] = name;
  this->memory_.limits[this->circuit_count_++] = config.limit;
  this->law_.add_circuit(config, millis());
}

void LoadManager::add_charger(esp32evse::Esp32Evse *hub, const Rows &rows, const ChargerConfig &config, uint8_t l1,
                              uint8_t l2, uint8_t l3, uint32_t lease_s, Mode mode) {
  const uint8_t phase_map[PHASES] = {l1, l2, l3};
  this->links_[this->charger_count_++].configure(hub, rows, phase_map, lease_s, mode);
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
    this->law_.on_share(circuit, share, millis());
    this->share_came_ = true;
  });
}
#endif

void LoadManager::setup() {
  for (uint8_t i = 0; i < this->charger_count_; i++)
    this->memory_.wishes[i] = this->links_[i].wish();
  this->restore_();
  this->step_(millis());
}

void LoadManager::dump_config() {
  ESP_LOGCONFIG(TAG,
                "Load manager:\n"
                "  Circuits: %u, the first: %.1f A\n"
                "  Chargers: %u",
                this->circuit_count_, this->law_.circuit(0).config().limit, this->charger_count_);
}

// --- memory -----------------------------------------------------------------------------------------------------------

void LoadManager::restore_() {
  this->preference_ = global_preferences->make_preference<Memory>(this->key_, true);
  Memory memory;
  if (this->preference_.load(&memory)) {
    for (uint8_t i = 0; i < this->circuit_count_; i++)
      memory.limits[i] = std::clamp(memory.limits[i], LEAST_CURRENT, this->memory_.limits[i]);
    this->memory_ = memory;
  }
  for (uint8_t i = 0; i < this->circuit_count_; i++)
    this->law_.circuit(i).set_limit(this->memory_.limits[i]);
  for (uint8_t i = 0; i < this->charger_count_; i++)
    this->links_[i].restore(this->memory_.wishes[i]);
}

void LoadManager::save_() {
  for (uint8_t i = 0; i < this->charger_count_; i++)
    this->memory_.wishes[i] = this->links_[i].wish();
  this->preference_.save(&this->memory_);
  global_preferences->sync();  // a person's word must outlive a loss of power
}

// --- requests ---------------------------------------------------------------------------------------------------------

void LoadManager::set_mode(uint8_t charger, Mode mode) { this->links_[charger].set_mode(mode); }

void LoadManager::set_current_limit(uint8_t circuit, float ampere) {
  const float most = this->law_.circuit(circuit).most();
  if (!(ampere >= LEAST_CURRENT && ampere <= most)) {
    ESP_LOGW(TAG, "Limit %.1f A not taken: it must be %.0f to %.0f A", ampere, LEAST_CURRENT, most);
    return;
  }
  this->memory_.limits[circuit] = ampere;
  this->law_.circuit(circuit).set_limit(ampere);
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
  const bool sampled = this->take_samples_(now);
  bool changed = false;
  for (uint8_t i = 0; i < this->charger_count_; i++)
    changed |= this->links_[i].take_changed();
  if (changed)
    this->save_();
  if (sampled || changed || this->share_came_ || now - this->stepped_ >= STEP_MS)
    this->step_(now);
}

/// A meter's sensors are published one after the other: together they are one sample.
bool LoadManager::take_samples_(uint32_t now) {
  bool sampled = false;
  for (uint8_t i = 0; i < this->circuit_count_; i++) {
    const PhaseMask updated = this->meters_[i].take_updated();
    if (updated == 0)
      continue;
    this->law_.on_sample(i, this->meters_[i].read(), now, updated);
    sampled = true;
  }
  return sampled;
}

uint32_t LoadManager::epoch_() const {
#ifdef USE_ESP32EVSE_LOAD_MANAGER_CAPACITY
  const ESPTime time = this->clock_->utcnow();
  return time.is_valid() ? static_cast<uint32_t>(time.timestamp) : 0;
#else
  return 0;
#endif
}

/// What the chargers are and do.
void LoadManager::look_(uint32_t now) {
  for (uint8_t i = 0; i < this->charger_count_; i++) {
    ChargerLink &link = this->links_[i];
    this->law_.set_mode(i, link.wish().mode);
    this->law_.set_view(i, link.view());
    if (link.is_own_known())
      this->law_.on_own(i, link.own(), now);
    if (!this->law_.order(i).valid && link.view().online)
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
      const float most = std::max({own[0], own[1], own[2]});
      this->law_.adopt(i, most > Law::DRAWS, most);
    }
  }
#endif
}

void LoadManager::step_(uint32_t now) {
  this->stepped_ = now;
  this->share_came_ = false;
  this->look_(now);
#ifdef USE_ESP32EVSE_LOAD_MANAGER_DIMMING
  this->law_.set_dimmed(this->contact_->state);
#endif
#ifdef USE_ESP32EVSE_LOAD_MANAGER_CAPACITY
  const bool has_peak = this->month_peak_ != nullptr && this->month_peak_->has_state();
  const float peak = has_peak ? this->month_peak_->state * 1000.0f : 0.0f;
  this->law_.quarter().set_limit(peak > this->memory_.capacity ? peak : this->memory_.capacity);
#endif
  this->law_.step(now, this->epoch_());
  for (uint8_t i = 0; i < this->charger_count_; i++) {
    if (this->law_.order(i).valid)
      this->links_[i].apply(this->law_.order(i), now);
  }
  this->report_reasons_();
  this->report_meters_();
  for (uint8_t i = 0; i < this->binding_count_; i++)
    this->bindings_[i].publish(this->bindings_[i], *this);
}

const char *LoadManager::reason(uint8_t charger) {
  const Why &why = this->law_.order(charger).why;
  describe(why, this->names_[why.circuit], this->reason_, sizeof(this->reason_));
  return this->reason_;
}

void LoadManager::report_reasons_() {
  for (uint8_t i = 0; i < this->charger_count_; i++) {
    Why why = this->law_.order(i).why;
    why.seconds = 0;  // as they pass nothing else has happened
    if (why == this->reported_[i])
      continue;
    this->reported_[i] = why;
    ESP_LOGI(TAG, "Charger %u: %s", i + 1, this->reason(i));
#ifdef USE_ESP32EVSE_LOAD_MANAGER_TRIGGERS
    this->reason_callback_.call(i, StringRef(this->reason(i)));
#endif
  }
}

void LoadManager::report_meters_() {
  uint8_t valid = 0;
  for (uint8_t i = 0; i < this->circuit_count_; i++)
    valid |= this->law_.circuit(i).is_valid() ? 1 << i : 0;
  const uint8_t silent = this->valid_circuits_ & ~valid;
  [[maybe_unused]] const uint8_t heard = valid & ~this->valid_circuits_;
  this->valid_circuits_ = valid;
  if (silent != 0)
    ESP_LOGW(TAG, "A meter is silent");
#ifdef USE_ESP32EVSE_LOAD_MANAGER_TRIGGERS
  if (silent != 0)
    this->silent_callback_.call();
  if (heard != 0)
    this->valid_callback_.call();
#endif
}

}  // namespace esphome::esp32evse_load_manager
