"""The lifetime energy that never falls, unless a person resets it. Pure: no clock, no port, no file.

The charger adds a session to its stored total S when the session ends; what it shows is R = S + c, with the running
session's energy c. A restart in a session forgets c, so R drops to S, and a consumer that waits until the old mark is
passed again loses the session's first part. Here what restarts took away is an offset: shown = R + offset.

energy = LifetimeEnergy(Memory.of(saved), ahead)
energy.update(Reading(total=5300, session=300, uptime=9000))     # twice, for one value proves nothing
energy.shown                                                      # Wh, or None: not known yet
save(energy.memory.as_dict())

docs/lifetime-energy.md has the rules. They are those of the component's energy.cpp, number by number, and
tests/native/test_native_energy.py tries both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

STEP_S = 10  # between two readings that belong together
MISMATCH_WH = 1000  # R and c need not be of the same moment
MOST_WH_PER_S = 14  # three phases with 63 A at 265 V
SMALL_WH = 100  # a fall by this little is no reset, and no lost session
LASTS_S = 6  # so long what is odd must be read
CLOCK_S = 5  # the uptime's own inaccuracy: it may go back so far


@dataclass(frozen=True)
class Reading:
    """What the charger shows at one moment: EMETERTOTCONSUM (Wh), EMETERCONSUM (Wh), UPTIME (s)."""

    total: int
    session: int
    uptime: int

    @property
    def stored(self) -> int:
        """Wh that a restart does not take away."""
        return max(self.total - self.session, 0)

    def proves(self, before: Reading) -> bool:
        """Whether it continues the one before: then that was not spoilt on the wire."""
        return (
            self.total >= before.total
            and -CLOCK_S <= self.uptime - before.uptime <= STEP_S
            and abs(self.stored - before.stored) <= MISMATCH_WH
        )


@dataclass(frozen=True)
class Memory:
    """What has to outlive this program: the offset (Wh, negative after a reset in a session), the last reading that was
    believed, and the least to show: what may have been shown before program and charger lost their power together."""

    offset: int
    total: int
    session: int
    uptime: int
    least: int = 0

    @classmethod
    def of(cls, saved: object) -> Memory | None:
        """From what ``as_dict`` gave; None for anything else."""
        if not isinstance(saved, Mapping):
            return None
        values: list[Any] = [saved.get(field.name) for field in fields(cls)]
        if any(type(value) is not int for value in values):
            return None
        memory = cls(*values)
        others = (memory.counted, memory.session, memory.uptime, memory.stored, memory.least)
        return memory if min(others) >= 0 else None

    def as_dict(self) -> dict[str, int]:
        return asdict(self)

    @property
    def stored(self) -> int:
        return self.total - self.session

    @property
    def counted(self) -> int:
        return self.total + self.offset

    @property
    def shown(self) -> int:
        return max(self.counted, self.least)


class LifetimeEnergy:
    """To be told every few seconds, and twice after every start, what the charger shows.

    ``memory`` was saved earlier, and up to ``ahead`` Wh more may have been shown since.
    """

    def __init__(self, memory: Memory | None = None, ahead: int = 0) -> None:
        self.memory = memory
        self._candidate: Reading | None = None  # believed when the next one proves it
        self._since = 0  # uptime, of the first of the readings that prove each other
        self._session = 0  # as it was read last
        self._session_at_reset: int | None = None
        self._ahead = ahead
        self._known = False

    @property
    def shown(self) -> int | None:
        """Wh; None until the charger has told it: what was saved is older than what was shown."""
        return self.memory.shown if self.memory and self._known else None

    @property
    def is_doubted(self) -> bool:
        """What was read last is odd, and has to be read every few seconds to be believed."""
        return self._candidate is not None and self._is_odd(self._candidate)

    def update(self, reading: Reading) -> None:
        """A reading is believed when the next one proves it; what is odd must last."""
        before, self._candidate = self._candidate, reading
        self._session = reading.session
        if before is None or not reading.proves(before):
            self._since = reading.uptime
            return
        lasts = reading.uptime >= self._since + LASTS_S and self._is_odd(reading)
        if self._session_at_reset is not None or lasts or not self._is_odd(before):
            self._believe(before)

    def on_reset(self) -> None:
        """The charger has set its total to 0, as a person wished: what was charged since the last reading is shown."""
        self._candidate = None  # it is of before
        self._session_at_reset = self._session

    def _is_odd(self, now: Reading) -> bool:
        """Not what counting on leads to: it was a reset or a restart, or noise."""
        last = self.memory
        if last is None:
            return False
        most = (now.uptime + CLOCK_S - last.uptime) * MOST_WH_PER_S + MISMATCH_WH
        return _went_back(last, now) or _was_reset(last, now) or now.total - last.total > most

    def _believe(self, now: Reading) -> None:
        last, offset, least = self.memory, 0, 0
        if self._session_at_reset is not None:
            offset = -min(self._session_at_reset, now.total)
        elif last is not None and _was_reset(last, now):
            offset = -min(_session_before_reset(last, now), now.total)
        elif last is not None:
            offset = last.offset + _lost(last, now)
            may_be_less = _went_back(last, now) and now.stored <= last.total
            least = last.shown + self._ahead if may_be_less else last.least
        self._session_at_reset, self._ahead, self._known = None, 0, True
        self.memory = Memory(offset, now.total, min(now.session, now.total), now.uptime, least)


def _went_back(last: Memory, now: Reading) -> bool:
    return now.total < last.total or now.uptime + CLOCK_S < last.uptime


def _was_reset(last: Memory, now: Reading) -> bool:
    """The charger has lost what it had stored, too."""
    return now.stored + SMALL_WH < last.stored and now.stored < last.stored / 2


def _session_before_reset(last: Memory, now: Reading) -> int:
    """Wh of the running session that were shown before the reset: a consumer of a total that only grows takes the value
    after it for new energy, and would count them twice."""
    same_session = now.session >= last.session and now.uptime >= last.uptime
    return last.session if same_session else 0


def _lost(last: Memory, now: Reading) -> int:
    """Wh that a restart took away, or that noise had added."""
    if _was_restarted(last, now):
        return last.total - min(last.stored, now.total)
    return max(last.total - now.total, 0)


def _was_restarted(last: Memory, now: Reading) -> bool:
    """The charger has lost the session that was running at the last reading. It may have counted on since, and further;
    a session that ended in time is in what is stored now."""
    if now.total < last.total:
        return now.session < last.session and now.stored + SMALL_WH < last.total
    gained = max(now.stored - last.stored, 0)
    return now.uptime + CLOCK_S < last.uptime and gained < last.total - now.stored
