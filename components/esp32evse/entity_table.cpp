#include "entity_table.h"

#include "entities.h"

namespace esphome::esp32evse {

void EntityTable::publish_row(Esp32Evse &hub, const CommandRow &row, const Values *values, bool unpaced) {
  this->unpaced_ = HAS_CHOSEN_PERIODS && unpaced;
  const Binding *binding = &this->bindings_[row.first_binding];
  for (uint8_t count = row.bindings; count > 0; count--, binding++)
    binding->publish(*binding, hub, values);
  this->unpaced_ = false;
}

void EntityTable::publish_from_(Esp32Evse &hub, uint8_t first) {
  for (uint8_t i = first; i < this->count_; i++)
    this->bindings_[i].publish(this->bindings_[i], hub, nullptr);
}

void EntityTable::finish_list([[maybe_unused]] const CommandRow &row, [[maybe_unused]] bool complete) {
#ifdef USE_TEXT_SENSOR
  if (row.has(LINES) && row.bindings > 0)
    static_cast<ListTextSensor *>(this->bindings_[row.first_binding].entity)->finish(complete);
#endif
}

void EntityTable::publish_held(uint32_t now) {
  for (uint8_t i = 0; i < this->count_; i++) {
    if (Pacer *pacer = this->find_pacer(this->bindings_[i]))
      esp32evse::publish_held(this->bindings_[i], *pacer, now);
  }
}

void EntityTable::hurry() {
  for (uint8_t i = 0; i < this->count_; i++) {
    if (Pacer *pacer = this->find_pacer(this->bindings_[i]))
      pacer->hurry();
  }
}

}  // namespace esphome::esp32evse
