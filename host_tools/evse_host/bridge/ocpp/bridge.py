"""A charger as a charge point, with start and stop: what the gateway and the command run."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import re
import threading
from pathlib import Path

from ...errors import UsageError
from ...secrecy import shown
from ..charger import SharedCharger
from .journal import Journal
from .situation import Settings
from .station import DIALECTS, Station, Watcher
from .target import Target

STOP_TIMEOUT_S = 5.0
MAX_TAG = 20


def journal_file(folder: Path, target: Target) -> Path:
    """One for each charge point at each central system; what waits for one is nothing for another."""
    where = target.url.partition(":")[2]  # a step up to TLS is no other central system
    mark = hashlib.sha256(f"{where} {target.identity}".encode()).hexdigest()[:8]
    return folder / f"ocpp-{re.sub('[^A-Za-z0-9._-]', '-', target.identity)}-{mark}.sqlite3"


def check_tag(tag: str) -> str:
    """Raises UsageError."""
    if len(tag) > MAX_TAG or not tag.isprintable():
        raise UsageError(f"tag {shown(tag)}: at most {MAX_TAG} printable characters")
    return tag


class OcppBridge:
    """``journal`` is the file of what must not be lost. ``start`` raises PortError where it cannot be used."""

    def __init__(
        self,
        charger: SharedCharger,
        target: Target,
        journal: Path,
        settings: Settings | None = None,
        version: str = "1.6",
        watch: Watcher | None = None,
    ) -> None:
        if version not in DIALECTS:
            raise UsageError(f"version {version!r}: {', '.join(DIALECTS)} are there")
        self._charger, self._target, self._file = charger, target, journal
        self._settings, self._version, self._watch = settings or Settings(), version, watch
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self.station: Station | None = None

    def start(self) -> None:
        journal = Journal.open(self._file)
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(journal, ready)), name=f"evse-{self._charger.name}-ocpp", daemon=True
        )
        self._thread.start()
        ready.wait(STOP_TIMEOUT_S)

    def stop(self) -> None:
        """The line is closed, and what was not sent stays in the journal."""
        if self._loop and self._task:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._task.cancel)
        if self._thread:
            self._thread.join(STOP_TIMEOUT_S)

    @property
    def is_connected(self) -> bool:
        return self.station is not None and self.station.link.is_connected

    def is_heard(self) -> bool:
        """Whether the central system is there."""
        return self.is_connected

    @property
    def reason(self) -> str:
        """Why it is not connected."""
        return self.station.link.reason if self.station else "not started yet"

    async def _run(self, journal: Journal, ready: threading.Event) -> None:
        try:
            self.station = Station(
                self._charger, self._target, self._settings, journal, self._version, self._watch, self
            )
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
            ready.set()
            with contextlib.suppress(asyncio.CancelledError):
                await self.station.run()
        except Exception:
            logging.getLogger(f"evse.{self._charger.name}.ocpp").exception("an error in this program; OCPP has ended")
        finally:
            ready.set()
            journal.close()
