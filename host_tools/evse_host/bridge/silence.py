"""What becomes of a charger whose controller is silent: the rule. Pure: no clock, no port.

After a while without a word the charger falls to a current, or pauses. It never rises: what is lower already stays.
That happens once for each silence, so whoever changes the charger meanwhile is not overruled; and again when the
charger has restarted, for then it charges at its default current, which nobody asked for. When the controller is heard
again nothing is written: what it wants it says, and until then the charger stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UsageError
from ..secrecy import shown
from .snapshot import MAX_CURRENT, MIN_CURRENT, Snapshot, to_tenths

PAUSE = "pause"
MIN_AFTER_S, MAX_AFTER_S = 10.0, 86_400.0


@dataclass(frozen=True)
class Fallback:
    """After ``after`` s of silence the charger gives ``ampere`` at most; None: it pauses."""

    after: float
    ampere: float | None = None

    @classmethod
    def parse(cls, after: float | None, then: str | float | None) -> Fallback | None:
        """None: nobody asked for one. Raises UsageError, which names the range."""
        if after is None and then is None:
            return None
        if after is None or then is None:
            raise UsageError("silent-after and when-silent belong together: one of them is missing")
        if not MIN_AFTER_S <= after <= MAX_AFTER_S:
            raise UsageError(f"silent-after {after:g} s is out of range, {MIN_AFTER_S:g} to {MAX_AFTER_S:g} s")
        return cls(after, None if then == PAUSE else _ampere(then))

    @property
    def words(self) -> str:
        return "charging is paused" if self.ampere is None else f"the charging current is {self.ampere:g} A at most"

    def wanted(self, snapshot: Snapshot) -> tuple[str, int] | None:
        """AT command and value in wire units; None: the charger gives no more than that."""
        if self.ampere is None:
            return ("ENABLE", 0) if snapshot.flag("ENABLE") else None
        tenths = to_tenths(self.ampere)
        return ("CHCUR", tenths) if (snapshot.get("CHCUR") or 0) > tenths else None


def _ampere(then: str | float) -> float:
    allowed = f"{PAUSE}, or {MIN_CURRENT} to {MAX_CURRENT} A are allowed"
    try:
        ampere = float(then)
    except ValueError:
        raise UsageError(f"when-silent {shown(then)}: {allowed}") from None
    if not MIN_CURRENT <= ampere <= MAX_CURRENT:
        raise UsageError(f"when-silent {ampere:g} A is out of range: {allowed}")
    return ampere


class Silence:
    """One controller of one charger. Times are s, of any clock that only goes forward."""

    def __init__(self, fallback: Fallback, now: float) -> None:
        """A controller that has never been heard is silent since the beginning."""
        self.fallback = fallback
        self._heard_at = now
        self._done = False
        self._uptime = 0

    def heard(self, now: float) -> None:
        self._heard_at, self._done = now, False

    def is_silent(self, now: float) -> bool:
        return now - self._heard_at > self.fallback.after

    def wanted(self, now: float, snapshot: Snapshot) -> tuple[str, int] | None:
        """What is to be written now; to be asked every second or so. ``done`` when it is written."""
        uptime = snapshot.get("UPTIME") or 0
        if uptime < self._uptime:
            self._done = False
        self._uptime = uptime
        if self._done or not snapshot.online or not self.is_silent(now):
            return None
        wanted = self.fallback.wanted(snapshot)
        self._done = wanted is None
        return wanted

    def done(self) -> None:
        self._done = True
