#include <algorithm>
#include <cmath>

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
      this->law_.add_charger(
          {to_current(installation.min_current), static_cast<PhaseMask>(installation.phases[i]), 0, 1});
      this->law_.set_mode(i, static_cast<Mode>(installation.mode));
    }
  }

  void on_sample(int now, const Currents &mains) override { this->law_.on_sample(0, to_phases(mains), now * 1000u); }

  void step(int now, const std::vector<Currents> &own, const std::vector<bool> &connected,
            std::vector<Offer> &offers) override {
    for (size_t i = 0; i < own.size(); i++) {
      ChargerView view;
      view.online = true;
      view.vehicle = connected[i];
      view.maximum = to_current(this->installation_.most);
      this->law_.set_view(i, view);
      this->law_.on_own(i, to_phases(own[i]), now * 1000u);
    }
    this->law_.step(now * 1000u, EPOCH + now);
    for (size_t i = 0; i < own.size(); i++) {
      const Order &order = this->law_.order(i);
      if (order.valid)
        offers[i] = {order.run, order.current / 100 / 10.0};
    }
  }

 protected:
  static constexpr uint32_t EPOCH = 1'800'000'000;  // a full quarter of an hour

  static Milliampere to_current(double ampere) { return to_milliampere(static_cast<float>(ampere)); }
  static Phases to_phases(const Currents &currents) {
    Phases phases;
    for (int phase = 0; phase < balance::PHASES; phase++)
      phases[phase] = to_current(currents[phase]);
    return phases;
  }

  Installation installation_;
  Law law_;
};

}  // namespace

std::unique_ptr<Controller> make_law(const Installation &installation) {
  return std::make_unique<LawController>(installation);
}

}  // namespace balance
