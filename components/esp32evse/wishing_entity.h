#pragma once

#include <cstdint>

namespace esphome::esp32evse {

class Esp32Evse;

/// A switch, number or select: it shows what the charger holds, a number on the wire, and can be wished for.
///
/// While a wish is pending, ESPHome's own state is the wish: relative steps (number.increment, switch.toggle,
/// select.next) start from it, so they build on each other. Nobody is told the wish, but a client that connects in that
/// moment is shown it: where it does not come true, what the charger holds is published again.
class WishingEntity {
 public:
  WishingEntity(Esp32Evse *hub, uint8_t row);
  void publish(uint32_t number);
  /// Where a wish was refused, only clients are to see it: steps go on from what the charger holds.
  void publish_unknown();
  /// Somebody has asked for this number, or nothing is pending any more.
  void follow_wish(bool pending, uint32_t number);
  uint8_t row() const { return this->row_; }
  WishingEntity *next;  ///< of the hub's

 protected:
  /// Publishes what is held, or that it is unknown.
  virtual void tell() = 0;
  /// Sets ESPHome's state, or that there is none, without telling anybody.
  virtual void set(bool known, uint32_t number) = 0;
  /// ESPHome's state becomes the wish, or what the charger holds.
  void settle_();
  void show_(bool known, bool is_news);
  bool shows_wish_() const { return this->wish_ != this->held_; }

  Esp32Evse *hub_;
  uint32_t held_{0};  // by the charger
  uint32_t wish_{0};  // what is held, without a wish
  uint8_t row_;
  bool is_known_{false};  // what it holds
  bool is_shown_{false};  // to clients
  bool misleads_{false};  // somebody may have been shown a wish that has not come true
};

}  // namespace esphome::esp32evse
