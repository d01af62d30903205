"""How fast values and commands are, and how much of the line they take.

A real host node on a simulated charger whose bytes take as long as on a real line, both on a clock of their own: no
figure depends on what else the computer does. Beside each figure stands the ideal:
the bytes that were really on the line at 115200 baud, the charger's own time, and its push loop; nothing for the node.
Exits with 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evse_host import catalog
from evse_host.catalog import BAUD_RATE, COMMAND, ENTITIES, Entity
from tools.build import node
from tools.measure import footprint, results
from tools.measure.latency_bench import (
    LOOP_S,
    Bench,
    Probe,
    change_one,
    command_one,
    fast,
    open_port,
    power_up,
    running,
    settable,
    shown,
    slow,
    start_charging,
)
from tools.measure.latency_figures import Air, Figure, Found, Measured, Statistic, percentile_95
from tools.run.api import NodeError
from tools.run.tap import BYTE_S

BATCH_S = 0.100  # ESPHome's default `api: batch_delay:`
OPEN_TARGET_S = 2.0  # port open to all entities valid
POWER_UP_TARGET_S = 2.5  # RDY to all entities valid
PUSH_TARGET_S = 0.320  # change to client, 95th percentile, plus the batch delay
COMMAND_TARGET_S = 0.050  # command to confirmed at the client, median, plus the batch delay
AIR_TARGET = 0.03  # of the line, idle

UPDATE_S = int({option.key: option.default for option in catalog.OPTIONS}["update_interval"].rstrip("s"))
SLOW_TURN_S = math.ceil(catalog.SLOW_INTERVAL_MS / 1000 / LOOP_S) * LOOP_S  # the charger rounds up to its loop
FRESH_TARGET_S = 5.0  # no value is older
REST_S = 0.4  # a command that follows another closely may find the API's batch already under way

TEN = tuple(catalog.ENTITY[key] for key in footprint.TEN)


@dataclass(frozen=True)
class Plan:
    """How much is measured with ``option``: numbers of samples, and seconds of air time. ``start`` tells which of the
    starts counts."""

    option: str
    starts: int
    start: Statistic
    changes: int
    commands: int
    slow_rounds: int
    idle_s: float
    charging_s: float
    batches: tuple[float, ...]


LONG = Plan("--long", 10, max, 200, 200, 2, 2 * UPDATE_S, UPDATE_S, (BATCH_S, 0.0))
BENCH = Plan("", 4, max, 60, 60, 1, UPDATE_S, UPDATE_S / 2, (BATCH_S, 0.0))
SHORT = Plan("--short", 2, max, 16, 8, 0, 2 * SLOW_TURN_S, 0, (BATCH_S,))


# --- the node ---------------------------------------------------------------------------------------------------------


def config(rows: tuple[Entity, ...], batch_s: float = BATCH_S) -> str:
    """A host node with these entities and every option at its default."""
    entities: dict[str, list] = {}
    for row in rows:
        entities.setdefault(row.platform, [{"platform": "esp32evse"}])[0][row.key] = {"name": row.name}
    api = {"reboot_timeout": "0s"} | ({} if batch_s == BATCH_S else {"batch_delay": f"{batch_s * 1000:.0f}ms"})
    components = [{"source": {"type": "local", "path": str(node.ROOT / "components")}}]
    uart = {"id": "evse_uart", "port": "/tmp/evse", "baud_rate": BAUD_RATE, "rx_buffer_size": 1024}
    keys = {"esphome": {"name": "latency"}, "host": {}, "logger": {}, "api": api, "external_components": components,
            "uart": uart, "esp32evse": {}, **entities}  # fmt: skip
    runtime = f"packages:\n  runtime: !include {node.ROOT}/tools/run/runtime.yaml\n"
    return runtime + "".join(f"{key}: {json.dumps(value)}\n" for key, value in keys.items())


def build(name: str, rows: tuple[Entity, ...], batch_s: float = BATCH_S) -> Path:
    return node.build(node.write_config(f"latency-{name}", config(rows, batch_s)))


# --- series of samples ------------------------------------------------------------------------------------------------


def measure_starts(
    program: Path, rows: tuple[Entity, ...], count: int, of: Statistic, dice: random.Random, note: str
) -> list[Figure]:
    openings = [open_port(program, rows, dice) for _ in range(count)]
    power_ups = [power_up(program, rows, dice) for _ in range(count)]
    series = (
        (f"port open to all {note} valid", openings, OPEN_TARGET_S),
        (f"RDY to all {note} valid", power_ups, POWER_UP_TARGET_S),
    )
    which = "fastest" if of is min else "worst"
    return [
        Figure(name, *_columns(starts), limit, of, f"{which}: {limit * 1000:.0f}") for name, starts, limit in series
    ]


def measure_changes(
    bench: Bench, chosen: list[Probe], count: int, dice: random.Random, title: str, batch_s: float
) -> Found:
    samples = []
    for number in range(count):
        bench.server.run(dice.uniform(0.1, 0.1 + 4 * LOOP_S))  # any phase of the charger's loop, and of slower ones
        samples.append(change_one(bench, chosen[number % len(chosen)]))
    totals, told, bursts = _columns(samples)
    phases = [LOOP_S * (number + 0.5) / count for number in range(count)]
    ideal = [phase + burst for phase, burst in zip(phases, bursts, strict=True)]
    node_share = [total - line for total, line in zip(totals, told, strict=True)]
    target = f"95 %: {PUSH_TARGET_S * 1000:.0f} + {batch_s * 1000:.0f}"
    return [Figure(title, totals, ideal, PUSH_TARGET_S + batch_s, percentile_95, target)], [
        Figure(f"{title}: charger, until the line has arrived", told, ideal),
        Figure(f"{title}: node and API", node_share, [batch_s] * count),
    ]


def measure_rounds(bench: Bench, chosen: list[Probe], count: int, period: float, dice: random.Random) -> list[float]:
    """Seconds from change to client; each value changes once in every ``period``, at moments of its own."""
    samples: list[float] = []
    while len(samples) < count:
        began = bench.server.now
        changed: list[tuple[Probe, int, float, int | str]] = []
        for offset, probe in sorted(((dice.uniform(0, period), probe) for probe in chosen), key=lambda pair: pair[0]):
            bench.server.run(max(0.0, began + offset - bench.server.now))
            changed.append((probe, len(bench.node.changes), *bench.server.call(probe.change)))
        for probe, since, at, value in changed:
            samples.append(bench.arrival(probe.row, shown(probe.row, value), since) - at)
    return samples


def measure_commands(
    bench: Bench, chosen: list[Probe], count: int, dice: random.Random, title: str, batch_s: float
) -> Found:
    samples = []
    for number in range(count):
        bench.server.run(dice.uniform(REST_S, REST_S + LOOP_S))
        samples.append(command_one(bench, chosen[number % len(chosen)]))
    confirmed, held, proven, ideal = _columns(samples)
    client = [whole - part for whole, part in zip(confirmed, proven, strict=True)]
    target = f"median: {COMMAND_TARGET_S * 1000:.0f} + {batch_s * 1000:.0f}"
    limit = COMMAND_TARGET_S + batch_s
    return [Figure(f"{title} to confirmed", confirmed, ideal, limit, statistics.median, target)], [
        Figure(f"{title}: until the charger holds it", held, []),
        Figure(f"{title}: until the read-back has arrived", proven, ideal),
        Figure(f"{title}: node and API after that", client, [batch_s] * count),
    ]


def _columns(rows: list[tuple[float, ...]]) -> list[list[float]]:
    return [list(column) for column in zip(*rows, strict=True)]


# --- air time ---------------------------------------------------------------------------------------------------------


def listen(bench: Bench, seconds: float, name: str, limit: float | None = None, extra: float = 0.0) -> Air:
    start, states = bench.server.now, len(bench.node.changes)
    bench.server.run(seconds)
    return Air(name, bench.tap.traffic(start, bench.server.now), len(bench.node.changes) - states, limit, extra)


# --- all of it --------------------------------------------------------------------------------------------------------


def measure(plan: Plan, seed: int, progress: Callable[[str], None] = lambda _: None) -> Measured:
    dice = random.Random(seed)
    measured = Measured()
    progress("all entities: starts")
    program = build("all", ENTITIES)
    measured.add(measure_starts(program, ENTITIES, plan.starts, plan.start, dice, "entities"))
    for batch_s in plan.batches:
        progress(f"changes and commands, batch_delay {batch_s * 1000:.0f} ms")
        answering = program if batch_s == BATCH_S else build("all", ENTITIES, batch_s)
        _measure_answers(answering, plan, dice, batch_s, measured)
    progress("air time")
    with running(program, ENTITIES) as bench:
        measured.air.append(idle(bench, plan, "all entities, idle"))
    if plan is not SHORT:
        progress("values that are pushed less often or polled")
        _measure_slow(program, plan, dice, measured)
        progress("charging")
        _measure_charging(program, plan, dice, measured)
        progress("ten entities")
        _measure_ten(plan, dice, measured)
    return measured


def idle(bench: Bench, plan: Plan, name: str) -> Air:
    """A stretch that is too short for a round of polls gets one a minute added: what was asked since the start, facts
    left out."""
    start = bench.tap.traffic(0, bench.server.now)
    polled = [name for name, row in COMMAND.items() if row.refresh not in (catalog.ONCE, catalog.NEVER)]
    extra = sum(start.asked[name] + start.answered[name] for name in polled) * BYTE_S / UPDATE_S
    return listen(bench, plan.idle_s, name, AIR_TARGET, extra if plan.idle_s < UPDATE_S else 0.0)


def _measure_answers(program: Path, plan: Plan, dice: random.Random, batch_s: float, measured: Measured) -> None:
    note = "" if batch_s == BATCH_S else f", batch_delay {batch_s * 1000:.0f}ms"
    with running(program, ENTITIES) as bench:
        title = f"change of a pushed value to client{note}"
        measured.add(*measure_changes(bench, fast(bench), plan.changes, dice, title, batch_s))
    with running(program, ENTITIES) as bench:
        for stored, kind in ((False, "command"), (True, "command for the charger's flash")):
            chosen = settable(bench.rows, stored)
            measured.add(*measure_commands(bench, chosen, plan.commands, dice, f"{kind}{note}", batch_s))


def _measure_slow(program: Path, plan: Plan, dice: random.Random, measured: Measured) -> None:
    with running(program, ENTITIES) as bench:
        told, asked = slow(bench, pushed=True), slow(bench, pushed=False)
        groups = (
            ("pushed less often", told, plan.changes, SLOW_TURN_S),
            ("polled", asked, plan.slow_rounds * len(asked), UPDATE_S),
        )
        for kind, chosen, count, period in groups:
            if chosen:
                samples = measure_rounds(bench, chosen, count, period, dice)
                title = f"change of a value that is {kind} to client"
                measured.add([Figure(title, samples, [], FRESH_TARGET_S, max, f"worst: {FRESH_TARGET_S * 1000:.0f}")])


def _measure_charging(program: Path, plan: Plan, dice: random.Random, measured: Measured) -> None:
    with running(program, ENTITIES) as bench:
        start_charging(bench)
        measured.air.append(listen(bench, plan.charging_s, "all entities, charging"))
        meter = fast(bench, catalog.CHARGING)
        title = "change of the meter to client, charging"
        measured.add(*measure_changes(bench, meter, plan.changes, dice, title, BATCH_S))


def _measure_ten(plan: Plan, dice: random.Random, measured: Measured) -> None:
    program = build("ten", TEN)
    measured.add(measure_starts(program, TEN, plan.starts // 2, plan.start, dice, "of ten entities"))
    with running(program, TEN) as bench:
        measured.air.append(idle(bench, plan, "ten entities, idle"))
        start_charging(bench)
        measured.air.append(listen(bench, plan.charging_s, "ten entities, charging"))


TEXT = (
    "A host node with every option at its default on a simulated charger whose bytes take as long as on a real line. "
    "Changes and commands come at random moments, spread over the charger's push loop of 260 ms. The ideal is what the "
    "bytes that really went over the line take at 115200 baud, with the charger's own time for its answers and, for "
    "pushed values, its loop; nothing for the node. On their clock a turn of the node's main loop takes 1 ms, "
    "and 16 ms when it may rest. The API collects states for `batch_delay`, 100 ms by default. "
    "The share of the line is that of both directions together."
)


def result(measured: Measured, plan: Plan, seed: int, seconds: float) -> results.Result:
    command = f"python -m tools latency {plan.option} --seed {seed}".replace("  ", " ")
    return results.Result("latency", 3, "Latency and air time", command, TEXT, measured.tables(), seconds, seed,
                          measured.missed())  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    results.add_options(
        parser, short="few samples; 60 of each if neither", long="200 samples of each", seed="of the random moments"
    )
    arguments = parser.parse_args()
    plan = SHORT if arguments.short else LONG if arguments.long else BENCH
    start = time.monotonic()

    def progress(text: str) -> None:
        results.report(f"{time.monotonic() - start:5.0f} s  {text}")

    try:
        measured = measure(plan, arguments.seed, progress)
    except (NodeError, LookupError, TimeoutError, node.BuildError) as error:
        print(error, file=sys.stderr)
        return 1
    found = result(measured, plan, arguments.seed, time.monotonic() - start)
    return results.tell(found, arguments.save, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
