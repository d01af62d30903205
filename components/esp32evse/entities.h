#pragma once

#include <cmath>
#include <cstring>

#include "esp32evse.h"
#include "esphome/core/defines.h"
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
/// the state is by then: a value is to be sent AT_ONCE, before it is a wish; an unknown LATER, when there is no state.
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
  EvseSwitch(Esp32Evse *hub, uint8_t row) : WishingEntity(row), hub_(hub) {}
  void show_again() override {
    // A client that has connected meanwhile was shown the wish: what the charger holds is news.
    if (this->state != this->shown_)
      this->publish_dedup_.next_unknown();
    this->state = this->shown_;
  }
  void publish(bool state) {
    const bool wished = this->state;
    const BatchDelay none(BatchDelay::AT_ONCE);
    this->publish_state(state);
    this->shown_ = state != this->inverted_;
    if (this->wishes && this->state == this->shown_)
      this->state = wished;
    this->set_known_(true);
  }
  void publish_unknown() { this->set_known_(false); }
#ifdef USE_MQTT
  /// It has turned unknown, or is known again.
  template<typename F> void add_on_known_callback(F &&callback) {
    this->known_callback_.add(std::forward<F>(callback));
  }
#endif

 protected:
  void write_state(bool state) override {
    if (!this->wishes) {
      this->shown_ = this->state;
      this->hub_->add_wishing(this);
    }
    this->state = state != this->inverted_;
    this->hub_->write(this->row_, state ? 1 : 0);
  }

  void set_known_(bool known) {
    if (known == this->has_state())
      return;
    this->set_has_state(known);
#ifdef USE_MQTT
    this->known_callback_.call();
#endif
  }

  bool shown_{false};
#ifdef USE_MQTT
  LazyCallbackManager<void()> known_callback_;
#endif

  Esp32Evse *hub_;
};
#endif

#ifdef USE_NUMBER
/// Value times multiplier is the integer on the wire.
class EvseNumber final : public number::Number, public WishingEntity {
 public:
  EvseNumber(Esp32Evse *hub, uint8_t row, float multiplier) : WishingEntity(row), hub_(hub), multiplier_(multiplier) {}
  float get_multiplier() const { return this->multiplier_; }
  void show_again() override { this->state = this->shown_; }
  void publish(float value) {
    const float wished = this->state;
    if (!this->has_state() || value != (this->wishes ? this->shown_ : this->state))
      this->show_(value);
    this->shown_ = value;
    if (this->wishes && this->state == value)
      this->state = wished;
  }
  void publish_unknown() {
    if (this->has_state())
      this->show_(NAN);
    this->set_has_state(false);
    this->shown_ = NAN;
  }

 protected:
  void control(float value) override {
    if (std::isnan(value))
      return;
    if (!this->wishes) {
      this->shown_ = this->state;
      this->hub_->add_wishing(this);
    }
    this->state = value;
    this->hub_->await_outcome(this->row_);
    this->hub_->write_scaled(this->row_, value, this->multiplier_);
    // A step back goes on from the nearest value that the charger takes.
    if (const Wish *wish = this->hub_->find_wish(this->row_); wish != nullptr && wish->saturated)
      this->state = static_cast<float>(wish->number) / this->multiplier_;
  }

  void show_(float value) {
    const BatchDelay none(BatchDelay::AT_ONCE);
    this->publish_state(value);
  }

  Esp32Evse *hub_;
  float multiplier_;
  float shown_{0};
};
#endif

#ifdef USE_SELECT
class EvseSelect : public select::Select, public WishingEntity {
 public:
  EvseSelect(Esp32Evse *hub, uint8_t row) : WishingEntity(row), hub_(hub) {}
  void show_again() override { this->active_index_ = this->shown_; }
  void publish(size_t index) {
    const size_t wished = this->active_index_;
    if (!this->has_state() || index != (this->wishes ? this->shown_ : this->active_index_))
      this->show_(index, BatchDelay::AT_ONCE);
    this->shown_ = index;
    if (this->wishes && this->active_index_ == index)
      this->active_index_ = wished;
  }
  void publish_unknown() {
    if (this->has_state())
      this->show_(this->wishes ? this->shown_ : this->active_index_, BatchDelay::LATER);
    this->set_has_state(false);
  }

 protected:
  void show_(size_t index, uint16_t batch_delay) {
    const BatchDelay delay(batch_delay);
    this->publish_state(index);
  }

  void wish_(size_t index) {
    if (!this->wishes) {
      this->shown_ = this->active_index_;
      this->hub_->add_wishing(this);
    }
    this->active_index_ = index;
    this->hub_->await_outcome(this->row_);
  }

  Esp32Evse *hub_;
  size_t shown_{0};
};

/// The option's index is the number on the wire.
class NumberSelect final : public EvseSelect {
 public:
  using EvseSelect::EvseSelect;

 protected:
  void control(size_t index) override {
    this->wish_(index);
    this->hub_->write(this->row_, index);
  }
};

/// The option is the string on the wire.
class StringSelect final : public EvseSelect {
 public:
  using EvseSelect::EvseSelect;

 protected:
  void control(size_t index) override {
    this->wish_(index);
    const char *option = this->option_at(index);
    this->hub_->write_string(this->row_, option, strlen(option));
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
