"""Whether a node's reason is true: each second it is held against what the charger does and what the house has."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

MARGIN, TIMEOUT_S = 0.5, 15
MEMORY_S = 155  # 14 buckets of 10 s, and the one that is being filled
GRACE_S = 6  # until a restart of the charger that nobody has announced is found and undone
UNSETTLED_S = 40  # what a car has begun to draw may count for the house, until the node can tell them apart
OFFERS = ("B2", "C2", "D2")


@dataclass
class Moment:
    """Currents in A; what the charger holds, and what a person sees at the node."""

    reason: str
    enabled: bool
    offer: float
    maximum: float
    drawn: float
    state: str
    plugged: bool
    charging_s: int
    switch: bool
    wish: float
    time_limit_h: float
    limit: float
    silent_s: int  # of the meter
    connected: bool
    loads: tuple[float, ...] = ()  # the most of the last minutes, for each phase
    unsettled: bool = False  # the car has begun or ended to draw

    @property
    def bound(self) -> float:
        return min(self.wish, self.maximum)


def full_phase(moment: Moment) -> bool:
    """The phase that the reason names has been too full for more within the last minutes."""
    load = moment.loads[int(re.search(r"L(\d)", moment.reason)[1]) - 1]
    return (
        moment.unsettled or load + moment.offer > 0.9 * moment.limit - MARGIN - 1.1
    )  # what it may have by the breaker's slack


#: What the reason begins with -> what is so then.
TRUTHS: dict[str, Callable[[Moment], bool]] = {
    "Paused by you": lambda now: not now.switch and not now.enabled,
    "Paused at the charger": lambda now: not now.switch and not now.enabled,
    "Main fuse": full_phase,
    "Meter silent": lambda now: now.silent_s >= TIMEOUT_S - 1,
    "Watching the meter": lambda now: not now.enabled or now.offer < now.bound,
    "No vehicle": lambda now: not now.plugged,
    "Charger does not answer": lambda now: not now.connected,
    "Charger offers nothing": lambda now: now.state not in OFFERS,
    "Charger's maximum": lambda now: now.offer == now.maximum,
    "Your limit": lambda now: now.offer == now.wish,
    "Your time limit": lambda now: 0 < now.time_limit_h * 3600 <= now.charging_s + 1,
    "Car takes less": lambda now: now.offer < now.bound and now.drawn > 0.4,
    "Car takes nothing": lambda now: now.drawn < 0.6,
    "Rising": lambda now: now.offer < now.bound,
    "Something else sets the current": lambda now: now.offer < now.maximum,
    "Car takes more": lambda now: not now.enabled or now.drawn > 1,
    "Lease over": lambda now: now.state not in OFFERS,
}  # fmt: skip
#: These a charger may run with.
RUNS = re.compile(
    r"(Rising|Car takes|Your limit|Charger's maximum|Follows the sun|Stops in|Something else|No vehicle|Your time|"
    r"Main fuse L\d( is kept for a silent charger)?(, something else sets it, too)?$|.*, (rises|pauses) in|Charger|"
    r"Waiting for the meter|Share of|Lease over)"
)
PAUSED = re.compile(
    r"(?!Rising|Car takes (less|nothing)|Your limit|Charger's maximum|Follows|Stops|Something.*current$|"
    r".*(rises|pauses) in)"
)


def untrue(now: Moment) -> str:
    """What the reason says and is not so, or nothing."""
    for words, is_so in TRUTHS.items():
        if now.reason.startswith(words) and not is_so(now):
            return words
    if now.connected and not (RUNS if now.enabled else PAUSED).match(now.reason):
        return "enabled" if now.enabled else "paused"
    return ""


@dataclass
class Judge:
    """Collects what was untrue for longer than a moment."""

    loads: deque = field(default_factory=lambda: deque(maxlen=MEMORY_S))
    findings: list[str] = field(default_factory=list)
    for_s: int = 0
    drawn: deque = field(default_factory=lambda: deque([0.0], maxlen=UNSETTLED_S))

    def look(self, moment: Moment, loads: list[float], second: float) -> None:
        self.loads.append(tuple(loads))
        moment.loads = tuple(max(phase) for phase in zip(*self.loads, strict=True))
        self.drawn.append(moment.drawn)
        moment.unsettled = max(self.drawn) - min(self.drawn) > 5
        what = untrue(moment)
        self.for_s = self.for_s + 1 if what else 0
        if self.for_s == GRACE_S + 1:
            self.findings.append(f"{second:.0f} s: {what}: {moment}")
