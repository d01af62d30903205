"""What goes over a simulated charger's line, byte by byte with its moment, and what it was for.

    charger = Charger()
    tap = Tap(charger)
    with PtyServer(charger, baud_rate=BAUD_RATE, faults=tap): ...

Times are the charger's (s). "Inward" is to the charger, "outward" to the node.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from evse_host.catalog import BAUD_RATE
from evse_host.simulator import Charger, Faults
from evse_host.simulator.parser import Request

BYTE_S = 10 / BAUD_RATE


@dataclass(frozen=True)
class Exchange:
    """A command and its answer: ``at`` is when the charger carried it out, ``question`` and ``answer`` what went over
    the line, ``seconds`` the charger's own time for it."""

    at: float
    name: str
    form: str
    question: bytes
    answer: bytes
    seconds: float

    @property
    def least_seconds(self) -> float:
        """What this takes on the line and in the charger."""
        return (len(self.question) + len(self.answer)) * BYTE_S + self.seconds


@dataclass
class Traffic:
    """The bytes of a stretch of time. ``asked``, ``answered`` and ``pushed`` by command name (without `+`)."""

    seconds: float
    inward: int
    outward: int
    commands: int
    asked: Counter = field(default_factory=Counter)
    answered: Counter = field(default_factory=Counter)
    pushed: Counter = field(default_factory=Counter)

    def share(self, count: int) -> float:
        """Of all the time, that of so many bytes."""
        return count * BYTE_S / self.seconds

    @property
    def names(self) -> list[str]:
        """The most expensive first."""
        total = self.asked + self.answered + self.pushed
        return [name for name, _ in total.most_common()]


class Tap(Faults):
    """Stands between charger and port like any ``Faults``, and notes everything."""

    def __init__(self, charger: Charger, seed: int = 0) -> None:
        super().__init__(charger, seed)
        self.inward: list[tuple[float, bytes]] = []
        self.outward: list[tuple[float, bytes]] = []  # with the moment at which the first byte begins
        self.exchanges: list[Exchange] = []
        self._answer = charger.answer_hook
        charger.answer_hook = self._note_answer

    def receive(self, data: bytes, now: float) -> None:
        self.inward.append((now, data))
        super().receive(data, now)

    def advance(self, now: float) -> bytes:
        data = super().advance(now)
        if data:
            self.outward.append((now, data))
        return data

    def _note_answer(self, request: Request, data: bytes, seconds: float) -> tuple[bytes, float]:
        data, seconds = self._answer(request, data, seconds)
        at = self.charger.journal.entries[-1].time
        name = request.name.removeprefix("+") or "AT"
        self.exchanges.append(Exchange(at, name, request.form, request.line, data, seconds))
        return data, seconds

    def told(self, name: str, after: float) -> tuple[float, float]:
        """(when the first value line of ``name`` that differs from the last one of before ``after`` has arrived,
        seconds on the line of its burst until then). Raises LookupError without one."""
        known = b""
        begun = end = 0.0
        for at, data in self.outward:
            if at > end + BYTE_S:
                begun = at
            line, until = _find_line(data, name)
            if line and at >= after and line != known:
                end = at + until * BYTE_S
                return end, end - begun
            known = line if line and at < after else known
            end = at + len(data) * BYTE_S
        raise LookupError(f"no value line of {name} after {after:.3f} s tells anything new")

    def traffic(self, start: float, end: float) -> Traffic:
        """What went over the line between two moments."""
        inward = sum(len(data) for at, data in self.inward if start <= at < end)
        outward = b"".join(data for at, data in self.outward if start <= at < end)
        exchanges = [exchange for exchange in self.exchanges if start <= exchange.at < end]
        traffic = Traffic(end - start, inward, len(outward), len(exchanges))
        traffic.pushed = _value_lines(outward)
        for exchange in exchanges:
            traffic.asked[exchange.name] += len(exchange.question)
            traffic.answered[exchange.name] += len(exchange.answer)
            traffic.pushed -= _value_lines(exchange.answer)
        return traffic


def _value_lines(data: bytes) -> Counter:
    """Bytes of the value lines, with their line ends, by name."""
    lines = [line for line in data.split(b"\n") if line.startswith(b"+")]
    count: Counter = Counter()
    for line in lines:
        count[line[1:].partition(b"=")[0].decode("ascii", "replace")] += len(line) + 2
    return count


def _find_line(data: bytes, name: str) -> tuple[bytes, int]:
    """The value line of ``name`` in what begins with it, and where it ends; empty if there is none."""
    line = data.lstrip(b"\r\n").partition(b"\n")[0]
    if not line.startswith(f"+{name}=".encode()):
        return b"", 0
    return line, data.index(line) + len(line) + 1
