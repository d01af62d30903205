"""Names and units for people: ``charging_current`` in A, as in Home Assistant, or raw AT names in wire units.

``lookup("charging_current")`` and ``lookup("CHCUR")`` give a ``Setting``; it turns fields of the wire into text and
numbers, and what a person types into fields of the wire. Everything comes from the catalog.
"""

from __future__ import annotations

import datetime
import difflib
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from .catalog import COMMAND, COMMANDS, ENTITIES, FAULTS, Command, Entity, Field
from .errors import UsageError
from .wire.codec import Fields, Scalar, format_argument, name_of, printable, writable_fields
from .words import duration, energy

#: Where entities of several platforms share a key, the first platform gives its name to a setting.
_PLATFORMS = ("number", "select", "text", "switch", "sensor", "text_sensor", "binary_sensor")
_ON = ("on", "true", "yes", "1")
_OFF = ("off", "false", "no", "0")

Plain = int | float | str | bool | None


@dataclass(frozen=True)
class Setting:
    """A value under a name. Without ``entity`` it is a raw command: all its fields, in wire units."""

    name: str
    command: Command
    entity: Entity | None = None

    @property
    def unit(self) -> str:
        if self.entity:
            return self.entity.unit
        units = dict.fromkeys(column.unit for column in self.command.fields)
        return ", ".join(unit for unit in units if unit)

    @property
    def index(self) -> int:
        """Of its field among those of the command."""
        return self.entity.field_index if self.entity else 0

    @property
    def doc(self) -> str:
        return self.entity.name if self.entity else self.command.doc

    @property
    def readable(self) -> bool:
        return "R" in self.command.access

    @property
    def writable(self) -> bool:
        fields = writable_fields(self.command)
        return bool(fields) and (self.entity is None or (self.entity.field_index == 0 and self._plain_write))

    @property
    def _plain_write(self) -> bool:
        """A joined, dated or derived value has no way back."""
        return self.entity is not None and self.entity.platform in ("number", "select", "text", "switch")

    @property
    def is_flag(self) -> bool:
        if self.entity:
            return self.entity.platform in ("switch", "binary_sensor")
        return len(self.command.fields) == 1 and self.command.fields[0].maximum == 1

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the values 0, 1, 2..."""
        if self.entity is None:
            return self.command.fields[0].values if len(self.command.fields) == 1 else ()
        return self.entity.options if self.command.field(self.entity.field or self._first).type != "str" else ()

    @property
    def _first(self) -> str:
        return self.command.fields[0].name

    # --- from the wire

    def value(self, rows: list[Fields]) -> Any:
        """What stands in JSON: numbers in ``unit``, names of states, true and false; None where it is unknown."""
        if self.entity is None:
            shown = [self._raw_value(row) for row in rows]
            return shown if self.command.lines else shown[0]
        return self._entity_value(self.entity, rows)

    def _raw_value(self, row: Fields) -> Any:
        columns = self.command.fields
        return row[0] if len(columns) == 1 else {c.name: v for c, v in zip(columns, row, strict=False)}

    def _entity_value(self, entity: Entity, rows: list[Fields]) -> Plain:
        index = entity.field_index
        if entity.convert == "join":
            return ", ".join(" ".join(map(str, row)) for row in rows)
        row = rows[0]
        if index >= len(row) or (entity.convert == "gated" and not row[0]):
            return None
        if entity.convert == "bit":
            return bool(row[index] >> entity.bit & 1)
        if entity.convert == "time":
            return iso_time(row[index])
        return self._plain_value(row[index])

    def _plain_value(self, value: Scalar) -> Plain:
        if isinstance(value, str):
            return value
        if self.is_flag:
            return bool(value)
        if self.options:
            return self.options[value] if value < len(self.options) else value
        exact = self._scaled(value)
        return int(exact) if self._factor == 1 else float(exact)

    @property
    def _factor(self) -> Decimal:
        """Wire value of one ``unit``."""
        entity = self.entity
        if entity is None:
            return Decimal(1)
        return Decimal(10) ** entity.scale if entity.scale else Decimal(str(entity.multiplier))

    def _scaled(self, value: int) -> Decimal:
        return value / self._factor

    def text(self, rows: list[Fields]) -> str:
        """For a person, with units."""
        if self.entity is None:
            return "; ".join(self._raw_text(row) for row in rows)
        value = self.value(rows)
        if value is None:
            return "unknown"
        if isinstance(value, bool):
            return "on" if value else "off"
        if isinstance(value, str):
            return printable(value)
        if value == 0 and self.entity.notes.startswith("0 = no limit"):
            return "no limit"
        if self.entity.unit == "Wh":
            return energy(value)
        if self.entity.unit == "s":
            return duration(value)
        if isinstance(value, float):
            value = f"{value:.3f}".rstrip("0").rstrip(".")
        return f"{value} {self.entity.unit}".rstrip()

    def _raw_text(self, row: Fields) -> str:
        if self.command.role == "ERROR":
            return f"{row[0]} ({', '.join(fault_names(row[0])) or 'none'})"
        return ", ".join(_column_text(column, value) for column, value in zip(self.command.fields, row, strict=False))

    # --- to the wire

    def parse(self, words: list[str]) -> tuple[Scalar, ...]:
        """What a person typed, as fields of the wire, checked. Raises UsageError that names the allowed range."""
        if not self.writable:
            raise UsageError(f"{self.name}: read only")
        if self.entity and len(words) != 1:
            raise UsageError(f"{self.name}: takes one value, {len(words)} given; quote a text that holds spaces")
        try:
            values = (self._parse_entity(self.entity, words[0]),) if self.entity else self._parse_raw(words)
            format_argument(self.command, values)
        except ValueError as error:
            raise UsageError(str(error)) from None
        return values

    def _parse_raw(self, words: list[str]) -> tuple[Scalar, ...]:
        columns = writable_fields(self.command)
        values = [_parse_column(self.command, *pair) for pair in zip(columns, words, strict=False)]
        return (*values, *words[len(columns) :])

    def _parse_entity(self, entity: Entity, word: str) -> Scalar:
        if entity.platform == "text" or (entity.platform == "select" and not self.options):
            return word
        if self.is_flag:
            return _parse_flag(self.name, word)
        if self.options:
            return _parse_option(self.name, self.options, word)
        return self._parse_number(entity, word)

    def _parse_number(self, entity: Entity, word: str) -> int:
        unit = entity.unit
        low, high = Decimal(str(entity.minimum)), Decimal(str(entity.maximum))
        allowed = f"{low} to {high} {unit}"
        try:
            number = Decimal(_with_point(word.strip().removesuffix(unit).strip()))
        except InvalidOperation:
            raise ValueError(f"{self.name}: {word!r} is not a number, {allowed} are allowed") from None
        if not (number.is_finite() and low <= number <= high):
            raise ValueError(f"{self.name}: {word} is out of range, {allowed} are allowed")
        wire = number * self._factor
        if wire != int(wire):
            raise ValueError(
                f"{self.name}: {word} is too fine, steps of {1 / float(self._factor):g} {unit} are allowed"
            )
        return int(wire)


def _with_point(word: str) -> str:
    """`16,5` is 16.5; `1,500` may be either, and is no number here."""
    return word.replace(",", ".") if re.fullmatch(r"-?[0-9]+,[0-9]{1,2}", word) else word


def _column_text(column: Field, value: Scalar) -> str:
    if isinstance(value, str):
        return f'"{printable(value)}"'
    if isinstance(value, int) and value < len(column.values):
        return f"{value} ({column.values[value]})"
    return f"{value} {column.unit}".rstrip()


def _parse_column(command: Command, column: Field, word: str) -> Scalar:
    if column.type == "str":
        return word
    key = command.name if len(command.fields) == 1 else f"{command.name} {column.name}"
    if column.values and word in column.values:
        return column.values.index(word)
    if command.name == "TIME":
        return parse_time(word)
    if column.maximum == 1 and word.lower() in _ON + _OFF:
        return _parse_flag(key, word)
    low, high = column.range
    if not word.removeprefix("-").isdecimal() or not word.isascii() or len(word) > 20:
        raise ValueError(
            f"{key}: {word!r} is not a whole number, {low} to {high} {column.unit}".rstrip() + " are allowed"
        )
    return int(word)


def _parse_flag(name: str, word: str) -> int:
    if word.lower() in _ON:
        return 1
    if word.lower() in _OFF:
        return 0
    raise ValueError(f"{name}: {word!r} is neither on nor off")


def _parse_option(name: str, options: tuple[str, ...], word: str) -> int:
    if word in options:
        return options.index(word)
    if word.isdecimal() and word.isascii() and int(word[:4]) < len(options):
        return int(word[:4])
    raise ValueError(f"{name}: {word!r} is none of {', '.join(options)}")


def parse_time(word: str) -> int:
    """Epoch seconds: `now`, a number, or ISO 8601 (local time unless it names its offset). Raises ValueError."""
    if word == "now":
        return int(datetime.datetime.now().timestamp())
    if word.isdecimal() and word.isascii() and len(word) <= 20:
        return int(word)
    try:
        return int(datetime.datetime.fromisoformat(word).timestamp())
    except (ValueError, OverflowError):
        raise ValueError(
            f"TIME: {word!r} is neither `now`, epoch seconds nor ISO 8601 such as 2026-11-22T20:00"
        ) from None


def iso_time(epoch: int) -> str:
    """`2026-11-22T20:00:00Z`; the bare number where no calendar reaches."""
    try:
        return datetime.datetime.fromtimestamp(epoch, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(epoch)


def fault_names(bits: int) -> list[str]:
    """What a person reads for the bits of ERROR."""
    known = [text for bit, (_, text) in enumerate(FAULTS) if bits >> bit & 1]
    rest = bits >> len(FAULTS) << len(FAULTS)
    return known + ([f"unknown (0x{rest:x})"] if rest else [])


# --- names ------------------------------------------------------------------------------------------------------------


def _settings() -> dict[str, Setting]:
    """Every name: entity keys first, then raw AT names."""
    found: dict[str, Setting] = {}
    for platform in _PLATFORMS:
        for entity in ENTITIES:
            if entity.platform == platform and entity.command and entity.key not in found:
                found[entity.key] = Setting(entity.key, COMMAND[entity.command], entity)
    raw = {c.name: Setting(c.name, c) for c in COMMANDS if c.fields and c.name not in ("SUB", "UNSUB", "WIFIAPSCAN")}
    return found | raw


SETTINGS = _settings()


def lookup(name: str) -> Setting:
    """The setting of an entity key or a raw AT name (`STATE` is the raw one of `state`).

    UsageError with suggestions where there is none.
    """
    word = name.upper().removeprefix("AT+").removesuffix("?")
    setting = SETTINGS.get(name) or SETTINGS.get(name.lower().replace("-", "_")) or SETTINGS.get(word)
    if setting:
        return setting
    close = likes(name)
    hint = f"did you mean {' or '.join(close)}?" if close else "`evse-host get --list` shows all names"
    raise UsageError(f"{name_of(name)}: no such value; {hint}")


def likes(name: str) -> list[str]:
    """At most three names that may have been meant: those that end with the word, or are called so in Home Assistant,
    before those that are written alike or hold it; of a word like none of them, those of the word that it is like."""
    word = name.lower().replace("-", "_").replace(" ", "_")
    keys = {key.lower(): key for key in reversed(SETTINGS)}  # where both are alike that of Home Assistant counts
    called = [key for key, setting in SETTINGS.items() if setting.doc.lower().replace(" ", "_") == word]
    ending = [key for low, key in keys.items() if low.endswith(f"_{word}")] if word else []
    alike = [keys[key] for key in difflib.get_close_matches(word, keys, 3, 0.6)]
    holding = sorted(key for low, key in keys.items() if word and word in low)
    if found := called + ending + alike or holding:
        return list(dict.fromkeys(found))[:3]
    parts = sorted({part for key in keys for part in key.split("_")} - {word})
    return [like for part in difflib.get_close_matches(word, parts, 1, 0.75) for like in likes(part)]
