// The load manager's law, on arbitrary samples, currents, cars, wishes and times: it may never order what is forbidden.

#include <cstring>

#include "esp32evse_load_manager/law.h"
#include "esp32evse_load_manager/lease.h"
#include "script.h"

using namespace esphome::esp32evse_load_manager;
using namespace fuzz;

namespace {

constexpr uint32_t LONGEST_STEP_S = 200;

/// Any float, the strange ones among them.
float anything(Script &script) {
  const uint32_t bits = script.number();
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

/// Mostly what a house draws.
Milliampere current(Script &script) {
  const uint8_t byte = script.byte();
  return byte == 0xFF ? to_milliampere(anything(script)) : (byte - 40) * 0.5_A;
}

class Trial {
 public:
  explicit Trial(Script &script) : script_(script) {
    Settings settings;
    settings.dimming = script.flag() ? 4200 : 0;
    settings.unbalance = script.flag() ? 20_A : 0_A;
    this->law_.configure(settings);
    this->limit_ = 10_A + script.below(60) * 1_A;
    this->law_.add_circuit(
        {this->limit_, 0.5_A, script.flag() ? 6_A : 0_A, 15000, 1000, ALL_PHASES, CircuitConfig::NO_PARENT},
        this->now_);
    this->law_.add_circuit({16_A, 0_A, 0_A, 0, 0, ALL_PHASES, 0}, this->now_);
    this->count_ = 1 + script.below(MAX_CHARGERS);
    for (uint8_t i = 0; i < this->count_; i++) {
      const PhaseMask phases = script.flag() ? ALL_PHASES : PhaseMask{1};
      const Milliampere worst_case = i > 0 && script.flag() ? 6_A : -1_A;
      this->law_.add_charger({6_A, phases, script.below(2), 1, worst_case});
    }
    this->law_.quarter().set_limit(script.flag() ? 5000.0f : 0.0f);
  }

  void run() {
    while (!this->script_.empty())
      this->event();
  }

 protected:
  void event() {
    const uint8_t charger = this->script_.below(this->count_);
    switch (this->script_.below(7)) {
      case 0:
        this->sample();
        break;
      case 1: {
        Phases own;
        for (Milliampere &value : own.value)
          value = this->script_.byte() * 0.1_A;
        this->law_.on_own(charger, own, this->now_);
        break;
      }
      case 2:
        this->change_view(charger);
        break;
      case 3:
        this->law_.set_mode(charger, static_cast<Mode>(this->script_.below(5)));
        break;
      case 4:
        this->law_.set_dimmed(this->script_.flag());
        break;
      default:
        this->step();
    }
  }

  void sample() {
    Phases mains;
    for (Milliampere &value : mains.value)
      value = current(this->script_);
    this->law_.on_sample(0, mains, this->now_, this->script_.flag() ? ALL_PHASES : this->script_.below(8));
    this->sampled_ = true;
  }

  void change_view(uint8_t charger) {
    ChargerView &view = this->views_[charger];
    view.online = !this->script_.flag() || this->script_.flag();
    view.vehicle = this->script_.flag();
    view.enabled = !this->script_.flag() || this->script_.flag();
    view.wish = 6_A + this->script_.below(58) * 1_A;
    view.maximum = 6_A + this->script_.below(58) * 1_A;
    this->law_.set_view(charger, view);
  }

  void step() {
    Order before[MAX_CHARGERS];
    for (uint8_t i = 0; i < this->count_; i++)
      before[i] = this->law_.order(i);
    const uint32_t passed_ms = 1000 * (1 + this->script_.below(LONGEST_STEP_S));
    this->now_ += passed_ms;
    this->law_.step(this->now_, this->script_.flag() ? this->now_ / 1000 + 1800000000u : 0);
    for (uint8_t i = 0; i < this->count_; i++)
      this->check(this->law_.order(i), before[i], this->views_[i], this->law_.mode(i));
    this->sampled_ = false;
  }

  void check(const Order &order, const Order &before, const ChargerView &view, Mode mode) {
    char text[MAX_REASON];
    describe(order.why, "Main fuse", text, sizeof(text));
    require(order.why.reason != Reason::NONE && text[0] != '\0', "no reason");
    if (!order.valid || !view.online)
      return;
    require(order.current >= 6_A, "below the minimum");
    require(order.current <= std::max(6_A, std::min(view.wish, view.maximum)), "above wish or maximum");
    require(!order.run || (view.enabled && mode != Mode::OFF), "runs against a person's word");
    const bool rose = order.run && before.run && before.valid && order.current > before.current;
    require(!rose || this->sampled_, "rises without a sample");
    require(!rose || order.current <= before.current + Law::ABOVE_DRAW, "rises too fast");
  }

  Script &script_;
  Law law_;
  ChargerView views_[MAX_CHARGERS];
  Milliampere limit_{0};
  uint32_t now_{4294000000u};  // soon wraps around
  uint8_t count_{0};
  bool sampled_{false};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Script script(data, size);
  Trial(script).run();
  const Lease lease(120);
  Script again(data, size);
  const uint32_t current = again.number(), time = again.number() % 1000000, person = again.number();
  const uint32_t wanted = lease.wanted(current, time, person);
  require(wanted != 0 && wanted <= std::max(time + 120, person), "a lease that is none");
  return 0;
}
