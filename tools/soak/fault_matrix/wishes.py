"""What people want of the charger during a run, by the dice."""

from __future__ import annotations

import random
from collections.abc import Callable

from evse_host.catalog import Entity
from tools.soak.oracle.wish import WISHABLE, Wish, press, setting

RARE = ("restart", "wifi_scan", "wifi_station")
TEXTS = ("garage", 'Wall "box" \\ A, ü', "a" * 30, "AT+RST", "0", " ")
REFUSED_TEXTS = ("x" * 31, "ü" * 16, "a\nAT+RST", "nul\0", "tab\there")


def random_wish(dice: random.Random, time: float) -> Wish:
    entity = dice.choice(WRITABLE)
    return MAKERS[entity.platform](dice, time, entity)


def someone_elses(dice: random.Random) -> tuple[str, tuple]:
    """A command and values for it that another party sets."""
    entity = dice.choice([row for row in WRITABLE if row.platform != "button"])
    wish = MAKERS[entity.platform](dice, 0.0, entity)
    return (wish.command, wish.row) if wish.row else ("CHCUR", (60,))


def _number(dice: random.Random, time: float, entity: Entity) -> Wish:
    steps = round((entity.maximum - entity.minimum) / entity.step)
    if dice.random() < 0.7:
        steps = min(steps, 26)  # where other limits allow it
    value = round(entity.minimum + dice.randint(0, steps) * entity.step, 3)
    return setting(time, entity, value, int(value * entity.multiplier + 0.5))


def _switch(dice: random.Random, time: float, entity: Entity) -> Wish:
    on = dice.random() < (0.8 if entity.key == "available" else 0.5)
    return setting(time, entity, on, int(on))


def _select(dice: random.Random, time: float, entity: Entity) -> Wish:
    option = dice.choice(entity.options)
    held = entity.options.index(option) if entity.convert == "value" else option
    return setting(time, entity, option, held)


def _text(dice: random.Random, time: float, entity: Entity) -> Wish:
    if dice.random() < 0.15:
        return Wish(time, entity, dice.choice(REFUSED_TEXTS), "")
    text = dice.choice(TEXTS)
    return setting(time, entity, text, text)


MAKERS: dict[str, Callable[[random.Random, float, Entity], Wish]] = {
    "number": _number,
    "switch": _switch,
    "select": _select,
    "text": _text,
    "button": lambda _dice, time, entity: press(time, entity.key),
}
WRITABLE = [e for e in WISHABLE if e.key not in RARE] * 4 + [e for e in WISHABLE if e.key in RARE]
