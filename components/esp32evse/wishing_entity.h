#pragma once

#include <cstdint>

namespace esphome::esp32evse {

class Esp32Evse;

/// A switch, number or select: it shows what the charger holds, a number on the wire, and can be wished for.
///
/// While a wish is pending, ESPHome's own state is the wish: relative steps (number.increment, switch.toggle,
/// select.next) start from it, so they build on each other. Nobody is told the wish: what is published is what the
/// charger has shown.
class WishingEntity {
 public:
  WishingEntity(Esp32Evse *hub, uint8_t row) : hub_(hub), row_(row) {}
  void publish(uint32_t number);
  /// Where a wish was refused, only clients are to see it: steps go on from what the charger holds.
  void publish_unknown();
  /// ESPHome's state becomes the wish, or what the charger holds.
  virtual void settle();
  uint8_t row() const { return this->row_; }

  // the hub's list of those that wish
  WishingEntity *next{nullptr};
  bool wishes{false};

 protected:
  /// Publishes what is held, or that it is unknown.
  virtual void tell() = 0;
  /// Sets ESPHome's state, or that there is none, without telling anybody.
  virtual void set(bool known, uint32_t number) = 0;
  void show_(bool known, bool is_news);
  /// To be called when the hub has been asked; without effect if nothing is pending.
  void wish_for_(uint32_t number);

  Esp32Evse *hub_;
  uint32_t held_{0};  // by the charger
  uint32_t wish_{0};
  uint8_t row_;
  bool is_known_{false};  // what it holds
  bool is_shown_{false};  // to clients
};

}  // namespace esphome::esp32evse
