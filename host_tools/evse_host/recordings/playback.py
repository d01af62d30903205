"""Plays a recording as a charger. No port; the time is given.

The recorded answers belong to the recorded commands: a client may ask in another order, more often or at other times
and still gets what the charger answered to that command at about that time of the session. What the charger said by
itself (pushes, RDY) comes at its recorded time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..catalog import COMMAND
from ..wire.annotation import BARRIER, parse_command
from ..wire.codec import LineFramer, redact, to_text
from .recording import FROM_CHARGER, TO_CHARGER, Entry

IN_STEP_S = 2.0  # a client this far from the recorded times is still in the same place
NEVER = float("inf")
_UNKNOWN = b"\nERROR\n"


@dataclass
class Exchange:
    """A command and its answer: (seconds after the command, bytes) up to and with the result."""

    command: str
    seconds: float
    answer: list[tuple[float, bytes]]


@dataclass(frozen=True)
class Miss:
    """What a client asked and nobody had recorded; it was answered ERROR."""

    command: str


class Player:
    """``receive`` what the client sends, send what ``advance`` returns, call it again at ``deadline``.

    The session begins with the client's first byte. ``speed``: recorded seconds per second.
    """

    def __init__(self, entries: Iterable[Entry], speed: float = 1.0) -> None:
        self.exchanges, self._spontaneous = separate(entries)
        self.length = max([e.seconds for e in self.exchanges] + [t for t, _ in self._spontaneous], default=0.0)
        self.misses: list[Miss] = []
        self._speed = speed
        self._framer = LineFramer()
        self._start: float | None = None
        self._cursor = 0  # the exchange after the last one that was used in order
        self._answers: list[tuple[float, bytes]] = []  # due times, in order

    @property
    def deadline(self) -> float:
        """When there is something to send without the client's doing."""
        if self._answers:
            return self._answers[0][0]
        if self._start is None or not self._spontaneous:
            return NEVER
        return self._start + self._spontaneous[0][0] / self._speed

    @property
    def over(self) -> bool:
        """Nothing more happens by itself; commands are still answered."""
        return not self._answers and not self._spontaneous

    def position(self, now: float) -> float:
        """Seconds of the recorded session."""
        return 0.0 if self._start is None else min((now - self._start) * self._speed, self.length)

    def receive(self, data: bytes, now: float) -> None:
        if self._start is None and data:
            self._start = now
        for line, _whole in self._framer.feed(data):
            self._ask(redact(to_text(line)), now)

    def _ask(self, command: str, now: float) -> None:
        begin = max(now, self._answers[-1][0]) if self._answers else now
        exchange = self._choose(command, self.position(now))
        if exchange is None:
            if command != BARRIER:
                self.misses.append(Miss(command))
            self._answers.append((begin, _UNKNOWN))
            return
        self._answers += [(begin + delay / self._speed, data) for delay, data in exchange.answer]

    def _choose(self, command: str, position: float) -> Exchange | None:
        """In step with the recording the next one; otherwise the last one before, or the first one to come."""
        known = [(at, exchange) for at, exchange in enumerate(self.exchanges) if exchange.command == command]
        for at, exchange in known:
            if at >= self._cursor and abs(exchange.seconds - position) <= IN_STEP_S * self._speed:
                self._cursor = at + 1
                return exchange
        before = [exchange for at, exchange in known if at < self._cursor or exchange.seconds <= position]
        return before[-1] if before else known[0][1] if known else None

    def advance(self, now: float) -> bytes:
        """What the charger has said by ``now``. A push never comes into an answer."""
        out = b""
        while self.deadline <= now:
            out += self._answers.pop(0)[1] if self._answers else self._spontaneous.pop(0)[1]
        return out


def separate(entries: Iterable[Entry]) -> tuple[list[Exchange], list[tuple[float, bytes]]]:
    """Exchanges in order, and (seconds, bytes) of what the charger said by itself."""
    exchanges: list[Exchange] = []
    spontaneous: list[tuple[float, bytes]] = []
    waiting: list[Exchange] = []
    for entry in entries:
        if entry.direction == TO_CHARGER and entry.text:
            waiting.append(Exchange(entry.text, entry.seconds, []))
            exchanges.append(waiting[-1])
        elif entry.direction == FROM_CHARGER:
            if entry.text == "RDY":
                waiting.clear()
            if waiting and not _is_push(entry.text, waiting[0].command):
                _add_answer(waiting, entry)
            else:
                spontaneous.append((entry.seconds, entry.data))
    return exchanges, spontaneous


def _add_answer(waiting: list[Exchange], entry: Entry) -> None:
    waiting[0].answer.append((entry.seconds - waiting[0].seconds, entry.data))
    if entry.text in ("OK", "ERROR"):
        waiting.pop(0)


def _is_push(text: str, command: str) -> bool:
    """A value line under another name than what was asked."""
    if not text.startswith("+"):
        return False
    spoken = parse_command(command)
    asked = COMMAND.get(spoken.name) if spoken else None
    return asked is None or not text.startswith(f"+{asked.answer_name}=")
