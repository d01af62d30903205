"""When nothing may be sent: right after a start of the charger, beside another command, before question and answer are
known to belong together, into a silence, or where a second ERROR may come."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from evse_host import catalog
from evse_host.catalog import COMMAND
from evse_host.wire import codec
from tools.soak.oracle.contract import HOLDOFF_S

HOLDOFF_MS = HOLDOFF_S * 1000
ERROR_PAUSE_MS = 19  # 20 by the client's clock, which counts whole ones
SILENCE_MS = 1500  # then a restart may have been missed
MAX_COMMAND_BYTES = 160
_COMMAND = re.compile(r"~|[Aa][Tt][^\x00-\x1f\x7f]*")


class Line(NamedTuple):
    """Each character is a byte. ``name`` is what stands before the `=` of a value, ``rest`` what stands behind it."""

    text: str
    whole: bool
    name: str | None
    rest: str


@lru_cache(100_000)
def read_line(received: str) -> Line | None:
    """With its end; nothing if it is empty."""
    for data, whole in codec.LineFramer().feed(received.encode("latin-1")):
        text = data.decode("latin-1")
        name, equals, rest = text[1:].partition("=")
        return Line(text, whole, name if text.startswith("+") and equals else None, rest)
    return None


@lru_cache(100_000)
def parse(name: str, text: str) -> tuple | None:
    try:
        return codec.parse_value(COMMAND[name], text)
    except ValueError:
        return None


class Result(NamedTuple):
    """``answers``: the command in flight."""

    ok: bool
    answers: bool


class Value(NamedTuple):
    command: str
    fields: tuple


class Sync(enum.Enum):
    """How far question and answer are known to belong together."""

    LOST = enum.auto()
    BARRIER = enum.auto()
    CLEARED = enum.auto()
    QUESTION = enum.auto()
    NAMED = enum.auto()
    READY = enum.auto()


UNSURE = (Sync.QUESTION, Sync.NAMED)


class Link:
    """Follows every line of both sides; moments are in ms. ``complain(what, command)`` at what must not be, ``names``
    are the commands whose values the client reads, ``may_lack(name)`` whether it may believe that the firmware lacks
    one: then a bad value is none of its business."""

    def __init__(
        self,
        names: Iterable[str],
        complain: Callable[[str, str], None],
        may_lack: Callable[[str], bool] = lambda _name: True,
    ) -> None:
        self._complain, self._may_lack = complain, may_lack
        self._of_word: dict[str, str] = {}
        for name in names:
            self._of_word.setdefault(COMMAND[name].answer_name, name)
            self._of_word.setdefault(name, name)
        self._ready_at = self._error_at = self._heard_at = -math.inf
        self._sync = Sync.LOST
        self.in_flight = False
        self._uptime_seen = False

    def on_sent(self, command: str, now: float) -> bool:
        """Without its line end. Whether it is one that somebody must have a reason for."""
        if not _COMMAND.fullmatch(command) or len(command) >= MAX_COMMAND_BYTES:
            self._complain("not a command", command)
        if now - self._ready_at < HOLDOFF_MS:
            self._complain("sent within 1 s of RDY", command)
        self._follow(command, now)
        self.in_flight = True
        return self._sync is Sync.READY

    def on_line(self, line: Line, now: float) -> Result | Value | None:
        """What it says to the client."""
        if not line.whole:
            self._on_other()
        elif line.text in ("OK", "ERROR"):
            return self._on_result(line.text == "OK", now)
        elif line.text == "RDY":
            self._ready_at = now
            self.lose()
        elif line.name is not None:
            return self._on_value(line, now)
        elif not line.text.startswith(("~", "AT")):
            self._on_other()
        return None

    def lose(self) -> None:
        """Something was missed."""
        self._sync = Sync.LOST
        self.in_flight = False

    def _on_value(self, line: Line, now: float) -> Value | None:
        self._heard_at = now
        if self._sync is Sync.QUESTION and line.name == "VER":
            self._sync = Sync.NAMED
        name = self._of_word.get(line.name)
        if name is None:
            return None
        fields = parse(name, line.rest)
        if fields is None:
            if COMMAND[name].refresh not in (catalog.ONCE, catalog.NEVER):  # while in step it does not matter
                self._on_other(may_be_nothing=self._may_lack(name))
            return None
        if name == "UPTIME":
            self._uptime_seen |= self._sync is Sync.READY
        return Value(name, fields)

    def _on_other(self, may_be_nothing: bool = False) -> None:
        """Neither value nor result: it may have been the barrier's answer."""
        if self._sync is Sync.BARRIER:
            self._sync = Sync.CLEARED
        elif self._sync in UNSURE and not may_be_nothing:
            self._sync = Sync.LOST

    def _on_result(self, ok: bool, now: float) -> Result:
        answers = self._sync is Sync.READY and self.in_flight
        self._heard_at = now
        if not ok:
            self._error_at = now
        if self._sync is Sync.BARRIER:
            self._sync = Sync.CLEARED
        elif self._sync in UNSURE:
            self._sync = Sync.READY if ok and self._sync is Sync.NAMED else Sync.LOST
            self._uptime_seen, self._error_at = False, -math.inf
        self.in_flight = False
        return Result(ok, answers)

    def _follow(self, command: str, now: float) -> None:
        """Nothing but the barrier while question and answer may not belong together; never two commands in flight."""
        if command == "~":
            self._sync, self._uptime_seen, self._error_at = Sync.BARRIER, False, -math.inf
        elif self._sync is Sync.CLEARED and command == "AT+VER?":
            self._sync = Sync.QUESTION
        elif self._sync is not Sync.READY:
            self._complain("a command before the barrier is through", command)
        elif self.in_flight:
            self._complain("two commands in flight", command)
        elif now - self._error_at < ERROR_PAUSE_MS:
            self._complain("no wait for a second ERROR", command)
        elif command != "AT+UPTIME?":
            if not self._uptime_seen:
                self._complain("a command before the uptime is known", command)
            if now - self._heard_at > SILENCE_MS:
                self._complain("a command into a silence that may hide a restart", command)
