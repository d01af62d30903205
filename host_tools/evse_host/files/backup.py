"""What a charger keeps in its flash, as YAML and back: values of the wire, exact, with a remark for people.

text = format_backup(read_charger(evse), datetime.now(UTC))
backup = parse_backup(text)
changes, lacking = compare(backup, read_charger(evse))
for change, error in apply(evse, changes): ...
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from ..catalog import COMMAND, COMMANDS, Command, Field
from ..errors import EvseError, MismatchError, RefusedError, UsageError
from ..line.client import Evse
from ..line.steady import read_steady
from ..settings import SETTINGS
from ..wire.codec import Fields, Scalar, format_argument, printable, same, writable_fields
from .yaml_text import scalar

#: Serial settings cannot be read safely, and the energy counter can only be set to 0: neither is a setting to restore.
STORED = tuple(command for command in COMMANDS if command.stored and command.verify and not command.danger)

SECRET_REMARK = "the charger never shows it; add a line `{name}: ...` to have restore write it, or it stays as it is"


@dataclass
class Backup:
    """``charger`` says whose settings these are; ``settings`` are fields of the wire by command, in catalog order."""

    charger: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Fields] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        """Stored settings of the catalog that are not here."""
        return [command.name for command in STORED if command.name not in self.settings]


def read_charger(evse: Evse) -> Backup:
    """Reads all stored settings; those that this firmware or board lacks are left out."""
    backup = Backup()
    for key, name in (("device_name", "DEVNAME"), ("version", "VER")):
        with contextlib.suppress(RefusedError):
            (backup.charger[key],) = read_steady(evse, name)
    for command in STORED:
        with contextlib.suppress(RefusedError):
            backup.settings[command.name] = read_steady(evse, command.name)
    return backup


# --- as YAML ----------------------------------------------------------------------------------------------------------


def plain(backup: Backup) -> dict[str, Any]:
    """For JSON; `parse_backup` reads it too."""
    settings = {name: _plain_fields(COMMAND[name], fields) for name, fields in backup.settings.items()}
    secrets = [f"{name} {column.name}" for name in settings for column in COMMAND[name].fields if column.access == "W"]
    return {
        "charger": backup.charger,
        "settings": settings,
        "not_readable": secrets,
        "missing": backup.missing,
    }


def _plain_fields(command: Command, fields: Fields) -> Any:
    if len(command.fields) == 1:
        return fields[0]
    return {column.name: value for column, value in zip(command.fields, fields, strict=False) if column.access != "W"}


def format_backup(backup: Backup, now: datetime.datetime) -> str:
    """The file that `evse-host backup` writes."""
    lines = [
        f"# What the charger keeps in its flash, saved {now.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}.",
        "# `evse-host restore FILE` shows what differs and writes it. Names and values are those of the AT protocol.",
        "charger:",
        *(f"  {key}: {scalar(value)}" for key, value in backup.charger.items()),
        "settings:",
    ]
    for name, fields in backup.settings.items():
        lines += _setting_lines(COMMAND[name], fields)
    lines += [f"  # {name}: this charger does not have it" for name in backup.missing]
    return "\n".join(lines) + "\n"


def _setting_lines(command: Command, fields: Fields) -> list[str]:
    remark = command.doc.partition(";")[0]
    if len(command.fields) == 1:
        shown = "" if isinstance(fields[0], str) else f"{show(command, 0, fields[0])}; "
        return [f"  {command.name}: {scalar(fields[0])} # {shown}{remark}"]
    lines = [f"  {command.name}: # {remark}"]
    for column, value in zip(command.fields, fields, strict=False):
        secret = column.access == "W"
        remark = f"# {column.name}: {SECRET_REMARK.format(name=column.name)}"
        lines.append(f"    {remark if secret else f'{column.name}: {scalar(value)}'}")
    return lines


def show(command: Command, index: int, value: Scalar) -> str:
    """A value for a person: 16 A, on, "garage"."""
    if isinstance(value, str):
        return f'"{printable(value)}"'
    for setting in SETTINGS.values():
        if setting.command is command and setting.entity and setting.writable and setting.entity.field_index == index:
            return setting.text([(value,)])
    return f"{value} {command.fields[index].unit}".rstrip()


# --- from YAML --------------------------------------------------------------------------------------------------------


def parse_backup(text: str) -> Backup:
    """Checks every name and value, so that nothing is written if one is wrong. Raises UsageError or RefusedError."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"the backup is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict) or not isinstance(document.get("settings"), dict):
        raise UsageError("the backup has no `settings:`; is it a file of `evse-host backup`?")
    charger = document.get("charger") or {}
    if not isinstance(charger, dict):
        raise UsageError("charger: it is not a list of names and values")
    settings = {str(name): _parse_setting(str(name), value) for name, value in document["settings"].items()}
    return Backup(charger, {command.name: settings[command.name] for command in STORED if command.name in settings})


def _parse_setting(name: str, value: object) -> Fields:
    command = COMMAND.get(name)
    if command is None:
        raise UsageError(f"settings: {name}: no such setting; a backup holds {', '.join(c.name for c in STORED)}")
    if command.danger:
        raise RefusedError(f"{name}: {command.danger}; restore never touches it, take it out of the file")
    if command not in STORED:
        raise UsageError(f"{name}: not a setting that the charger keeps; `evse-host set` writes values that pass")
    fields = _fields(command, value)
    try:
        format_argument(command, fields)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return fields


def _fields(command: Command, value: object) -> Fields:
    columns = writable_fields(command)
    if len(columns) == 1:
        return (_plain_scalar(command, columns[0], value),)
    names = [column.name for column in columns]
    if not isinstance(value, dict) or not value:
        raise UsageError(f"{command.name}: {value!r} is not a list of {', '.join(names)}")
    given = [str(name) for name in value]
    if sorted(given, key=lambda name: names.index(name) if name in names else -1) != names[: len(given)]:
        raise UsageError(f"{command.name}: it holds {', '.join(given)}; {', '.join(names)} are allowed, without gaps")
    return tuple(_plain_scalar(command, column, value[column.name]) for column in columns[: len(given)])


def _plain_scalar(command: Command, column: Field, value: object) -> Scalar:
    if column.type == "str":
        if not isinstance(value, str):
            raise UsageError(f"{command.name} {column.name}: {value!r} is not a text; put it in quotes")
        return value
    if not isinstance(value, int):
        raise UsageError(f"{command.name} {column.name}: {value!r} is not a whole number")
    return int(value)


# --- to the charger ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """What one write will do: ``have`` on the charger, ``want`` from the backup, leading fields of ``command``."""

    command: Command
    have: Fields
    want: Fields

    @property
    def lines(self) -> list[str]:
        """One for every field that is to be written."""
        secrets = [
            f"{self.command.name} {column.name}: will be written; the charger's own cannot be read to compare"
            for column in self.command.fields[: len(self.want)]
            if column.access == "W"
        ]
        return self.differences + secrets

    @property
    def differences(self) -> list[str]:
        """One for every field that the charger shows otherwise."""
        pairs = enumerate(zip(self.have, self.want, strict=False))
        return [
            self._line(at, have, want)
            for at, (have, want) in pairs
            if not same(self.command.fields[at], have, want) and self.command.fields[at].access != "W"
        ]

    def _line(self, at: int, have: Scalar, want: Scalar) -> str:
        single = len(self.command.fields) == 1
        name = self.command.name if single else f"{self.command.name} {self.command.fields[at].name}"
        return f"{name}: {show(self.command, at, have)} -> {show(self.command, at, want)}"

    @property
    def plain(self) -> dict[str, Any]:
        """For JSON; a password is left out."""
        return {
            "name": self.command.name,
            "have": _plain_fields(self.command, self.have),
            "want": _plain_fields(self.command, self.want),
        }

    @property
    def keeps_password(self) -> bool:
        """Another network, but the password of the old one."""
        return self.command.name == "WIFISTACFG" and len(self.want) == 2 and self.have[1] != self.want[1]


def compare(backup: Backup, charger: Backup) -> tuple[list[Change], list[str]]:
    """What must be written, and what this charger lacks."""
    changes, lacking = [], []
    for name, want in backup.settings.items():
        command, have = COMMAND[name], charger.settings.get(name)
        if have is None:
            lacking.append(name)
            continue
        lacking += [f"{name} {column.name}" for column in command.fields[len(have) : len(want)]]
        change = Change(command, have, want[: len(have)])
        if change.lines:
            changes.append(change)
    return changes, lacking


def apply(evse: Evse, changes: list[Change]) -> Iterator[tuple[Change, EvseError | None]]:
    """Writes and reads back one after the other; yields each with None, or with what went wrong with it.

    Raises NoAnswerError and PortError: what was written until then stays, and a new comparison finds the rest.
    """
    for change in in_order(changes):
        yield change, _write(evse, change)


def in_order(changes: list[Change]) -> list[Change]:
    """A MAXCHCUR that rises comes first, one that falls after DEFCHCUR, which has to fit when it is written."""
    rising = [each for each in changes if each.command.name == "MAXCHCUR" and each.want > each.have]
    return rising + [each for each in changes if each not in rising]


def _write(evse: Evse, change: Change) -> EvseError | None:
    try:
        evse.set(change.command.name, *change.want, force=True)  # an empty SSID of the file is meant
    except (RefusedError, MismatchError) as error:
        return error
    except UsageError as error:  # a name that is too long for this charger
        return RefusedError(str(error))
    return None
