"""Orders to a simulated charger in words, for scripts and for people: `plug`, `draw 10`, `fault rcm_triggered`.

0   plug            a line of a script: seconds of the charger since the start, then an order
20  2: draw 8       with several chargers, for the second one; without a number for all
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..catalog import COMMAND, FAULTS, STATES, Field
from .faults import Faults

#: Runs on the charger behind ``Faults`` and returns what there is to say.
Action = Callable[[Faults], str | None]

FAULT_KEYS = tuple(key for key, _ in FAULTS)


class OrderError(ValueError):
    """One line: what is wrong and what is allowed."""


@dataclass(frozen=True)
class Order:
    """``charger`` is its number from 1, 0 for all; ``text`` as it was given."""

    text: str
    charger: int
    action: Action


@dataclass(frozen=True)
class Verb:
    """``make`` gets the words behind the verb; ``usage`` names them."""

    usage: str
    doc: str
    make: Callable[..., Action]


def _car(function: Callable[..., str | None]) -> Callable[[], Action]:
    return lambda: lambda faults: function(faults.charger.car)


def _charger(function: Callable[..., str | None]) -> Callable[[], Action]:
    return lambda: lambda faults: function(faults.charger)


def _link(function: Callable[..., str | None]) -> Callable[[], Action]:
    return lambda: function


def _number(word: str, what: str, low: float, high: float, unit: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise OrderError(f"{what} {word}: {low:g} to {high:g} {unit} are allowed".replace("  ", " "))
    return value


def _draw(ampere: str) -> Action:
    value = _number(ampere, "draw", 0, 63, "A")

    def act(faults: Faults) -> None:
        faults.charger.car.max_current = value

    return act


def _phases(count: str) -> Action:
    value = int(_number(count, "phases", 1, 3, ""))

    def act(faults: Faults) -> None:
        faults.charger.car.phases = value

    return act


def _fault_key(key: str) -> str:
    if key not in FAULT_KEYS:
        raise OrderError(f"fault {key}: none of {', '.join(FAULT_KEYS)}")
    return key


def _fault(key: str) -> Action:
    key = _fault_key(key)
    return lambda faults: faults.charger.point.set_fault(key)


def _clear(key: str = "") -> Action:
    keys = [_fault_key(key)] if key else FAULT_KEYS

    def act(faults: Faults) -> None:
        for each in keys:
            faults.charger.point.clear_fault(each)

    return act


def _silence(seconds: str) -> Action:
    value = _number(seconds, "silence", 0, 3600, "s")
    return lambda faults: faults.silence(value)


def _drop(chance: str) -> Action:
    value = _number(chance, "drop", 0, 1, "")
    return lambda faults: faults.drop(value)


def _cable(where: str) -> Action:
    if where not in ("out", "in"):
        raise OrderError(f"cable {where}: out or in")
    return lambda faults: faults.cable_out() if where == "out" else faults.cable_in()


def _set(name: str, *values: str) -> Action:
    command = COMMAND.get(name.upper())
    if command is None or "W" not in command.access or command.name in ("SUB", "UNSUB"):
        raise OrderError(f"set {name}: no setting of the AT protocol, such as CHCUR")
    if not 1 <= len(values) <= len(command.fields):
        raise OrderError(f"set {name}: takes 1 to {len(command.fields)} values")
    row = tuple(_field(*pair) for pair in zip(command.fields, values, strict=False))

    def act(faults: Faults) -> str | None:
        try:
            faults.charger.set(command.name, *row)
        except ValueError as error:
            return str(error)
        return None

    return act


def _field(column: Field, word: str) -> int | str:
    if column.type == "str":
        return word
    low, high = column.range
    if not word.removeprefix("-").isdecimal() or not low <= int(word[:21]) <= high:
        raise OrderError(f"set: {column.name} {word}: {low} to {high} {column.unit} are allowed".replace("  ", " "))
    return int(word)


def _show(faults: Faults) -> str:
    charger = faults.charger
    state, power = charger.value("STATE")[0], charger.value("EMETERPOWER")[0]
    car = charger.car
    plugged = f"a car that {'wants' if car.wants_charge else 'does not want'} energy" if car.plugged else "no car"
    current, energy = charger.value("CHCUR")[0] / 10, charger.value("EMETERCONSUM")[0]
    return f"state {STATES[state]}, {plugged}, {power} W, offers {current:g} A, {energy} Wh"


VERBS: dict[str, Verb] = {
    "plug": Verb("", "a car is plugged in and wants energy", _car(lambda car: car.plug())),
    "unplug": Verb("", "the car leaves", _car(lambda car: car.unplug())),
    "stop": Verb("", "the car wants no more energy", _car(lambda car: car.stop())),
    "request": Verb("", "the car wants energy again", _car(lambda car: car.request())),
    "draw": Verb("AMPERE", "the most that the car takes on each phase, 0 to 63 A", _draw),
    "phases": Verb("COUNT", "the phases that the car uses, 1 to 3", _phases),
    "fault": Verb("KEY", f"a fault appears: {', '.join(FAULT_KEYS)}", _fault),
    "clear": Verb("[KEY]", "the cause of a fault, or of all, is gone", _clear),
    "set": Verb("NAME VALUE...", "somebody else changes a setting, in wire units: set CHCUR 100", _set),
    "reboot": Verb("", "the charger restarts", _link(lambda faults: faults.reboot())),
    "off": Verb("", "the charger loses its power", _charger(lambda charger: charger.power_off(charger.now))),
    "on": Verb("", "and has it again", _charger(lambda charger: charger.power_on(charger.now))),
    "cable": Verb("out|in", "the serial line is cut, or whole again", _cable),
    "silence": Verb("SECONDS", "deaf and dumb for so long", _silence),
    "noise": Verb("", "a burst of random bytes to both ends", _link(lambda faults: faults.noise())),
    "drop": Verb("CHANCE", "every byte is lost with this chance, 0 to 1", _drop),
    "echo": Verb("", "as if somebody had sent ATE1", _link(lambda faults: faults.echo_on())),
    "show": Verb("", "state, car and power", lambda: _show),
}


def parse(text: str, chargers: int = 1) -> Order:
    """An order, `plug` or `2: plug`. Raises OrderError."""
    number, words = 0, text.split()
    if words and words[0].endswith(":"):
        number = _charger_number(words.pop(0)[:-1], chargers)
    if not words or words[0] not in VERBS:
        raise OrderError(f"{' '.join(words) or 'nothing'}: no order; known are {', '.join(VERBS)}")
    verb, *arguments = words
    least, most = _counts(VERBS[verb].usage)
    if not least <= len(arguments) <= most:
        raise OrderError(f"usage: {verb} {VERBS[verb].usage}".rstrip())
    return Order(text.strip(), number, VERBS[verb].make(*arguments))


def _counts(usage: str) -> tuple[int, float]:
    words = usage.split()
    return sum(not word.startswith("[") for word in words), float("inf") if usage.endswith("...") else len(words)


def _charger_number(word: str, chargers: int) -> int:
    if not word.isascii() or not word.isdecimal() or not 1 <= int(word[:6]) <= chargers:
        raise OrderError(f"charger {word}: 1 to {chargers} are there")
    return int(word)


def parse_script(lines: Iterable[str], name: str, chargers: int = 1) -> list[tuple[float, Order]]:
    """(seconds, order) of every line; empty lines and `#` comments are left out. Raises OrderError with the line."""
    script: list[tuple[float, Order]] = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            moment, _, order = text.partition(" ")
            seconds = _number(moment, "time", 0, 1e9, "s")
            if script and seconds < script[-1][0]:
                raise OrderError(f"time {moment}: the lines must be in order")
            script.append((seconds, parse(order, chargers)))
        except OrderError as error:
            raise OrderError(f"{name}:{number}: {error}") from None
    return script


def help_text() -> str:
    """Every order in a line."""
    return "\n".join(f"{verb + ' ' + row.usage:20} {row.doc}" for verb, row in VERBS.items())
