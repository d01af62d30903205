"""The days on which the laws are tried, and the figures that are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache

from tools.balance import days, loop
from tools.balance.loop import QUICK, SLOW, SOLAR, TYPICAL, Car, Scenario

NOBODY = Car(arrives=1 << 29)
VOLTAGE = days.VOLTAGE
PLAIN = ("integrator", "subtraction", "thermal")


@dataclass(frozen=True)
class Row:
    """One scenario with one law, the mean of all its days. Seconds and heat are those beyond the house's own."""

    above: float
    above_113: float
    heat: float  # at its hottest moment
    heat_sum: float  # if it never cooled
    energy: float  # % of the possible
    solar: float  # % of the possible, from the sun
    grid_share: float  # % of what was charged
    openings: float  # a day
    writes: float  # an hour
    quarters: float  # above the limit, beyond the house's own


@dataclass(frozen=True)
class Case:
    """`make(seed)` is one stretch of days; `possible` (Wh) is what somebody who knows the future would charge."""

    name: str
    make: Callable[[int], Scenario]
    possible: Callable[[Scenario], float]
    laws: tuple[str, ...] = ("nothing", *PLAIN, "law")


def possible_within_limit(scenario: Scenario) -> float:
    """Wh: every second all that the fuse leaves, as long as it is 6 A."""
    total = 0.0
    amperes, limit = scenario.amperes, scenario.limit
    phases = [phase for phase in range(3) if scenario.cars[0].phases >> phase & 1]
    most = min(scenario.most, scenario.cars[0].most)
    for second in range(scenario.seconds):
        room = min(most, limit - max(amperes[second * 3 + phase] for phase in phases))
        total += room if room >= 6 else 0
    return total * len(phases) * VOLTAGE / 3600


def possible_from_sun(scenario: Scenario) -> float:
    """Wh: every second all the surplus, as long as it is the minimum."""
    total, count = 0.0, scenario.cars[0].phases.bit_count()
    for second in range(scenario.seconds):
        ampere = min(scenario.most, -sum(scenario.amperes[second * 3 : second * 3 + 3]) / count)
        total += ampere * count if ampere >= 6 else 0
    return total * VOLTAGE / 3600


def possible_in_quarters(scenario: Scenario) -> float:
    """Wh: every quarter of an hour what the house leaves of it."""
    most = scenario.most * scenario.cars[0].phases.bit_count() * VOLTAGE / 4
    total = 0.0
    for start in range(0, scenario.seconds, 900):
        house = sum(scenario.amperes[start * 3 : (start + 900) * 3]) * VOLTAGE / 3600
        total += min(max(scenario.capacity / 4 - house, 0), most)
    return total


@cache
def hard(seed: int) -> days.Day:
    return days.hard_day(seed)


def hard_day(limit: float, car: Car, **options) -> Callable[[int], Scenario]:
    return lambda seed: Scenario(hard(seed).amperes, limit=limit, cars=(car,), **options)


def sunny(phases: int, peak: float) -> Callable[[int], Scenario]:
    car = replace(TYPICAL, phases=phases, all_phases=phases)
    return lambda seed: Scenario(days.sunny_days(seed, 4, peak).amperes, limit=35, cars=(car,), mode=SOLAR)


def quarters(limit: float) -> Callable[[int], Scenario]:
    return lambda seed: Scenario(days.quiet_day(seed).amperes, limit=40, capacity=limit)


CASES = (
    Case("hard day, 25 A, quick car", hard_day(25, QUICK), possible_within_limit),
    Case("hard day, 25 A, typical car", hard_day(25, TYPICAL), possible_within_limit),
    Case("hard day, 25 A, slow car", hard_day(25, SLOW), possible_within_limit),
    Case("hard day, 20 A, typical car", hard_day(20, TYPICAL), possible_within_limit),
    Case("hard day, 25 A, meter every 5 s, 2 s old", hard_day(25, TYPICAL, period=5, delay=2), possible_within_limit),
    Case("hard day, 25 A, meter 10 s old", hard_day(25, TYPICAL, delay=10), possible_within_limit),
    Case("hard day, 25 A, car on one phase", hard_day(25, replace(TYPICAL, phases=1)), possible_within_limit),
    Case("hard day, 25 A, car that takes 10 A", hard_day(25, replace(TYPICAL, most=10)), possible_within_limit),
    Case("hard day, 25 A, car that starts from 8 A", hard_day(25, replace(TYPICAL, least_start=8), min_current=8),
         possible_within_limit),
    Case("hard day, 25 A, car that gives up after ten interruptions", hard_day(25, replace(TYPICAL, patience=10)),
         possible_within_limit),
    Case("hard day, 25 A, car that adds two phases later",
         hard_day(25, replace(TYPICAL, phases=1, second_phase=3600, all_phases=7)),
         lambda scenario: possible_within_limit(replace(scenario, cars=(TYPICAL,))) * 23 / 24),
    Case("sun, 3-phase car", sunny(7, 12000), possible_from_sun, ("nothing", "subtraction", "law")),
    Case("sun, 1-phase car", sunny(1, 7000), possible_from_sun, ("nothing", "law")),
    Case("quarters of 5 kW", quarters(5000), possible_in_quarters, ("nothing", "law")),
    Case("quarters of 8 kW", quarters(8000), possible_in_quarters, ("nothing", "law")),
)  # fmt: skip


def several(seed: int, count: int) -> Scenario:
    """Cars that come and go at one fuse; only our law knows several."""
    cars = (TYPICAL, QUICK, SLOW, replace(TYPICAL, phases=1))[:count]
    here = [
        replace(car, arrives=3600 * (2 * index + 1), leaves=days.DAY - 3600 * index) for index, car in enumerate(cars)
    ]
    return Scenario(hard(seed).amperes, limit=32, cars=tuple(here))


def compare(case: Case, law: str, seeds: Iterable[int]) -> Row:
    """The mean of the days of these seeds."""
    return _mean([_figures(case, law, seed) for seed in seeds])


def compare_several(count: int, law: str, seeds: Iterable[int]) -> Row:
    """The same for so many cars; what they could charge at most is not known, energy is in kWh."""
    rows = []
    for seed in seeds:
        scenario = several(seed, count)
        alone = loop.run("law", replace(scenario, cars=(NOBODY,)))
        rows.append(figures(scenario, loop.run(law, scenario), alone, possible=100_000))
    return _mean(rows)


def _mean(rows: list[Row]) -> Row:
    return Row(*(sum(getattr(row, name) for row in rows) / len(rows) for name in Row.__dataclass_fields__))


def _figures(case: Case, law: str, seed: int) -> Row:
    scenario = case.make(seed)
    alone = loop.run("law", replace(scenario, cars=(NOBODY,)))
    run = loop.run(law, scenario)
    return figures(scenario, run, alone, case.possible(scenario))


def figures(scenario: Scenario, run: loop.Run, alone: loop.Run, possible: float) -> Row:
    length = scenario.seconds / days.DAY
    return Row(
        above=(run.above - alone.above) / length,
        above_113=(run.above_113 - alone.above_113) / length,
        heat=run.heat - alone.heat,
        heat_sum=(run.heat_sum - alone.heat_sum) / length,
        energy=100 * run.energy / possible,
        solar=100 * (run.energy - run.grid_energy) / possible,
        grid_share=100 * run.grid_energy / max(run.energy, 1),
        openings=run.openings / length,
        writes=run.writes / length / 24,
        quarters=run.quarters_above - alone.quarters_above,
    )
