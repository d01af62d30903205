"""Speaks the charger's AT protocol without port or clock: bytes and seconds in, bytes and events out.

One command is in flight. Before the first one, and after every silence, a barrier proves that questions and answers
belong together: `~` ends whatever was begun with exactly one ERROR, then a read that names itself (`AT+VER?`) must be
answered. A late OK can therefore never complete another command. The charger's uptime tells whether it has only just
started; then, as after RDY, nothing is sent for a while, because a write in that window can crash it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ..catalog import COMMAND, WRITE_HOLDOFF_MS
from .codec import Decoder, Event, Other, Ready, Result, Value, to_bytes, to_text

SETTLE_S = WRITE_HOLDOFF_MS / 1000 + 0.2
SETTLED_UPTIME_S = 6  # older than that, a charger has certainly settled
ANSWER_TIMEOUT_S = 1.0  # the RCM self-test holds up an answer for 0.5 s
SLOW_TIMEOUT_S = 10.0  # Wi-Fi scan, the list of commands
SYNC_TIMEOUT_S = 5.0  # until a silent charger is given up
CLEAR_TIMEOUT_S = 0.5  # doubles with every silent barrier
MAX_CLEAR_TIMEOUT_S = 2.0
QUIET_S = 0.04  # no further result within this: none is left
AFTER_ERROR_S = 0.02  # a second ERROR may follow
HEARD_S = 1.5  # shorter than any restart
UPTIME_TOLERANCE_S = 5
NEVER = float("inf")

BARRIER = "~"
VERIFY = "AT+VER?"
CHECK = "AT+UPTIME?"
ECHO_OFF = "ATE0"


class Outcome(enum.Enum):
    OK = "OK"
    ERROR = "ERROR"
    SILENCE = "silence"  # sent, and no answer that can be trusted: executed or not
    NOT_SENT = "not sent"  # the charger does not answer at all
    RESTARTED = "restarted"  # the charger started while the answer was awaited


@dataclass(frozen=True)
class Request:
    """One command line, without its end. ``reads`` is the catalog's name of the value that must come before the OK."""

    line: str
    reads: str = ""
    timeout: float = ANSWER_TIMEOUT_S


@dataclass(frozen=True)
class Answer:
    """How a request ended. ``lines`` are all lines that came in between, ``values`` those that were understood;
    ``seconds`` from the last byte given out to the result."""

    request: Request
    outcome: Outcome
    values: tuple[Value, ...] = ()
    lines: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.OK


class State(enum.Enum):
    UNKNOWN = enum.auto()  # nothing is asked, nothing is trusted
    SETTLING = enum.auto()  # after RDY: not a byte
    CLEARING = enum.auto()  # `~` sent
    QUIET = enum.auto()  # its ERROR came: waiting until no more results come
    VERIFYING = enum.auto()
    CHECKING = enum.auto()  # how long has the charger been up?
    ECHO_OFF = enum.auto()
    READY = enum.auto()
    BUSY = enum.auto()
    HOLD = enum.auto()  # after ERROR


class Protocol:
    """Drive it: ``start`` a request, send what ``outgoing`` gives, call ``receive`` with what comes and ``advance`` at
    ``deadline`` at the latest, until an Answer is among the events that both return. Times are seconds of any clock.

    Every other event (pushes, RDY, damage) is returned as it comes, the values of an answer too.
    """

    def __init__(self, sync_timeout: float = SYNC_TIMEOUT_S) -> None:
        self.sync_timeout = sync_timeout
        self.state = State.UNKNOWN
        self.deadline = NEVER
        self.resyncs = 0
        self._decoder = Decoder()
        self._out = bytearray()
        self._request: Request | None = None
        self._give_up_at = NEVER
        self._values: list[Value] = []
        self._lines: list[str] = []
        self._sent_line, self._sent_at = "", 0.0
        self._barriers = 0  # sent in a row
        self._clean = True  # nothing unexpected since the barrier was begun
        self._trusted = False  # in step before: only then a quiet barrier may be short
        self._heard_at = -NEVER
        self._uptime: tuple[int, float] | None = None  # what the charger said, and when
        self._doubted = self._settled = self._echo = False
        self._events: list[Event | Answer] = []

    # --- what the caller does

    @property
    def busy(self) -> bool:
        return self._request is not None

    @property
    def asked(self) -> str:
        """The catalog's name of the value that is being read; empty if none is."""
        return self._sent_line[3:].rstrip("?") if self._sent_line.endswith("?") else self._sent_line[3:]

    def start(self, request: Request, now: float) -> None:
        """Begins a request. RuntimeError while another is in flight."""
        if self._request:
            raise RuntimeError(f"{self._request.line} is still in flight")
        self._request = request
        self._give_up_at = now + self.sync_timeout + (SETTLE_S if self.state is State.SETTLING else 0.0)
        if self.state is State.UNKNOWN:
            self._begin_barrier(now)
        elif self.state is State.READY:
            self._next(now)

    def cancel(self) -> None:
        """Forgets the request in flight; whatever answers it still is swallowed by a barrier before the next one."""
        self._request = None
        self._lose_step()

    def outgoing(self) -> bytes:
        """What is to be sent now."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def receive(self, data: bytes, now: float) -> list[Event | Answer]:
        for event in self._decoder.feed(data):
            self._events.append(event)
            self._on_event(event, now)
        return self.advance(now)

    def advance(self, now: float) -> list[Event | Answer]:
        """Time passes."""
        if now >= self.deadline:
            self._on_deadline(now)
        events, self._events = self._events, []
        return events

    # --- lines

    def _on_event(self, event: Event, now: float) -> None:
        if isinstance(event, Ready):
            self._on_ready(now)
        elif isinstance(event, Result):
            self._hear(now)
            self._on_result(event.ok, now)
        elif isinstance(event, Value):
            self._hear(now)
            if self._sent_line:  # else it answers nothing, and pushes may come for months
                self._values.append(event)
                self._lines.append(event.text)
        elif isinstance(event, Other):
            self._on_other(event.text)
        else:
            self._clean = False
            if self._sent_line:
                self._lines.append(to_text(event.raw))

    def _hear(self, now: float) -> None:
        if now - self._heard_at > HEARD_S:
            self._settled = False  # time enough for a restart that nobody saw
        self._heard_at = now

    def _on_other(self, text: str) -> None:
        if not self._sent_line:
            return
        if not self._lines and text.endswith(self._sent_line):
            self._echo = True
        else:
            self._lines.append(text)

    def _on_ready(self, now: float) -> None:
        self._uptime = None
        self._settled, self._heard_at = True, now
        if self.state is State.BUSY:
            self._finish(Outcome.RESTARTED, now)
        self._settle(now)

    def _settle(self, now: float) -> None:
        self._enter(State.SETTLING, now + SETTLE_S)
        self._out.clear()
        self._give_up_at = max(self._give_up_at, now + SETTLE_S + self.sync_timeout)

    def _on_result(self, ok: bool, now: float) -> None:
        if self.state is State.CLEARING:
            self._on_barrier_result(ok, now)
        elif self.state is State.QUIET:
            self.deadline = now + QUIET_S
        elif self.state is State.VERIFYING:
            self._advance_sync(ok and self._saw("VER"), now)
        elif self.state is State.CHECKING:
            self._on_uptime(ok, now)
        elif self.state is State.ECHO_OFF:
            self._on_echo_result(ok, now)
        elif self.state is State.BUSY:
            self._on_answer(ok, now)
        elif self.state is State.READY:
            self._lose_step()

    def _on_echo_result(self, ok: bool, now: float) -> None:
        """Every firmware has the command: an ERROR is another's, or a second one follows."""
        if not ok:
            self._retry_barrier(now)
            return
        self._echo = False
        self._enter(State.READY, NEVER)
        self._next(now)

    def _saw(self, name: str) -> bool:
        return any(value.name == name for value in self._values)

    def _on_answer(self, ok: bool, now: float) -> None:
        if not ok:
            self._finish(Outcome.ERROR, now)
            self._enter(State.HOLD, now + AFTER_ERROR_S)
        elif self._request and self._request.reads and not self._saw(self._request.reads):
            self._finish(Outcome.SILENCE, now)  # the value was lost, or this OK is another command's
            self._lose_step()
        else:
            self._finish(Outcome.OK, now)
            self._enter(State.READY, NEVER)

    # --- getting into step

    def _begin_barrier(self, now: float) -> None:
        self._barriers, self._clean = 0, True
        self.resyncs += 1
        self._send_barrier(now)

    def _send_barrier(self, now: float) -> None:
        wait = min(CLEAR_TIMEOUT_S * 2**self._barriers, MAX_CLEAR_TIMEOUT_S)
        self._barriers += 1
        self._enter(State.CLEARING, now + wait)
        self._send(BARRIER, now)

    def _on_barrier_result(self, ok: bool, now: float) -> None:
        """The first barrier of all, answered as it should be, needs no quiet: what is asked next names itself."""
        if not ok and self._clean and self._barriers == 1 and not self._trusted:
            self._verify(now)
        else:
            self._enter(State.QUIET, now + QUIET_S)

    def _verify(self, now: float) -> None:
        self._enter(State.VERIFYING, now + ANSWER_TIMEOUT_S)
        self._send(VERIFY, now)

    def _check(self, now: float) -> None:
        self._enter(State.CHECKING, now + ANSWER_TIMEOUT_S)
        self._send(CHECK, now)

    def _advance_sync(self, verified: bool, now: float) -> None:
        if verified:
            self._trusted = True
            self._check(now)
        else:
            self._retry_barrier(now)

    def _retry_barrier(self, now: float) -> None:
        self._clean = False
        if now >= self._give_up_at:
            self._give_up(now)
        else:
            self._send_barrier(now)

    def _on_uptime(self, ok: bool, now: float) -> None:
        uptimes = [value.fields[0] for value in self._values if value.name == "UPTIME"]
        if not (ok and uptimes):
            self._retry_barrier(now)
            return
        uptime = uptimes[-1]
        if self._runs_backwards(uptime, now):
            if not self._doubted:  # it may be noise: ask once more before believing it
                self._doubted = True
                self._check(now)
                return
            self._events.append(Ready())  # it was missed
        self._doubted = False
        self._uptime = (uptime, now)
        if uptime < SETTLED_UPTIME_S and not self._settled:
            self._settled = True
            self._settle(now)
            return
        self._enter(State.READY, NEVER)
        self._next(now)

    def _runs_backwards(self, uptime: int, now: float) -> bool:
        if self._uptime is None:
            return False
        then, at = self._uptime
        return uptime < then + (now - at) - UPTIME_TOLERANCE_S

    def _next(self, now: float) -> None:
        """In step: what is there to do?"""
        if self._request is None:
            return
        if now - self._heard_at > HEARD_S:
            self._check(now)  # a restart takes longer than that, and its RDY may have been lost
        elif self._echo:
            self._enter(State.ECHO_OFF, now + ANSWER_TIMEOUT_S)
            self._send(ECHO_OFF, now)
        else:
            self._enter(State.BUSY, now + self._request.timeout)
            self._send(self._request.line, now)

    # --- bookkeeping

    def _send(self, line: str, now: float) -> None:
        self._out += to_bytes(line) + b"\n"
        self._sent_line, self._sent_at = line, now

    def _enter(self, state: State, deadline: float) -> None:
        self.state, self.deadline = state, deadline
        self._values, self._lines, self._sent_line = [], [], ""

    def _lose_step(self) -> None:
        self._enter(State.UNKNOWN, NEVER)

    def _finish(self, outcome: Outcome, now: float) -> None:
        values, lines = tuple(self._values), tuple(self._lines)
        if self._request is None:
            return
        self._events.append(Answer(self._request, outcome, values, lines, now - self._sent_at))
        self._request = None

    def _give_up(self, now: float) -> None:
        if self._request:
            self._finish(Outcome.NOT_SENT, now)
        self._lose_step()

    def _on_deadline(self, now: float) -> None:
        if self.state is State.QUIET:
            self._verify(now)
        elif self.state is State.HOLD:
            self._enter(State.READY, NEVER)
            self._next(now)
        elif self.state is State.BUSY:
            self._finish(Outcome.SILENCE, now)
            self._lose_step()
        elif self.state is State.SETTLING:
            self._lose_step()
            if self._request:
                self._begin_barrier(now)
        elif now >= self._give_up_at:
            self._give_up(now)
        else:
            self._retry_barrier(now)


def read_request(name: str) -> Request:
    """Reads a command of the catalog."""
    command = COMMAND[name]
    return Request(f"AT+{name}?", "" if command.lines else name)
