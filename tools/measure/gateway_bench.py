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
import re
import shutil
import signal
import socket
import subprocess
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
import paho.mqtt.client as mqtt
from pymodbus.client import ModbusTcpClient

from evse_host.simulator import Car, Charger, PtyServer
from tools.run.host_node import free_port

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "bridges" / "gateway.md"
BEGIN, END = "<!-- python -m tools gateway-bench --save -->", "<!-- to here -->"
MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

CHARGING_S = 30.0
SETTLE_S = 5.0
ASK_S = 5.0
PAGES = 5
LOST_S = 5.0  # a change that was not seen by then
POLL_S = 0.005
CURRENT = 106
JSON = {"content-type": "application/json"}


class BenchError(Exception):
    """Something did not start, or did not come."""


# --- the simulated chargers, in a process of their own ----------------------------------------------------------------


def simulate(count: int, folder: Path) -> None:
    """Prints the ports; for every line `NUMBER TENTHS` sets a current and prints when."""
    with contextlib.ExitStack() as running:
        servers = []
        for number in range(count):
            model = Charger(car=Car(plugged=True))
            model.advance(CHARGING_S)
            servers.append(running.enter_context(PtyServer(model, folder / f"charger{number}")))
        print(json.dumps([server.path for server in servers]), flush=True)
        for line in sys.stdin:
            number, tenths = map(int, line.split())
            servers[number].call(lambda model, tenths=tenths: model.set("CHCUR", tenths))
            print(time.monotonic(), flush=True)


class Chargers:
    def __init__(self, count: int, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tools.measure.gateway_bench", "--simulate", str(count), str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        self.ports: list[str] = json.loads(self._process.stdout.readline())

    def change(self, number: int, tenths: int) -> float:
        """When it was done, on the clock ``time.monotonic``."""
        self._process.stdin.write(f"{number} {tenths}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(10)


# --- what is measured -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Times:
    """Milliseconds."""

    median: float
    p95: float
    worst: float

    @classmethod
    def of(cls, seconds: list[float]) -> Times:
        ordered = sorted(1000 * second for second in seconds)
        return cls(*(round(ordered[int(share * (len(ordered) - 1))], 1) for share in (0.5, 0.95, 1)))


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


class Process:
    """What the operating system says about one."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")

    def processor_s(self) -> float:
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def status(self, key: str) -> int:
        return int(re.search(rf"^{key}:\s+(\d+)", (self._folder / "status").read_text(), re.MULTILINE)[1])

    def files(self) -> int:
        return len(list((self._folder / "fd").iterdir()))


class Broker:
    """A Mosquitto, and a client that knows the last current of every charger, and when it came."""

    def __init__(self, folder: Path) -> None:
        if MOSQUITTO is None:
            raise BenchError("mosquitto is missing: apt-get install mosquitto")
        self.port = free_port()
        config = folder / "mosquitto.conf"
        user = "user root\n" if os.geteuid() == 0 else ""
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n{user}")
        self._process = subprocess.Popen([MOSQUITTO, "-c", config], stderr=subprocess.DEVNULL)
        self.currents: dict[str, tuple[float, float]] = {}
        self.online: set[str] = set()
        self._changed = threading.Condition()
        versions = getattr(mqtt, "CallbackAPIVersion", None)
        self.client = mqtt.Client(*([versions.VERSION2] if versions else []))
        self.client.on_connect = lambda client, *_: client.subscribe([("+/state", 0), ("+/availability", 0)])
        self.client.on_message = self._on_message
        wait_for(lambda: can_connect(self.port), "Mosquitto")
        self.client.connect("127.0.0.1", self.port)
        self.client.loop_start()

    def _on_message(self, _client, _userdata, message) -> None:
        name, _, kind = message.topic.partition("/")
        with self._changed:
            if kind == "availability" and message.payload == b"online":
                self.online.add(name)
            elif kind == "state":
                current = json.loads(message.payload)["current"]
                if self.currents.get(name, (None,))[0] != current:
                    self.currents[name] = current, time.monotonic()
            self._changed.notify_all()

    def seen(self, name: str, current: float) -> float:
        """When the current came."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.currents.get(name, (None,))[0] == current, LOST_S):
                raise BenchError(f"{name}: {current} A was not at the broker within {LOST_S} s")
            return self.currents[name][1]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self._process.terminate()
        self._process.wait(10)


class Gateway:
    """`evse-host gateway` with all bridges."""

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
        self._log = (folder / "gateway.log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "evse_host.cli", "gateway", str(config)], stderr=self._log, cwd=ROOT
        )
        self.system = Process(self._process.pid)

    def url(self, name: str, path: str = "state") -> str:
        return f"http://127.0.0.1:{self.http_port}/{name}/api/v1/{path}"

    def modbus(self) -> ModbusTcpClient:
        client = ModbusTcpClient("127.0.0.1", port=self.modbus_port, timeout=LOST_S)
        if not client.connect():
            raise BenchError("the gateway's Modbus does not answer")
        return client

    def end(self) -> float:
        """Seconds that it takes."""
        begin = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        if self._process.wait(30):
            raise BenchError(f"the gateway ended with exit code {self._process.returncode}")
        return time.monotonic() - begin

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._log.close()


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


def processor_share(gateway: Gateway, seconds: float) -> float:
    before, begin = gateway.system.processor_s(), time.monotonic()
    time.sleep(seconds)
    return 100 * (gateway.system.processor_s() - before) / (time.monotonic() - begin)


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
        processor = processor_share(gateway, seconds)
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


def can_connect(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition: Callable[[], object], what: str, timeout: float = 15.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"not within {timeout:.0f} s: {what}")
        time.sleep(0.02)


# --- telling ----------------------------------------------------------------------------------------------------------


def table(figures: Figures) -> str:
    """Markdown."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("paho-mqtt", "uvicorn", "pymodbus"))
    rows = [
        ("processor", f"{figures.processor:.0f} % of one core", "below 100 %" + _missed(figures.processor >= 100)),
        ("memory, threads, open files", f"{figures.memory:.0f} MB, {figures.threads}, {figures.files}", ""),
        ("from its start until all chargers are online", f"{figures.all_online_s:.1f} s", ""),
        ("from SIGTERM to its end", f"{figures.end_s:.1f} s", ""),
    ]
    for place, change, write in (
        ("the broker", figures.change_to_broker, figures.write_by_broker),
        ("REST", figures.change_to_rest, figures.write_by_rest),
        ("Modbus", figures.change_to_modbus, figures.write_by_modbus),
    ):
        target = "95 % below 400 ms" + _missed(change.p95 >= 400)
        rows.append((f"a change at the charger, until {place} shows it", _shown(change), target))
        target = "median below 150 ms" + _missed(write.median >= 150)
        rows.append((f"a write by {place}, until it is confirmed", _shown(write), target))
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


def _missed(missed: bool) -> str:
    return ": **missed**" if missed else ""


def _shown(times: Times) -> str:
    return f"{times.median:.0f} ms, 95 % {times.p95:.0f} ms, longest {times.worst:.0f} ms"


def save(figures: Figures) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table(figures)}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def main() -> int:
    if sys.argv[1:2] == ["--simulate"]:
        simulate(int(sys.argv[2]), Path(sys.argv[3]))
        return 0
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
