"""What the component costs: flash, RAM, heap allocations, instructions, and the time of its longest loop().

    python -m tools cost [--short] [--only flash|heap|instructions|flood] [--save] [--json]
    python -m tools cost --set-budgets      write cost_budgets.json: the counted instructions become the budgets

Exits with 1 when a target is missed: a budget of flash or RAM exceeded, one of instructions by 10 %, or a heap
allocation of the component after its setup. Takes two minutes and the builds.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evse_host.catalog import BAUD_RATE
from evse_host.simulator import Charger, PtyServer
from tools.build import node
from tools.measure import charging_hour, footprint, heap_watch, loop_profile, results
from tools.measure.heap_watch import OURS, STATES, Allocations
from tools.measure.results import Table
from tools.run.api import NodeError
from tools.run.clocked_node import ClockedNode
from tools.run.host_node import HostProcess, Node

CONFIG = node.ROOT / "tools/measure/cost.yaml"
FLAGS = "-Os -g -fno-omit-frame-pointer -fno-pic"
BUDGETS = node.ROOT / "tools/measure/cost_budgets.json"
TOLERANCE = 0.1
SHORT_MINUTES = len(charging_hour.SCENES)
FLOOD_PIECE_S = 0.05
CALM_S = 0.5  # without a state: the API has nothing more to send
BACKLOG_BYTES = 4096
FLOOD_LINES = b"\n+ERROR=0\n\n+ERROR=255\n\n+EMETERPOWER=1234\n\n+STATE=0\n\n+STATE=1\n\n+EMETERPOWER=3680\n"
STATISTICS_S = 2.0  # log_interval in cost.yaml
STATISTICS = re.compile(r"esp32evse: count=(\d+), avg=[\d.]+ms, max=([\d.]+)ms, total=([\d.]+)ms")


@dataclass(frozen=True)
class Part:
    """Tables of one part of the measurement, and the targets that it missed."""

    tables: list[Table]
    missed: list[str]


def build() -> Path:
    """The program that is measured: optimised as on the chip, with the names and places of its functions."""
    node.need_compiler("g++", "g++")
    with node.locked(CONFIG) as directory:
        sources = node.generate(CONFIG, directory)
        return node.compile_sources(sources, "cost", "g++", FLAGS, link=f"g++ {FLAGS} -no-pie -pthread")


# --- flash and RAM ----------------------------------------------------------------------------------------------------

SUBJECT_NAMES = {
    "none": "the hub alone",
    "ten": "ten entities",
    "all": "every entity",
    "two": "two hubs, every entity twice",
}


def flash(_: argparse.Namespace) -> Part:
    measured = footprint.measure_subjects()
    columns = ["configuration", "entities", "code B", "budget", "tables B", "hub RAM B", "budget", "entities' RAM B"]
    rows = [_flash_row(subject) for subject in measured]
    missed = [line for subject in measured for line in subject.exceeded()]
    return Part([Table(columns, rows, "Flash and RAM, 32-bit RISC-V")], missed)


def _flash_row(subject: footprint.Footprint) -> list[str]:
    budget = footprint.BUDGETS.get(subject.name, {})
    cells = (
        subject.entities, subject.code, budget.get("code", ""), subject.tables, subject.ram, budget.get("ram", ""),
        subject.entities_ram,
    )  # fmt: skip
    return [SUBJECT_NAMES[subject.name], *map(str, cells)]


# --- heap -------------------------------------------------------------------------------------------------------------

MUST_BE_ZERO = (OURS, STATES)


def heap(arguments: argparse.Namespace) -> Part:
    minutes = SHORT_MINUTES if arguments.short else charging_hour.MINUTES
    with tempfile.TemporaryDirectory() as directory:
        first, whole = heap_watch.measure(build(), Path(directory), minutes)
    parties = [OURS, *(name for name, _ in heap_watch.HELPERS), heap_watch.OTHERS]
    counts = {party: (_count(first, party), _count(whole, party)) for party in parties}
    columns = ["who asks for memory", "target", "first half", "second half"]
    rows = [
        [party, "0" if party in MUST_BE_ZERO else "", str(early), str(total - early)]
        for party, (early, total) in counts.items()
    ]
    places = Counter()
    for each in whole:
        if each.party in MUST_BE_ZERO:
            places[str(each.site)] += each.count
    missed = [f"heap: {count} allocations in {place}" for place, count in places.items()]
    return Part([Table(columns, rows, f"Heap allocations from the end of setup on, {minutes} minutes")], missed)


def _count(allocations: list[Allocations], party: str) -> int:
    return sum(each.count for each in allocations if each.party == party)


# --- instructions -----------------------------------------------------------------------------------------------------


def instructions(arguments: argparse.Namespace) -> Part:
    with tempfile.TemporaryDirectory() as directory:
        profile = loop_profile.measure(build(), Path(directory))
    counted = profile.budgeted()
    if arguments.set_budgets:
        content = {**load_budgets(), "made with": toolchain(), "instructions": counted}
        BUDGETS.write_text(json.dumps(content, indent=1) + "\n")
    budgets = load_budgets()
    rows = [[name, str(budgets["instructions"].get(name, "")), str(count)] for name, count in counted.items()]
    worst = [[name, str(cost)] for name, cost in profile.worst[:5]]
    title = f"Instructions, {platform.machine()}, -Os"
    tables = [
        Table(["one loop() of the hub", "budget", "instructions"], rows, title),
        Table([f"{loop_profile.BYTES_PER_LOOP} B of", "instructions"], worst, "The five longest loops"),
    ]
    return Part(tables, judge(counted, budgets, toolchain()))


def load_budgets() -> dict:
    """The instructions that are allowed, and ``toolchain`` when they were counted."""
    return json.loads(BUDGETS.read_text())


def toolchain() -> dict[str, str]:
    """What decides about the number of instructions besides the component."""
    gcc, esphome = (results.versions()[name].split(".") for name in ("g++", "ESPHome"))
    return {"g++": gcc[0], "machine": platform.machine(), "ESPHome": ".".join(esphome[:2])}


def judge(counted: dict[str, int], budgets: dict, made_with: dict[str, str]) -> list[str]:
    """One line for each figure that is more than 10 % above its budget; none where another compiler counts."""
    if made_with != budgets["made with"]:
        return []
    missed = [f"instructions: no budget for {name}" for name in counted.keys() - budgets["instructions"].keys()]
    for name, budget in budgets["instructions"].items():
        count = counted.get(name, 0)
        if count > budget * (1 + TOLERANCE):
            missed.append(f"instructions: {name} takes {count}, more than 10 % above the budget of {budget}")
    return missed


# --- push flood -------------------------------------------------------------------------------------------------------


def flood(arguments: argparse.Namespace) -> Part:
    program = build()
    with tempfile.TemporaryDirectory() as directory:
        most_read, loops = read_backlog(program, Path(directory) / "stepped")
        timed = time_loops(program, Path(directory) / "real", 6 if arguments.short else 20)
    count, average, calmest, longest, share = timed
    limit = loop_profile.BYTES_PER_LOOP
    rows = [
        ["most bytes read by one loop", str(limit), str(most_read), "B"],
        [f"loops until {BACKLOG_BYTES} waiting bytes are read", str(-(-BACKLOG_BYTES // limit)), str(loops), ""],
        ["loops per second, as it waits for an answer", "", f"{count:.0f}", ""],
        ["one loop, average; most find nothing", "", f"{average:.1f}", "µs"],
        [f"one loop, longest, in the calmest {STATISTICS_S:g} s", "", f"{calmest:.2f}", "ms"],
        ["one loop, longest", "", f"{longest:.2f}", "ms"],
        ["the whole node's share of a processor", "", f"{share:.0%}", ""],
    ]
    title = "Lines without a pause at 115200 baud, every one with a new value, log at DEBUG"
    missed = [f"flood: one loop read {most_read} B, at most {limit} are allowed"] if most_read > limit else []
    return Part([Table(["figure", "target", "measured", "unit"], rows, title)], missed)


def read_backlog(program: Path, directory: Path) -> tuple[int, int]:
    """The most bytes that one loop reads when many wait, and the loops until all are read."""
    data = (FLOOD_LINES * BACKLOG_BYTES)[:BACKLOG_BYTES]
    with ClockedNode(program, Charger(), directory, rx_buffer=2 * BACKLOG_BYTES) as node:
        node.run(10)
        before = node.all_read
        node.port.receive_at_once(data)
        first = node.loops
        while node.all_read - before < len(data):
            node.run(0.001)
        return node.most_read, node.loops - first


def time_loops(program: Path, directory: Path, seconds: float) -> tuple[float, float, float, float, float]:
    """In real time while a flood lasts: loops per second, then wall times of one, the average in µs, the longest of the
    calmest period in ms, and the longest in ms; the processor's time of the node per second, which alone does not
    depend on what else the computer does."""
    with PtyServer(Charger(), baud_rate=BAUD_RATE) as charger, Node(program, charger.path, directory) as running:
        running.wait_for("Connected", True)
        running.call_service("log_everything")
        begin = len(running.log)
        cpu_s, pieces = running.process.cpu_s, round(seconds / FLOOD_PIECE_S)
        for _ in range(pieces):
            time.sleep(FLOOD_PIECE_S)
            charger.inject(lambda faults: faults.to_client_now(_piece()))
        statistics = _statistics(running.process, begin)
        _wait_until_calm(running)
        share = (running.process.cpu_s - cpu_s) / (pieces * FLOOD_PIECE_S)  # of the line's time, however late it came
        return *statistics, share


def _wait_until_calm(running: Node) -> None:
    """A host node that writes to a client which has just gone is ended by SIGPIPE."""
    seen = -1

    def more() -> bool:
        return len(running.changes) != seen

    while running.wait_until(more, CALM_S):
        seen = len(running.changes)


def _piece() -> bytes:
    """A little more than the line carries until the next piece comes."""
    room = int(BAUD_RATE / 10 * FLOOD_PIECE_S)
    return FLOOD_LINES * (room // len(FLOOD_LINES) + 1)


def _statistics(process: HostProcess, begin: int) -> tuple[float, float, float, float]:
    """What ESPHome's runtime_stats have logged for the hub, a line for each period and one from the start on; the first
    period was not all flood."""
    found = [match for line in process.log[begin:] if (match := STATISTICS.search(line))][2::2]
    if not found:
        raise NodeError(f"the node has logged no statistics; {process.log_tail()}")
    counts = [int(match[1]) for match in found]
    average = 1000 * sum(float(match[3]) for match in found) / sum(counts)
    longest = [float(match[2]) for match in found]
    return sum(counts) / len(counts) / STATISTICS_S, average, min(longest), max(longest)


# --- command ----------------------------------------------------------------------------------------------------------

PARTS: dict[str, Callable[[argparse.Namespace], Part]] = {
    "flash": flash,
    "heap": heap,
    "instructions": instructions,
    "flood": flood,
}
TEXT = (
    "Flash and RAM are those of 32-bit RISC-V code, the kind of an ESP32-C3. Heap: a node for this computer with every "
    "entity and an API client lives through sessions, faults, writes, restarts and texts of all lengths on a clock of "
    "its own; every allocation with the component on its call stack counts, by who asks for the memory. Instructions "
    "are counted by callgrind in the same node: the hub's loop() with all that it calls, publishing included, without "
    "the UART driver and the log; they are the same in every run with the same compiler and C library. "
    "The flood runs in real time."
)


def main(command_line: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measure what the component costs on the chip.")
    results.add_options(parser, short="each scene of the hour once, a shorter flood")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part, may be repeated")
    parser.add_argument("--set-budgets", action="store_true", help="the counted instructions become the budgets")
    arguments = parser.parse_args(command_line)
    begin = time.monotonic()
    try:
        parts = [_run(name, arguments) for name in arguments.only or PARTS]
    except (node.BuildError, NodeError) as error:
        print(error, file=sys.stderr)
        return 1
    result = results.Result(
        name="cost", order=4, title="Cost on the chip", command="python -m tools cost", text=TEXT,
        tables=[table for part in parts for table in part.tables], seconds=round(time.monotonic() - begin, 1),
        missed=[line for part in parts for line in part.missed],
    )  # fmt: skip
    return results.tell(result, arguments.save, arguments.json)


def _run(name: str, arguments: argparse.Namespace) -> Part:
    results.report(f"{name} ...")
    return PARTS[name](arguments)


if __name__ == "__main__":
    sys.exit(main())
