"""Who may write to a charger that several share: the companion and any number of clients. No socket, no clock.

The charger does one command at a time, and a result names nobody. So one party at a time has a command in flight: its
result goes to that party alone, values and RDY go to all. The companion's bytes pass as they come, unchanged; while
another's command is in flight they wait for its end. Lines of clients are sent whole, and never into another's line.
A client that never wrote sees every byte of the charger.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..catalog import COMMAND
from ..wire.annotation import BARRIER, TEST, Spoken, parse_command
from ..wire.codec import to_text
from ..wire.protocol import AFTER_ERROR_S, NEVER, QUIET_S, SLOW_TIMEOUT_S

COMPANION = "companion"
ITSELF = "proxy"  # cleans up behind others
ANSWER_TIMEOUT_S = 2.0
MAX_LINE_BYTES = 1024  # a client's line, or a line of the charger, that never ends
MAX_WAITING = 64  # lines of one client

_LINE_END = re.compile(rb"[\r\n]")
_UNIT = re.compile(rb"[\r\n\0]*[^\r\n\0][^\r\n]*[\r\n]")  # line ends, content, line end


@dataclass
class Party:
    """``writes``: it has sent a line, and from then on sees only its own results. ``subscriptions``: name -> ms."""

    partial: bytes = b""
    lines: list[str] = field(default_factory=list)
    writes: bool = False
    subscriptions: dict[str, int] = field(default_factory=dict)


@dataclass
class Output:
    """What is to be sent now: (sender, bytes) to the charger, and bytes to parties."""

    to_charger: list[tuple[str, bytes]] = field(default_factory=list)
    to_parties: dict[str, bytes] = field(default_factory=dict)

    def add(self, name: str, data: bytes) -> None:
        self.to_parties[name] = self.to_parties.get(name, b"") + data


class Arbiter:
    """Feed it what comes, ``advance`` it at ``deadline``; each returns what is to be sent. Times are seconds."""

    def __init__(self) -> None:
        self._clients: dict[str, Party] = {}
        self._itself, self._companion = Party(writes=True), Party(writes=True)
        self._waiting = b""  # of the companion, while another's command is in flight
        self._open = 0  # the companion's commands without a result
        self._unsure = False  # it was given up: a result may still come, a line may be begun
        self._owner = ""  # whose command is in flight; empty: at most the companion's
        self._spoken: Spoken | None = None
        self._barrier = self._answered = False
        self._barriers = 0  # of the owner's, without their ERROR
        self._until = NEVER
        self._unit = b""  # the line of the charger that is coming in
        self._raw: set[str] = set()  # who gets it byte by byte
        self._last = ""

    @property
    def deadline(self) -> float:
        return self._until

    @property
    def idle(self) -> bool:
        """Nothing of the proxy's own is in flight or waits."""
        return self._owner != ITSELF and not self._itself.lines

    def _party(self, name: str) -> Party:
        return {COMPANION: self._companion, ITSELF: self._itself}.get(name) or self._clients[name]

    # --- clients come and go

    def join(self, name: str) -> None:
        self._clients[name] = Party()

    def leave(self, name: str, now: float) -> Output:
        """A client is gone: its waiting lines are forgotten, its subscriptions are ended."""
        party = self._clients.pop(name, None)
        if party:
            self._end_subscriptions(party)
        return self._go_on(Output(), now)

    # --- subscriptions: what one ends another may still want

    def _wanted(self, name: str, but: Party) -> int | None:
        """The shortest period (ms) in which another party wants a value."""
        others = [party for party in (self._companion, *self._clients.values()) if party is not but]
        return min((party.subscriptions[name] for party in others if name in party.subscriptions), default=None)

    def _end_line(self, name: str, party: Party) -> str:
        period = self._wanted(name, party)
        return f'AT+UNSUB="+{name}"' if period is None else f'AT+SUB="+{name}",{period}'

    def _end_subscriptions(self, party: Party) -> None:
        self._itself.lines += [self._end_line(name, party) for name in party.subscriptions]
        party.subscriptions = {}

    def _follow(self, party: Party, line: str) -> str:
        """Notes what a line subscribes to; returns what to send in its place, so that nobody else loses by it."""
        spoken = parse_command(line)
        if spoken is None or spoken.name not in ("SUB", "UNSUB") or not spoken.argument:
            return line
        subject, _, period = spoken.argument.partition(",")
        name = subject.strip('"').removeprefix("+")
        if spoken.name == "SUB" and period.isascii() and period.isdecimal():
            party.subscriptions[name] = int(period[:10])
            other = self._wanted(name, party)
            return line if other is None or other >= int(period[:10]) else f'AT+SUB="+{name}",{other}'
        if spoken.name == "UNSUB" and name:
            party.subscriptions.pop(name, None)
            return line if self._wanted(name, party) is None else self._end_line(name, party)
        if spoken.name == "UNSUB":
            return self._end_all(party, line)
        return line

    def _end_all(self, party: Party, line: str) -> str:
        others = [other for other in (self._companion, *self._clients.values()) if other is not party]
        if party is self._companion or not any(other.subscriptions for other in others):
            for other in others:
                other.subscriptions = {}
            party.subscriptions = {}
            return line
        self._end_subscriptions(party)
        return "AT"  # answered OK

    # --- to the charger

    def from_companion(self, data: bytes, now: float) -> Output:
        output = Output()
        if self._owner:
            self._waiting += data
        else:
            self._pass_companion(data, now, output)
        return self._go_on(output, now)

    def _pass_companion(self, data: bytes, now: float, output: Output) -> None:
        output.to_charger.append((COMPANION, data))
        *lines, partial = _LINE_END.split(self._companion.partial + data)
        self._companion.partial = partial[-MAX_LINE_BYTES:]
        for line in filter(None, lines):
            self._open += 1
            self._follow(self._companion, to_text(line))
        spoken = [parse_command(to_text(line)) for line in lines if line]
        self._until = now + max(map(_patience, spoken), default=ANSWER_TIMEOUT_S)

    def from_client(self, name: str, data: bytes, now: float) -> Output:
        party = self._clients[name]
        *lines, party.partial = _LINE_END.split(party.partial + data)
        if len(party.partial) > MAX_LINE_BYTES:
            party.partial = b""
        party.lines += [to_text(line) for line in lines if line]
        del party.lines[MAX_WAITING:]
        party.writes |= bool(party.lines)
        return self._go_on(Output(), now)

    def advance(self, now: float) -> Output:
        """Time passes."""
        output = Output()
        if now >= self._until:
            self._until = NEVER
            if not self._owner:
                self._unsure = bool(self._open or self._companion.partial)
                self._open, self._companion.partial = 0, b""
            elif self._answered or (self._barrier and self._owner == ITSELF):
                self._release()
            else:
                self._start(ITSELF, BARRIER, now, output)  # no late result may become another's
        return self._go_on(output, now)

    def _go_on(self, output: Output, now: float) -> Output:
        """Sends what may be sent now."""
        if self._owner:
            self._hurry(output, now)
        if not self._owner and self._waiting:
            waiting, self._waiting = self._waiting, b""
            self._pass_companion(waiting, now, output)
        if self._owner or self._open or self._companion.partial:
            return output
        name = self._next_writer()
        if name and self._unsure:
            self._unsure = False
            self._start(ITSELF, BARRIER, now, output)
        elif name:
            party = self._party(name)
            self._last = name
            self._start(name, self._follow(party, party.lines.pop(0)), now, output)
        return output

    def _hurry(self, output: Output, now: float) -> None:
        """A barrier does not wait for the answer that its sender has given up."""
        party = self._clients.get(self._owner)
        if party and party.lines[:1] == [BARRIER] and not self._answered:
            self._start(self._owner, party.lines.pop(0), now, output)

    def _next_writer(self) -> str:
        """In turn."""
        names = [name for name in (ITSELF, *self._clients) if self._party(name).lines]
        later = names[names.index(self._last) + 1 :] if self._last in names else names
        return (later or names or [""])[0]

    def _start(self, name: str, line: str, now: float, output: Output) -> None:
        self._owner, self._answered, self._barrier = name, False, line == BARRIER
        self._barriers += self._barrier
        self._spoken = parse_command(line)
        self._until = now + _patience(self._spoken)
        output.to_charger.append((name, line.encode("utf-8", "surrogateescape") + b"\n"))

    def _release(self) -> None:
        self._owner, self._spoken, self._until = "", None, NEVER
        self._answered = self._barrier = False
        self._barriers = 0

    # --- from the charger

    def from_charger(self, data: bytes, now: float) -> Output:
        output = Output()
        while data:
            if not self._unit:
                self._raw = {name for name, party in self._clients.items() if not party.writes}
                self._raw |= set() if self._owner else {COMPANION}
            before = len(self._unit)
            match = _UNIT.match(self._unit + data)
            taken = match.end() - before if match else len(data)
            self._unit += data[:taken]
            for name in self._raw:
                output.add(name, data[:taken])
            data = data[taken:]
            if match or len(self._unit) > 4 * MAX_LINE_BYTES:
                unit, self._unit = self._unit, b""
                self._deliver(unit, now, output)
        for name in output.to_parties.keys() - {COMPANION, *self._clients}:
            del output.to_parties[name]
        return self._go_on(output, now)

    def _deliver(self, unit: bytes, now: float, output: Output) -> None:
        """A whole line: to those who have not got it byte by byte, as far as it is for them."""
        content = unit.strip(b"\r\n\0")
        if content == b"RDY":
            self._restart()
        if content == b"RDY" or (content.startswith(b"+") and not self._private):
            receivers = {COMPANION, *self._clients}
        else:
            receivers = {self._owner or COMPANION}
        for name in receivers - self._raw - {ITSELF}:
            output.add(name, unit)
        if content in (b"OK", b"ERROR"):
            self._on_result(content == b"OK", now)

    @property
    def _private(self) -> bool:
        """The answer is no value of the charger: a list, the types of fields."""
        spoken = self._spoken
        return spoken is not None and (spoken.form == TEST or (spoken.name in COMMAND and COMMAND[spoken.name].lines))

    def _on_result(self, ok: bool, now: float) -> None:
        if not self._owner:
            self._open = max(self._open - 1, 0)
            if not self._open and not self._companion.partial:
                self._until = NEVER
        elif ok and not self._barrier:
            self._release()
        elif not ok and self._barriers > 1:
            self._barriers -= 1  # its sender was impatient: the ERRORs of the others are still to come
        elif not ok:
            self._answered = True  # another ERROR may follow
            self._until = now + (QUIET_S if self._barrier else AFTER_ERROR_S)

    def _restart(self) -> None:
        """The charger has forgotten everything."""
        self._release()
        self._open, self._unsure = 0, False
        for party in (self._companion, self._itself, *self._clients.values()):
            party.subscriptions = {}
        self._itself.lines.clear()


def _patience(spoken: Spoken | None) -> float:
    """Seconds until a command is given up."""
    slow = spoken is not None and spoken.name in ("WIFIAPSCAN", "CMD")
    return SLOW_TIMEOUT_S if slow else ANSWER_TIMEOUT_S
