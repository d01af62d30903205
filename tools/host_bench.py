"""Measures the host tool against the simulator on a line with the bytes of a real one: `python -m tools.host_bench`.

Prints start-up times, what a `get` adds to the time on the wire, and how fast 500 values are read in one run compared
with the ideal: every byte at 115200 baud and the charger's own time for each answer, nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import cycle, islice

from evse_host.catalog import BAUD_RATE, COMMANDS
from evse_host.client import Evse
from evse_host.simulator import Charger, PtyServer
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


def measure(count: int = 500) -> dict[str, float]:
    """All figures; times in ms, ``speed`` as a share of the ideal."""
    with PtyServer(Charger(), baud_rate=BAUD_RATE) as server:
        gets = [one_get(server.path) for _ in range(5)]
        seconds, ideal = many_gets(server.path, count)
    return {
        "help_ms": start_up("--help") * 1000,
        "ports_ms": start_up("ports") * 1000,
        "get_adds_ms": statistics.median(total - wire for total, wire in gets) * 1000,
        "values": count,
        "values_ms": seconds * 1000,
        "ideal_ms": ideal * 1000,
        "speed": ideal / seconds,
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
    print(f"evse-host --help        {figures['help_ms']:7.0f} ms  (below 300)")
    print(f"evse-host ports         {figures['ports_ms']:7.0f} ms  (below 300)")
    print(f"one get adds            {figures['get_adds_ms']:7.1f} ms  to the time on the wire (below 50)")
    print(f"{figures['values']} values take        {figures['values_ms']:7.0f} ms")
    print(
        f"the line and the charger{figures['ideal_ms']:7.0f} ms  ({figures['speed']:.1%} of the ideal, 95 % wanted)"
    )


if __name__ == "__main__":
    main()
