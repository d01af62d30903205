"""Houses and skies, made from a seed: what a day's loads and sun are, second by second, in A per phase."""

from __future__ import annotations

import math
import random
from array import array
from dataclasses import dataclass, field

DAY = 86400
PHASES = 3
VOLTAGE = 230.0
HOUR = 3600


@dataclass
class Day:
    """`amperes` holds three phases a second, positive from the grid; the sun is negative."""

    seed: int
    seconds: int = DAY
    amperes: array = field(init=False)
    random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.amperes = array("f", bytes(4 * PHASES * self.seconds))
        self.random = random.Random(self.seed)

    def add(self, phases: tuple[int, ...], start: float, length: float, watt: float) -> None:
        """A load of so much W on each of these phases."""
        ampere = watt / VOLTAGE
        for second in range(max(0, int(start)), min(self.seconds, int(start + length))):
            for phase in phases:
                self.amperes[second * PHASES + phase] += ampere

    def pulses(self, phases, start: float, length: float, watt: float, on: float, off: float) -> None:
        """A load that a thermostat or a power setting switches."""
        second = start
        while second < start + length:
            self.add(phases, second, min(on, start + length - second), watt)
            second += (on + off) * self.random.uniform(0.9, 1.1) if on + off > 20 else on + off


def base_load(day: Day, watt: float = 100) -> None:
    """Lights, computers, a refrigerator: changes every minute."""
    for phase in range(PHASES):
        level = watt
        for second in range(0, day.seconds, 60):
            awake = 1.8 if 6.5 <= second % DAY / HOUR <= 23 else 0.7
            level += 0.2 * (watt * awake - level) + day.random.gauss(0, 0.25 * watt)
            level = min(max(level, 30.0), 5 * watt)
            day.add((phase,), second, 60, level)
    day.pulses((1,), day.random.uniform(0, 1800), day.seconds, 110, 900, 1500)


def kettle(day: Day, hours: tuple[float, ...]) -> None:
    for hour in hours:
        day.add((0,), (hour + day.random.uniform(-0.4, 0.4)) * HOUR, day.random.uniform(100, 220), 2100)


def hob(day: Day, hour: float, minutes: float) -> None:
    """Two phases; at part power it pulses, 2 s on and 3 s off."""
    start = (hour + day.random.uniform(-0.3, 0.3)) * HOUR
    for phase in (0, 1):
        day.add((phase,), start, 240, 2300)
        day.pulses((phase,), start + 240 + phase, minutes * 60, day.random.uniform(1500, 2300), 2, 3)
        day.pulses((phase,), start + 600, minutes * 30, 1200, 6, 6)


def oven(day: Day, hour: float, minutes: float) -> None:
    start = (hour + day.random.uniform(-0.3, 0.3)) * HOUR
    day.add((2,), start, 540, 2900)
    day.pulses((2,), start + 540, minutes * 60 - 540, 2900, 45, 90)


def washing(day: Day, hour: float) -> None:
    start = (hour + day.random.uniform(-0.5, 0.5)) * HOUR
    day.add((1,), start + 300, 900, 2050)
    day.pulses((1,), start + 1200, 2400, 350, 12, 8)
    day.add((1,), start + 4200, 600, 600)


def dryer(day: Day, hour: float) -> None:
    start = (hour + day.random.uniform(-0.5, 0.5)) * HOUR
    day.pulses((1,), start, 4200, 2300, 420, 60)
    day.add((1,), start, 4300, 250)


def heat_pump(day: Day, watt: float = 2100) -> None:
    """Three phases, with an inrush of three times its current for a second."""
    second = day.random.uniform(0, 2400)
    while second < day.seconds:
        cold = 1.0 if not 10 <= second % DAY / HOUR <= 18 else 0.5
        run = day.random.uniform(700, 1500) * (0.6 + 0.6 * cold)
        day.add((0, 1, 2), second, run, watt / 3)
        day.add((0, 1, 2), second, 1, 2 * watt / 3)
        second += run + day.random.uniform(900, 2000) / cold


def water_heater(day: Day, hour: float) -> None:
    day.add((2,), (hour + day.random.uniform(-0.3, 0.3)) * HOUR, day.random.uniform(2400, 4800), 2000)


def hard_day(seed: int, seconds: int = DAY) -> Day:
    """Everything that a house can do, with a heat pump, and cooking twice."""
    day = Day(seed, seconds)
    base_load(day)
    kettle(day, (6.5, 7.5, 10, 13, 16, 18.5, 20.5))
    hob(day, 12, 35)
    hob(day, 18.2, 45)
    oven(day, 17.9, 70)
    washing(day, 9)
    washing(day, 19.5)
    dryer(day, 11)
    dryer(day, 20.5)
    water_heater(day, 2)
    water_heater(day, 17.2)
    heat_pump(day)
    return day


def quiet_day(seed: int, seconds: int = DAY) -> Day:
    """A family's day without a heat pump."""
    day = Day(seed, seconds)
    for start in range(0, seconds, DAY):
        part = Day(day.random.randrange(1 << 30), min(DAY, seconds - start))
        base_load(part)
        kettle(part, (6.8, 9, 15.5, 19))
        hob(part, 18.3, 35)
        if part.random.random() < 0.5:
            oven(part, 17.9, 50)
        if part.random.random() < 0.6:
            washing(part, 10)
            dryer(part, 13)
        for index, ampere in enumerate(part.amperes):
            day.amperes[start * PHASES + index] += ampere
    return day


def clear_sky(second: float) -> float:
    """Share of the peak power on a clear day in spring, by the sun's height at 50 degrees north."""
    hour_angle = (second % DAY / HOUR - 12.5) * math.pi / 12
    latitude, declination = math.radians(50), math.radians(18)
    height = math.sin(latitude) * math.sin(declination) + math.cos(latitude) * math.cos(declination) * math.cos(
        hour_angle
    )
    return max(0.0, height) ** 1.15


def add_sun(day: Day, peak: float, cloudy: float) -> list[float]:
    """Adds PV of `peak` W on three phases; `cloudy` 0 to 1. Returns the W of every second.

    Clouds come and go in steps with ramps of some seconds, their lengths are exponential.
    """
    watts = []
    cover = target = 1.0
    until = 0.0
    overcast = 1.0
    for second in range(day.seconds):
        if second % DAY == 0:
            overcast = day.random.choice((1.0, 1.0, 1.0, 0.9, 0.55)) if cloudy > 0 else 1.0
        if second >= until:
            under = day.random.random() < cloudy
            target = day.random.uniform(0.15, 0.6) if under else day.random.uniform(0.92, 1.0)
            until = second + day.random.expovariate(1 / (240 if under else 600))
        cover += max(-0.06, min(0.06, target - cover))
        watt = peak * clear_sky(second) * cover * overcast
        watts.append(watt)
        for phase in range(PHASES):
            day.amperes[second * PHASES + phase] -= watt / 3 / VOLTAGE
    return watts


def sunny_days(seed: int, days: int, peak: float = 12000) -> Day:
    """Days of a family with PV, some clear, some with clouds in steps."""
    day = quiet_day(seed, days * DAY)
    add_sun(day, peak, 0.25)
    return day
