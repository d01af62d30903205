"""Judges a recorded session by the protocol's rules: every deviation with its line. No file, no clock.

Both sides are judged: what a client must never send, and what a charger never says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..catalog import COMMAND, MAX_SUBSCRIBE_PERIOD_MS, SUBSCRIBE_MIN_MS, WRITE_HOLDOFF_MS
from ..wire.annotation import BARRIER, READ, RUN, TEST, WRITE, Spoken, parse_command
from ..wire.codec import (
    Damaged,
    Event,
    LineFramer,
    Other,
    Ready,
    Result,
    Value,
    danger_of,
    decode_line,
    format_argument,
    parse_value,
    printable,
    to_text,
)
from ..wire.protocol import ANSWER_TIMEOUT_S, SLOW_TIMEOUT_S, UPTIME_TOLERANCE_S
from .recording import FROM_CHARGER, NOTE, TO_CHARGER, Entry, Recorder

BUFFER_BYTES = 128  # what the charger keeps of unanswered input
CLIENT, CHARGER = "client", "charger"
_FORMS = {READ: ("R", "read"), WRITE: ("W", "written"), RUN: ("X", "run")}


@dataclass(frozen=True)
class Deviation:
    """``line`` is that of the recording, ``side`` who deviates: client or charger."""

    line: int
    time_us: int
    side: str
    text: str


@dataclass
class _Open:
    """A command whose result has not come."""

    entry: Entry
    text: str
    spoken: Spoken | None
    seen: bool = False  # its value line came

    @property
    def timeout_us(self) -> int:
        slow = self.spoken is not None and self.spoken.name in ("WIFIAPSCAN", "CMD")
        return int((SLOW_TIMEOUT_S if slow else ANSWER_TIMEOUT_S) * 1e6)


def check(entries: Iterable[Entry]) -> list[Deviation]:
    """Every deviation of a session, in order."""
    checker = _Checker()
    last = 0
    for entry in _whole_lines(entries):
        checker.take(entry)
        last = entry.time_us
    checker.expire(last)
    return sorted(checker.found, key=lambda deviation: (deviation.line, deviation.time_us))


def _whole_lines(entries: Iterable[Entry]) -> list[Entry]:
    """A person may have cut lines in other places: joins pieces, each whole line with the number of its last one."""
    recorder, lines = Recorder(), []
    numbers = {TO_CHARGER: 0, FROM_CHARGER: 0}
    for entry in entries:
        if entry.direction == NOTE:
            continue
        for whole in recorder.feed(entry.direction, entry.data, entry.time_us):
            new = whole.direction == entry.direction and whole.time_us == entry.time_us
            lines.append(replace(whole, line=entry.line if new else numbers[whole.direction]))
        numbers[entry.direction] = entry.line
    return lines + [replace(rest, line=numbers[rest.direction]) for rest in recorder.finish() if rest.text]


class _Checker:
    def __init__(self) -> None:
        self.found: list[Deviation] = []
        self._open: list[_Open] = []
        self._ready_us: int | None = None
        self._subscribed: set[str] | None = None  # None: nobody knows what was subscribed before the recording
        self._uptime: tuple[int, int] | None = None
        self._listing = False

    def take(self, entry: Entry) -> None:
        self.expire(entry.time_us)
        if entry.direction == TO_CHARGER:
            self._command(entry)
        elif entry.direction == FROM_CHARGER:
            self._answer(entry)

    def expire(self, now_us: int) -> None:
        """Commands whose answer is overdue."""
        while self._open and now_us - self._open[0].entry.time_us > self._open[0].timeout_us:
            late = self._open.pop(0)
            self._deviates(late.entry, CHARGER, f"no result for {printable(late.text)}")

    def _deviates(self, entry: Entry, side: str, text: str) -> None:
        self.found.append(Deviation(entry.line, entry.time_us, side, text))

    # --- what the client sends

    def _command(self, entry: Entry) -> None:
        text = entry.text
        spoken = parse_command(text)
        if self._open and text != BARRIER:
            self._check_pipeline(entry)
        for reason in self._client_faults(entry, text, spoken):
            self._deviates(entry, CLIENT, reason)
        self._open.append(_Open(entry, text, spoken))

    def _check_pipeline(self, entry: Entry) -> None:
        waiting = sum(len(command.entry.data) for command in self._open) + len(entry.data)
        if waiting > BUFFER_BYTES:
            self._deviates(entry, CLIENT, f"{waiting} bytes without an answer, the charger keeps {BUFFER_BYTES}")
        else:
            text = printable(self._open[0].text)
            self._deviates(entry, CLIENT, f"a second command before the result of {text}")

    def _client_faults(self, entry: Entry, text: str, spoken: Spoken | None) -> list[str]:
        if text == BARRIER:
            return []
        if spoken is None:
            return [f"{printable(text[:60])!r} is not a command"]
        faults = [] if entry.data.endswith(b"\n") else ["the line does not end with \\n"]
        if not spoken.known:
            return [*faults, f"{spoken.typed}: no such command"]
        if spoken.abbreviated:
            faults.append(f"{spoken.typed}: short for {spoken.name}; a lost byte makes it another command")
        if danger := danger_of(text):
            return [*faults, danger]
        return faults + self._form_faults(spoken) + self._early(entry, spoken)

    def _form_faults(self, spoken: Spoken) -> list[str]:
        command = COMMAND.get(spoken.name)
        if command is None or spoken.form == TEST:
            return []
        letter, verb = _FORMS[spoken.form]
        if letter not in command.access:
            return [f"{spoken.name}: cannot be {verb}"]
        return [reason] if spoken.form == WRITE and (reason := _bad_argument(spoken)) else []

    def _early(self, entry: Entry, spoken: Spoken) -> list[str]:
        if self._ready_us is None or spoken.form != WRITE or spoken.name in ("SUB", "UNSUB"):
            return []
        since_ms = (entry.time_us - self._ready_us) / 1000
        if since_ms >= WRITE_HOLDOFF_MS:
            return []
        return [f"{spoken.name}: written {since_ms:.0f} ms after RDY, wait for {WRITE_HOLDOFF_MS} ms"]

    # --- what the charger says

    def _answer(self, entry: Entry) -> None:
        if self._open and self._open[0].spoken and self._open[0].spoken.form == TEST and "=<" in entry.text:
            return  # the types of the fields
        event = self._decode(entry)
        if isinstance(event, Ready):
            self._open.clear()
            self._ready_us, self._subscribed, self._uptime = entry.time_us, set(), None
        elif isinstance(event, Result):
            self._check_frame(entry)
            self._result(entry, event.ok)
        elif isinstance(event, Value):
            self._check_frame(entry)
            self._value(entry, event)
        elif isinstance(event, Damaged):
            self._deviates(entry, CHARGER, f"damaged: {printable(to_text(event.raw))[:80]}")
        else:
            self._other(entry, event)

    def _decode(self, entry: Entry) -> Event:
        lines = LineFramer().feed(entry.data + b"\n")
        line, whole = lines[-1] if lines else (b"", False)
        return decode_line(line) if whole else Damaged(line)

    def _check_frame(self, entry: Entry) -> None:
        if entry.data.lstrip(b"\0")[:1] not in (b"\n", b"\r") or not entry.data.endswith((b"\n", b"\r")):
            self._deviates(entry, CHARGER, f"{printable(entry.text)[:60]} is not between line ends of its own")

    def _result(self, entry: Entry, ok: bool) -> None:
        if not self._open:
            self._deviates(entry, CHARGER, f"{'OK' if ok else 'ERROR'} without a command")
            return
        command = self._open.pop(0)
        spoken = command.spoken
        if not ok:
            return
        if spoken is None or not spoken.known:
            self._deviates(entry, CHARGER, f"OK to {printable(command.text)[:60]}, which is no command")
        elif spoken.form == READ and not command.seen and not COMMAND[spoken.name].lines:
            self._deviates(entry, CHARGER, f"OK to {printable(command.text)}, without its value")
        else:
            self._follow_subscriptions(spoken)

    def _follow_subscriptions(self, spoken: Spoken) -> None:
        if spoken.form != WRITE or spoken.name not in ("SUB", "UNSUB"):
            return
        name = spoken.argument.partition(",")[0].strip('"').removeprefix("+")
        if spoken.name == "UNSUB" and not name:
            self._subscribed = set()
        elif self._subscribed is not None:
            (self._subscribed.add if spoken.name == "SUB" else self._subscribed.discard)(name)

    def _value(self, entry: Entry, value: Value) -> None:
        command = self._open[0] if self._open else None
        if command and command.spoken and command.spoken.name == value.name:
            command.seen = True
        elif self._subscribed is not None and value.name not in self._subscribed and not self._about_to_push(value):
            self._deviates(entry, CHARGER, f"{value.name}: neither asked for nor subscribed")
        for column, field in zip(COMMAND[value.name].fields, value.fields, strict=False):
            if column.values and isinstance(field, int) and field >= len(column.values):
                allowed = f"0 to {len(column.values) - 1}"
                self._deviates(entry, CHARGER, f"{value.name}: {column.name} {field} is not {allowed}")
        if value.name == "UPTIME":
            self._check_uptime(entry, value.fields[0])

    def _about_to_push(self, value: Value) -> bool:
        """A subscription whose OK is still to come."""
        subscriptions = [open_.spoken for open_ in self._open if open_.spoken and open_.spoken.name == "SUB"]
        return any(f'"+{value.name}"' in spoken.argument for spoken in subscriptions)

    def _check_uptime(self, entry: Entry, uptime: int) -> None:
        if self._uptime is not None:
            before, then_us = self._uptime
            if uptime < before + (entry.time_us - then_us) / 1e6 - UPTIME_TOLERANCE_S:
                self._deviates(entry, CHARGER, f"UPTIME went back from {before} to {uptime} s: a restart without RDY")
                self._subscribed = set()
        self._uptime = uptime, entry.time_us

    def _other(self, entry: Entry, event: Other) -> None:
        command = self._open[0] if self._open else None
        if command is not None and event.text == command.text:
            return  # echo
        spoken = command.spoken if command is not None else None
        if spoken and spoken.name == "CMD":
            return
        self._deviates(entry, CHARGER, f"{printable(event.text)[:60]!r} is not of the AT protocol")


def _bad_argument(spoken: Spoken) -> str:
    """Why the charger, or a sane client, would not take what stands behind the `=`; empty if it is fine."""
    command = COMMAND[spoken.name]
    try:
        values = parse_value(replace(command, fields=command.fields[: _count_fields(spoken)]), spoken.argument)
        format_argument(command, values)
    except ValueError as error:
        return str(error)
    if spoken.name == "SUB" and not SUBSCRIBE_MIN_MS <= values[1] <= MAX_SUBSCRIBE_PERIOD_MS:
        return f"SUB: period {values[1]} ms, {SUBSCRIBE_MIN_MS} to {MAX_SUBSCRIBE_PERIOD_MS} ms are allowed"
    return ""


def _count_fields(spoken: Spoken) -> int:
    """How many fields a write gives: trailing ones may be left out."""
    inside, count, escaped = False, 1, False
    for char in spoken.argument:
        inside ^= char == '"' and not escaped
        escaped = char == "\\" and not escaped
        count += char == "," and not inside
    return count
