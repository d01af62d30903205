"""Who decides when a central system is not the only one: people at the page, MQTT, REST and Modbus are there too. Pure.

The rule: what people want stays what they want, and the central system sets bounds to it.
 - Its limit is an upper bound: the charger gets the smaller of the limit and the current that people have set; when the
   limit ends, theirs is there again. Below 6 A charging pauses.
 - A person's pause stays when the limit rises, and a person's start waits while the central system holds the charger.
 - What the charger has fallen to because the central system was silent (silence.py) is no wish: it ends when the
   central system is heard again, or when a person changes it.
 - What the central system has set unavailable stays so, also over the charger's restart; what a person has set
   unavailable, it does not set available.

Nothing is ever written while the central system sets no bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..snapshot import MIN_CURRENT
from .profiles import tenths

ENABLE, CURRENT, AVAILABLE = "ENABLE", "CHCUR", "AVAILABLE"
NAMES = (ENABLE, CURRENT, AVAILABLE)
RETRY_S = 5.0  # after a write that the charger did not take

#: Why the central system holds the charger.
STOPPED, RESERVED, INVALID = "stopped", "reserved", "invalid"


class Masters:
    """Told what the charger shows, what others have asked for, and what the central system allows; says what to write.

    ``limit`` is in A, None without one; ``holds`` are reasons not to charge; ``unavailable`` are the connectors (0: the
    whole charge point) that the central system has set inoperative.
    """

    def __init__(self, saved: Mapping[str, Any] | None = None) -> None:
        saved = saved or {}
        self.limit: float | None = None
        self.holds: set[str] = set(saved.get("holds", ()))
        self.unavailable: set[int] = set(saved.get("unavailable", ()))
        self._wish: dict[str, int] = dict(saved.get("wish", {}))  # of people, or the charger's own
        self._ours: dict[str, int] = dict(saved.get("ours", {}))  # what we have written last
        self._fallen: dict[str, int] = dict(saved.get("fallen", {}))  # since the central system is silent
        self._wish_before: dict[str, int | None] = {}
        self._shown: dict[str, int] = {}
        self._flying: set[str] = set()
        self._not_before: dict[str, float] = {}

    def as_dict(self) -> dict[str, Any]:
        """What has to outlive this program."""
        return {
            "holds": sorted(self.holds), "unavailable": sorted(self.unavailable),
            "wish": dict(self._wish), "ours": dict(self._ours), "fallen": dict(self._fallen),
        }  # fmt: skip

    # --- what happens

    def see(self, name: str, value: int | None) -> None:
        """The charger shows it. What differs from before, and is not what we wrote, somebody else has set."""
        if value is None:
            return
        before = self._shown.get(name)
        self._shown[name] = value
        if value != self._ours.get(name) and (value != before or name not in self._wish):
            self._wish_before[name] = self._wish.get(name)
            self._wish[name] = value
            self._ours.pop(name, None)
            self._fallen.pop(name, None)

    def asked(self, name: str, value: int) -> None:
        """Somebody else has written it: a wish, also where the charger showed that value already."""
        if name in NAMES:
            self._wish[name] = value
            self._fallen.pop(name, None)

    def fell(self, name: str, value: int) -> None:
        """It was written because the central system is silent, after ``see`` took it for a wish."""
        before = self._wish_before.get(name)
        if self._wish.get(name) == value and before is not None:
            self._wish[name] = before
        self._ours[name] = self._fallen[name] = value

    def heard(self) -> None:
        """The central system is there again."""
        self._fallen.clear()

    # --- what follows

    def orders(self, now: float) -> list[tuple[str, int]]:
        """What to write now, each with ``written`` to follow: what stops first, and what lets charging go on only when
        the current is right."""
        wanted = {name: value for name in NAMES if (value := self._target(name)) is not None}
        due = [name for name, value in wanted.items() if self._shown.get(name) not in (None, value)]
        too_high = CURRENT in due and wanted[CURRENT] < self._shown[CURRENT]
        if too_high and wanted.get(ENABLE) == 1:
            due = [name for name in due if name != ENABLE]
        ready = [name for name in due if name not in self._flying and now >= self._not_before.get(name, 0)]
        ready.sort(key=lambda name: (wanted[name] != 0, NAMES.index(name)))
        for name in ready:
            self._flying.add(name)
            self._ours[name] = wanted[name]
        return [(name, wanted[name]) for name in ready]

    def written(self, name: str, done: bool, now: float) -> None:
        self._flying.discard(name)
        if not done:
            self._not_before[name] = now + RETRY_S

    def _target(self, name: str) -> int | None:
        """None: leave it as it is."""
        wish = self._wish.get(name)
        if wish is None:
            return None
        if name == AVAILABLE:
            return 0 if self.unavailable else wish
        if name == ENABLE:
            return 0 if self.is_held else self._fallen.get(name, wish)
        wish = min(wish, self._fallen.get(name, wish))
        if self.limit is None:
            return wish
        return None if self.is_paused else min(wish, tenths(self.limit))

    # --- what is shown

    @property
    def is_paused(self) -> bool:
        """By the limit: IEC 61851 has no current below 6 A."""
        return self.limit is not None and tenths(self.limit) < MIN_CURRENT * 10

    @property
    def is_held(self) -> bool:
        return self.is_paused or bool(self.holds)

    @property
    def person_made_unavailable(self) -> bool:
        return self._wish.get(AVAILABLE) == 0

    @property
    def words(self) -> str:
        """For a person at the page; empty where the central system sets no bound."""
        if self.unavailable:
            return "set out of service by the central system"
        if STOPPED in self.holds or INVALID in self.holds:
            return "stopped by the central system"
        if RESERVED in self.holds:
            return "reserved by the central system"
        if self.is_paused:
            return "paused by the central system"
        if self.limit is not None and tenths(self.limit) < self._wish.get(CURRENT, 0):
            return f"limited by the central system to {tenths(self.limit) / 10:g} A"
        return ""
