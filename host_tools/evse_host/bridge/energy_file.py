"""Where a charger's lifetime energy outlives this program: a small JSON file for each charger in a state directory."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from .lifetime_energy import LifetimeEnergy, Memory

SAVE_EVERY_S = 60.0  # an SD card is worn by writes
AHEAD_S = 75  # of the power that flows: longer than SAVE_EVERY_S, so that the promise holds while it rises a little
MAX_AHEAD = 1500  # Wh

log = logging.getLogger("evse.energy")


def default_state_dir() -> Path:
    """systemd's STATE_DIRECTORY, or what XDG calls the state home."""
    service = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if service:
        return Path(service)
    home = os.environ.get("XDG_STATE_HOME", "")
    if home.startswith("/"):
        return Path(home) / "evse-host"
    try:
        return Path.home() / ".local" / "state" / "evse-host"
    except RuntimeError:  # a user without a home, in a container
        return Path("/var/lib/evse-host")


class EnergyFile:
    """The memory of one charger, ``key``, in a folder that is made when it is needed.

    It promises more than has been counted: what may be shown before it is written again. So the total does not fall
    when program and charger lose their power together. What cannot be read or written is logged once, and the charger
    is served all the same.
    """

    def __init__(self, folder: Path, key: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = folder / f"energy-{re.sub('[^A-Za-z0-9-]', '-', key) or 'charger'}.json"
        self._clock = clock
        self._saved: Memory | None = None
        self._ahead = 0
        self._written_at: float | None = None
        self._told = ""

    def load(self) -> LifetimeEnergy:
        try:
            found = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return LifetimeEnergy()
        except OSError as error:
            self._tell("read", error)
            return LifetimeEnergy()
        except (ValueError, RecursionError):
            found = None
        self._saved = Memory.of(found)
        if self._saved is None:
            log.warning("%s holds no energy: what earlier restarts of the charger took is forgotten", self.path)
            return LifetimeEnergy()
        ahead = found.get("ahead")
        return LifetimeEnergy(self._saved, ahead if type(ahead) is int and 0 <= ahead <= MAX_AHEAD else 0)

    def save(self, memory: Memory | None, power: int) -> None:
        """Before it is shown. Written once in SAVE_EVERY_S, and when more is to be shown than was promised; ``power``
        (W) tells how much that will be in the next minute."""
        if memory is None or not self._is_new(memory):
            return
        kept = self._saved is not None and self._saved.shown <= memory.shown <= self._saved.shown + self._ahead
        if kept and self._written_at is not None and self._clock() - self._written_at < SAVE_EVERY_S:
            return
        self._write(memory, min(power * AHEAD_S // 3600, MAX_AHEAD))

    def close(self, memory: Memory | None) -> None:
        """Nothing more will be shown."""
        if memory is not None and (self._is_new(memory) or self._ahead):
            self._write(memory, 0)

    def _is_new(self, memory: Memory) -> bool:
        """The uptime alone is no reason to write."""
        return self._saved is None or memory != replace(self._saved, uptime=memory.uptime)

    def _write(self, memory: Memory, ahead: int) -> None:
        self._saved, self._ahead, self._written_at = memory, ahead, self._clock()
        try:
            _replace(self.path, json.dumps(memory.as_dict() | {"ahead": ahead}) + "\n")
        except OSError as error:
            self._tell("write", error)
        else:
            self._told = ""

    def _tell(self, verb: str, error: OSError) -> None:
        words = f"cannot {verb} {self.path}: {(error.strerror or str(error)).lower()}"
        if words != self._told:
            log.warning("%s; the total may fall after a restart of this program and the charger", words)
        self._told = words


def _replace(path: Path, text: str) -> None:
    """The old file or the new one is there, whenever the power fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with new.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
