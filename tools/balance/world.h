#pragma once

#include <array>
#include <cstdint>
#include <vector>

// The simulated world of the closed loop, in steps of one second: a house, its meter, chargers and cars.

namespace balance {

constexpr int PHASES = 3;
using Currents = std::array<double, PHASES>;

/// How a car behaves. Times in s, currents in A, rates in A/s.
struct CarModel {
  double dead;          // an offer is noticed after so long
  double up, down;      // how fast it then follows
  double start_delay;   // from the first offer to the first current
  double most;          // what it takes at most
  double least_start;   // it does not start below this
  double second_phase;  // when it adds its other phases, s after its start; 0: never
  int32_t phases;       // bits, at its start
  int32_t all_phases;   // bits, after second_phase
  int32_t patience;     // it gives up after so many interruptions; 0: never
};

struct MeterModel {
  int32_t period, delay;  // s
};

/// What a controller orders, and what a charger offers.
struct Offer {
  bool run{false};
  double ampere{6};
};

class Car {
 public:
  Car(const CarModel &model, int arrives, int leaves) : model_(model), arrives_(arrives), leaves_(leaves) {}
  void step(int now, const Offer &offer);
  bool connected(int now) const { return now >= this->arrives_ && now < this->leaves_; }
  Currents current() const;
  bool drawing() const { return this->ampere_ > 0.1; }
  int openings() const { return this->openings_; }
  int32_t phases() const;

 protected:
  static constexpr int CONTACTOR_S = 6;

  CarModel model_;
  int arrives_, leaves_;
  double ampere_{0};
  int offered_since_{-1}, refused_since_{-1}, drawing_for_{0};
  bool closed_{false};
  int openings_{0}, interruptions_{0};
  std::array<Offer, 16> seen_{};  // the newest at now % 16
};

/// A controller sees what a real one would: late samples, its chargers' own currents, whether a car is connected.
class Controller {
 public:
  virtual ~Controller() = default;
  /// What the chargers say that their cars draw, before a sample and a step of this second.
  virtual void on_own(int now, const std::vector<Currents> &own) = 0;
  virtual void on_sample(int now, const Currents &mains) = 0;
  virtual void step(int now, const std::vector<bool> &connected, std::vector<Offer> &offers) = 0;
};

}  // namespace balance
