#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>

#include "controllers.h"

// The loop, closed: house, cars, meter and controller in turn, second by second. Called by loop.py.

namespace balance {

namespace {

constexpr double VOLTAGE = 230;

/// Part of the way to a breaker's trip that one second at `ratio` x In takes: see breaker.h of the component.
double heat(double ratio) { return ratio <= 1 ? 0 : std::pow(ratio / 1.13, 10.06) / 3600; }

constexpr double COOLING_S = 3600;  // a breaker cools within minutes; slower here, to be safe

std::unique_ptr<Controller> make(int kind, const Installation &installation) {
  using Maker = std::unique_ptr<Controller> (*)(const Installation &);
  static constexpr Maker MAKERS[] = {make_law, make_nothing, make_integrator, make_subtraction, make_thermal};
  return MAKERS[kind](installation);
}

}  // namespace

struct Charging {
  CarModel car;
  int32_t arrives, leaves;  // s
};

/// Energies in Wh.
struct Figures {
  double above, above_113;  // s of the worst phase
  double heat;              // of the worst phase, the hottest moment
  double heat_sum;          // of the worst phase, if it never cooled
  double energy, grid_energy;
  double writes;
  int32_t openings;
  int32_t quarters_above;
};

extern "C" void balance_run(int32_t kind, const Installation *installation, const MeterModel *meter,
                            const Charging *chargings, const float *house, int32_t seconds, Figures *figures,
                            float *mains_trace, float *offer_trace, float *own_trace) {
  const int chargers = installation->chargers;
  auto controller = make(kind, *installation);
  std::vector<Car> cars;
  for (int i = 0; i < chargers; i++)
    cars.emplace_back(chargings[i].car, chargings[i].arrives, chargings[i].leaves);
  std::vector<Offer> offers(chargers);
  std::vector<Currents> own(chargers);
  std::vector<bool> connected(chargers);
  std::deque<std::pair<int, Currents>> samples;
  double warmth[PHASES]{}, heats[PHASES]{}, quarter = 0;
  *figures = {};
  for (int now = 0; now < seconds; now++) {
    Currents mains{}, charging{};
    for (int i = 0; i < chargers; i++) {
      cars[i].step(now, offers[i]);
      own[i] = cars[i].current();
      connected[i] = cars[i].connected(now);
      for (int phase = 0; phase < PHASES; phase++)
        charging[phase] += own[i][phase];
    }
    double worst = 0, grid = 0, drawn = 0;
    for (int phase = 0; phase < PHASES; phase++) {
      mains[phase] = house[now * PHASES + phase] + charging[phase];
      worst = std::max(worst, mains[phase] / installation->limit);
      const double heated = heat(mains[phase] / installation->limit);
      heats[phase] += heated;
      warmth[phase] += heated - warmth[phase] / COOLING_S;
      figures->heat = std::max(figures->heat, warmth[phase]);
      grid += mains[phase];
      drawn += charging[phase];
      mains_trace[now * PHASES + phase] = static_cast<float>(mains[phase]);
    }
    figures->above += worst > 1 ? 1 : 0;
    figures->above_113 += worst > 1.13 ? 1 : 0;
    figures->energy += drawn * VOLTAGE / 3600;
    figures->grid_energy += std::clamp(grid, 0.0, drawn) * VOLTAGE / 3600;
    quarter += std::max(grid, 0.0) * VOLTAGE / 3600;
    if (now % 900 == 899) {
      figures->quarters_above += installation->capacity > 0 && quarter * 4 > installation->capacity ? 1 : 0;
      quarter = 0;
    }
    controller->on_own(now, own);
    if (now % meter->period == 0)
      samples.emplace_back(now + meter->delay, mains);
    while (!samples.empty() && samples.front().first <= now) {
      controller->on_sample(now, samples.front().second);
      samples.pop_front();
    }
    const std::vector<Offer> before = offers;
    controller->step(now, connected, offers);
    for (int i = 0; i < chargers; i++) {
      figures->writes += offers[i].run != before[i].run || offers[i].ampere != before[i].ampere ? 1 : 0;
      offer_trace[now * chargers + i] = offers[i].run ? static_cast<float>(offers[i].ampere) : 0;
      own_trace[now * chargers + i] = static_cast<float>(*std::max_element(own[i].begin(), own[i].end()));
    }
  }
  figures->heat_sum = *std::max_element(heats, heats + PHASES);
  for (const Car &car : cars)
    figures->openings += car.openings();
}

}  // namespace balance
