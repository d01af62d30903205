"""Follows the lifetime energy of the charger at a port: asks, counts, and remembers it in a file."""

from __future__ import annotations

import time
from pathlib import Path

from ..errors import RefusedError
from ..line.client import Evse
from ..wire.codec import Fields
from .energy_file import EnergyFile
from .lifetime_energy import LifetimeEnergy, Reading

TOTAL = "EMETERTOTCONSUM"
CHARGING_S, IDLE_S = 2.0, 10.0  # between two looks
PARTS = (TOTAL, "EMETERCONSUM", "UPTIME")  # asked for in a row: only values of one moment belong together


class EnergyFollower:
    """``folder`` None: nothing outlives this program. To be used in the charger's thread."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._key: str | None = None
        self._file: EnergyFile | None = None
        self._energy = LifetimeEnergy()
        self._looked_at = 0.0

    @property
    def shown(self) -> dict[str, Fields]:
        """What is to be shown as EMETERTOTCONSUM, in Wh; empty until it is known."""
        return {} if self._energy.shown is None else {TOTAL: (self._energy.shown,)}

    def begin(self, evse: Evse, key: str) -> None:
        """With every connection. ``key`` tells chargers apart: another one may be at the port now."""
        if key != self._key:
            self._key = key
            self._file = EnergyFile(self._folder, key) if self._folder else None
            self._energy = self._file.load() if self._file else LifetimeEnergy()
        self._look(evse)

    def look(self, evse: Evse, charging: bool) -> None:
        """After ``begin``; may be called at any time. Raises EvseError."""
        now = time.monotonic()
        pause = CHARGING_S if charging or self._energy.is_doubted else IDLE_S
        if self._key is not None and now - self._looked_at >= pause:
            self._look(evse)

    def look_again(self, evse: Evse) -> None:
        """At once, so that the values of this moment count. Raises EvseError."""
        if self._key is not None:
            self._look(evse)

    def reset(self, evse: Evse) -> None:
        """What a person asked for. Raises EvseError."""
        evse.set(TOTAL, 0)
        self._energy.on_reset()
        self._look(evse)

    def end(self) -> None:
        """Writes what is not written yet."""
        if self._file:
            self._file.close(self._energy.memory)

    def _look(self, evse: Evse) -> None:
        """Twice, for a value counts when the next one continues it."""
        self._looked_at = time.monotonic()
        try:
            for _ in range(2):
                self._energy.update(Reading(*(evse.get(name)[0] for name in PARTS)))
            if self._file:
                self._file.save(self._energy.memory, evse.get("EMETERPOWER")[0])
        except RefusedError:
            pass  # noise, or a firmware without it
