"""What a node writes by itself: the settings that it keeps, after a start of the charger, and the charger's clock."""

from __future__ import annotations

from dataclasses import dataclass

from evse_host.catalog import COMMAND, LIVE_SETTINGS
from evse_host.simulator import Charger
from tools.soak.oracle.findings import Complain
from tools.soak.oracle.history import History, Row
from tools.soak.oracle.truth import SLOW_S, bound

RESTORED_S = 30.0  # after the start, or after what has disturbed it
CLOCK_SLACK_S = 3
CLOCK_SEEN_S = 2 * SLOW_S  # until a wrong clock has been read, and set


@dataclass(frozen=True)
class Start:
    """Of the charger at ``time`` (s), which held these settings before; until ``calm`` (s) something was wrong."""

    time: float
    calm: float
    held: dict[str, list[Row]]


class Kept:
    """``keep_settings``: what the charger held before its last two starts."""

    def __init__(self, charger: Charger, history: History) -> None:
        self._charger, self._history = charger, history
        self._starts: list[Start] = []

    def note_start(self, now: float, calm: float) -> None:
        """Just before it; nothing is wrong any more from ``calm`` on."""
        held = {n: list(self._history.rows(n, now - bound(COMMAND[n], False), now)) for n in LIVE_SETTINGS}
        self._starts = [*self._starts[-1:], Start(now, calm, held)]

    def may_write(self, name: str, value: str, now: float) -> bool:
        return any(
            start.time <= now <= max(start.time, start.calm) + RESTORED_S
            and value in [str(number) for (number,) in start.held.get(name, ())]
            for start in self._starts
        )

    def judge(self, complain: Complain) -> int:
        """The charger has back what it held, if nobody has changed it since; returns how many settings."""
        held = self._starts[-1].held
        for name in LIVE_SETTINGS:
            if self._charger.value(name) not in held[name] and not self._is_too_much(name, held[name]):
                text = f"after the restart {self._charger.value(name)}, before it {held[name]}"
                complain("setting not kept", name, text)
        return len(LIVE_SETTINGS)

    def _is_too_much(self, name: str, held: list[Row]) -> bool:
        """A current may stay above a maximum that was lowered; after the restart the charger refuses it."""
        return name == "CHCUR" and min(held)[0] > 10 * self._charger.value("MAXCHCUR")[0]


class Clock:
    """The charger's, which may be set for a while after something has made it wrong at ``wrong_at`` (s).

    It began at ``epoch`` (s since 1970).
    """

    def __init__(self, charger: Charger, epoch: float) -> None:
        self._charger, self._epoch = charger, epoch
        self.wrong_at = -float("inf")

    def may_be_wrong(self, now: float) -> bool:
        return 0 <= now - self.wrong_at <= CLOCK_SEEN_S

    def may_write(self, name: str, value: str, now: float) -> bool:
        is_right = value.isdigit() and abs(int(value) - (self._epoch + now)) <= CLOCK_SLACK_S
        return name == "TIME" and is_right and self.may_be_wrong(now)

    def judge(self, now: float, complain: Complain) -> float:
        """How far (s) it is off; 0 while it may be wrong."""
        if self.may_be_wrong(now):
            return 0.0
        off = abs(self._charger.value("TIME")[0] - (self._epoch + now))
        if off > CLOCK_SLACK_S:
            complain("clock is wrong", "TIME", f"{off:.1f} s")
        return off
