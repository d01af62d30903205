"""What the shell knows about a line while it is being typed: which command it means, its help, and how it may go on.

Everything comes from the catalog; nothing here talks to a charger or a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..catalog import COMMAND, COMMANDS, TIMEZONES, Command
from ..errors import UsageError
from ..settings import SETTINGS, Setting, lookup
from ..wire.codec import Field, name_of, redact, writable_fields

#: The shell's own commands: name -> (arguments, what it does).
VERBS = {
    "get": ("NAME...", "read values in human units: get charging_current"),
    "set": ("NAME VALUE...", "write, checked and read back: set charging_current 16"),
    "help": ("[NAME]", "this list, or all about one command"),
    "wait": ("SECONDS", "listen to pushes"),
    "quit": ("", "leave; also exit and Ctrl-D"),
}
READ, WRITE, RUN, TEST = "?", "=", "", "=?"
PERIODS_MS = (260, 1000, 5000, 60000)

_LINE = re.compile(r"(?i)AT\+(?P<name>[A-Z0-9]+)(?P<form>=\?|=|\?|)")


@dataclass(frozen=True)
class Suggestion:
    """``line`` is the whole line as it would go on; ``shown`` stands in the menu, ``meta`` beside it."""

    line: str
    shown: str
    meta: str = ""


def understand(text: str) -> tuple[Command | None, str]:
    """The command that the charger takes ``text`` for, abbreviated or not, and its form; None if there is none."""
    match = _LINE.match(text.strip().removeprefix("!"))
    if match is None:
        return None, RUN
    name = match["name"].upper()
    names = [name] if name in COMMAND else [known for known in COMMAND if known.startswith(name)]
    return (COMMAND[names[0]] if len(names) == 1 else None), match["form"]


def discreet(line: str) -> str:
    """A typed line as a log or a history may hold it: changed wherever it may hold a Wi-Fi password.

    That is so for what sets one, and for whatever is not understood, for it may be a mistyped one.
    """
    text = line.strip().removeprefix("!").strip()
    if text[:2].upper() == "AT":
        command, _ = understand(text)
        name, equals, argument = text.partition("=")
        secret = command is None or any(column.access == "W" for column in command.fields)
        return f"{name}=***" if equals and argument != "?" and secret else redact(line)
    verb, *words = text.split() or [""]
    names = words if verb.lower() == "get" else words[:1]
    if verb.startswith("#") or (verb.lower() in VERBS and verb.lower() != "set" and len(words) <= 1):
        return line
    if verb.lower() in ("get", "set") and names and all(map(_names_no_secret, names)):
        return line
    return f"{name_of(verb)} ***"


def _names_no_secret(name: str) -> bool:
    try:
        return all(column.access != "W" for column in lookup(name).command.fields)
    except UsageError:
        return False


# --- help -------------------------------------------------------------------------------------------------------------


def forms(command: Command) -> list[str]:
    """`AT+CHCUR?`, `AT+CHCUR=`: what may be sent."""
    suffixes = [suffix for letter, suffix in (("R", READ), ("W", WRITE), ("X", RUN)) if letter in command.access]
    return [f"AT+{command.name}{suffix}" for suffix in suffixes]


def describe_field(column: Field) -> str:
    """`mode: 0 dummy, 1 current`, `value: 60 to 630 A/10`."""
    if column.type == "str":
        return f'{column.name}: "text"'
    if column.values:
        return f"{column.name}: " + ", ".join(f"{number} {name}" for number, name in enumerate(column.values))
    low, high = column.range
    return f"{column.name}: {low} to {high} {column.unit}".rstrip()


def summary(command: Command) -> str:
    """One line: what it takes and what it is."""
    access = ", ".join(
        word for letter, word in (("R", "read"), ("W", "write"), ("X", "run")) if letter in command.access
    )
    columns = writable_fields(command) or command.fields
    takes = "; ".join(describe_field(column) for column in columns)
    return " | ".join(part for part in (f"{command.name}: {access}", takes, command.doc) if part)


def help_text(topic: str = "") -> str:
    """The list of everything, or all about one command; names as for ``get``, or AT names. Empty if unknown."""
    if not topic:
        return _overview()
    command = _topic_command(topic)
    if command is None:
        return f"{topic} {' '.join(VERBS[topic])}" if topic in VERBS else ""
    lines = [f"{command.name}: {command.doc}", "  send      " + "  ".join(forms(command))]
    lines += [f"  field     {describe_field(column)}" for column in command.fields]
    names = ", ".join(s.name for s in SETTINGS.values() if s.entity and s.command is command)
    return "\n".join(lines + ([f"  get/set   {names}"] if names else []) + _notes(command))


def _topic_command(topic: str) -> Command | None:
    setting = SETTINGS.get(topic.lower())
    if setting:
        return setting.command
    return understand(topic if topic.upper().startswith("AT+") else f"AT+{topic}")[0]


def _notes(command: Command) -> list[str]:
    notes = []
    if command.stored:
        notes.append("  note      a write goes to the charger's flash")
    if command.head:
        notes.append("  note      released firmware (v2.1.1) does not know it and answers ERROR")
    if command.danger:
        notes.append(f"  danger    {command.danger}")
    return notes


def _overview() -> str:
    lines = ["AT commands are sent as they are typed; ! in front sends even a dangerous one. Tab completes.", ""]
    lines += [f"  {name} {arguments}".ljust(24) + text for name, (arguments, text) in VERBS.items()]
    lines += ["", *(f"  {'  '.join(forms(command)):38}{command.doc}" for command in COMMANDS)]
    return "\n".join(lines)


def hint(text: str) -> str:
    """The help that fits a line while it is typed; empty if nothing does."""
    words = text.strip().removeprefix("!").split(maxsplit=2)
    if not words:
        return "Tab completes, help explains, Ctrl-D leaves"
    if words[0].lower() in VERBS:
        return _verb_hint(*words[:2])
    command, _ = understand(text)
    return summary(command) if command else ""


def _verb_hint(verb: str, name: str = "") -> str:
    setting = SETTINGS.get(name) or SETTINGS.get(name.upper())
    if setting is None:
        return f"{verb} {' '.join(VERBS[verb.lower()])}"
    return f"{setting.name}: {setting.doc}" + (f", {_setting_range(setting)}" if setting.writable else ", read only")


def _setting_range(setting: Setting) -> str:
    if setting.is_flag:
        return "on or off"
    if setting.entity and setting.entity.platform == "number":
        return f"{setting.entity.minimum} to {setting.entity.maximum} {setting.unit}"
    return "; ".join(describe_field(column) for column in writable_fields(setting.command))


# --- completion -------------------------------------------------------------------------------------------------------


def suggestions(text: str, subscribed: Iterable[str] = ()) -> list[Suggestion]:
    """How a line that begins with ``text`` may go on."""
    typed = text.lstrip()
    force = "!" if typed.startswith("!") else ""
    typed = typed.removeprefix("!")
    verb, space, rest = typed.partition(" ")
    if space and verb.lower() in VERBS:
        found = _verb_suggestions(verb, rest)
    elif "=" in typed:
        found = _argument_suggestions(typed, subscribed)
    else:
        found = _command_suggestions(typed)
    return [Suggestion(force + each.line, each.shown, each.meta) for each in found]


def _command_suggestions(typed: str) -> list[Suggestion]:
    wanted = typed.upper()
    found = [Suggestion(f"{verb} ".rstrip() if verb == "quit" else f"{verb} ", verb, text)
             for verb, (_, text) in VERBS.items() if verb.startswith(typed.lower())]  # fmt: skip
    for command in COMMANDS:
        for form in forms(command):
            if form.startswith(wanted) or command.name.startswith(wanted):
                meta = f"DANGER: {command.danger}" if command.danger and not command.lines else command.doc
                found.append(Suggestion(form, form, meta))
    return found


def _verb_suggestions(verb: str, rest: str) -> list[Suggestion]:
    before, _, word = rest.rpartition(" ")
    if verb == "set" and before:
        return _value_suggestions(f"{verb} {before} ", before, word)
    begin = f"{verb} {before} " if before else f"{verb} "
    found = []
    for setting in SETTINGS.values():
        fits = setting.writable if verb == "set" else setting.readable or verb == "help"
        if fits and verb != "wait" and setting.name.startswith(word):
            found.append(Suggestion(begin + setting.name, setting.name, f"{setting.doc} {setting.unit}".rstrip()))
    return found


def _value_suggestions(begin: str, name: str, word: str) -> list[Suggestion]:
    setting = SETTINGS.get(name)
    if setting is None:
        return []
    if setting.is_flag:
        values = ["on", "off"]
    elif setting.entity and setting.entity.platform == "number":
        values = [f"{setting.entity.minimum:g}", f"{setting.entity.maximum:g}"]
    else:
        values = list(setting.options or (setting.entity.options if setting.entity else ()))
    return [Suggestion(begin + value, value, setting.unit) for value in values if value.startswith(word)]


def _argument_suggestions(typed: str, subscribed: Iterable[str]) -> list[Suggestion]:
    command, form = understand(typed)
    if command is None or form not in (WRITE, TEST):
        return []
    begin, _, argument = typed.partition("=")
    before, comma, word = argument.rpartition(",")
    columns = writable_fields(command)
    index = before.count(",") + bool(comma)
    if index >= len(columns):
        return []
    found = _field_values(command, columns[index], subscribed)
    begin += "=" + before + comma
    return [Suggestion(begin + value, value, meta) for value, meta in found if value.startswith(word)]


def _field_values(command: Command, column: Field, subscribed: Iterable[str]) -> list[tuple[str, str]]:
    """Values with their meaning."""
    if command.name == "SUB" and column.name == "name":
        return [(f'"+{each.name}",', each.doc) for each in COMMANDS if each.subscribable and "R" in each.access]
    if command.name == "UNSUB":
        return [(f'"+{name}"', "") for name in subscribed] + [('""', "all")]
    if command.name == "SUB":
        return [(str(period), "ms") for period in PERIODS_MS]
    if command.name == "TZ":
        return [(f'"{zone}"', "") for zone in TIMEZONES]
    if column.type == "str":
        return [('"', "text in quotes")]
    if column.values:
        return [(str(number), name) for number, name in enumerate(column.values)]
    low, high = column.range
    if high == 1:
        return [("0", "off"), ("1", "on")]
    return [(str(low), f"least, {column.unit}".rstrip(", ")), (str(high), f"most, {column.unit}".rstrip(", "))]
