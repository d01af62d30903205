#include <algorithm>
#include <cmath>
#include <deque>

#include "controllers.h"
#include "esp32evse_load_manager/law.h"

namespace balance {

using namespace esphome::esp32evse_load_manager;

namespace {

/// The law of components/esp32evse_load_manager, driven as its shell drives it.
class LawController final : public Controller {
 public:
  explicit LawController(const Installation &installation) : installation_(installation) {
    Settings settings;
    this->law_.configure(settings);
    CircuitConfig circuit{};
    circuit.limit = to_current(installation.limit);
    circuit.margin = 0.5_A;
    circuit.timeout_ms = 15000 + static_cast<uint32_t>(installation.meter_delay * 1000);
    circuit.delay_ms = static_cast<uint32_t>(installation.meter_delay * 1000);
    circuit.phases = ALL_PHASES;
    circuit.parent = CircuitConfig::NO_PARENT;
    this->law_.add_circuit(circuit, 0);
    this->law_.quarter().set_limit(static_cast<float>(installation.capacity));
    for (int i = 0; i < installation.chargers; i++) {
      ChargerConfig charger{to_current(installation.min_current), static_cast<PhaseMask>(installation.phases[i]), 0, 1};
      if (this->late_(i) > 0)
        charger.worst_case = 0;
      this->law_.add_charger(charger);
      this->law_.set_mode(i, static_cast<Mode>(installation.mode));
    }
  }

  void on_own(int now, const std::vector<Currents> &own) override {
    remember(this->said_, own);
    for (size_t i = 0; i < own.size(); i++)
      this->law_.on_own(i, to_phases(ago(this->said_, this->late_(i))[i]), now * 1000u);
  }

  void on_sample(int now, const Currents &mains) override { this->law_.on_sample(0, to_phases(mains), now * 1000u); }

  void step(int now, const std::vector<bool> &connected, std::vector<Offer> &offers) override {
    for (size_t i = 0; i < offers.size(); i++) {
      ChargerView view;
      view.online = true;
      view.vehicle = connected[i];
      view.maximum = to_current(this->installation_.most);
      this->law_.set_view(i, view);
    }
    this->law_.step(now * 1000u, EPOCH + now);
    remember(this->told_, offers);
    for (size_t i = 0; i < offers.size(); i++) {
      const Order &order = this->law_.order(i);
      if (order.valid)
        this->told_.front()[i] = {order.run, order.current / 100 / 10.0};
    }
    for (size_t i = 0; i < offers.size(); i++)
      offers[i] = ago(this->told_, this->late_(i))[i];
  }

 protected:
  static constexpr size_t MOST_LATE = 16;           // s
  static constexpr uint32_t EPOCH = 1'800'000'000;  // a full quarter of an hour

  static Milliampere to_current(double ampere) { return to_milliampere(static_cast<float>(ampere)); }
  static Phases to_phases(const Currents &currents) {
    Phases phases;
    for (int phase = 0; phase < balance::PHASES; phase++)
      phases[phase] = to_current(currents[phase]);
    return phases;
  }

  size_t late_(size_t charger) const { return charger > 0 ? this->installation_.late : 0; }
  template<typename T> static void remember(std::deque<T> &list, const T &newest) {
    list.push_front(newest);
    if (list.size() > MOST_LATE)
      list.pop_back();
  }
  template<typename T> static const T &ago(const std::deque<T> &list, size_t seconds) {
    return list[std::min(seconds, list.size() - 1)];
  }

  Installation installation_;
  std::deque<std::vector<Currents>> said_;  // the newest first
  std::deque<std::vector<Offer>> told_;
  Law law_;
};

}  // namespace

std::unique_ptr<Controller> make_law(const Installation &installation) {
  return std::make_unique<LawController>(installation);
}

}  // namespace balance
