"""What a charger did in the last 24 hours: power and session minute by minute, and the last sessions. Pure: no clock.

In memory only: it begins with this program.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ..catalog import SESSION_STATES
from .snapshot import Snapshot

STEP_S = 60
STEPS = 24 * 60
MOST_SESSIONS = 20
WORTH_S = 60  # a shorter session without energy is a plug that was tried


@dataclass
class _Minute:
    """Of one minute the mean power, W, and the session's energy at its end, Wh; None: not known, or no session."""

    number: int  # minutes since 1970
    watts: list[int] = field(default_factory=list)
    energy: int | None = None

    @property
    def power(self) -> int | None:
        return round(sum(self.watts) / len(self.watts)) if self.watts else None


@dataclass
class _Session:
    start: float  # s since 1970
    energy: int = 0  # Wh
    duration: int = 0  # s


class History:
    """To be told every snapshot; ``now`` is in s since 1970 and may jump, as computers' clocks do."""

    def __init__(self) -> None:
        self._minutes: deque[_Minute] = deque(maxlen=STEPS)
        self._sessions: deque[_Session] = deque(maxlen=MOST_SESSIONS)
        self._session: _Session | None = None

    def add(self, snapshot: Snapshot, now: float) -> None:
        if not snapshot.online or snapshot.state is None:
            return
        in_session = snapshot.state in SESSION_STATES
        self._add_minute(snapshot, int(now // STEP_S), in_session)
        duration = snapshot.get("EMETERSESTIME") or 0
        if self._session and (snapshot.state == "A" or (in_session and duration < self._session.duration)):
            self._end_session()
        if in_session:
            self._follow(snapshot, duration, now)

    def _add_minute(self, snapshot: Snapshot, number: int, in_session: bool) -> None:
        while self._minutes and self._minutes[-1].number > number:  # the clock was set back
            self._minutes.pop()
        if not self._minutes or self._minutes[-1].number < number:
            self._minutes.append(_Minute(number))
        minute = self._minutes[-1]
        if snapshot.power is not None:
            minute.watts.append(snapshot.power)
        minute.energy = snapshot.session_energy if in_session else None

    def _follow(self, snapshot: Snapshot, duration: int, now: float) -> None:
        if self._session is None:
            self._session = _Session(now - duration)
        self._session.duration = duration
        self._session.energy = snapshot.session_energy or 0

    def _end_session(self) -> None:
        ended, self._session = self._session, None
        if ended and (ended.energy or ended.duration >= WORTH_S):
            self._sessions.append(ended)

    def json(self, now: float) -> dict[str, Any]:
        """``power`` (W) and ``energy`` (Wh of the session) for every ``step`` s from ``start`` on, up to now; null is
        not known. ``sessions``: the newest first, without the one that is on."""
        last = int(now // STEP_S)
        known = {minute.number: minute for minute in list(self._minutes)}  # the charger's thread goes on
        shown = [known.get(number) for number in range(last - STEPS + 1, last + 1)]
        return {
            "start": (last - STEPS + 1) * STEP_S,
            "step": STEP_S,
            "power": [minute and minute.power for minute in shown],
            "energy": [minute and minute.energy for minute in shown],
            "sessions": [
                {"start": round(one.start), "energy": one.energy, "duration": one.duration}
                for one in reversed(list(self._sessions))
            ],
        }
