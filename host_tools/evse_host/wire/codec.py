"""The charger's language, byte by byte: lines, values, arguments. Pure functions and one framer, no port, no clock."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..catalog import (
    COMMAND,
    COMMANDS,
    INTEGER_RANGES,
    MAX_ARGUMENT_BYTES,
    MAX_LINE_BYTES,
    MAX_STRING_BYTES,
    TWO_COMMANDS,
)
from ..catalog import Command as Command
from ..catalog import Field as Field

Scalar = int | str
#: What the catalog says of each field: int or str.
Fields = tuple[Any, ...]

_LINE_END = re.compile(rb"[\r\n]")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_STRING = re.compile(r'"((?:[^"\\]|\\[\\"n])*)"')
_INTEGER = re.compile(r"(-?)0*([0-9]+)")
_ESCAPE = re.compile(r'\\([\\"n])')
# A command line, however wrong: what is before its name, the name, and what is behind it.
_SPOKEN = re.compile(r'(?is)([^"]*?(?:\AAT\+?|\bAT\+|(?=WIFISTA)))([A-Z0-9#$@_]*)(=?)(.*)')
_OPEN_STRING = re.compile(r'(?s)"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[^,"]*')
_OPEN_INTEGER = re.compile(r"-?[0-9]*")

NO_ADDRESS = "0.0.0.0"

_ANSWERS = {command.answer_name: command for command in COMMANDS}


# --- events -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Value:
    """A value line, `+CHCUR=160`: the catalog's name and the fields in wire units. ``text`` is the whole line."""

    name: str
    fields: Fields
    text: str = field(default="", compare=False)


@dataclass(frozen=True)
class Result:
    """The end of an answer: OK or ERROR."""

    ok: bool


@dataclass(frozen=True)
class Ready:
    """RDY: the charger has just started."""


@dataclass(frozen=True)
class Damaged:
    """A line that no charger sends: control bytes, too long (``raw`` is then cut), or a known name with no value."""

    raw: bytes


@dataclass(frozen=True)
class Other:
    """Any other line: an echo, the list of commands, a name that the catalog does not know, log output."""

    text: str


Event = Value | Result | Ready | Damaged | Other


# --- bytes to lines to events -----------------------------------------------------------------------------------------


class LineFramer:
    """Cuts a byte stream into lines, fed in pieces of any size. A line that is too long or holds control bytes is
    damaged as a whole, because a part of it could pass for another value."""

    def __init__(self) -> None:
        self._line = b""

    def feed(self, data: bytes) -> list[tuple[bytes, bool]]:
        """Every line that ends in ``data``, without its end, and whether it is whole. Empty lines are left out."""
        first, *rest = _LINE_END.split(data)
        self._add(first)
        lines = []
        for piece in rest:
            if self._line:
                lines.append((self._line, len(self._line) <= MAX_LINE_BYTES and not _CONTROL.search(self._line)))
            self._line = b""
            self._add(piece)
        return lines

    def _add(self, piece: bytes) -> None:
        if not self._line:
            piece = piece.lstrip(b"\0")  # one follows RDY's line end
        # More than one byte too many is not kept; a control byte has been seen by then, or the length tells.
        self._line = (self._line + piece)[: MAX_LINE_BYTES + 1]


class Decoder:
    """Bytes in, events out."""

    def __init__(self) -> None:
        self._framer = LineFramer()

    def feed(self, data: bytes) -> list[Event]:
        return [decode_line(line) if whole else Damaged(line) for line, whole in self._framer.feed(data)]


def decode_line(line: bytes) -> Event:
    """The event that one whole line means."""
    if line in (b"OK", b"ERROR"):
        return Result(line == b"OK")
    if line == b"RDY":
        return Ready()
    text = to_text(line)
    if not text.startswith("+"):
        return Other(text)
    name, equals, values = text[1:].partition("=")
    if not equals:
        return Damaged(line)
    command = _ANSWERS.get(name)
    if command is None:
        return Other(text)
    try:
        return Value(command.name, parse_value(command, values), text)
    except ValueError:
        return Damaged(line)


def to_text(data: bytes) -> str:
    """Names in the air need not be UTF-8: what is not survives as lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# --- values -----------------------------------------------------------------------------------------------------------


def parse_value(command: Command, text: str) -> Fields:
    """The fields behind the `=` of an answer. Raises ValueError. What a later firmware adds behind them is ignored."""
    values: list[Scalar] = []
    at = 0
    for column in command.fields:
        if at == len(text) and column.since_head and values:
            break
        if values:
            if text[at : at + 1] != ",":
                raise ValueError(f"{command.name}: {text!r} lacks {column.name}")
            at += 1
        value, at = _parse_field(command, column, text, at)
        values.append(value)
    return tuple(values)


def _parse_field(command: Command, column: Field, text: str, at: int) -> tuple[Scalar, int]:
    match = (_STRING if column.type == "str" else _INTEGER).match(text, at)
    if match is None or text[match.end() : match.end() + 1] not in ("", ","):
        raise ValueError(f"{command.name}: {text!r} has no {column.type} for {column.name}")
    if column.type == "str":
        return _ESCAPE.sub(lambda escape: escape[1].replace("n", "\n"), match[1]), match.end()
    low, high = INTEGER_RANGES[column.type]
    sign, digits = match[1], match[2][:21]  # longer than any 64-bit number: the range refuses it
    number = int(sign + digits)
    if not low <= number <= high or (sign and (number == 0 or column.type[0] == "u")):
        raise ValueError(f"{command.name}: {column.name} {sign}{digits} is not {low} to {high}")
    return number, match.end()


def writable_fields(command: Command) -> tuple[Field, ...]:
    """The leading fields that a write may give."""
    if "W" not in command.access:
        return ()
    fields = command.fields
    return fields[: next((at for at, column in enumerate(fields) if column.access == "R"), len(fields))]


def format_argument(command: Command, values: Sequence[Scalar]) -> str:
    """What stands behind the `=` of a write. Raises ValueError that names key, value and allowed range.

    Fewer values than fields leave the trailing ones as they are; SUB needs both.
    """
    fields = writable_fields(command)
    if not fields:
        raise ValueError(f"{command.name}: cannot be written")
    least = len(fields) if command.name == "SUB" else 1
    if not least <= len(values) <= len(fields):
        names = ", ".join(column.name for column in fields)
        count = f"{least} to {len(fields)}" if least < len(fields) else f"{least}"
        raise ValueError(f"{command.name}: {len(values)} values given, it takes {count}: {names}")
    argument = ",".join(_format_field(command, *pair, values[0]) for pair in zip(fields, values, strict=False))
    length = len(to_bytes(argument))
    if length > MAX_ARGUMENT_BYTES:
        raise ValueError(f"{command.name}: the values take {length} bytes, allowed are at most {MAX_ARGUMENT_BYTES}")
    return argument


def _format_field(command: Command, column: Field, value: Scalar, first: Scalar) -> str:
    key = command.name if len(command.fields) == 1 else f"{command.name} {column.name}"
    if column.type == "str":
        if value == "" and column.minimum and not (column.address and first == 0):
            raise ValueError(f"{key}: it is empty, 1 to {MAX_STRING_BYTES} bytes are allowed")
        if column.address:
            return _format_address(key, value)
        return _format_string(key, value, secret=column.access == "W")
    low, high = column.range
    if not isinstance(value, int):
        raise ValueError(f"{key}: {value!r} is not a whole number from {low} to {high}")
    if not low <= value <= high:
        allowed = f"only {low} is" if low == high else f"{low} to {high} {column.unit}".rstrip() + " are"
        raise ValueError(f"{key}: {value} is out of range, {allowed} allowed")
    return str(int(value))


def _format_address(key: str, value: Scalar) -> str:
    """The charger itself would take `10.0.0` for 10.0.0.0."""
    try:
        return f'"{ipaddress.IPv4Address(str(value) or NO_ADDRESS)}"'
    except ValueError:
        raise ValueError(f"{key}: {value!r} is not an IPv4 address such as 192.168.1.20") from None


def same(column: Field, have: Scalar, want: Scalar) -> bool:
    """Whether two values of a field mean the same: no address is shown empty or as 0.0.0.0."""
    return have == want or (column.address and {have, want} <= {"", NO_ADDRESS})


def _format_string(key: str, value: Scalar, secret: bool) -> str:
    shown = "the password" if secret else repr(value)
    if not isinstance(value, str):
        raise ValueError(f"{key}: {shown} is not a text of at most {MAX_STRING_BYTES} bytes")
    data = to_bytes(value)
    if len(data) > MAX_STRING_BYTES:
        raise ValueError(f"{key}: {shown} has {len(data)} bytes, at most {MAX_STRING_BYTES} are allowed")
    if _CONTROL.search(data):
        raise ValueError(f"{key}: {shown} holds a line end or another control character, none is allowed")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


# --- command lines ----------------------------------------------------------------------------------------------------


def check_line(text: str) -> None:
    """Raises ValueError unless ``text`` is one command line: user text never becomes a second command."""
    data = to_bytes(text)
    name = repr(name_of(text))
    if data[:2].upper() != b"AT":
        raise ValueError(f"{name}: a command begins with AT")
    if _CONTROL.search(data):
        raise ValueError(f"{name}: a command is one line without control characters")
    if re.match(TWO_COMMANDS, text):
        raise ValueError(f"{name}: this is two commands")
    argument = data.partition(b"=")[2] or data
    if len(argument) > MAX_ARGUMENT_BYTES:
        raise ValueError(f"{name}: {len(argument)} bytes, at most {MAX_ARGUMENT_BYTES} are allowed")


def name_of(text: str) -> str:
    """What a line is called in a message: `AT+STATE`, never what is behind it, which may be a password."""
    return (re.match(r"[\w+-]*\??", text) or [""])[0][:32]


def danger_of(text: str) -> str:
    """Why a command line must not be sent unless a person insists; empty if it may. Any unambiguous beginning of a name
    is executed, in any case, so a beginning is as dangerous as the name."""
    name = re.split(r"[=?]", text[3:], maxsplit=1)[0].upper() if text[2:3] == "+" else ""
    if not name:
        return ""
    argument = text.partition("=")[2]
    if "=" in text and not argument.startswith("?") and _abbreviates(name, "SUB"):
        subject = re.sub(r'^"?\+?|".*$|,.*$', "", argument).upper()
        for command in COMMANDS:
            if command.danger and _abbreviates(subject, command.name):
                return f"{command.name}: {command.danger}"
        if "," not in argument:
            return "SUB: without a period the charger takes whatever number it handled last"
    elif len(name) > 1 and not argument.startswith("?"):
        for port in ("SERIAL0", "SERIAL1"):
            if _abbreviates(name, port) and name not in COMMAND:
                return f"{port}: {COMMAND[port].danger}"
        if name in ("SERIAL0", "SERIAL1"):
            return f"{name}: {COMMAND[name].danger}"
    return ""


def _abbreviates(text: str, name: str) -> bool:
    return bool(text) and name.startswith(text)


def redact(text: str) -> str:
    """A line of the wire without what is, or may be, a Wi-Fi password: for logs and recordings.

    Of a write only the fields are left that the catalog knows to be no secret; of an unknown name, which may be a
    mistyped one, only a leading number.
    """
    match = _SPOKEN.match(text)
    if match is None:
        return text
    head, name, equals, argument = match.groups()
    if argument.startswith("?") or not (equals or argument.strip()):
        return text
    shown, mark = _open_part(name.upper(), argument)
    hidden = argument[len(shown) :]
    if not hidden or (head == "+" and hidden == '""'):  # in an answer a password is always empty
        return text
    return f"{head}{name}{equals}{shown}{mark}"


def _open_part(name: str, argument: str) -> tuple[str, str]:
    """The leading part of an argument that is no secret, and what stands for the rest."""
    names = [name] if name in COMMAND else [known for known in COMMAND if name and known.startswith(name)]
    at = 0
    for column in COMMAND[names[0]].fields if len(names) == 1 else (Field("", "u64"),):
        if column.access == "W":
            return argument[:at], '"***"'
        match = (_OPEN_STRING if column.type == "str" else _OPEN_INTEGER).match(argument, at)
        end = match.end() if match else at
        if argument[end : end + 1] != ",":
            return argument[:end], "***"
        at = end + 1
    return argument[:at], "***"


def printable(text: str) -> str:
    """Safe for a terminal: what is no printable character becomes an escape."""
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
