#include "lifetime_store.h"

namespace esphome::esp32evse {

void LifetimeStore::restore() {
  if (this->key_ == 0)
    return;
  this->preference_ = global_preferences->make_preference<LifetimeEnergy::Memory>(this->key_, true);
  LifetimeEnergy::Memory memory;
  if (!this->preference_.load(&memory))
    return;
  this->energy.restore(memory);
  this->shown_ = this->energy.shown();
}

bool LifetimeStore::looks(uint32_t interval_ms, uint32_t now) {
  const bool recently = this->saved_ && now - this->saved_at_ < interval_ms;
  if (this->looking_ || this->key_ == 0 || !this->dirty_ || recently)
    return false;
  this->looking_ = true;
  this->energy.begin_anew();
  return true;
}

bool LifetimeStore::save(uint32_t now) {
  this->looking_ = false;
  if (this->key_ == 0 || !this->dirty_)
    return false;
  this->preference_.save(&this->energy.memory());
  global_preferences->sync();
  this->dirty_ = false;
  this->saved_ = true;
  this->saved_at_ = now;
  this->shown_ = this->energy.shown();
  return true;
}

bool LifetimeStore::on_total(uint64_t watt_hours, uint32_t uptime) {
  const bool doubted = this->energy.is_doubted();
  this->dirty_ |= this->energy.on_total(watt_hours, uptime);
  return !doubted && this->energy.is_doubted();
}

}  // namespace esphome::esp32evse
