#pragma once

#include <cmath>
#include <cstring>

#include "esp32evse.h"
#include "esphome/core/defines.h"
#include "esphome/core/hal.h"
#ifdef USE_BINARY_SENSOR
#include "esphome/components/binary_sensor/binary_sensor.h"
#endif
#ifdef USE_BUTTON
#include "esphome/components/button/button.h"
#endif
#ifdef USE_NUMBER
#include "esphome/components/number/number.h"
#endif
#ifdef USE_SELECT
#include "esphome/components/select/select.h"
#endif
#ifdef USE_SWITCH
#include "esphome/components/switch/switch.h"
#endif
#ifdef USE_TEXT
#include "esphome/components/text/text.h"
#endif
#ifdef USE_TEXT_SENSOR
#include "esphome/components/text_sensor/text_sensor.h"
#endif

namespace esphome::esp32evse {

/// How long ESPHome's API waits, in this one's life, before it sends what is published (`batch_delay`). It sends what
/// the state is by then: a value is to be sent AT_ONCE, before it is a wish; an unknown text LATER, when there is no
/// state.
class BatchDelay {
 public:
  static constexpr uint16_t AT_ONCE = 0;
  static constexpr uint16_t LATER = 1;
#ifdef USE_API
  explicit BatchDelay(uint16_t ms);
  ~BatchDelay();
  static uint16_t get();

 protected:
  uint16_t before_;
#else
  explicit BatchDelay(uint16_t /*ms*/) {}
  static constexpr uint16_t get() { return 0; }
#endif
};

// Unknown, on every platform: the entity publishes (NaN, an empty text) and has no state any more. ESPHome knows no
// unknown switch, and no value for an unknown binary sensor or select: docs/automations.md tells what their users see,
// and mqtt_unknown.h tells them over MQTT.

#ifdef USE_BINARY_SENSOR
/// ESPHome's filters let nothing through that they have seen last, and cannot be made to forget. So when the charger is
/// back and says what it said before, what the filters have made of it is shown again.
class EvseBinarySensor final : public binary_sensor::BinarySensor {
 public:
  void publish(bool value);
  void publish_unknown();

 protected:
  /// Keeps what filters with a delay let out while the value is unknown.
  bool set_new_state(const optional<bool> &new_state) override;

  bool unknown_{false};
  bool input_{false};      // what the filters have seen last
  optional<bool> output_;  // what they have let out last
};
#endif

#ifdef USE_TEXT_SENSOR
/// Shows one of some names, by its number on the wire.
class NameTextSensor final : public text_sensor::TextSensor {
 public:
  NameTextSensor(const char *const *names, uint8_t count) : names_(names), count_(count) {}
  const char *name_of(uint64_t number) const { return number < this->count_ ? this->names_[number] : nullptr; }

 protected:
  const char *const *names_;
  uint8_t count_;
};

/// Joins all lines of an answer.
class ListTextSensor final : public text_sensor::TextSensor {
 public:
  void add(const Values &values);
  void finish(bool complete);

 protected:
  char text_[MAX_STATE_LEN + 1];
  uint8_t length_{0};
};
#endif

#ifdef USE_SWITCH
class EvseSwitch final : public switch_::Switch, public WishingEntity {
 public:
  using WishingEntity::WishingEntity;
#ifdef USE_MQTT
  /// It has turned unknown, or is known again.
  template<typename F> void add_on_known_callback(F &&callback) {
    this->known_callback_.add(std::forward<F>(callback));
  }
#endif

 protected:
  void tell() override {
    if (!this->is_shown_)
      return;
    this->publish_dedup_.next_unknown();  // what is held may be news to a client that was shown a wish
    this->publish_state(this->held_ != 0);
  }
  void set(bool known, uint32_t number) override {
    this->state = this->state_of_(number);
    if (known == this->has_state())
      return;
    this->set_has_state(known);
#ifdef USE_MQTT
    this->known_callback_.call();
#endif
  }
  void write_state(bool value) override { this->hub_->write(this->row_, value ? 1 : 0); }
  bool state_of_(uint32_t number) const { return (number != 0) != this->inverted_; }

#ifdef USE_MQTT
  LazyCallbackManager<void()> known_callback_;
#endif
};
#endif

#ifdef USE_NUMBER
/// Value times multiplier is the integer on the wire.
class EvseNumber final : public number::Number, public WishingEntity {
 public:
  EvseNumber(Esp32Evse *hub, uint8_t row, float multiplier) : WishingEntity(hub, row), multiplier_(multiplier) {}
  float get_multiplier() const { return this->multiplier_; }

 protected:
  void tell() override { this->publish_state(this->is_shown_ ? this->value_of_(this->held_) : NAN); }
  void set(bool known, uint32_t number) override {
    this->state = known ? this->value_of_(number) : NAN;
    this->set_has_state(known);
  }
  void control(float value) override {
    if (std::isnan(value))
      return;
    this->hub_->await_outcome(this->row_);
    this->hub_->write_scaled(this->row_, value, this->multiplier_);
    const Wish *wish = this->hub_->find_wish(this->row_);
    if (wish == nullptr)
      return;
    const bool is_rounded = std::fabs(value - this->value_of_(wish->number)) > 0.0001f;  // less is an error of floats
    if (is_rounded && wish->number == this->held_)
      this->show_rounded_();
  }
  /// Whoever has entered it sees that it was rounded to what is held already. A control loop, which does not round,
  /// must not make it flicker.
  void show_rounded_() {
    const uint32_t now = millis();
    if (now - this->rounded_at_ >= ROUNDS_AGAIN_MS)
      this->hub_->show_refusal(this->row_);
    this->rounded_at_ = now;
  }
  float value_of_(uint32_t number) const { return static_cast<float>(number) / this->multiplier_; }

  static constexpr uint32_t ROUNDS_AGAIN_MS = 30000;

  float multiplier_;
  uint32_t rounded_at_{0u - ROUNDS_AGAIN_MS};
};
#endif

#ifdef USE_SELECT
class EvseSelect : public select::Select, public WishingEntity {
 public:
  EvseSelect(Esp32Evse *hub, uint8_t row) : WishingEntity(hub, row) {
    // ESPHome sets that it has a state, and tells the API after its callbacks.
    this->add_on_state_callback([this](size_t /*index*/) { this->set_has_state(this->is_shown_); });
  }

 protected:
  virtual void write_(size_t index) = 0;
  void tell() override { this->publish_state(this->held_); }
  void set(bool known, uint32_t number) override {
    this->active_index_ = number;
    this->set_has_state(known);
  }
  void control(size_t index) override {
    this->hub_->await_outcome(this->row_);
    this->write_(index);
  }
};

/// The option's index is the number on the wire.
class NumberSelect final : public EvseSelect {
 public:
  using EvseSelect::EvseSelect;

 protected:
  void write_(size_t index) override { this->hub_->write(this->row_, index); }
};

/// The option is the string on the wire; its index takes the number's place.
class StringSelect final : public EvseSelect {
 public:
  using EvseSelect::EvseSelect;

 protected:
  void write_(size_t index) override {
    const char *option = this->option_at(index);
    this->hub_->write_string(this->row_, option, strlen(option));
    this->follow_wish(this->hub_->is_pending(this->row_), index);
  }
};
#endif

#ifdef USE_TEXT
class EvseText final : public text::Text {
 public:
  EvseText(Esp32Evse *hub, uint8_t row) : hub_(hub), row_(row) {}

 protected:
  void control(const std::string &value) override {
    this->hub_->await_outcome(this->row_);
    this->hub_->write_string(this->row_, value.data(), value.size());
  }

  Esp32Evse *hub_;
  uint8_t row_;
};
#endif

#ifdef USE_BUTTON
class RunButton final : public button::Button {
 public:
  RunButton(Esp32Evse *hub, uint8_t row) : hub_(hub), row_(row) {}

 protected:
  void press_action() override { this->hub_->run(this->row_); }

  Esp32Evse *hub_;
  uint8_t row_;
};

class WriteButton final : public button::Button {
 public:
  WriteButton(Esp32Evse *hub, uint8_t row, uint32_t value) : hub_(hub), value_(value), row_(row) {}

 protected:
  void press_action() override { this->hub_->write(this->row_, this->value_); }

  Esp32Evse *hub_;
  uint32_t value_;
  uint8_t row_;
};

class RefreshButton final : public button::Button {
 public:
  explicit RefreshButton(Esp32Evse *hub) : hub_(hub) {}

 protected:
  void press_action() override { this->hub_->refresh(); }

  Esp32Evse *hub_;
};
#endif

}  // namespace esphome::esp32evse
