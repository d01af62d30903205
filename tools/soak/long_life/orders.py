"""How old values may be, which sessions there were, and which commands may reach the charger."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from evse_host import catalog
from evse_host.catalog import COMMAND, COMMANDS, ENTITIES
from evse_host.simulator import Charger

#: s, how old the value that an entity shows may be.
PUSHED_S = 2.0
SLOW_S = 5.0

READ = [command for command in COMMANDS if "R" in command.access and command.refresh != catalog.NEVER]
REPEATED = [command for command in READ if command.refresh != catalog.ONCE]
SHOWN = [e for e in ENTITIES if e.command and COMMAND[e.command] in READ and e.convert not in ("lifetime", "action")]
HISTORY_S = 400.0


def bound(command: catalog.Command, charging: bool) -> float:
    """How old (s) a value of this command may be; what is published at a cadence that much more."""
    pushed = command.refresh == catalog.PUSH or (command.refresh == catalog.CHARGING and charging)
    return PUSHED_S if pushed else SLOW_S


class Gaps:
    """How long there is no value line of a name on the wire."""

    def __init__(self, names: Iterable[str]) -> None:
        self._seen = dict.fromkeys(names, 0.0)
        self._longest = dict.fromkeys(self._seen, 0.0)

    def take(self, moment: float, data: bytes) -> None:
        """Bytes that have arrived at ``moment``."""
        for line in data.split(b"\n"):
            name = line[1:].partition(b"=")[0].decode("ascii", "replace") if line[:1] == b"+" else ""
            if name in self._seen:
                self._longest[name] = max(self._longest[name], moment - self._seen[name])
                self._seen[name] = moment

    def take_longest(self, name: str, now: float) -> float:
        """The longest time (s) since the last call; one that lasts is counted to now."""
        longest = max(self._longest[name], now - self._seen[name])
        self._longest[name] = 0.0
        return longest

    def forgive(self, name: str, now: float) -> None:
        """Nothing could come until now: the time without a line of ``name`` begins anew."""
        self._seen[name], self._longest[name] = now, 0.0


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
