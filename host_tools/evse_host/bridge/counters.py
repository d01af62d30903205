"""Counters come over a line without checksum: one digit that noise has changed must not become energy that was never
sold, or a meter that fell. Pure."""

from __future__ import annotations

from ..wire.codec import Fields

#: What counts up, by no more than MAX_STEP from one value to the next. The lifetime energy has its own law.
COUNTERS = ("UPTIME", "EMETERSESTIME", "EMETERCHTIME", "EMETERCONSUM")
MAX_STEP = 1000  # s or Wh


class Counters:
    """A value counts when it continues the one before it, right or wrong; so a new beginning takes two."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def believes(self, name: str, fields: Fields) -> bool:
        """To be asked once for every value that comes; of what is no counter every value counts."""
        if name not in COUNTERS:
            return True
        last, self._last[name] = self._last.get(name), fields[0]
        return last is not None and 0 <= fields[0] - last <= MAX_STEP
