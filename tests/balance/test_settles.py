"""After a load has come or gone, what the cars get comes to rest, and nothing of the fuse is left over."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest

from tools.balance import loop
from tools.balance.loop import QUICK, SLOW, TYPICAL, Car, Scenario

AT = 600
LENGTH = 1200
SETTLED_S = 170  # the room of the last 140 s counts, and a slow car that is far away comes later
AT_ONCE = Car(dead=0, up=16, down=16, start_delay=1)
CARS = {
    "alike": (TYPICAL, TYPICAL, TYPICAL, TYPICAL),
    "different": (TYPICAL, QUICK, SLOW, AT_ONCE),
    "one phase": (SLOW, AT_ONCE, QUICK, replace(TYPICAL, phases=1)),
    "at once": (AT_ONCE, AT_ONCE, AT_ONCE, AT_ONCE),
}
LIMITS = {1: 16, 2: 25, 3: 32, 4: 40}
MARGIN = 0.5
METERS = ((1, 0), (1, 1), (1, 2), (5, 1), (10, 0), (10, 2))  # period and delay, s
# A before, from AT on, and after a minute
LOADS = {
    "a load goes": (6, 2, 2),
    "a load comes and goes": (2, 8, 2),
    "a car comes": (2, 2, 2),
    "a car goes": (2, 2, 2),
}


def scenario(event: str, cars: tuple[Car, ...], **meter) -> Scenario:
    before, then, after = LOADS[event]
    amperes = array("f")
    for second in range(LENGTH):
        load = before if second < AT else then if second < AT + 60 else after
        amperes.extend([load] * 3)
    last = replace(cars[-1], **{"a car comes": {"arrives": AT}, "a car goes": {"leaves": AT}}.get(event, {}))
    return Scenario(amperes, limit=LIMITS[len(cars)], cars=(*cars[:-1], last), **meter)


@pytest.mark.parametrize("late", [0, 1, 2])
@pytest.mark.parametrize("count", LIMITS)
@pytest.mark.parametrize("event", LOADS)
def test_what_the_cars_get_comes_to_rest(event, count, late):
    """`late`: the other chargers are those of other nodes, what they say comes so many seconds later."""
    for name, cars in CARS.items():
        for period, delay in METERS:
            case = scenario(event, cars[:count], period=period, delay=delay, late=late)
            run = loop.run("law", case)
            settled = AT + (60 if event == "a load comes and goes" else 0) + SETTLED_S
            offers = {tuple(run.offers[second * count : (second + 1) * count]) for second in range(settled, LENGTH)}
            assert len(offers) == 1, (name, period, delay)
            load = LOADS[event][2]
            drawn, room = max(run.mains[-3:]) - load, case.limit - MARGIN - load
            full = all(own >= 15.9 for own in run.own[-count:] if own)
            assert room - 0.1 * count <= drawn <= room or full, (name, period, delay)
