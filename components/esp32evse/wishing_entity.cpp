#include "wishing_entity.h"

#include "entities.h"
#include "esp32evse.h"

namespace esphome::esp32evse {

WishingEntity::WishingEntity(Esp32Evse *hub, uint8_t row) : next(hub->add_wishing(this)), hub_(hub), row_(row) {}

void WishingEntity::publish(uint32_t number) {
  const bool is_changed = number != this->held_;
  if (!this->shows_wish_())
    this->wish_ = number;
  this->held_ = number;
  const bool is_correction = this->misleads_ && !this->shows_wish_();
  this->is_known_ = true;
  this->show_(true, !this->is_shown_ || is_changed || is_correction);
}

void WishingEntity::publish_unknown() {
  this->is_known_ = this->is_known_ && this->hub_->is_refused(this->row_);
  this->show_(false, this->is_shown_);
}

void WishingEntity::show_(bool known, bool is_news) {
  this->is_shown_ = known;
  if (is_news) {
    this->misleads_ = false;
    const BatchDelay none(BatchDelay::AT_ONCE);
    this->tell();
  }
  this->settle_();
}

void WishingEntity::settle_() {
  this->misleads_ |= this->shows_wish_();
  this->set(this->is_known_, this->wish_);
}

void WishingEntity::follow_wish(bool pending, uint32_t number) {
  this->wish_ = pending ? number : this->held_;
  this->settle_();
}

}  // namespace esphome::esp32evse
