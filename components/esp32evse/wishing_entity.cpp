#include "wishing_entity.h"

#include "entities.h"
#include "esp32evse.h"

namespace esphome::esp32evse {

void WishingEntity::publish(uint32_t number) {
  const bool is_news = !this->is_shown_ || number != this->held_;
  this->held_ = number;
  this->is_known_ = true;
  this->show_(true, is_news);
}

void WishingEntity::publish_unknown() {
  this->is_known_ = this->is_known_ && this->hub_->is_refused(this->row_);
  this->show_(false, this->is_shown_);
}

void WishingEntity::show_(bool known, bool is_news) {
  this->is_shown_ = known;
  if (is_news) {
    const BatchDelay none(BatchDelay::AT_ONCE);
    this->tell();
  }
  this->settle();
}

void WishingEntity::settle() { this->set(this->is_known_, this->wishes ? this->wish_ : this->held_); }

void WishingEntity::wish_for_(uint32_t number) {
  if (!this->hub_->is_pending(this->row_))
    return;
  this->hub_->add_wishing(this);
  this->wish_ = number;
  this->settle();
}

}  // namespace esphome::esp32evse
