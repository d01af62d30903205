"""Where a charger's lifetime energy outlives this program: a small JSON file for each charger in a state directory."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

from .lifetime_energy import LifetimeEnergy, Memory

SAVE_EVERY_S = 60.0  # an SD card is worn by writes

log = logging.getLogger("evse.energy")


def default_state_dir() -> Path:
    """systemd's STATE_DIRECTORY, or what XDG calls the state home."""
    service = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if service:
        return Path(service)
    home = os.environ.get("XDG_STATE_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".local" / "state") / "evse-host"


class EnergyFile:
    """The memory of one charger, ``key``, in a folder that is made when it is needed.

    What cannot be read or written is logged once, and the charger is served all the same.
    """

    def __init__(self, folder: Path, key: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = folder / f"energy-{re.sub('[^A-Za-z0-9-]', '-', key) or 'charger'}.json"
        self._clock = clock
        self._saved: Memory | None = None
        self._tried_at: float | None = None
        self._told = ""

    def load(self) -> Memory | None:
        try:
            self._saved = Memory.of(json.loads(self.path.read_bytes()))
        except FileNotFoundError:
            return None
        except OSError as error:
            self._tell("read", error)
            return None
        except (ValueError, RecursionError):
            self._saved = None
        if self._saved is None:
            log.warning("%s holds no energy: what earlier restarts of the charger took is forgotten", self.path)
        return self._saved

    def save(self, energy: LifetimeEnergy, *, now: bool = False) -> None:
        """If there is anything new: at most once in SAVE_EVERY_S, or ``now``."""
        memory = energy.memory
        if memory is None or (self._saved and _energies(memory) == _energies(self._saved)):
            return
        if not now and self._tried_at is not None and self._clock() - self._tried_at < SAVE_EVERY_S:
            return
        self._tried_at = self._clock()
        try:
            _replace(self.path, json.dumps(memory.as_dict()) + "\n")
        except OSError as error:
            self._tell("write", error)
        else:
            self._saved, self._told = memory, ""

    def _tell(self, verb: str, error: OSError) -> None:
        words = f"cannot {verb} {self.path}: {(error.strerror or str(error)).lower()}"
        if words != self._told:
            log.warning("%s; the total may fall after a restart of this program and the charger", words)
        self._told = words


def _energies(memory: Memory) -> tuple[int, int, int]:
    """The uptime alone is no reason to write."""
    return memory.offset, memory.total, memory.session


def _replace(path: Path, text: str) -> None:
    """The old file or the new one is there, whenever the power fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with new.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
