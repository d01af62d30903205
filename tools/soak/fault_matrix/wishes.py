"""What people want of the charger during a run, and what that may look like on the wire."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from evse_host.catalog import COMMAND, ENTITIES, ENTITY, Entity

RUN_ONCE = ("AUTH", "RST", "WIFIAPSCAN", "EMETERTOTCONSUM")  # doing it twice does harm, or cannot be proven
BUTTONS = {
    "authorize": "AT+AUTH",
    "restart": "AT+RST",
    "start_ap": "AT+WIFIAPCFG=1",
    "reset_total_energy": "AT+EMETERTOTCONSUM=0",
    "wifi_scan": "AT+WIFIAPSCAN",
    "refresh": "",
}
RARE = ("restart", "wifi_scan", "wifi_station")
TEXTS = ("garage", 'Wall "box" \\ A, ü', "a" * 30, "AT+RST", "0", " ")
REFUSED_TEXTS = ("x" * 31, "ü" * 16, "a\nAT+RST", "nul\0", "tab\there")


@dataclass(frozen=True)
class Wish:
    """``line`` is the only command that may come of it (empty: none may), ``row`` what the charger then holds at the
    beginning of its answer to a read (empty where nothing shows it)."""

    time: float
    entity: Entity
    value: Any
    line: str
    row: tuple = ()

    @property
    def command(self) -> str:
        return self.entity.command

    def __str__(self) -> str:
        value = "" if self.value is None else f" = {self.value!r}"
        return f"{self.entity.platform}.{self.entity.name}{value}"


def random_wish(dice: random.Random, time: float) -> Wish:
    entity = dice.choice(WRITABLE)
    return MAKERS[entity.platform](dice, time, entity)


def press(time: float, key: str) -> Wish:
    """A press of the button ``key``."""
    entity = ENTITY["button", key]
    row = {"start_ap": (1,), "reset_total_energy": (0,)}.get(key, ())
    return Wish(time, entity, None, BUTTONS[key], row)


def someone_elses(dice: random.Random) -> tuple[str, tuple]:
    """A command and values for it that another party sets."""
    entity = dice.choice([row for row in WRITABLE if row.platform != "button"])
    wish = MAKERS[entity.platform](dice, 0.0, entity)
    return (wish.command, wish.row) if wish.row else ("CHCUR", (60,))


def _write(time: float, entity: Entity, value: Any, argument: str, row: tuple) -> Wish:
    return Wish(time, entity, value, f"AT+{entity.command}={argument}", row)


def _number(dice: random.Random, time: float, entity: Entity) -> Wish:
    steps = round((entity.maximum - entity.minimum) / entity.step)
    if dice.random() < 0.7:
        steps = min(steps, 26)  # where other limits allow it
    value = round(entity.minimum + dice.randint(0, steps) * entity.step, 3)
    wire = int(value * entity.multiplier + 0.5)
    return _write(time, entity, value, str(wire), (wire,))


def _switch(dice: random.Random, time: float, entity: Entity) -> Wish:
    on = dice.random() < (0.8 if entity.key == "available" else 0.5)
    return _write(time, entity, on, str(int(on)), (int(on),))


def _select(dice: random.Random, time: float, entity: Entity) -> Wish:
    option = dice.choice(entity.options)
    if entity.convert == "value":
        return _write(time, entity, option, str(entity.options.index(option)), (entity.options.index(option),))
    return _write(time, entity, option, quote(option), (option,))


def _text(dice: random.Random, time: float, entity: Entity) -> Wish:
    if dice.random() < 0.15:
        return Wish(time, entity, dice.choice(REFUSED_TEXTS), "")
    text = dice.choice(TEXTS)
    return _write(time, entity, text, quote(text), (text,))


def quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


MAKERS: dict[str, Callable[[random.Random, float, Entity], Wish]] = {
    "number": _number,
    "switch": _switch,
    "select": _select,
    "text": _text,
    "button": lambda _dice, time, entity: press(time, entity.key),
}
_ALL = [entity for entity in ENTITIES if entity.platform in MAKERS]
WRITABLE = [entity for entity in _ALL if entity.key not in RARE] * 4 + [entity for entity in _ALL if entity.key in RARE]
STORED = {entity.command for entity in WRITABLE if entity.command and COMMAND[entity.command].stored}
