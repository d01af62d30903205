"""A gateway in a process of its own, many simulated chargers in another, and a Mosquitto: what its benches share."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt

from evse_host.simulator import Car, Charger, PtyServer
from tools.run.host_node import free_port

ROOT = Path(__file__).resolve().parents[2]
END = "<!-- to here -->"
MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
CHARGING_S = 30.0
SETTLE_S = 5.0
LOST_S = 5.0  # a change that was not seen by then


class BenchError(Exception):
    """Something did not start, or did not come."""


def can_connect(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition: Callable[[], object], what: str, timeout: float = 15.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"not within {timeout:.0f} s: {what}")
        time.sleep(0.02)


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


# --- the simulated chargers, in a process of their own ----------------------------------------------------------------


def simulate(count: int, folder: Path) -> None:
    """Prints the ports. For every line `set NUMBER TENTHS` sets a current, for `wait NUMBER TENTHS` waits for it, and
    prints when that was."""
    with contextlib.ExitStack() as running:
        servers = []
        for number in range(count):
            model = Charger(car=Car(plugged=True))
            model.advance(CHARGING_S)
            servers.append(running.enter_context(PtyServer(model, folder / f"charger{number}")))
        print(json.dumps([server.path for server in servers]), flush=True)
        for line in sys.stdin:
            verb, *numbers = line.split()
            number, tenths = map(int, numbers)
            if verb == "set":
                servers[number].call(lambda model, tenths=tenths: model.set("CHCUR", tenths))
            else:
                print("ready", flush=True)
                servers[number].wait_for(lambda model, tenths=tenths: model.value("CHCUR") == (tenths,))
            print(time.monotonic(), flush=True)


class Chargers:
    """``ports`` are theirs."""

    def __init__(self, count: int, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tools.measure.running_gateway", str(count), str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        self.ports: list[str] = json.loads(self._process.stdout.readline())

    def change(self, number: int, tenths: int) -> float:
        """When it was done."""
        self._say(f"set {number} {tenths}")
        return self.arrived()

    def watch(self, number: int, tenths: int) -> None:
        """From now on; ``arrived`` tells when the charger has that current."""
        self._say(f"wait {number} {tenths}")
        self._process.stdout.readline()

    def arrived(self) -> float:
        """When the current was there, on the clock ``time.monotonic``."""
        return float(self._process.stdout.readline())

    def _say(self, line: str) -> None:
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(10)


# --- programs ---------------------------------------------------------------------------------------------------------


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


class Running:
    """`evse-host gateway` in a process of its own; its journals and its log lie in ``folder``."""

    def __init__(self, folder: Path, config: Path) -> None:
        self._log = (folder / "gateway.log").open("w")
        command = ["gateway", str(config), "--state-dir", str(folder / "state")]
        self._process = subprocess.Popen([sys.executable, "-m", "evse_host.cli", *command], stderr=self._log, cwd=ROOT)
        self.system = Process(self._process.pid)

    def processor_share(self, seconds: float) -> float:
        """Percent of one core."""
        before, begin = self.system.processor_s(), time.monotonic()
        time.sleep(seconds)
        return 100 * (self.system.processor_s() - before) / (time.monotonic() - begin)

    def end(self) -> float:
        """Seconds that it takes."""
        begin = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        if self._process.wait(60):
            raise BenchError(f"the gateway ended with exit code {self._process.returncode}")
        return time.monotonic() - begin

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._log.close()


# --- telling ----------------------------------------------------------------------------------------------------------


def missed(missed: bool) -> str:
    return ": **missed**" if missed else ""


def shown(times: Times) -> str:
    return f"{times.median:.0f} ms, 95 % {times.p95:.0f} ms, longest {times.worst:.0f} ms"


def write_between(page: Path, begin: str, text: str) -> None:
    """What stands between ``begin`` and END is replaced."""
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    page.write_text(f"{before}{begin}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    simulate(int(sys.argv[1]), Path(sys.argv[2]))
