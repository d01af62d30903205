"""The sessions in the words of the charger's own meter, and those that a node has told of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from evse_host.catalog import COMMAND
from evse_host.simulator import Charger
from tools.soak.oracle.findings import Complain
from tools.soak.oracle.truth import bound

SLACK_WH = 3
DISTURBED_S = 700  # the longest cut of the line, and more
MOST_WH_PER_S = 8
START, END = "on_session_start", re.compile(r"on_session_end (\d+) Wh (\d+) s")


@dataclass(frozen=True)
class Session:
    """A session that is over, as the charger's meter counted it (Wh, s); ``charging`` to its end; ``calm`` if nothing
    had gone wrong just before."""

    energy: int
    duration: int
    charging: bool
    calm: bool


@dataclass(frozen=True)
class Compared:
    """A session, and what was shown of it (Wh, s)."""

    session: Session
    energy: int
    duration: int


class Ledger:
    """The sessions of the charger. ``listen`` must follow each start of it."""

    def __init__(self, charger: Charger, is_calm: Callable[[], bool]) -> None:
        self._charger, self._is_calm = charger, is_calm
        self._starts = 0
        self._sessions: list[Session] = []
        self.listen()

    def listen(self) -> None:
        meter = self._charger.point.meter
        start, stop = meter.start_session, meter.stop_session

        def start_session() -> None:
            self._starts += not meter.in_session
            start()

        def stop_session() -> None:
            self.note()
            stop()

        meter.start_session, meter.stop_session = start_session, stop_session

    def note(self) -> None:
        """The running session, if there is one, ends now."""
        charger = self._charger
        if charger.point.meter.in_session:
            energy, duration = charger.value("EMETERCONSUM")[0], charger.value("EMETERSESTIME")[0]
            self._sessions.append(Session(energy, duration, charger.point.meter.power > 0, self._is_calm()))

    def judge(self, log: Iterable[str], complain: Complain) -> Iterator[Compared]:
        """Started and finished as the meter says, with its energy and duration; forgets them."""
        starts = sum(START in line for line in log)
        ends = [tuple(map(int, match.groups())) for line in log if (match := END.search(line))]
        sessions, began = self._sessions, self._starts
        self._sessions, self._starts = [], 0
        if starts != began or len(ends) != len(sessions):
            text = f"{starts} began and {len(ends)} ended; true are {began} and {len(sessions)}"
            complain("sessions miscounted", text, "")
        for session, (energy, duration) in zip(sessions, ends, strict=False):
            if not _is_right(session, energy, duration):
                complain("session is wrong", f"{session}", f"shown as {energy} Wh, {duration} s")
            yield Compared(session, energy, duration)


def _is_right(session: Session, energy: int, duration: int) -> bool:
    """Behind the meter by as much as the node may not have seen."""
    seconds = bound(COMMAND["EMETERSESTIME"], session.charging) if session.calm else DISTURBED_S
    wh = SLACK_WH if session.calm else DISTURBED_S * MOST_WH_PER_S
    return 0 <= session.energy - energy <= wh and 0 <= session.duration - duration <= seconds
