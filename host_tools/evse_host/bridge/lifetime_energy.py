"""The lifetime energy that never falls, unless a person resets it. Pure: no clock, no port, no file.

The charger adds a session to its stored total S when the session ends; what it shows is R = S + c, with the running
session's energy c. A restart in a session forgets c, so R drops to S, and a consumer that waits until the old mark is
passed again loses the session's first part. Here what restarts took away is an offset: shown = R + offset.

energy = LifetimeEnergy(Memory.of(saved), ahead)
energy.update(Reading(total=5300, session=300, uptime=9000))     # twice, for one value proves nothing
energy.shown                                                      # Wh, or None: not known yet
save(energy.memory.as_dict())

docs/lifetime-energy.md has the rules, which the ESPHome component shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

#: Wh. The charger rounds R and c each by itself, and they are asked for one after the other: 63 A on three phases are
#: 12 Wh in a second.
TOLERANCE = 20
#: Wh and s between two readings, of which the second continues the first.
MAX_STEP = 1000


@dataclass(frozen=True)
class Reading:
    """What the charger shows at one moment: EMETERTOTCONSUM (Wh), EMETERCONSUM (Wh), UPTIME (s)."""

    total: int
    session: int
    uptime: int

    @property
    def stored(self) -> int:
        """Wh that a restart does not take away."""
        return self.total - self.session

    def continues(self, before: Reading) -> bool:
        """Whether both tell of the same session: then neither was spoilt on the wire."""
        return (
            0 <= self.total - before.total <= MAX_STEP
            and 0 <= self.uptime - before.uptime <= MAX_STEP
            and abs(self.stored - before.stored) <= TOLERANCE
            and self.stored >= -TOLERANCE
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
        others = (memory.counted, memory.session, memory.uptime, memory.total - memory.session, memory.least)
        return memory if min(others) >= 0 else None

    def as_dict(self) -> dict[str, int]:
        return asdict(self)

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
        self._candidate: Reading | None = None
        self._reset_asked = False
        self._ahead = ahead
        self._known = False

    @property
    def shown(self) -> int | None:
        """Wh; None until the charger has told it: what was saved is older than what was shown."""
        return self.memory.shown if self.memory and self._known else None

    def update(self, reading: Reading) -> None:
        """A reading is believed when the next one continues it."""
        candidate, self._candidate = self._candidate, reading
        if candidate is not None and reading.continues(candidate):
            self._believe(candidate, seen_until=reading.uptime)

    def expect_reset(self) -> None:
        """A person has the charger's total set to 0; the next reading that is believed shows whether it is."""
        self._candidate = None  # it is of before
        self._reset_asked = True

    def reset_failed(self) -> None:
        """The charger has refused it."""
        self._reset_asked = False

    def _believe(self, reading: Reading, seen_until: int) -> None:
        """``seen_until``: the uptime that followed; one that was spoilt is higher or lower than its successor."""
        last, self._known = self.memory, True
        asked, self._reset_asked = self._reset_asked, False
        offset, least = (last.offset, last.least) if last else (0, 0)
        if last is None:
            pass
        elif _was_reset(last, reading) or (asked and reading.stored <= TOLERANCE):
            offset, least = -_counted(last, reading), 0
        elif _lost_a_session(last, reading, seen_until):
            offset = max(offset + last.session, last.counted - reading.total)
            least = last.shown + self._ahead
        elif seen_until < last.uptime and reading.stored <= last.total:
            # A restart, and what is missing may be rounding, or a session that had only begun.
            offset = max(offset, last.counted - reading.total)
            least = last.shown + self._ahead
        elif reading.total < last.total:
            return  # both values are rounded; it is passed again soon
        self._ahead = 0
        self.memory = Memory(max(offset, -reading.total), reading.total, max(reading.session, 0), reading.uptime, least)


def _was_reset(last: Memory, reading: Reading) -> bool:
    """Less in store than there was: nothing else takes that away."""
    return reading.stored < last.total - last.session - TOLERANCE


def _lost_a_session(last: Memory, reading: Reading, seen_until: int) -> bool:
    """A restart in a session, which was not stored: there is less in store than after a session that came to its end.
    The total has fallen, or has grown beyond the old mark since."""
    fell = reading.total < last.total and reading.session < last.session
    return (fell or seen_until < last.uptime) and reading.stored < last.total - TOLERANCE


def _counted(last: Memory, reading: Reading) -> int:
    """Wh of the running session that were shown before the reset: a consumer of a total that only grows takes the value
    after it for new energy, and would count them twice."""
    same_session = reading.session >= last.session and reading.uptime >= last.uptime
    return last.session if same_session else 0
