"""What lines of the AT protocol mean, in words: for the live view of a proxy. No port, no clock.

An ``Annotator`` follows one conversation, so that it can tell an answer from a push and a result's command.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

from ..catalog import COMMAND, COMMANDS
from ..settings import SETTINGS, Setting, fault_names
from .codec import Damaged, Other, Ready, Result, Value, danger_of, decode_line, parse_value, printable

RUN, READ, WRITE, TEST = "run", "read", "write", "test"
BARRIER = "~"

_COMMAND_LINE = re.compile(r"(?is)AT(?:(\+)?([A-Z0-9#$@_]+)(\?|=.*)?)?")
_RUNS = {"E0": "echo off", "E1": "echo on", "": "are you there?"}


@dataclass(frozen=True)
class Spoken:
    """A command line. ``name`` is the catalog's (or E0, E1, empty for a bare AT), ``typed`` what stood there;
    ``argument`` stands behind the `=` of a write. An unknown or ambiguous name is empty, with ``known`` False."""

    form: str
    name: str
    typed: str
    argument: str = ""
    known: bool = True

    @property
    def abbreviated(self) -> bool:
        return self.known and self.typed.upper() != self.name


def parse_command(text: str) -> Spoken | None:
    """None: no command line at all."""
    match = _COMMAND_LINE.fullmatch(text)
    if not match:
        return None
    plus, typed, rest = match[1], match[2] or "", match[3] or ""
    form = READ if rest == "?" else TEST if rest == "=?" else WRITE if rest else RUN
    name = _resolve(typed.upper(), plus)
    return Spoken(form, name or "", typed, rest[1:] if form == WRITE else "", name is not None)


def _resolve(typed: str, plus: str | None) -> str | None:
    """The one name that begins like this, as the charger finds it."""
    names = [command.name for command in COMMANDS] if plus else list(_RUNS)
    if typed in names:
        return typed
    found = [name for name in names if typed and name.startswith(typed)]
    return found[0] if len(found) == 1 else None


class Annotator:
    """Give it every line of both directions, in order."""

    def __init__(self) -> None:
        self._open: deque[str] = deque(maxlen=16)  # commands without a result yet

    def to_charger(self, text: str) -> str:
        """What a command line asks for."""
        self._open.append(text)
        if text == BARRIER:
            return "barrier: ends whatever was begun, with ERROR"
        spoken = parse_command(text)
        if spoken is None:
            return "not a command: the charger will answer ERROR"
        words = describe_command(spoken)
        notes = [f"short for {spoken.name}"] if spoken.abbreviated else []
        notes += [f"DANGER: {danger}"] if (danger := danger_of(text)) else []
        return "; ".join([words, *notes])

    def from_charger(self, line: bytes) -> str:
        """What a line of the charger says. ``line`` has no line end."""
        event = decode_line(line)
        if isinstance(event, Ready):
            self._open.clear()
            return "the charger has started: no write for a second"
        if isinstance(event, Result):
            return self._describe_result(event.ok)
        if isinstance(event, Value):
            return f"{self._kind(event)}: {describe_value(event)}"
        if isinstance(event, Damaged):
            return "damaged"
        return self._describe_other(event)

    def _describe_result(self, ok: bool) -> str:
        if not self._open:
            return "a result that nobody asked for"
        asked = self._open.popleft()
        if asked == BARRIER and not ok:
            return "barrier reached"
        return f"{'done' if ok else 'refused'}: {printable(asked)}"

    def _kind(self, value: Value) -> str:
        spoken = parse_command(self._open[0]) if self._open else None
        return "answer" if spoken and spoken.name == value.name and spoken.form in (READ, RUN) else "push"

    def _describe_other(self, event: Other) -> str:
        if self._open and event.text == self._open[0]:
            return "echo"
        return "part of the answer" if self._open else "not of the AT protocol"


def describe_command(spoken: Spoken) -> str:
    """`write charging_current 16 A`."""
    if not spoken.known:
        return f"{spoken.form} {spoken.typed}: no such command"
    if spoken.name in _RUNS:
        return _RUNS[spoken.name]
    command = COMMAND[spoken.name]
    if spoken.form == READ:
        return f"read {_title(spoken.name)}"
    if spoken.form == TEST:
        return f"what are the fields of {spoken.name}?"
    if spoken.form == RUN:
        return command.doc[0].lower() + command.doc[1:]
    return _describe_write(spoken)


def _describe_write(spoken: Spoken) -> str:
    if spoken.name in ("SUB", "UNSUB"):
        return _describe_subscription(spoken)
    try:
        fields = parse_value(COMMAND[spoken.name], spoken.argument)
    except ValueError:
        return f"write {_title(spoken.name)} {printable(spoken.argument)}"
    return f"write {describe_value(Value(spoken.name, fields))}"


def _describe_subscription(spoken: Spoken) -> str:
    name, _, period = spoken.argument.partition(",")
    name = printable(name.strip('"').removeprefix("+"))
    if spoken.name == "UNSUB":
        return f"stop pushing {name}" if name else "stop all pushes"
    return f"push {name} every {printable(period)} ms" if period else f"push {name}"


def _entities(name: str) -> list[Setting]:
    return [setting for setting in SETTINGS.values() if setting.entity and setting.command.name == name]


def _title(name: str) -> str:
    """The key of a command that is one value, or its name."""
    entities = _entities(name)
    return entities[0].name if len(entities) == 1 else name


def describe_value(value: Value) -> str:
    """`charging_current 16 A`."""
    if value.name == "ERROR":
        return "faults " + (", ".join(fault_names(value.fields[0])) or "none")
    entities = _entities(value.name)
    shown = [setting for setting in entities if setting.index < len(value.fields)]
    if not shown:
        columns = zip(COMMAND[value.name].fields, value.fields, strict=False)
        parts = [f"{column.name} {printable(str(field))} {column.unit}".rstrip() for column, field in columns]
        return f"{value.name} {', '.join(parts)}"
    if value.name == "WIFISTASTATIC":
        return f"{'on' if value.fields[0] else 'off'}, " + _join(shown, value)
    return _join(shown, value)


def _join(entities: list[Setting], value: Value) -> str:
    seen: set[int] = set()
    parts = []
    for setting in entities:
        if setting.index not in seen:
            seen.add(setting.index)
            parts.append(f"{setting.name} {setting.text([value.fields])}")
    return ", ".join(parts)
