"""A charger and a node on one line, and single samples of how fast they are: what tools.measure.latency repeats.

Times are the charger's (s).
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evse_host import catalog
from evse_host.catalog import COMMAND, LIVE_SETTINGS, Entity
from evse_host.simulator import Charger
from evse_host.simulator.charger import BOOT_S, TICK_S
from tools.run.api import NodeError, entity_key
from tools.run.clocked_node import ClockedCharger
from tools.run.tap import BYTE_S, Exchange, Tap

LOOP_S = Charger().firmware.loop_ticks * TICK_S
START_OVER_S = 1.0  # from the last value to the last subscription
LONG_S = 10.0  # since the charger's start
MAX_GAP_S = 90.0  # no value is older than this
OFFLINE_S = 4.0  # the node knocks at least this often
RUNS_BY_ITSELF = ("UPTIME", "TIME")
BOUNDS_OTHERS = ("MAXCHCUR",)  # a small one would make the charger refuse the other currents
METER_SETTLES_S = 15.0  # until a simulated car has come up to its current


class Bench:
    """A charger on a line that takes its time, and a node on it once it is started."""

    def __init__(self, program: Path, rows: tuple[Entity, ...], directory: Path) -> None:
        self.rows = tuple(row for row in rows if row.command and row.platform not in ("button", "event"))
        self.charger = new_charger()
        self.tap = Tap(self.charger)
        self.server = ClockedCharger(self.charger, self.tap)
        self.node = self.server.node(program, directory)

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *error: object) -> None:
        if self.node.running:
            self.node.__exit__(*error)

    def arrival(self, row: Entity, value: object, since: int) -> float:
        """When the client had the value, in the charger's time; ``since`` is len(node.changes) of before."""
        self.node.wait_for(row, value, MAX_GAP_S)
        key = entity_key(self.node.find(row))
        changes = self.node.changes[since:]
        return next(c.time for c in changes if entity_key(c.entity) == key and c.value == value)

    def all_valid_at(self) -> float:
        """When the last of the entities got its first value."""
        wanted = {entity_key(self.node.find(row)): row for row in self.rows}
        found: dict[tuple, float] = {}
        seen = 0

        def complete() -> bool:
            nonlocal seen
            for change in self.node.changes[seen:]:
                row = wanted.get(entity_key(change.entity))
                if row is not None and is_valid(row, change.value):
                    found.setdefault(entity_key(change.entity), change.time)
            seen = len(self.node.changes)
            return len(found) == len(wanted)

        if not self.node.wait_until(complete, MAX_GAP_S):
            missing = [f"{row.platform}.{row.name}" for key, row in wanted.items() if key not in found]
            raise NodeError(f"never valid: {', '.join(missing)}")
        return max(found.values())

    def least_seconds(self, start: float, end: float) -> float:
        """What the traffic between two moments takes on the line and in the charger, without any pause."""
        traffic = self.tap.traffic(start, end)
        own = sum(exchange.seconds for exchange in self.tap.exchanges if start <= exchange.at < end)
        return (traffic.inward + traffic.outward) * BYTE_S + own


def new_charger() -> Charger:
    """All its switches are on: an ESPHome switch has no unknown state, so an "off" could be no value at all."""
    charger = Charger()
    for name in ("REQAUTH", "SOCKETOUTLET", "EMETERTHREEPHASE"):
        charger.set(name, 1)
    charger.override("WIFIAPCFG", 1, "evse-000002")
    return charger


def is_valid(row: Entity, value: object) -> bool:
    return value is True if row.platform == "switch" else value is not None


@contextmanager
def running(program: Path, rows: tuple[Entity, ...]) -> Iterator[Bench]:
    """A bench whose node has all its values, and whose start is over."""
    with tempfile.TemporaryDirectory() as home, Bench(program, rows, Path(home)) as bench:
        bench.node.__enter__()
        bench.node.connect()
        valid = bench.all_valid_at()
        bench.server.wait_for(lambda charger: charger.now > valid + START_OVER_S)
        yield bench


# --- start ------------------------------------------------------------------------------------------------------------


def open_port(program: Path, rows: tuple[Entity, ...], dice: random.Random) -> tuple[float, float]:
    """(seconds from the port's opening to all entities valid, the ideal). The charger has been running for long."""
    with tempfile.TemporaryDirectory() as home, Bench(program, rows, Path(home)) as bench:
        bench.server.run(LONG_S + dice.uniform(0, LOOP_S))
        bench.node.__enter__()
        opened = bench.node.now
        bench.node.connect()
        valid = bench.all_valid_at()
        return valid - opened, bench.least_seconds(opened, valid)


def power_up(program: Path, rows: tuple[Entity, ...], dice: random.Random) -> tuple[float, float]:
    """(seconds from RDY to all entities valid, the ideal). The node was there before the charger was switched on."""
    with tempfile.TemporaryDirectory() as home, Bench(program, rows, Path(home)) as bench:
        bench.server.call(lambda charger: charger.power_off(charger.now))
        bench.node.__enter__()
        bench.node.connect()
        bench.server.run(dice.uniform(0, OFFLINE_S))
        on = bench.server.call(lambda charger: (charger.power_on(charger.now), charger.now)[1])
        ready, valid = on + BOOT_S, bench.all_valid_at()
        return valid - ready, bench.least_seconds(ready, valid)


# --- change at the charger --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Probe:
    """An entity whose value is changed at the charger, between two values of the wire."""

    row: Entity
    values: tuple[int | str, int | str]

    def other(self, charger: Charger) -> int | str:
        """The one of the values that the charger does not have now."""
        return self.values[charger.value(self.row.command)[self.row.field_index] == self.values[0]]

    def change(self, charger: Charger) -> tuple[float, int | str]:
        """(when, new value); reads and pushes show it until it changes again."""
        value = self.other(charger)
        fields = list(charger.value(self.row.command))
        fields[self.row.field_index] = value
        charger.override(self.row.command, *fields)
        return charger.now, value


def probes(rows: tuple[Entity, ...]) -> list[Probe]:
    """One for every command whose values change and can be compared."""
    found: dict[str, Probe] = {}
    for row in rows:
        command = COMMAND.get(row.command)
        if command is None or row.convert not in ("value", "bit", "name") or row.platform in ("button", "event"):
            continue
        if command.lines or command.refresh in (catalog.ONCE, catalog.NEVER) or command.name in RUNS_BY_ITSELF:
            continue
        found.setdefault(command.name, Probe(row, two_values(row)))
    return list(found.values())


def two_values(row: Entity) -> tuple[int | str, int | str]:
    """Two values of the wire that the entity shows differently."""
    if COMMAND[row.command].fields[row.field_index].type == "str":
        return "one", "two"
    if row.convert == "bit":
        return 0, 1 << row.bit
    if row.platform in ("switch", "binary_sensor") or row.options:
        return 0, 1
    unit = row.multiplier if row.platform == "number" else 10**row.scale
    return round((row.minimum + 6) * unit), round((row.minimum + 12) * unit)


def shown(row: Entity, value: int | str) -> bool | float | str:
    """How the entity shows the value of the wire."""
    if isinstance(value, str):
        return value
    if row.convert == "bit":
        return bool(value >> row.bit & 1)
    if row.platform in ("switch", "binary_sensor"):
        return value != 0
    if row.options:
        return row.options[value]
    return value / (row.multiplier if row.platform == "number" else 10**row.scale)


def fast(bench: Bench, refresh: str = catalog.PUSH) -> list[Probe]:
    """Those that are to be pushed in every turn of the charger's loop; ``refresh`` CHARGING: while energy flows."""
    return [probe for probe in probes(bench.rows) if COMMAND[probe.row.command].refresh == refresh]


def slow(bench: Bench, pushed: bool) -> list[Probe]:
    """All others: those that the charger pushes now, or those that the node has to ask for."""
    names = bench.server.call(lambda charger: {subscription.name[1:] for subscription in charger.subscriptions})
    quick = fast(bench)
    return [probe for probe in probes(bench.rows) if probe not in quick and (probe.row.command in names) == pushed]


def change_one(bench: Bench, probe: Probe) -> tuple[float, float, float]:
    """Seconds from the change to the client and to the end of the line that tells it; what that line's burst took."""
    since = len(bench.node.changes)
    at, value = bench.server.call(probe.change)
    arrived = bench.arrival(probe.row, shown(probe.row, value), since)
    told, burst = bench.tap.told(COMMAND[probe.row.command].answer_name, at)
    return arrived - at, told - at, burst


# --- command ----------------------------------------------------------------------------------------------------------


def settable(rows: tuple[Entity, ...], stored: bool) -> list[Probe]:
    """Switches and numbers: settings that the charger keeps in flash, or those that it forgets."""
    names = {c.name for c in catalog.COMMANDS if c.stored and c.verify == 1} if stored else set(LIVE_SETTINGS)
    names -= set(BOUNDS_OTHERS)
    return [
        Probe(row, two_values(row)) for row in rows if row.platform in ("switch", "number") and row.command in names
    ]


def command_one(bench: Bench, probe: Probe) -> tuple[float, float, float, float]:
    """Seconds from the API command to the client's confirmed state, to the charger holding it, to the end of the
    read-back that proves it, and the ideal of the whole."""
    value = bench.server.call(probe.other)
    since = len(bench.node.changes)
    sent = bench.node.now
    bench.node.command(probe.row, shown(probe.row, value))
    confirmed = bench.arrival(probe.row, shown(probe.row, value), since)
    name = probe.row.command
    if bench.server.call(lambda charger: charger.value(name))[probe.row.field_index] != value:
        raise NodeError(f"{name} was confirmed as {value}, but the charger does not hold it")
    # A push of the value may confirm it a moment before the read-back does.
    write, proof = bench.server.wait_for(lambda charger: _proof(bench, name, sent))
    proven = proof.at + proof.seconds + len(proof.answer) * BYTE_S
    return confirmed - sent, write.at - sent, proven - sent, write.least_seconds + proof.least_seconds


def _proof(bench: Bench, name: str, sent: float) -> tuple[Exchange, Exchange] | None:
    """The write and its read-back, once both are done."""
    exchanges = [e for e in bench.tap.exchanges if e.at > sent and e.name == name]
    write = next((e for e in exchanges if e.form == "write"), None)
    proof = next((e for e in exchanges if write and e.form == "read" and e.at > write.at), None)
    return (write, proof) if write and proof else None


def start_charging(bench: Bench) -> None:
    """Plug a car in, and wait until its current is steady."""
    bench.server.call(lambda charger: (charger.set("REQAUTH", 0), charger.car.plug()))
    bench.node.wait_for("text_sensor.State", "C2")
    bench.server.run(METER_SETTLES_S)
