"""Measures the host tool against the simulator on a line with the bytes of a real one: `python -m tools.host_bench`.

Prints start-up times, what a `get` adds to the time on the wire, and how fast 500 values are read in one run, compared
with the ideal (every byte at 115200 baud and the charger's own time for each answer, nothing else) and with a loop of
bare reads and writes, which shows how much of the rest is this computer's and the simulator's.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice

from evse_host.catalog import BAUD_RATE, COMMANDS
from evse_host.client import Evse
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


def get_adds(runs: int = 5) -> float:
    """Median seconds that opening, one `get` and closing take beyond the time on the wire."""
    with simulator() as port:
        gets = [one_get(port) for _ in range(runs)]
    return statistics.median(total - wire for total, wire in gets)


def measure(count: int = 500) -> dict[str, float]:
    """All figures; times in ms."""
    return {
        "help_ms": start_up("--help") * 1000,
        "ports_ms": start_up("ports") * 1000,
        "get_adds_ms": get_adds() * 1000,
        **speed(count),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--values", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.environ.pop("EVSE_PORT", None)
    figures = measure(arguments.values)
    if arguments.json:
        print(json.dumps(figures))
        return
    print(f"evse-host --help          {figures['help_ms']:6.0f} ms  (below 300)")
    print(f"evse-host ports           {figures['ports_ms']:6.0f} ms  (below 300)")
    print(f"one get adds              {figures['get_adds_ms']:6.1f} ms  to the time on the wire (below 50)")
    print(f"{figures['values']:3} values take           {figures['values_ms']:6.0f} ms")
    print(f"the line and the charger  {figures['ideal_ms']:6.0f} ms  ({figures['speed']:.1%} of the ideal)")
    print(f"a loop of bare reads      {figures['bare_ms']:6.0f} ms  ({figures['speed_bare']:.1%} of that)")


if __name__ == "__main__":
    main()
