"""Finds out what is wrong between a computer and a charger. Nothing in here knows a port: a ``Line`` carries the bytes.

The judgements are pure functions from what was observed to a ``Finding``; ``Doctor`` observes. It reads, subscribes for
a moment and switches the echo off; it never writes a setting. It speaks the protocol by itself, without the client's
patience, because what the client forgives is what is to be found.
"""

from __future__ import annotations

import enum
import itertools
import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .catalog import BAUD_RATE, COMMAND, COMMANDS
from .codec import Damaged, Decoder, Event, Other, Ready, Result, Value, printable, to_bytes, to_text

BAUD_RATES = (115200, 9600, 19200, 38400, 57600, 230400, 460800, 921600)
BITS_PER_BYTE = 10
LISTEN_S = 1.0  # before a byte is sent
KNOCK_S = 0.4  # for an answer at one baud rate
ANSWER_S = 1.0
LIST_S = 3.0  # AT+CMD answers 2.3 kB
INSIST = 4  # more knocks where somebody is heard: a Wi-Fi scan or a start takes about 2 s
QUIET_S = 0.06
MAX_HEARD = 65536
PUSH_PERIOD_MS = 100  # shorter than the charger's loop: every turn pushes
CADENCE_S = 2.6
LOOPS_MS = {"head": 260, "v2.1.1": 100}
JUST_STARTED_S = 60
EXCHANGES = 100
MANY_ERRORS = 0.01
RTT_GOOD_S, RTT_SLOW_S = 0.015, 0.040  # above the wire's own time
BARRIER = b"~\n"  # ends whatever was begun with exactly one ERROR, and executes nothing
EXCHANGED = ("AT+STATE?", "AT+UPTIME?")  # read only, like all that is asked here: one flipped bit makes `=` of `?`
PROBES = ("UPTIME", "HEAP", "TEMP", "TIME")  # subscribed to for the cadence: one that nobody else has

_LOG = re.compile(r"\x1b\[[0-9;]*m|^[EWIDV] \(\d+\)|ESP-ROM:|rst:0x|boot:|Guru Meditation|Backtrace:", re.MULTILINE)


class Line(Protocol):
    """What the doctor needs of a port; times in seconds. ``Transport`` has it."""

    def read(self, timeout: float) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    def flush_input(self) -> None: ...
    def set_baud_rate(self, baud_rate: int) -> None: ...


class Status(enum.Enum):
    OK = "ok"
    NOTE = "note"  # worth knowing, nothing to repair
    WARNING = "warning"  # works, but should be repaired
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """``seen`` is the observation, ``means`` what follows from it, ``do`` the remedy; ``data`` the numbers."""

    step: str
    status: Status
    seen: str
    means: str = ""
    do: str = ""
    data: dict = field(default_factory=dict)


# --- what the line says -----------------------------------------------------------------------------------------------


class Kind(enum.IntEnum):
    """What bytes look like; the larger, the closer to a charger that answers."""

    SILENCE = 0
    LOW = 1  # nothing but NUL
    GARBAGE = 2
    LOG = 3  # text
    HEARD = 4  # the charger speaks, and does not answer
    LOOPBACK = 5  # our own bytes come back
    ANSWERS = 6


@dataclass(frozen=True)
class Sample:
    """What came at one baud rate, unasked or after ``sent``."""

    baud_rate: int
    data: bytes
    sent: bytes = b""

    @property
    def kind(self) -> Kind:
        return classify(self.data, self.sent)


def classify(data: bytes, sent: bytes = b"") -> Kind:
    if not data:
        return Kind.SILENCE
    if not data.strip(b"\0"):
        return Kind.LOW
    events = Decoder().feed(data + b"\n")
    if sent and any(isinstance(event, Result) for event in events):
        return Kind.ANSWERS
    if sent and data.strip(b"\0") == sent:
        return Kind.LOOPBACK
    if any(isinstance(event, (Value, Ready, Result)) for event in events):
        return Kind.HEARD
    return Kind.LOG if _is_text(data) else Kind.GARBAGE


def _is_text(data: bytes) -> bool:
    readable = sum(byte in b"\r\n\t\x1b" or 0x20 <= byte < 0x7F for byte in data)
    return readable >= 0.9 * len(data) and len(data) >= 4


def _has_result(data: bytes) -> bool:
    return any(isinstance(event, Result) for event in Decoder().feed(data))


def best(samples: Sequence[Sample]) -> Sample:
    """The one that says most; the first of equals."""
    return max(samples, key=lambda sample: sample.kind)


def judge_bytes(samples: Sequence[Sample]) -> Finding:
    """Any bytes at all?"""
    count = sum(len(sample.data) for sample in samples)
    if count:
        shown = printable(to_text(best(samples).data[:40]))
        return Finding("bytes", Status.OK, f"{count} bytes came, such as {shown}", data={"bytes": count})
    return Finding(
        "bytes", Status.PROBLEM, "not one byte came, neither unasked nor after knocking",
        "nothing reaches this computer", "see `lines`", {"bytes": 0},
    )  # fmt: skip


def judge_baud_rate(samples: Sequence[Sample], wanted: int, network: bool = False) -> Finding:
    """Is it the right baud rate, or which is? ``network``: the other end of a TCP connection decides."""
    found, tried = best(samples), sorted({sample.baud_rate for sample in samples})
    data = {"baud_rate": found.baud_rate if found.kind >= Kind.LOG else None, "tried": tried}
    rates = ", ".join(map(str, tried))
    if found.kind is Kind.LOOPBACK:
        return Finding("baud rate", Status.NOTE, "cannot be found: only our own bytes come back", data=data)
    if found.kind < Kind.LOG:
        what = "unreadable bytes" if found.kind is Kind.GARBAGE else "no readable byte"
        return Finding(
            "baud rate", Status.PROBLEM, f"{what} at {rates} Bd",
            "an unusual baud rate, an inverted signal or noise" if found.kind is Kind.GARBAGE else "it cannot be found",
            "look up the charger's baud rate on its web page (serial settings) and give it " +
            ("to the program at the other end" if network else "with --baud"), data,
        )  # fmt: skip
    if found.baud_rate == wanted:
        seen = "right at the other end of the TCP connection" if network else f"{wanted} Bd is right"
        return Finding("baud rate", Status.OK, seen, data=data)
    return Finding(
        "baud rate", Status.WARNING, f"the charger speaks {found.baud_rate} Bd, not {wanted} Bd",
        "at the baud rate that was asked for, nothing works",
        f"give --baud {found.baud_rate}, and the same baud_rate to the ESPHome uart; or set the charger's port to "
        f"{BAUD_RATE} Bd on its web page", data,
    )  # fmt: skip


def judge_lines(kind: Kind) -> Finding:
    """Swapped or dead lines?"""
    if kind is Kind.ANSWERS:
        return Finding("lines", Status.OK, "both directions work")
    if kind is Kind.HEARD:
        return Finding(
            "lines", Status.PROBLEM, "the charger is heard, but does not answer",
            "what we send does not arrive: our TX, or the charger's RX, is not connected (or it is hung)",
            "check the wire from the adapter's TX to the charger's RX; if it is sound, switch the charger off and on",
        )  # fmt: skip
    if kind is Kind.LOOPBACK:
        return Finding(
            "lines", Status.PROBLEM, "our own bytes come back, and nothing else",
            "TX and RX of the adapter touch each other, or an RS-485 adapter hears itself",
            "separate TX and RX; remove a loopback plug; see that the charger is connected at all",
        )  # fmt: skip
    if kind is Kind.LOW:
        return Finding(
            "lines", Status.PROBLEM, "nothing but NUL bytes: the RX line is held low",
            "the other end has no power, the wires are swapped, or RX is shorted to ground",
            "check that the charger is on, that TX and RX are crossed, and that ground is connected",
        )  # fmt: skip
    if kind is Kind.SILENCE:
        return Finding(
            "lines", Status.PROBLEM, "the line is silent in both directions",
            "TX and RX are swapped or not connected, ground is missing, the charger is off, hung, or this is not its "
            "AT port",
            "connect the adapter's RX to the charger's TX, TX to RX, and ground to ground (3.3 V levels); set the "
            "port's mode to AT on the charger's web page; then run `doctor --listen 15` and switch the charger off and "
            "on: a charger in AT mode says RDY",
        )  # fmt: skip
    return Finding("lines", Status.NOTE, "something is received; whether we are heard is unknown until it is readable")


def judge_mode(kind: Kind, heard: bytes) -> Finding:
    """Log output instead of AT mode?"""
    text = to_text(heard)
    line = printable(next((line for line in text.splitlines() if len(line.strip()) > 3), "")[:70])
    if kind is Kind.LOG:
        what = "log output" if _LOG.search(text) else "text"
        return Finding(
            "mode", Status.PROBLEM, f"{what} instead of answers: {line}",
            "this port of the charger is in log mode" if what == "log output" else "another device or another mode",
            "set this port's mode to AT on the charger's web page (serial settings)",
        )  # fmt: skip
    if kind is Kind.ANSWERS and _LOG.search(text):
        return Finding(
            "mode", Status.WARNING, f"log output between the answers: {line}",
            "log and AT share this port, or two wires touch; answers get damaged",
            "turn the log off on this port, or use another one for it",
        )  # fmt: skip
    if kind in (Kind.ANSWERS, Kind.HEARD):
        return Finding("mode", Status.OK, "AT mode")
    return Finding("mode", Status.NOTE, "unknown: nothing readable came")


# --- what the charger says --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Exchange:
    """One command and what came until its result; ``result`` None: none came within the time."""

    command: str
    events: tuple[Event, ...]
    result: bool | None
    seconds: float

    @property
    def values(self) -> dict[str, tuple]:
        return {event.name: event.fields for event in self.events if isinstance(event, Value)}

    @property
    def echoed(self) -> bool:
        return any(isinstance(event, Other) and event.text.endswith(self.command) for event in self.events)

    @property
    def verdict(self) -> str:
        """`good`, or what is wrong with the answer to a read: `lost`, `refused`, `damaged`."""
        if self.result is None:
            return "lost"
        if not self.result:
            return "refused"
        asked = self.command.removeprefix("AT+").rstrip("?")
        strange = any(isinstance(event, (Damaged, Other)) for event in self.events)
        return "damaged" if strange or asked not in self.values else "good"


def judge_echo(echoed: bool, still: bool) -> Finding:
    if not echoed:
        return Finding("echo", Status.OK, "off")
    if still:
        return Finding(
            "echo", Status.WARNING, "on, and ATE0 does not turn it off",
            "every command comes back before its answer: slower, and pushes can be printed into it",
            "switch the charger off and on; if it stays, the adapter itself echoes",
        )  # fmt: skip
    return Finding(
        "echo", Status.WARNING, "it was on; it is off now",
        "another program left it on, or still turns it on", "nothing now; if it comes back, find that program",
    )  # fmt: skip


def judge_firmware(values: dict[str, tuple], known: set[str]) -> Finding:
    """``values`` of VER, DEVNAME, CHIP, UPTIME as far as they came; ``known``: the names that AT+CMD lists."""
    version = values.get("VER", ("unknown",))[0]
    board = values.get("DEVNAME", ("",))[0]
    expected = [command.name for command in COMMANDS]
    lacks = [name for name in expected if name not in known] if known else []
    new = sorted(known - set(expected) - {""})
    data = {
        "version": version,
        "board": board,
        "lacks": lacks,
        "unknown": new,
        "uptime": values.get("UPTIME", (None,))[0],
    }
    seen = f"{printable(version)} on {printable(board) or 'an unknown board'}"
    if not known:
        return Finding(
            "firmware", Status.WARNING, f"{seen}; it does not list its commands", "AT+CMD failed",
            "run doctor again; if it stays, look at `errors`", data,
        )  # fmt: skip
    if lacks:
        return Finding(
            "firmware", Status.NOTE, f"{seen}; it lacks {', '.join(lacks)}",
            "their values stay unknown, everything else works", "a newer firmware has them", data,
        )  # fmt: skip
    more = f"; it also knows {', '.join(new)}" if new else ""
    return Finding("firmware", Status.OK, f"{seen}; it has every command{more}", data=data)


def agreed_names(first: set[str], second: set[str]) -> set[str]:
    """Of two listings: noise can hide a known name from one of them, and make up another in one of them."""
    return {name for name in first | second if name in COMMAND} | (first & second)


def judge_restarts(restarts: int, uptime: int | None) -> Finding:
    data = {"restarts": restarts, "uptime": uptime}
    if restarts:
        return Finding(
            "restarts", Status.PROBLEM, f"it restarted {restarts} times while it was examined",
            "it crashes, or its supply breaks down", "check its supply; does something else reset it?", data,
        )  # fmt: skip
    if uptime is not None and uptime < JUST_STARTED_S:
        return Finding(
            "restarts", Status.NOTE, f"it started {uptime} s ago",
            "fine if you switched it on; otherwise it crashed or lost its supply", "run doctor again in a minute", data,
        )  # fmt: skip
    up = "" if uptime is None else f"; up for {uptime // 3600} h {uptime // 60 % 60} min"
    return Finding("restarts", Status.OK, f"none{up}", data=data)


def distribution(values: Sequence[float]) -> dict[str, float]:
    """Count, least, median, 95 %, 99 % and largest, in the unit of ``values``."""
    ordered = sorted(values)
    return {
        "count": len(ordered),
        "min": ordered[0],
        "median": statistics.median(ordered),
        "p95": ordered[min(int(0.95 * len(ordered)), len(ordered) - 1)],
        "p99": ordered[min(int(0.99 * len(ordered)), len(ordered) - 1)],
        "max": ordered[-1],
    }


def judge_round_trips(exchanges: Sequence[Exchange], wire_s: float, network: bool = False) -> Finding:
    """``wire_s``: what the bytes alone take. ``network``: the port is a URL."""
    good = [exchange.seconds * 1000 for exchange in exchanges if exchange.verdict == "good"]
    if not good:
        return Finding("round trip", Status.PROBLEM, "no exchange succeeded", "see `errors`", "see `errors`")
    times = distribution(good)
    seen = (f"median {times['median']:.1f} ms, 95 % {times['p95']:.1f}, 99 % {times['p99']:.1f}, "
            f"{times['min']:.1f} to {times['max']:.1f} ms; {wire_s * 1000:.1f} ms of it is the wire")  # fmt: skip
    data = {**{key: round(value, 3) for key, value in times.items()}, "wire": round(wire_s * 1000, 3), "unit": "ms"}
    late = times["median"] / 1000 - wire_s
    if late <= RTT_GOOD_S:
        return Finding("round trip", Status.OK, seen, data=data)
    means = "the way to the charger is slow" if network else "the adapter, or this computer, holds bytes back"
    do = "use a shorter way than this network" if network else (
        "a USB adapter: lower its latency timer, such as /sys/bus/usb-serial/devices/ttyUSB0/latency_timer to 1; a "
        "busy computer: stop what is busy"
    )  # fmt: skip
    return Finding("round trip", Status.NOTE if late <= RTT_SLOW_S else Status.WARNING, seen, means, do, data)


def judge_errors(exchanges: Sequence[Exchange]) -> Finding:
    total = len(exchanges)
    counts = {kind: sum(exchange.verdict == kind for exchange in exchanges) for kind in ("lost", "damaged", "refused")}
    bad = sum(counts.values())
    data = {"exchanges": total, **counts, "rate": round(bad / total, 5)}
    if not bad:
        limit = 300 / total  # the rule of three
        return Finding(
            "errors", Status.OK, f"none in {total} exchanges: below {limit:.2g} % with 95 % certainty", data=data
        )
    seen = f"{bad} of {total} exchanges failed ({100 * bad / total:.1f} %): " + ", ".join(
        f"{count} {kind}" for kind, count in counts.items() if count
    )
    return Finding(
        "errors", Status.PROBLEM if bad / total > MANY_ERRORS else Status.WARNING, seen,
        "the line disturbs bytes, or two programs talk at once; a lost byte can turn one command into another",
        "shorten the wires, twist them with ground, keep them away from the power cables, see that nothing else uses "
        "the port", data,
    )  # fmt: skip


def judge_cadence(name: str, times: Sequence[float], after: int, strangers: Sequence[str], accepted: bool) -> Finding:
    """``times`` (s) of the pushes of ``name``; ``after``: how many still came when they had been stopped."""
    gaps = [1000 * (b - a) for a, b in itertools.pairwise(times)]
    data = {"name": name, "pushes": len(times), "subscribed_by_others": list(strangers), "unit": "ms"}
    if not accepted:
        return Finding(
            "pushes", Status.WARNING, f"the subscription to {name} was not confirmed",
            "an answer was lost, or the firmware is unknown", "see `errors`; run doctor again", data,
        )  # fmt: skip
    if len(gaps) < 3:
        return Finding(
            "pushes", Status.PROBLEM, f"{len(times)} pushes of {name} came in {CADENCE_S} s",
            "the charger is stuck, or the line loses them", "switch the charger off and on", data,
        )  # fmt: skip
    data |= {key: round(value, 1) for key, value in distribution(gaps).items()}
    seen = f"every {data['median']:.0f} ms, {data['min']:.0f} to {data['max']:.0f} ms"
    if after:
        return Finding(
            "pushes", Status.WARNING, f"{seen}; {after} came after they were stopped",
            "UNSUB got lost, or another program subscribes again", "find the other program", data,
        )  # fmt: skip
    if data["max"] > 2.5 * data["median"] + 50:
        return Finding(
            "pushes",
            Status.WARNING,
            f"{seen}: irregular",
            "pushes are lost or the charger is busy",
            "see `errors`",
            data,
        )
    if strangers:
        return Finding(
            "pushes", Status.NOTE, f"{seen}; others had subscribed to {', '.join(strangers)}",
            "another program uses this charger, or did and left that behind",
            "harmless; a restart of the charger ends them, or evse-host raw 'AT+UNSUB=\"\"'", data,
        )  # fmt: skip
    return Finding("pushes", Status.OK, seen, data=data)


# --- the examination --------------------------------------------------------------------------------------------------


class Doctor:
    """``examine`` yields the findings as they come; ``leave`` puts the charger back as it was, call it always."""

    def __init__(
        self,
        line: Line,
        baud_rate: int = BAUD_RATE,
        clock: Callable[[], float] = time.monotonic,
        listen: float = LISTEN_S,
        exchanges: int = EXCHANGES,
        network: bool = False,
    ) -> None:
        self._line, self._clock = line, clock
        self._wanted = self._baud_rate = baud_rate
        self._listen_s, self._count, self._network = listen, exchanges, network
        self._heard = b""  # everything that was received
        self._restarts = 0
        self._pushed: dict[str, int] = {}  # what came unasked
        self._subscribed = self._answers = self._echo = False
        self._probe = ""

    def examine(self) -> Iterator[Finding]:
        samples = list(self._find_baud_rate())
        kind = best(samples).kind
        yield judge_bytes(samples)
        yield judge_baud_rate(samples, self._wanted, self._network)
        yield judge_lines(kind)
        if kind is not Kind.ANSWERS:
            yield judge_mode(kind, best(samples).data)
            return
        self._answers = True
        self.resync()
        echo = self._examine_echo()
        firmware = self._examine_firmware()
        yield judge_mode(kind, self._heard)
        yield echo
        yield firmware
        exchanges = [self._exchange_and_recover(number) for number in range(self._count)]
        if exchanges:
            yield judge_round_trips(exchanges, self._wire_seconds(exchanges), self._network)
            yield judge_errors(exchanges)
        yield self._examine_pushes()
        yield judge_restarts(self._restarts, self.ask("AT+UPTIME?").values.get("UPTIME", (None,))[0])

    def leave(self) -> None:
        """Without our subscription, echo off."""
        if self._subscribed or self._echo:
            self.resync()
        if self._subscribed:
            self._unsubscribe()
        if self._echo:
            self.ask("ATE0")

    # --- the line

    def _find_baud_rate(self) -> Iterator[Sample]:
        """Listens, then knocks at one baud rate after the other, until it is clear who is there."""
        heard = Sample(self._wanted, self._collect(self._listen_s))
        self._note(Decoder().feed(heard.data))
        yield heard
        for rate in self._rates():
            sample = self._knock(rate)
            yield sample
            if sample.kind >= Kind.LOG or (rate == self._wanted and heard.kind >= Kind.LOG):
                yield from self._insist(sample)
                return

    def _rates(self) -> list[int]:
        """The one that was asked for comes again at the end: the charger may have been deaf for a moment."""
        others = [] if self._network else [rate for rate in BAUD_RATES if rate != self._wanted]
        return [self._wanted, *others, self._wanted]

    def _insist(self, sample: Sample) -> Iterator[Sample]:
        """The rate is clear; the charger may be deaf for a moment."""
        for _ in range(INSIST):
            if sample.kind >= Kind.LOOPBACK:
                return
            sample = self._knock(sample.baud_rate)
            yield sample

    def _knock(self, rate: int) -> Sample:
        if rate != self._baud_rate:
            self._line.set_baud_rate(rate)
            self._baud_rate = rate
        self._line.flush_input()
        data = b""
        for knock in (BARRIER, b"AT\n"):
            self._line.write(knock)
            data += self._collect(KNOCK_S, stop=_has_result)
        return Sample(rate, data, BARRIER + b"AT\n")

    def _collect(self, seconds: float, stop: Callable[[bytes], bool] = lambda _: False) -> bytes:
        data, deadline = b"", self._clock() + seconds
        while (left := deadline - self._clock()) > 0 and not stop(data):
            data += self._read(left)
        return data

    def _read(self, timeout: float) -> bytes:
        data = self._line.read(timeout)
        self._heard = (self._heard + data)[:MAX_HEARD]
        return data

    # --- exchanges

    def resync(self) -> None:
        """Ends whatever was begun, and swallows what still comes for it."""
        self._line.write(BARRIER)
        data = self._collect(ANSWER_S, stop=_has_result) + self._collect(QUIET_S)
        self._restarts += sum(isinstance(event, Ready) for event in Decoder().feed(data))

    def ask(self, command: str, timeout: float = ANSWER_S) -> Exchange:
        """Sends one command and waits for its result, ``timeout`` s from its last byte."""
        decoder, events = Decoder(), []
        self._line.write(to_bytes(command) + b"\n")
        start = now = self._clock()
        result = None
        while result is None and (left := start + timeout - now) > 0:
            data = self._read(left)
            now = self._clock()
            events += decoder.feed(data)
            result = next((event.ok for event in events if isinstance(event, Result)), None)
        self._note(events, command)
        return Exchange(command, tuple(events), result, now - start)

    def _note(self, events: Sequence[Event], command: str = "") -> None:
        for event in events:
            if isinstance(event, Ready):
                self._restarts += 1
            elif isinstance(event, Value) and command != f"AT+{event.name}?":
                self._pushed[event.name] = self._pushed.get(event.name, 0) + 1

    def _retry(self, command: str, timeout: float = ANSWER_S) -> Exchange:
        """What must not be lost to noise, and does no harm twice."""
        for _ in range(3):
            exchange = self.ask(command, timeout)
            if exchange.result:
                return exchange
            self.resync()
        return exchange

    def _exchange_and_recover(self, number: int) -> Exchange:
        exchange = self.ask(EXCHANGED[number % len(EXCHANGED)])
        if exchange.verdict != "good":
            self.resync()
        return exchange

    def _wire_seconds(self, exchanges: Sequence[Exchange]) -> float:
        """An exchange's own bytes: `AT+STATE?` and `+STATE=0`, OK and their line ends."""
        sizes = [
            len(exchange.command)
            + 1
            + sum(len(event.text) + 2 for event in exchange.events if isinstance(event, Value))
            + 4
            for exchange in exchanges
        ]
        return statistics.median(sizes) * BITS_PER_BYTE / self._baud_rate

    # --- the charger

    def _examine_echo(self) -> Finding:
        self._echo = self._retry("AT+VER?").echoed
        echoed = self._echo
        if echoed:
            self._retry("ATE0")
            self._echo = self._retry("AT+VER?").echoed
        return judge_echo(echoed, self._echo)

    def _examine_firmware(self) -> Finding:
        values: dict[str, tuple] = {}
        for name in ("VER", "DEVNAME", "CHIP", "UPTIME"):
            values |= self._retry(f"AT+{name}?").values
        return judge_firmware(values, agreed_names(self._listed_names(), self._listed_names()))

    def _listed_names(self) -> set[str]:
        listing = self._retry("AT+CMD", LIST_S)
        texts = [event.text for event in listing.events if isinstance(event, Other)] if listing.result else []
        return {text[3:].rstrip("=?") for text in texts if text.startswith("AT+")}

    def _examine_pushes(self) -> Finding:
        strangers = sorted(name for name, count in self._pushed.items() if count > 1)
        self._probe = next((name for name in PROBES if name not in self._pushed), PROBES[0])
        self._subscribed = True
        accepted = self._retry(f'AT+SUB="+{self._probe}",{PUSH_PERIOD_MS}').result is True
        times = self._arrivals(CADENCE_S) if accepted else []
        self._unsubscribe()
        after = len(self._arrivals(3 * max(LOOPS_MS.values()) / 1000)) if times else 0
        return judge_cadence(self._probe, times, after, strangers, accepted)

    def _unsubscribe(self) -> None:
        self._subscribed = not self._retry(f'AT+UNSUB="+{self._probe}"').result

    def _arrivals(self, seconds: float) -> list[float]:
        """When pushes of the probe came."""
        decoder, times, deadline = Decoder(), [], self._clock() + seconds
        while (left := deadline - self._clock()) > 0:
            data = self._read(left)
            for event in decoder.feed(data):
                if isinstance(event, Value) and event.name == self._probe:
                    times.append(self._clock())
        return times
