"""Recordings: a session with the charger as text, described in docs/recording-format.md. No file, port or clock here.

# evse-host recording 1
      0.000000 > AT+STATE?\\n
      0.003812 < \\n+STATE=0\\n
      0.003812 < \\nOK\\n
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import UsageError
from ..wire.codec import redact, to_bytes, to_text

HEADER = "# evse-host recording 1"
TO_CHARGER, FROM_CHARGER, NOTE = ">", "<", "!"
QUIET_US = 1_000_000  # after that a piece without line end is recorded as it is
MAX_PIECE_BYTES = 1024  # likewise
HIDDEN = b"***"
KEPT_SECRETS = 4

_ROW = re.compile(r" *(\d{1,12})\.(\d{6}) ([<>!]) (.*)")
#: Line ends, then content, then its line end; after CR a LF may still come.
_WHOLE = re.compile(rb"[\r\n\0]*[^\r\n\0][^\r\n]*(?:\r?\n|\r(?=[^\n]))")
_MAYBE_WHOLE = re.compile(rb"[\r\n\0]*[^\r\n\0][^\r\n]*\r")
_ENDS = b"\r\n\0"
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\0": "\\0"}
_UNESCAPES = {"\\": b"\\", "n": b"\n", "r": b"\r", "0": b"\0"}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|.|$)", re.DOTALL)
_ANSWER = re.compile(rb"\+|(?:OK|ERROR|RDY)$")


@dataclass(frozen=True)
class Entry:
    """One line of a recording. ``time_us``: microseconds since the start, when its last byte was seen; ``line``: its
    number in the file, 0 if it is in none. Of a note (`!`) ``data`` is the text."""

    time_us: int
    direction: str
    data: bytes
    line: int = 0

    @property
    def seconds(self) -> float:
        return self.time_us / 1e6

    @property
    def text(self) -> str:
        """The content without its line ends."""
        return to_text(self.data.strip(_ENDS))


# --- bytes to entries -------------------------------------------------------------------------------------------------


class Recorder:
    """Cuts both directions of a session into lines, so that the same session gives the same text however its bytes came
    in pieces, and takes passwords out: of Wi-Fi writes, and of the echo of one."""

    def __init__(self) -> None:
        self._sides = {TO_CHARGER: _Side(), FROM_CHARGER: _Side()}
        self._secret_echo = False
        self._secrets: deque[bytes] = deque(maxlen=KEPT_SECRETS)
        self._last_us = 0

    def feed(self, direction: str, data: bytes, time_us: int) -> list[Entry]:
        other = FROM_CHARGER if direction == TO_CHARGER else TO_CHARGER
        side = self._sides[direction]
        entries = self._flush(other) if _MAYBE_WHOLE.fullmatch(self._sides[other].pending) else []
        if _MAYBE_WHOLE.fullmatch(side.pending) and data[:1] != b"\n":
            entries += self._flush(direction)
        side.pending += data
        side.time_us = time_us
        while match := _WHOLE.match(side.pending):
            entries.append(self._cut(direction, match.end()))
        if len(side.pending) > MAX_PIECE_BYTES:
            entries += self._flush(direction)
        return entries

    def advance(self, time_us: int) -> list[Entry]:
        """Time passes: pieces that are not continued are recorded without their line end."""
        entries = []
        for direction, side in self._sides.items():
            if side.pending.strip(_ENDS) and time_us - side.time_us >= QUIET_US:
                entries += self._flush(direction)
        return entries

    def finish(self) -> list[Entry]:
        """What is left."""
        first, second = sorted(self._sides, key=lambda direction: self._sides[direction].time_us)
        return self._flush(first) + self._flush(second)

    def _flush(self, direction: str) -> list[Entry]:
        length = len(self._sides[direction].pending)
        return [self._cut(direction, length)] if length else []

    def _cut(self, direction: str, length: int) -> Entry:
        side = self._sides[direction]
        raw, side.pending = side.pending[:length], side.pending[length:]
        data, hidden = side.without_password(raw)
        content = raw.strip(_ENDS)
        if direction == TO_CHARGER:
            self._secret_echo |= hidden
            self._secrets.extend([content] if hidden else [])
        elif self._secret_echo and content in (b"OK", b"ERROR", b"RDY"):
            self._secret_echo = False
        elif content and not hidden and self._may_be_echo(content):
            data = data.replace(content, HIDDEN)
        self._last_us = max(self._last_us, side.time_us)  # the time never goes back
        return Entry(self._last_us, direction, data)

    def _may_be_echo(self, content: bytes) -> bool:
        """Of a line with a password, cut in two by a push or, where its name was ambiguous, by its first ERROR."""
        if _ANSWER.match(content):
            return False
        return self._secret_echo or any(content in line for line in self._secrets)


class _Side:
    """One direction. ``line`` is what was recorded of a line whose end has not come yet."""

    def __init__(self) -> None:
        self.pending, self.time_us = b"", 0
        self._line, self._shown = b"", b""

    def without_password(self, piece: bytes) -> tuple[bytes, bool]:
        """The next piece of a line as it may be shown, and whether a password was taken out: a password may come in
        pieces, so that the whole line decides."""
        head = piece[: len(piece) - len(piece.lstrip(_ENDS))]
        content = piece[len(head) :].rstrip(b"\r\n")
        tail = piece[len(head) + len(content) :]
        if head.strip(b"\0"):
            self._line = self._shown = b""
        self._line += content
        shown = to_bytes(redact(to_text(self._line)))
        hidden = shown != self._line
        result = head + shown[len(self._shown) :] + tail
        self._shown = shown
        if tail or len(self._line) > 4 * MAX_PIECE_BYTES:
            self._line = self._shown = b""
        return result, hidden


def note(text: str, time_us: int) -> Entry:
    """A remark about what is not on the wire."""
    return Entry(time_us, NOTE, to_bytes(" ".join(text.split())))


# --- entries to text and back -----------------------------------------------------------------------------------------


def format_header(start: str, about: str) -> str:
    """``start``: ISO 8601 with microseconds, when the time was 0; ``about``: what was recorded."""
    return (
        f"{HEADER}\n# start {start}\n# {' '.join(about.split())}\n"
        "# seconds, > to the charger, < from the charger, ! a note; passwords are recorded as ***\n"
    )


def format_entry(entry: Entry) -> str:
    """One line, without its end."""
    moment = f"{entry.time_us // 1_000_000:8d}.{entry.time_us % 1_000_000:06d}"
    return f"{moment} {entry.direction} {escape(entry.data)}"


def escape(data: bytes) -> str:
    """Printable UTF-8 stays; line ends, NUL and the backslash become \\n \\r \\0 \\\\, all other bytes \\xNN."""
    text = "".join(_escape(char) for char in to_text(data))
    return text[:-1] + "\\x20" if text.endswith(" ") else text


def _escape(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    return "".join(f"\\x{byte:02x}" for byte in to_bytes(char))


def unescape(text: str) -> bytes:
    """The inverse of ``escape``. Raises ValueError."""
    parts, at = [], 0
    for match in _ESCAPE.finditer(text):
        parts.append(to_bytes(text[at : match.start()]))
        code = match[1]
        if code[:1] == "x" and len(code) == 3:
            parts.append(bytes([int(code[1:], 16)]))
        elif code in _UNESCAPES:
            parts.append(_UNESCAPES[code])
        else:
            raise ValueError(f"unknown escape {match[0]!r}, known are \\n \\r \\0 \\\\ and \\xNN")
        at = match.end()
    return b"".join(parts) + to_bytes(text[at:])


def parse(lines: Iterable[str], name: str) -> list[Entry]:
    """The entries of a recording; empty lines and lines that begin with `#` are a person's own.

    Raises UsageError that names ``name`` and the line.
    """
    entries: list[Entry] = []
    for number, text in enumerate(lines, 1):
        text = text.rstrip("\r\n")
        if number == 1 and text.strip("\ufeff ") != HEADER:
            raise UsageError(f"{name}:1: no recording, it should begin with {HEADER!r}")
        if text.strip() and not text.startswith("#"):
            entries.append(_parse_entry(text, f"{name}:{number}", number, entries))
    if not entries:
        raise UsageError(f"{name}: an empty recording")
    return entries


def _parse_entry(text: str, place: str, number: int, before: list[Entry]) -> Entry:
    match = _ROW.fullmatch(text)
    if not match:
        raise UsageError(f"{place}: {text[:60]!r} is not `seconds.microseconds > data`, with >, < or !")
    time_us = int(match[1]) * 1_000_000 + int(match[2])
    if before and time_us < before[-1].time_us:
        raise UsageError(f"{place}: the time goes back")
    try:
        return Entry(time_us, match[3], unescape(match[4]), number)
    except ValueError as error:
        raise UsageError(f"{place}: {error}") from None
