"""The examination: asks and listens on a ``Line``, step by step, and lets the other modules judge.

It speaks the protocol by itself, without the client's patience, because what the client forgives is what is to be
found.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from ..catalog import BAUD_RATE
from ..wire.codec import Decoder, Event, Fields, Other, Ready, Result, Value, to_bytes
from .charger import Exchange, agreed_names, judge_echo, judge_firmware, judge_restarts
from .finding import Finding
from .line import Kind, Sample, best, judge_baud_rate, judge_bytes, judge_lines, judge_mode
from .timing import CADENCE_S, judge_cadence, judge_errors, judge_round_trips

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
SLOWEST_LOOP_S = 0.26  # of the charger: 260 ms on the development head, 100 ms in v2.1.1
EXCHANGES = 100
BARRIER = b"~\n"  # ends whatever was begun with exactly one ERROR, and executes nothing
EXCHANGED = ("AT+STATE?", "AT+UPTIME?")  # read only, like all that is asked here: one flipped bit makes `=` of `?`
PROBES = ("UPTIME", "HEAP", "TEMP", "TIME")  # subscribed to for the cadence: one that nobody else has


class Line(Protocol):
    """What the doctor needs of a port; times in seconds. ``Transport`` has it."""

    def read(self, timeout: float) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    def flush_input(self) -> None: ...
    def set_baud_rate(self, baud_rate: int) -> None: ...


def _has_result(data: bytes) -> bool:
    return any(isinstance(event, Result) for event in Decoder().feed(data))


class Doctor:
    """``examine`` yields the findings as they come; ``leave`` puts the charger back as it was, call it always.

    ``listen`` are seconds before a byte is sent, ``network``: the port is not of this computer, ``fixed_rate``: nor is
    its baud rate ours to choose.
    """

    def __init__(
        self,
        line: Line,
        baud_rate: int = BAUD_RATE,
        clock: Callable[[], float] = time.monotonic,
        listen: float = LISTEN_S,
        exchanges: int = EXCHANGES,
        network: bool = False,
        fixed_rate: bool = False,
    ) -> None:
        self._line, self._clock = line, clock
        self._wanted = self._baud_rate = baud_rate
        self._listen_s, self._count = listen, exchanges
        self._network, self._fixed_rate = network, fixed_rate
        self._heard = b""  # everything that was received
        self._restarts = 0
        self._pushed: dict[str, int] = {}  # what came unasked
        self._subscribed = self._answers = self._echo = False
        self._probe = ""

    def examine(self) -> Iterator[Finding]:
        samples = list(self._find_baud_rate())
        kind = best(samples).kind
        yield judge_bytes(samples)
        yield judge_baud_rate(samples, self._wanted, self._fixed_rate)
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
        others = [] if self._fixed_rate else [rate for rate in BAUD_RATES if rate != self._wanted]
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
        data = b""
        for more in self._arriving(seconds):
            data += more
            if stop(data):
                break
        return data

    def _arriving(self, seconds: float) -> Iterator[bytes]:
        """Piece by piece; at last what came in time while this program was kept from reading it."""
        deadline = self._clock() + seconds
        while (left := deadline - self._clock()) > 0:
            yield self._read(left)
        yield self._read(0)

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
        start = self._clock()
        for data in self._arriving(timeout):
            events += decoder.feed(data)
            result = next((event.ok for event in events if isinstance(event, Result)), None)
            if result is not None:
                break
        self._note(events, command)
        return Exchange(command, tuple(events), result, self._clock() - start)

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
        values: dict[str, Fields] = {}
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
        after = len(self._arrivals(3 * SLOWEST_LOOP_S)) if times else 0
        return judge_cadence(self._probe, times, after, strangers, accepted)

    def _unsubscribe(self) -> None:
        self._subscribed = not self._retry(f'AT+UNSUB="+{self._probe}"').result

    def _arrivals(self, seconds: float) -> list[float]:
        """When pushes of the probe came."""
        decoder, times = Decoder(), []
        for data in self._arriving(seconds):
            for event in decoder.feed(data):
                if isinstance(event, Value) and event.name == self._probe:
                    times.append(self._clock())
        return times
