#include <algorithm>
#include <cmath>

#include "controllers.h"

// What others do, restated in a few lines each: the idea of the law, not somebody's code.

namespace balance {

namespace {

constexpr double LEAST = 6;

/// The offer that the plain laws share: one charger, whole or no current.
class PlainLaw : public Controller {
 public:
  explicit PlainLaw(const Installation &installation) : installation_(installation) {}

  void on_own(int, const std::vector<Currents> &own) override {
    this->own_ = *std::max_element(own[0].begin(), own[0].end());
  }
  void on_sample(int, const Currents &mains) override { this->mains_ = mains; }
  void step(int now, const std::vector<bool> &connected, std::vector<Offer> &offers) override {
    if (connected[0]) {
      this->control(now);
    } else {
      this->offer_ = {};
    }
    offers[0] = this->offer_;
  }

 protected:
  virtual void control(int now) = 0;
  double room() const {
    return this->installation_.limit - *std::max_element(this->mains_.begin(), this->mains_.end());
  }
  double bounded(double ampere) const { return std::clamp(ampere, LEAST, this->installation_.most); }

  Installation installation_;
  Currents mains_{};
  double own_{0};
  Offer offer_;
};

class Nothing final : public Controller {
 public:
  explicit Nothing(const Installation &installation) : most_(installation.most) {}

  void on_own(int, const std::vector<Currents> &) override {}
  void on_sample(int, const Currents &) override {}
  void step(int, const std::vector<bool> &connected, std::vector<Offer> &offers) override {
    for (size_t i = 0; i < offers.size(); i++)
      offers[i] = connected[i] ? Offer{true, this->most_} : Offer{};
  }

 protected:
  double most_;
};

/// Every 2 s a quarter of the gap up or all of it down; three shortages stop for 60 s.
class Integrator final : public PlainLaw {
 public:
  using PlainLaw::PlainLaw;

 protected:
  void control(int now) override {
    if (now % 2 != 0)
      return;
    if (!this->offer_.run) {
      if (now < this->off_until_ || this->room() < LEAST)
        return;
      this->offer_ = {true, LEAST};
      this->shortages_ = 0;
      return;
    }
    const double room = this->room();
    const double wanted = this->offer_.ampere + (room < 0 ? room : room / 4);
    this->offer_.ampere = this->bounded(wanted);
    this->shortages_ = wanted < LEAST ? this->shortages_ + 1 : 0;
    if (this->shortages_ < 3)
      return;
    this->offer_.run = false;
    this->off_until_ = now + 60;
  }

  int off_until_{0}, shortages_{0};
};

/// Every 30 s what the car draws plus the room; with sun, on after 1 min and off after 3 min.
class Subtraction final : public PlainLaw {
 public:
  using PlainLaw::PlainLaw;

 protected:
  static constexpr int SOLAR = 2;

  void control(int now) override {
    if (now % 30 != 0)
      return;
    const double circuit = this->own_ + this->room();
    if (this->installation_.mode != SOLAR) {
      this->offer_ = {circuit >= LEAST, this->bounded(circuit)};
      return;
    }
    const double sun = this->own_ - (this->mains_[0] + this->mains_[1] + this->mains_[2]) / PHASES;
    const bool enough = sun >= LEAST;
    if (enough == this->offer_.run)
      this->since_ = now;
    if (now - this->since_ >= (this->offer_.run ? 180 : 60))
      this->offer_.run = enough;
    this->offer_.ampere = this->bounded(std::min(sun, circuit));
  }

  int since_{0};
};

/// Overload earns points; enough of them cut to what fits in whole amps, and nothing rises within 15 min of a change.
class Thermal final : public PlainLaw {
 public:
  using PlainLaw::PlainLaw;

 protected:
  static constexpr double POINTS = 10;

  void control(int now) override {
    const double room = this->room();
    this->points_ = std::max(0.0, this->points_ + (room < 0 ? -room / this->installation_.limit * 100 / 10 : -1));
    const double fits = std::floor(this->own_ + room);
    if (room < 0 && this->points_ > POINTS && now - this->changed_ >= 20) {
      this->set({fits >= LEAST, this->bounded(fits)}, now);
    } else if (now - this->changed_ >= 900 && fits >= LEAST && (!this->offer_.run || fits > this->offer_.ampere)) {
      this->set({true, this->bounded(fits)}, now);
    }
  }

  void set(Offer offer, int now) {
    this->offer_ = offer;
    this->changed_ = now;
    this->points_ = 0;
  }

  double points_{0};
  int changed_{-900};
};

}  // namespace

std::unique_ptr<Controller> make_nothing(const Installation &installation) {
  return std::make_unique<Nothing>(installation);
}
std::unique_ptr<Controller> make_integrator(const Installation &installation) {
  return std::make_unique<Integrator>(installation);
}
std::unique_ptr<Controller> make_subtraction(const Installation &installation) {
  return std::make_unique<Subtraction>(installation);
}
std::unique_ptr<Controller> make_thermal(const Installation &installation) {
  return std::make_unique<Thermal>(installation);
}

}  // namespace balance
