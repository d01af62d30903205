"""Watches for the word of a bridge's controller, and has the charger fall back when there is none: see silence.py."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Protocol

from ..errors import EvseError
from .charger import SharedCharger
from .silence import Fallback, Silence

TICK_S = 0.5
ANSWER_S = 15.0  # a charger that is busy for longer is asked again
RETRY_S = 5.0


class Connected(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...

    def is_heard(self) -> bool:
        """Whether the other side is there."""


def watch_connection(bridge: Connected, charger: SharedCharger, fallback: Fallback, who: str) -> Watchdog:
    """The controller is there as long as the bridge is connected."""
    return Watchdog(charger, fallback, who, bridge.is_heard, bridge)


def watch_modbus(units: Mapping[int, SharedCharger], fallback: Fallback) -> dict[int, Watchdog]:
    """Unit -> watchdog; their ``heard`` is for the Modbus server, which calls it with every request."""
    return {unit: Watchdog(charger, fallback, "the Modbus master") for unit, charger in units.items()}


class Watchdog:
    """``who`` is the controller, for the log and the page. It is heard by ``heard()``, or as long as ``is_heard()``.
    ``by`` tells those who listen to writes whose they are."""

    def __init__(
        self,
        charger: SharedCharger,
        fallback: Fallback,
        who: str,
        is_heard: Callable[[], bool] = lambda: False,
        by: object = None,
    ) -> None:
        self._charger, self._who, self._is_heard, self._by = charger, who, is_heard, by
        self._log = logging.getLogger(f"evse.{charger.name}.silence")
        self._silence = Silence(fallback, time.monotonic())
        self._word = threading.Event()  # it was heard since the last look
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"silence-{charger.name}", daemon=True)
        self._was_silent = False
        self._has_fallen = False  # and nobody has raised the charger since
        self._problem = ""

    def start(self) -> None:
        self._silence.heard(time.monotonic())  # it begins now
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(ANSWER_S)
        self._charger.note(self._who, "")

    def heard(self) -> None:
        """From any thread."""
        self._word.set()

    def _run(self) -> None:
        wait = TICK_S
        while not self._stop.wait(wait):
            try:
                wait = TICK_S if self._look() else RETRY_S
            except Exception:
                self._log.exception("this should not happen; going on")

    def _look(self) -> bool:
        """Whether all is as it should be."""
        now = time.monotonic()
        if self._word.is_set() or self._is_heard():
            self._word.clear()
            self._silence.heard(now)
        self._tell(self._silence.is_silent(now))
        wanted = self._silence.wanted(now, self._charger.snapshot)
        return wanted is None or self._write(*wanted)

    def _tell(self, silent: bool) -> None:
        fallback = self._silence.fallback
        if silent and not self._was_silent:
            self._log.warning("no word from %s for %g s: %s", self._who, fallback.after, self._outcome())
        elif self._was_silent and not silent:
            self._log.warning("%s is heard again; the charger stays as it is until it is told otherwise", self._who)
        self._was_silent = silent
        self._has_fallen = silent or (self._has_fallen and not fallback.wanted(self._charger.snapshot))
        if silent:
            self._charger.note(self._who, f"No word from {self._who} for {fallback.after:g} s: {self._outcome()}.")
        elif self._has_fallen:
            again = f"There is word from {self._who} again: {fallback.words} until somebody sets it otherwise."
            self._charger.note(self._who, again)
        else:
            self._charger.note(self._who, "")

    def _outcome(self) -> str:
        if self._problem:
            return f"the charger does not fall back: {self._problem}"
        words = self._silence.fallback.words
        return words if self._charger.snapshot.online else f"{words} when the charger answers"

    def _write(self, name: str, value: int) -> bool:
        future = self._charger.set(name, value, by=self._by)
        try:
            self._result(future)
        except EvseError as error:
            if str(error) != self._problem:
                self._log.error("the charger does not fall back: %s; trying again", error)
            self._problem = str(error)
            return False
        self._problem = ""
        if not future.cancelled():
            self._silence.done()
        return True

    def _result(self, future: Future[Any]) -> None:
        """A controller that comes back before it is written takes it back."""
        deadline = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline and not future.done():
            if (self._word.is_set() or self._is_heard() or self._stop.is_set()) and future.cancel():
                return
            try:
                future.result(TICK_S / 5)
            except TimeoutError:
                continue
        if not future.cancel():
            future.result(ANSWER_S)
