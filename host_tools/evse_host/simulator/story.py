"""A little story for demonstrations: a car comes, charges, pauses, charges on, is full and leaves; and again."""

import math
from collections.abc import Callable, Iterator
from itertools import count

from .charger import Charger

Scene = tuple[float, str, Callable[[Charger], None]]

#: Seconds after the start of the story, what happens, and how.
SCENES: tuple[Scene, ...] = (
    (3, "a car is plugged in and asks for energy", lambda charger: charger.car.plug()),
    (35, "the car takes a break", lambda charger: charger.car.stop()),
    (45, "the car goes on charging", lambda charger: charger.car.request()),
    (75, "the battery is full", lambda charger: charger.car.stop()),
    (85, "the car leaves", lambda charger: charger.car.unplug()),
)
LENGTH_S = 95


def scenes(start: float) -> Iterator[Scene]:
    """All scenes to come, for ever, with their absolute times."""
    for repetition in count():
        for seconds, text, action in SCENES:
            yield start + repetition * LENGTH_S + seconds, text, action


def weather(charger: Charger) -> None:
    """Mains voltages and temperatures that move a little; call it every second or so."""
    swing = math.sin(charger.now / 7)
    charger.point.meter.mains = (230.0 + swing, 231.0 - swing / 2, 229.0 + swing / 3)
    warm = sum(charger.point.meter.currents) * 20
    charger.device.temperatures = (round(3150 + warm + 10 * swing), round(2875 + warm / 2 + 10 * swing))
