"""The shell without its terminal: what a typed line means, what is sent for it, and what is shown.

An answer comes with its lines, its result and the time it took; pushes and restarts are shown apart, whenever they
come. Whatever the shell subscribed to is given up when its ``Evse`` is closed.
"""

from __future__ import annotations

import datetime
import json
import re
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from ..catalog import COMMAND
from ..errors import RefusedError, UsageError
from ..line.client import Evse
from ..settings import SETTINGS, fault_names, lookup
from ..wire.codec import Ready, Value, danger_of, format_argument, name_of, printable, redact, writable_fields
from ..wire.protocol import Answer
from .help import READ, RUN, VERBS, WRITE, discreet, help_text, understand

FORCE_HINT = "put ! in front to send it nevertheless"
SLICE_S = 0.05


class Leave(Exception):  # noqa: N818 - not an error
    """The person wants to leave the shell."""


def explain(value: Value) -> str:
    """What the fields mean to a person: `charging_current 16 A`."""
    if value.name == "ERROR":
        return ", ".join(fault_names(value.fields[0])) or "no fault"
    settings = [s for s in SETTINGS.values() if s.entity and s.command.name == value.name]
    return ", ".join(f"{setting.name} {setting.text([value.fields])}" for setting in settings)


def split_answer(line: str, answer: Answer) -> tuple[list[str], list[Value]]:
    """The lines that answer ``line``, and the pushes that came before them.

    A push never splits an answer, so of several values of the same name the last is the answer's.
    """
    command, form = understand(line)
    asked = command.name if command and form in (READ, RUN) else ""
    own = [value for value in answer.values if value.name == asked]
    if command and not command.lines:
        own = own[-1:]
    pushes = [value for value in answer.values if not any(value is each for each in own)]
    lines = list(answer.lines)
    for push in pushes:
        lines.remove(push.text)
    return lines, pushes


# --- what is shown ----------------------------------------------------------------------------------------------------


class TextOutput:
    """For people. Pushes begin with `<<` and the time of day. Errors go to stderr unless it is a ``terminal``."""

    def __init__(
        self, terminal: bool, color: bool, now: Callable[[], datetime.datetime] = datetime.datetime.now
    ) -> None:
        self._terminal, self._color, self._now = terminal, color, now

    def typed(self, line: str) -> None:
        """A line that was not typed in sight."""
        self._print(self._style(f"> {printable(discreet(line.strip()))}", dim=True))

    def answer(self, line: str, lines: list[str], values: list[Value], ok: bool, seconds: float) -> None:
        meanings = {value.text: explain(value) for value in values}
        for text in lines:
            self._print(printable(text).ljust(23) + " " + self._style(meanings.get(text, ""), dim=True))
        result = self._style("OK" if ok else "ERROR", fg="green" if ok else "red")
        self._print(result + self._style(f"  {seconds * 1000:.1f} ms", dim=True))

    def push(self, value: Value) -> None:
        self._apart(f"{printable(value.text):23} {explain(value)}")

    def restarted(self) -> None:
        self._apart("the charger has restarted: its live settings are back at their defaults")

    def values(self, rows: Mapping[str, tuple[object, str]]) -> None:
        width = max(map(len, rows))
        for name, (_, text) in rows.items():
            self._print(f"{name:{width}}  {text}")

    def note(self, text: str) -> None:
        self._print(self._style(text, dim=True))

    def error(self, text: str) -> None:
        print(self._style(printable(text), fg="red"), file=sys.stdout if self._terminal else sys.stderr, flush=True)

    def _apart(self, text: str) -> None:
        moment = self._now().strftime("%H:%M:%S.%f")[:-3]
        self._print(self._style(f"<< {moment}  {text.rstrip()}", fg="cyan"))

    def _style(self, text: str, **style: Any) -> str:
        return click.style(text, **style) if self._color and text else text

    def _print(self, text: str) -> None:
        print(text.rstrip(), flush=True)


class JsonOutput:
    """For programs: one object a line, told apart by its only key: `answer`, `push`, `restart`, `values`, `note`,
    `error`."""

    def typed(self, line: str) -> None:
        """An answer names its command."""

    def answer(self, line: str, lines: list[str], values: list[Value], ok: bool, seconds: float) -> None:
        fields = {value.name: value.fields for value in values}
        self._print("answer", {"command": line, "ok": ok, "ms": round(seconds * 1000, 3), "lines": lines,
                               "values": fields})  # fmt: skip

    def push(self, value: Value) -> None:
        self._print("push", {"name": value.name, "fields": value.fields})

    def restarted(self) -> None:
        self._print("restart", True)

    def values(self, rows: Mapping[str, tuple[object, str]]) -> None:
        self._print("values", {name: plain for name, (plain, _) in rows.items()})

    def note(self, text: str) -> None:
        self._print("note", text)

    def error(self, text: str) -> None:
        self._print("error", text)

    def _print(self, key: str, value: object) -> None:
        print(json.dumps({key: value}), flush=True)


# --- what is done -----------------------------------------------------------------------------------------------------


class Shell:
    """``execute`` one line after the other, ``listen`` in between."""

    def __init__(self, evse: Evse, output: TextOutput | JsonOutput) -> None:
        self._evse, self._output = evse, output
        self._verbs = {"get": self._get, "set": self._set, "help": self._help, "wait": self._wait, "quit": self._quit}

    @property
    def subscribed(self) -> list[str]:
        """Names of what the charger pushes because of this shell."""
        return sorted(self._evse.subscriptions)

    def execute(self, text: str) -> int:
        """One typed line. Returns 0, or the exit code of RefusedError if the charger said ERROR.

        Raises Leave, and EvseError for everything that was not sent or not answered.
        """
        text = text.strip()
        if not text or text.startswith("#"):
            return 0
        force, line = text.startswith("!"), text.removeprefix("!").strip()
        verb, _, rest = line.partition(" ")
        if verb.lower() in ("exit", "?"):
            verb = {"exit": "quit", "?": "help"}[verb.lower()]
        if verb.lower() in VERBS:
            self._verbs[verb.lower()](_words(rest), force)
            return 0
        if line[:2].upper() != "AT":
            raise UsageError(f"{name_of(verb)}: no such command; AT commands begin with AT+, `help` lists all")
        return self._send(line, force)

    def listen(self, seconds: float) -> None:
        """Shows what comes unasked within ``seconds``; at least what has come already."""
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            for event in self._evse.events(min(max(left, 0.001), SLICE_S)):
                self._show_event(event)
                if time.monotonic() >= deadline:
                    break
            if time.monotonic() >= deadline:
                return

    # --- AT commands

    def _send(self, line: str, force: bool) -> int:
        if not force:
            _refuse(line)
        self._note_abbreviation(line)
        _, ok = self._evse.raw(line, force)
        if self._evse.last_answer:
            self._show_answer(line, self._evse.last_answer)
        command, form = understand(line)
        if not ok and form == WRITE and command and "R" in command.access:
            self._output.note(f"an ERROR can follow a value that was taken: AT+{command.name}? shows it")
        return 0 if ok else RefusedError.exit_code

    def _show_answer(self, line: str, answer: Answer) -> None:
        lines, pushes = split_answer(line, answer)
        own = [value for value in answer.values if not any(value is push for push in pushes)]
        heard = [event for event in self._evse.events(0) if not any(event is value for value in answer.values)]
        for event in pushes + heard:
            self._show_event(event)
        self._output.answer(redact(line), list(map(redact, lines)), own, answer.ok, answer.seconds)

    def _show_event(self, event: Value | Ready) -> None:
        if isinstance(event, Value):
            self._output.push(event)
        else:
            self._output.restarted()

    def _note_abbreviation(self, line: str) -> None:
        command, _ = understand(line)
        if command and not re.match(rf"(?i)AT\+{command.name}\b", line):
            self._output.note(f"an abbreviation: the charger takes it for {command.name}")

    # --- the shell's own commands

    def _get(self, words: list[str], force: bool) -> None:
        settings = [lookup(word) for word in words]
        if not settings:
            raise UsageError("get: name a value, such as get charging_current")
        rows = {}
        for setting in settings:
            if not setting.readable:
                raise UsageError(f"{setting.name}: cannot be read")
            answer = self._evse.get_rows(setting.command.name, force)
            rows[setting.name] = (setting.value(answer), setting.text(answer))
        self.listen(0)
        self._output.values(rows)

    def _set(self, words: list[str], force: bool) -> None:
        if len(words) < 2:
            raise UsageError("set: give a name and a value, such as set charging_current 16")
        setting = lookup(words[0])
        shown = self._evse.set(setting.command.name, *setting.parse(words[1:]), force=force)
        self.listen(0)
        if shown:
            self._output.values({setting.name: (setting.value([shown]), setting.text([shown]))})

    def _help(self, words: list[str], force: bool) -> None:
        text = help_text(words[0] if words else "")
        if not text:
            raise UsageError(f"help: {words[0]} is unknown; `help` lists everything")
        self._output.note(text)

    def _wait(self, words: list[str], force: bool) -> None:
        if len(words) != 1 or not re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", words[0]):
            raise UsageError("wait: give the seconds, such as wait 10")
        self.listen(float(words[0]))

    def _quit(self, words: list[str], force: bool) -> None:
        raise Leave


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{text.split()[0]}: {error}".lower()) from None


def _refuse(line: str) -> None:
    """Raises RefusedError for what can do harm, and UsageError for a number outside the catalog's range."""
    danger = danger_of(line)
    if danger:
        raise RefusedError(f"not sent: {danger}; {FORCE_HINT}")
    command, form = understand(line)
    if command is None or form != WRITE:
        return
    columns = writable_fields(command)
    number = line.partition("=")[2]
    if len(columns) == 1 and columns[0].type != "str" and re.fullmatch(r"[0-9]{1,20}", number):
        try:
            format_argument(COMMAND[command.name], (int(number),))
        except ValueError as error:
            raise UsageError(f"not sent: {error}; {FORCE_HINT}") from None
