"""A gateway with all bridges and many simulated chargers, at a real Mosquitto: processor, memory, latency.

    python -m tools gateway-bench                  50 chargers, a few minutes
    python -m tools gateway-bench --json --save    the same as JSON, and into docs/bridges/gateway.md

The chargers run in a process of their own, at each a car charges; a change is a current that somebody else sets there,
seen at random moments. Each charger is asked by REST and by Modbus every ASK_S seconds, and some have their page open.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import httpx
from pymodbus.client import ModbusTcpClient

from tools.measure.running_gateway import (
    LOST_S,
    ROOT,
    SETTLE_S,
    BenchError,
    Broker,
    Chargers,
    Running,
    Times,
    missed,
    shown,
    wait_for,
    write_between,
)
from tools.run.host_node import free_port

PAGE = ROOT / "docs" / "bridges" / "gateway.md"
BEGIN = "<!-- python -m tools gateway-bench --save -->"

ASK_S = 5.0
PAGES = 5
POLL_S = 0.005
CURRENT = 106
JSON = {"content-type": "application/json"}


# --- what is measured -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figures:
    """``processor`` in percent of one core, over ``seconds``; memory in MB; times in ms."""

    chargers: int
    load: float  # of the computer before it began: programs that wanted to run
    seconds: float
    processor: float
    memory: float
    threads: int
    files: int
    all_online_s: float
    end_s: float
    changes: int
    change_to_broker: Times
    change_to_rest: Times
    change_to_modbus: Times
    write_by_rest: Times
    write_by_modbus: Times
    write_by_broker: Times


class Gateway(Running):
    """With all bridges."""

    def __init__(self, folder: Path, ports: list[str], broker: Broker) -> None:
        self.names = [f"c{number}" for number in range(len(ports))]
        self.http_port, self.modbus_port = free_port(), free_port()
        (folder / "token").write_text("token\n")
        uri = f"mqtt://127.0.0.1:{broker.port}"
        lines = ["chargers:"] + [f"  {name}: {{port: {port}}}" for name, port in zip(self.names, ports, strict=True)]
        lines += ["bridges:", f"- {{type: mqtt, broker: '{uri}'}}", f"- {{type: rest, listen: '{self.http_port}'}}"]
        units = ", ".join(f"{name}: {unit}" for unit, name in enumerate(self.names, 1))
        lines += [f"- {{type: modbus, tcp: '{self.modbus_port}', units: {{{units}}}}}"]
        tokens = ", ".join(f"{name}: !file token" for name in self.names)
        lines += [f"- {{type: thingsboard, broker: '{uri}', tokens: {{{tokens}}}}}"]
        config = folder / "config.yaml"
        config.write_text("\n".join(lines) + "\n")
        super().__init__(folder, config)

    def url(self, name: str, path: str = "state") -> str:
        return f"http://127.0.0.1:{self.http_port}/{name}/api/v1/{path}"

    def modbus(self) -> ModbusTcpClient:
        client = ModbusTcpClient("127.0.0.1", port=self.modbus_port, timeout=LOST_S)
        if not client.connect():
            raise BenchError("the gateway's Modbus does not answer")
        return client


class Clients:
    """What asks all the time: REST and Modbus of every charger in turn, and some pages that are open."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway, self._ended, self.problems = gateway, threading.Event(), []
        work = [self._ask_rest, self._ask_modbus] + [
            lambda name=name: self._watch(name) for name in gateway.names[:PAGES]
        ]
        self._threads = [threading.Thread(target=self._guarded, args=(one,), daemon=True) for one in work]
        for thread in self._threads:
            thread.start()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            if not self._ended.is_set():
                self.problems.append(error)

    def _in_turn(self) -> Iterator[int]:
        while True:
            for number in range(len(self._gateway.names)):
                if self._ended.wait(ASK_S / len(self._gateway.names)):
                    return
                yield number

    def _ask_rest(self) -> None:
        with httpx.Client() as client:
            for number in self._in_turn():
                client.get(self._gateway.url(self._gateway.names[number])).raise_for_status()

    def _ask_modbus(self) -> None:
        with self._gateway.modbus() as client:
            for number in self._in_turn():
                if client.read_holding_registers(200, count=19, device_id=number + 1).isError():
                    raise BenchError("Modbus: an exception")

    def _watch(self, name: str) -> None:
        with httpx.stream("GET", self._gateway.url(name, "events"), timeout=30) as events:
            for _ in events.iter_lines():
                if self._ended.is_set():
                    return

    def end(self) -> None:
        self._ended.set()
        if self.problems:
            raise BenchError(f"a client: {self.problems[0]}")


# --- measuring --------------------------------------------------------------------------------------------------------


class Prober:
    """Changes and writes at random chargers, each seen by all."""

    def __init__(self, gateway: Gateway, chargers: Chargers, broker: Broker) -> None:
        self._gateway, self._chargers, self._broker = gateway, chargers, broker
        self._dice = random.Random(1)
        self._http, self._modbus = httpx.Client(timeout=LOST_S), gateway.modbus()
        self._last: dict[int, int] = {}

    def close(self) -> None:
        self._http.close()
        self._modbus.close()

    def changes(self, count: int) -> tuple[list[float], list[float], list[float]]:
        """Seconds until the broker, REST and Modbus show it."""
        times = [], [], []
        for _ in range(count):
            number, tenths = self._next()
            name = self._gateway.names[number]
            begin = self._chargers.change(number, tenths)
            by_rest, by_modbus = self._poll(name, number, tenths, begin)
            for found, end in zip(times, (self._broker.seen(name, tenths / 10), by_rest, by_modbus), strict=True):
                found.append(end - begin)
        return times

    def _poll(self, name: str, number: int, tenths: int, begin: float) -> tuple[float, float]:
        by_rest = by_modbus = 0.0
        while not (by_rest and by_modbus):
            if time.monotonic() - begin > LOST_S:
                raise BenchError(f"{name}: {tenths / 10} A was not seen within {LOST_S} s")
            if not by_rest and self._http.get(self._gateway.url(name)).json()["chargingCurrent"] == tenths / 10:
                by_rest = time.monotonic()
            if not by_modbus and self._read(number) == tenths:
                by_modbus = time.monotonic()
            time.sleep(POLL_S)
        return by_rest, by_modbus

    def _read(self, number: int) -> int:
        return self._modbus.read_holding_registers(CURRENT, device_id=number + 1).registers[0]

    def writes(self, count: int, write: Callable[[int, str, int], object]) -> list[float]:
        """Seconds until ``write(number, name, tenths)`` returns."""
        times = []
        for _ in range(count):
            number, tenths = self._next()
            begin = time.monotonic()
            write(number, self._gateway.names[number], tenths)
            times.append(time.monotonic() - begin)
        return times

    def by_rest(self, _number: int, name: str, tenths: int) -> None:
        url = self._gateway.url(name, "state/charging-current")
        self._http.post(url, content=str(tenths / 10), headers=JSON).raise_for_status()

    def by_modbus(self, number: int, _name: str, tenths: int) -> None:
        if self._modbus.write_register(CURRENT, tenths, device_id=number + 1).isError():
            raise BenchError("Modbus refuses a write")

    def by_broker(self, _number: int, name: str, tenths: int) -> None:
        self._broker.client.publish(f"{name}/current/set", str(tenths / 10))
        self._broker.seen(name, tenths / 10)

    def _next(self) -> tuple[int, int]:
        """After a while: another charger, another current."""
        time.sleep(self._dice.uniform(0.05, 0.3))
        number = self._dice.randrange(len(self._gateway.names))
        tenths = self._dice.choice([value for value in range(60, 321) if value != self._last.get(number)])
        self._last[number] = tenths
        return number, tenths


def measure(count: int, seconds: float, changes: int) -> Figures:
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as running:
        folder = Path(name)
        chargers = Chargers(count, folder)
        running.callback(chargers.close)
        broker = Broker(folder)
        running.callback(broker.close)
        begin = time.monotonic()
        gateway = Gateway(folder, chargers.ports, broker)
        running.callback(gateway.close)
        wait_for(lambda: len(broker.online) == count, "all chargers are online", 60)
        all_online = time.monotonic() - begin
        clients = Clients(gateway)
        time.sleep(SETTLE_S)
        processor = gateway.processor_share(seconds)
        memory, threads, files = (
            gateway.system.status("VmRSS"),
            gateway.system.status("Threads"),
            gateway.system.files(),
        )
        prober = Prober(gateway, chargers, broker)
        to_broker, to_rest, to_modbus = prober.changes(changes)
        writes = [prober.writes(changes // 3, way) for way in (prober.by_rest, prober.by_modbus, prober.by_broker)]
        prober.close()
        clients.end()
        return Figures(
            count, round(load, 1), seconds, round(processor, 1), round(memory / 1024, 1), threads, files,
            round(all_online, 1), round(gateway.end(), 1), changes,
            *map(Times.of, (to_broker, to_rest, to_modbus, *writes)),
        )  # fmt: skip


# --- telling ----------------------------------------------------------------------------------------------------------


def table(figures: Figures) -> str:
    """Markdown."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("paho-mqtt", "uvicorn", "pymodbus"))
    rows = [
        ("processor", f"{figures.processor:.0f} % of one core", "below 100 %" + missed(figures.processor >= 100)),
        ("memory, threads, open files", f"{figures.memory:.0f} MB, {figures.threads}, {figures.files}", ""),
        ("from its start until all chargers are online", f"{figures.all_online_s:.1f} s", ""),
        ("from SIGTERM to its end", f"{figures.end_s:.1f} s", ""),
    ]
    for place, change, write in (
        ("the broker", figures.change_to_broker, figures.write_by_broker),
        ("REST", figures.change_to_rest, figures.write_by_rest),
        ("Modbus", figures.change_to_modbus, figures.write_by_modbus),
    ):
        target = "95 % below 400 ms" + missed(change.p95 >= 400)
        rows.append((f"a change at the charger, until {place} shows it", shown(change), target))
        target = "median below 150 ms" + missed(write.median >= 150)
        rows.append((f"a write by {place}, until it is confirmed", shown(write), target))
    lines = [
        f"{figures.chargers} simulated chargers at which cars charge, all four bridges, Mosquitto on the same computer",
        f"({os.cpu_count()} cores, {platform.machine()}). Each charger is asked by REST and Modbus every {ASK_S:.0f} s",
        f"and {PAGES} pages are open. Processor over {figures.seconds:.0f} s, {figures.changes} changes and writes.",
        f"Load of the computer by other programs: {figures.load}.",
        f"{datetime.now(UTC).date().isoformat()}, Python {platform.python_version()}, {packages}.",
        "",
        "| | | target |",
        "|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    return "\n".join(lines)


def save(figures: Figures) -> None:
    write_between(PAGE, BEGIN, table(figures))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--chargers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0, help="over which the processor is measured")
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--save", action="store_true", help=f"into {PAGE.relative_to(ROOT)}")
    arguments = parser.parse_args()
    try:
        figures = measure(arguments.chargers, arguments.seconds, arguments.changes)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(asdict(figures)) if arguments.json else table(figures))
    if arguments.save:
        save(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
