"""What must be true: what entities may show, which commands may reach the charger, which sessions there were."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from evse_host import catalog
from evse_host.catalog import COMMAND, COMMANDS, ENTITIES
from evse_host.simulator import Charger

#: s, how old the value that an entity shows may be.
PUSHED_S = 2.0
SLOW_S = 5.0

READ = [command for command in COMMANDS if "R" in command.access and command.refresh != catalog.NEVER]
REPEATED = [command for command in READ if command.refresh != catalog.ONCE]
SHOWN = [e for e in ENTITIES if e.command and COMMAND[e.command] in READ and e.convert not in ("lifetime", "action")]
HISTORY_S = 60.0


def bound(command: catalog.Command, charging: bool) -> float:
    """How old (s) a value of this command may be."""
    pushed = command.refresh == catalog.PUSH or (command.refresh == catalog.CHARGING and charging)
    return PUSHED_S if pushed else SLOW_S


class History:
    """What each command of the charger answered, and from when on."""

    def __init__(self, charger: Charger) -> None:
        self._charger = charger
        self._values: dict[str, deque] = {command.name: deque() for command in READ}

    def sample(self) -> None:
        """To be called before and after whatever changes a value, too."""
        now = self._charger.now
        for name, values in self._values.items():
            value = self._charger.value(name)
            if not values or values[-1][1] != value:
                values.append((now, value))
            while len(values) > 1 and values[1][0] < now - HISTORY_S:
                values.popleft()

    def since(self, name: str, start: float) -> list:
        """Every value that the command had at ``start`` or later, as far as it was sampled."""
        values = self._values[name]
        first = max((at for at, (time, _) in enumerate(values) if time <= start), default=0)
        return [value for _, value in list(values)[first:]]


def is_true(entity: catalog.Entity, shown: str | None, values: list) -> bool:
    """Whether the entity may show this text, if its command had these values; a number may lie between them."""
    expected = [_expected(entity, value) for value in values]
    numbers = [number for number in expected if isinstance(number, float)]
    if shown is None or not numbers:
        return shown in expected
    # A sensor leaves out changes below its last digit, and a float has 24 bits.
    digit = 0.501 / 10**entity.accuracy if entity.platform == "sensor" else 0.0
    number = datetime.fromisoformat(shown).timestamp() if entity.convert == "time" else float(shown)
    tolerance = digit + 1e-6 * abs(number) * (entity.convert != "time")
    return min(numbers) - tolerance <= number <= max(numbers) + tolerance


def _expected(entity: catalog.Entity, value: tuple | list) -> str | float | None:
    """As the entity's state is printed; numbers and times as floats, None is unknown."""
    if COMMAND[entity.command].lines:
        return ", ".join(" ".join(map(str, line)) for line in value)
    field = value[entity.field_index]
    if entity.platform in ("binary_sensor", "switch"):
        return str(int(bool(field >> entity.bit & 1) if entity.convert == "bit" else field != 0))
    if entity.convert == "name":
        return entity.options[field] if isinstance(field, int) else field
    if entity.convert == "join":
        return " ".join(map(str, value))
    if entity.platform == "select":
        return entity.options[field]
    if entity.convert == "gated" and value[0] == 0:
        return None
    if entity.platform == "number":
        return field / entity.multiplier
    return field / 10**entity.scale if entity.platform == "sensor" or entity.convert == "time" else str(field)


# --- sessions ---------------------------------------------------------------------------------------------------------


@dataclass
class Session:
    """A session that is over, as the charger's meter counted it (Wh, s); ``charging`` to its end; ``calm`` if nothing
    had gone wrong just before."""

    energy: int
    duration: int
    charging: bool
    calm: bool


class Ledger:
    """The sessions in the charger's own words. ``listen`` must follow each start of the charger."""

    def __init__(self, charger: Charger, is_calm: Callable[[], bool]) -> None:
        self._charger, self._is_calm = charger, is_calm
        self.starts = 0
        self.sessions: list[Session] = []

    def listen(self) -> None:
        meter = self._charger.point.meter
        start, stop = meter.start_session, meter.stop_session

        def start_session() -> None:
            self.starts += not meter.in_session
            start()

        def stop_session() -> None:
            self.note()
            stop()

        meter.start_session, meter.stop_session = start_session, stop_session

    def note(self) -> None:
        """The running session, if there is one, ends now."""
        charger = self._charger
        if charger.point.meter.in_session:
            energy, duration = charger.value("EMETERCONSUM")[0], charger.value("EMETERSESTIME")[0]
            self.sessions.append(Session(energy, duration, charger.point.meter.power > 0, self._is_calm()))


# --- commands ---------------------------------------------------------------------------------------------------------

WRITE_LIVES_S = 32.0  # a wish is given up after 30 s


@dataclass
class Wish:
    """What somebody asked the node for: the command that may reach the charger from ``time`` on, how often it should
    (``sends``) and did (``seen``)."""

    time: float
    command: str
    sends: int = 1
    seen: int = 0


@dataclass
class Orders:
    """Which writes and runs may reach the charger, and which did."""

    wishes: list[Wish] = field(default_factory=list)

    def ask(self, now: float, command: str) -> Wish:
        wish = Wish(now, command)
        self.wishes.append(wish)
        return wish

    def allows(self, time: float, command: str) -> bool:
        for wish in self.wishes:
            if wish.command == command and wish.time <= time <= wish.time + WRITE_LIVES_S:
                wish.seen += 1
                return True
        return False
