"""Measures the host tool against the simulator on a line with the bytes of a real one.

Prints start-up times, what a `get` adds to the time on the wire, and how fast 500 values are read in one run, compared
with the ideal (every byte at 115200 baud and the charger's own time for each answer, nothing else) and with a loop of
bare reads and writes, which shows how much of the rest is this computer's and the simulator's. Then what `proxy` adds
to the time that bytes take from one pseudo terminal to another, at the pace of a real line.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import random
import resource
import select
import statistics
import subprocess
import sys
import tempfile
import termios
import time
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from evse_host.catalog import BAUD_RATE, COMMANDS
from evse_host.line.client import Evse
from evse_host.simulator.interpreter import TURNAROUND_S

BYTE_S = 10 / BAUD_RATE
VALUES = tuple(c.name for c in COMMANDS if "R" in c.access and not c.danger)


@dataclass
class Wire:
    """Counts what goes over the line; a ``trace`` for Evse."""

    sent: int = 0
    received: int = 0
    commands: int = 0

    def __call__(self, direction: str, data: bytes) -> None:
        if direction == ">":
            self.sent += len(data)
            self.commands += data.count(b"\n")
        else:
            self.received += len(data)

    @property
    def seconds(self) -> float:
        """The least time that this takes on a real line."""
        return (self.sent + self.received) * BYTE_S + self.commands * TURNAROUND_S


def start_up(*arguments: str, runs: int = 5) -> float:
    """Median seconds of a whole run of `evse-host` with these arguments."""
    return statistics.median(_run(*arguments) for _ in range(runs))


def _run(*arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "evse_host.cli", *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def processor_seconds(*arguments: str) -> float:
    """What a run of `evse-host` with these arguments takes of a processor, whatever else the computer does."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _run(*arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def one_get(port: str) -> tuple[float, float]:
    """(seconds, seconds on the wire) of opening a port, reading one value and closing it again."""
    wire = Wire()
    start = time.perf_counter()
    with Evse.open(port, trace=wire) as evse:
        evse.get("CHCUR")
    return time.perf_counter() - start, wire.seconds


def many_gets(port: str, count: int) -> tuple[float, float]:
    """(seconds, seconds on the wire) of reading ``count`` values in one run."""
    wire = Wire()
    with Evse.open(port, trace=wire) as evse:
        evse.get("CHCUR")
        wire.sent = wire.received = wire.commands = 0
        start = time.perf_counter()
        for name in islice(cycle(VALUES), count):
            evse.get(name)
        return time.perf_counter() - start, wire.seconds


def bare_loop(port: str, count: int) -> float:
    """Seconds that the same questions take without any client."""
    line = os.open(port, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line)
    start = time.perf_counter()
    for name in islice(cycle(VALUES), count):
        os.write(line, f"AT+{name}?\n".encode())
        answer = b""
        while not answer.endswith((b"OK\n", b"ERROR\n")):
            answer += os.read(line, 4096)
    seconds = time.perf_counter() - start
    os.close(line)
    return seconds


@contextmanager
def simulator() -> Iterator[str]:
    """The port of a simulated charger in a process of its own."""
    command = [sys.executable, "-m", "evse_host.simulator", "--baud", str(BAUD_RATE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def speed(count: int) -> dict[str, float]:
    """500 values in one run; ``speed`` is the share of the ideal, ``speed_bare`` that of a bare loop."""
    with simulator() as port:
        bare = bare_loop(port, count)
        seconds, ideal = many_gets(port, count)
    return {
        "values": count,
        "values_ms": seconds * 1000,
        "ideal_ms": ideal * 1000,
        "bare_ms": bare * 1000,
        "speed": ideal / seconds,
        "speed_bare": bare / seconds,
    }


def get_adds(runs: int = 10) -> list[float]:
    """Seconds that opening, one `get` and closing take beyond the time on the wire, of each run."""
    with simulator() as port:
        gets = [one_get(port) for _ in range(runs)]
    return [total - wire for total, wire in gets]


# --- the proxy --------------------------------------------------------------------------------------------------------

BLOCKS = 500
WARM_UP = 100  # blocks that do not count: programs that have just started still import, and wait longer for their turn
Ends = tuple[int, int]  # file descriptors: written to, read from


@dataclass(frozen=True)
class Added:
    """Milliseconds that the proxy added to the way of a block of bytes."""

    fastest: float
    median: float
    p95: float
    p99: float


def crossing(ends: Ends, block: bytes) -> float:
    """Seconds from writing a block to having all of it at the other end; AssertionError if it is not the same."""
    writer, reader = ends
    begin, data = time.perf_counter(), b""
    os.write(writer, block)
    while len(data) < len(block):
        assert select.select([reader], [], [], 10)[0], f"only {len(data)} of {len(block)} bytes came"
        data += os.read(reader, len(block) - len(data))
    seconds = time.perf_counter() - begin
    assert data == block
    return seconds


def added(ways: Sequence[Ends], control: Ends, count: int = BLOCKS) -> list[Added]:
    """What each way adds to the control: one round of blocks of any bytes, each over all of them in turn, as fast as a
    real line brings them."""
    dice, bare = random.Random(1), []
    seconds: list[list[float]] = [[] for _ in ways]
    for number in range(WARM_UP + count):
        block = dice.randbytes(1 + number % 40) + b"\n"
        bare.append(crossing(control, block))
        for way, ends in zip(seconds, ways, strict=True):
            way.append(crossing(ends, block))
        time.sleep(len(block) * BYTE_S)
    return [distribution(way[WARM_UP:], bare[WARM_UP:]) for way in seconds]


def distribution(seconds: list[float], bare: list[float]) -> Added:
    """Of what each block took longer than on the bare way; ``fastest`` compares the fastest block of each."""
    ordered = sorted((one - other) * 1000 for one, other in zip(seconds, bare, strict=True))
    p95, p99 = (ordered[int(share * len(ordered))] for share in (0.95, 0.99))
    return Added((min(seconds) - min(bare)) * 1000, statistics.median(ordered), p95, p99)


@contextmanager
def raw_terminal() -> Iterator[tuple[int, int, str]]:
    """A pseudo terminal that changes no byte: both file descriptors, and the name for programs."""
    master, slave = pty.openpty()
    tty.setraw(slave, termios.TCSANOW)
    try:
        yield master, slave, os.ttyname(slave)
    finally:
        os.close(slave)
        os.close(master)


@contextmanager
def proxy(charger: str, *options: str) -> Iterator[int]:
    """`evse-host proxy` with its view and a recording going on; the companion's end."""
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "companion"
        command = ["--port", charger, "proxy", "--link", str(link), "--record", f"{folder}/session.txt", *options]
        with subprocess.Popen(
            [sys.executable, "-m", "evse_host.cli", *command], text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        ) as process:  # fmt: skip
            assert "companion" in process.stderr.readline()
            companion = os.open(link, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(companion, termios.TCSANOW)
            try:
                yield companion
            finally:
                os.close(companion)
                process.terminate()


#: The least that a program between two terminals can do.
RELAY = """
import os, select, sys
left, right = (os.open(name, os.O_RDWR | os.O_NOCTTY) for name in sys.argv[1:])
print(flush=True)
while True:
    for fd in select.select([left, right], [], [])[0]:
        os.write(right if fd == left else left, os.read(fd, 4096))
"""


@contextmanager
def relay(left: str, right: str) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", RELAY, left, right], stdout=subprocess.PIPE) as process:
        try:
            process.stdout.readline()
            yield
        finally:
            process.terminate()


def proxy_adds(count: int = BLOCKS) -> dict[str, tuple[Added, Added]]:
    """`to` and `from` the charger: what the proxy adds, and what the least program in its place does."""
    with (
        raw_terminal() as (charger, _, name), proxy(name) as companion,
        raw_terminal() as (left, _, one), raw_terminal() as (right, _, other), relay(one, other),
        raw_terminal() as (master, slave, _),
    ):  # fmt: skip
        return {
            "to": tuple(added([(companion, charger), (left, right)], (slave, master), count)),
            "from": tuple(added([(charger, companion), (right, left)], (master, slave), count)),
        }


# --- all of it --------------------------------------------------------------------------------------------------------


def measure(count: int = 500) -> dict[str, float]:
    """All figures; times in ms."""
    return {
        "help_ms": start_up("--help") * 1000,
        "ports_ms": start_up("ports") * 1000,
        "get_adds_ms": statistics.median(get_adds()) * 1000,
        **speed(count),
        **{
            f"{what}_{way}_charger_{key}_ms": value
            for way, both in proxy_adds().items()
            for what, figures in zip(("proxy", "relay"), both, strict=True)
            for key, value in vars(figures).items()
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--values", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.environ.pop("EVSE_PORT", None)
    figures = measure(arguments.values)
    if arguments.json:
        print(json.dumps(figures))
        return 0
    print(f"evse-host --help          {figures['help_ms']:6.0f} ms  (below 300)")
    print(f"evse-host ports           {figures['ports_ms']:6.0f} ms  (below 300)")
    print(f"one get adds              {figures['get_adds_ms']:6.1f} ms  to the time on the wire (below 50)")
    print(f"{figures['values']:3} values take           {figures['values_ms']:6.0f} ms")
    print(f"the line and the charger  {figures['ideal_ms']:6.0f} ms  ({figures['speed']:.1%} of the ideal)")
    print(f"a loop of bare reads      {figures['bare_ms']:6.0f} ms  ({figures['speed_bare']:.1%} of that)")
    for way in ("to", "from"):
        for what, remark in (("proxy", "below 2"), ("relay", "the least program in its place")):
            median, p95, p99 = (figures[f"{what}_{way}_charger_{key}_ms"] for key in ("median", "p95", "p99"))
            label = f"{what}, {way} the charger"
            print(f"{label:25} {median:6.2f} ms  added, 95 % {p95:.2f} ms, 99 % {p99:.2f} ms ({remark})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
