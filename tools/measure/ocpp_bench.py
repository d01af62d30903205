"""OCPP beside all other bridges: a limit to the charger, a dead line found, 50 charge points in one gateway.

    python -m tools ocpp-bench                  50 chargers, two minutes
    python -m tools ocpp-bench --json --save    the same as JSON, and into docs/bridges/ocpp.md

The chargers run in a process of their own, at each a car charges; the central system is one on `websockets` here.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import platform
import random
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from websockets.asyncio.server import ServerConnection, serve

from tools.measure.running_gateway import (
    ROOT,
    SETTLE_S,
    Broker,
    Chargers,
    Running,
    Times,
    missed,
    wait_for,
    write_between,
)
from tools.run.host_node import free_port

PAGE = ROOT / "docs" / "bridges" / "ocpp.md"
BEGIN = "<!-- python -m tools ocpp-bench --save -->"
PING_INTERVAL_S = 5
DEAD_LINES = 5
LIMIT_TARGET_MS = 300


# --- the central system -----------------------------------------------------------------------------------------------


class Central:
    """Accepts everything; in a thread of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.connected: dict[str, float] = {}  # id -> when
        self.booted: set[str] = set()
        self._lines: dict[str, ServerConnection] = {}
        self._answers: dict[str, asyncio.Future] = {}
        self._numbers = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._do(self._start())

    async def _start(self) -> None:
        await serve(self._serve, "127.0.0.1", self.port, subprotocols=["ocpp1.6"], ping_interval=None)

    async def _serve(self, line: ServerConnection) -> None:
        name = line.request.path.rpartition("/")[2]
        self._lines[name], self.connected[name] = line, time.monotonic()
        with contextlib.suppress(Exception):
            async for text in line:
                kind, unique_id, *rest = json.loads(text)
                if kind == 2:
                    await line.send(json.dumps([3, unique_id, self._answer(name, rest[0])]))
                elif unique_id in self._answers:
                    self._answers.pop(unique_id).set_result(rest)

    def _answer(self, name: str, action: str) -> dict:
        if action == "BootNotification":
            self.booted.add(name)
            return {"status": "Accepted", "currentTime": datetime.now(UTC).isoformat(), "interval": 60}
        if action == "StartTransaction":
            return {"transactionId": next(self._numbers), "idTagInfo": {"status": "Accepted"}}
        return {"currentTime": datetime.now(UTC).isoformat()} if action == "Heartbeat" else {}

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def call(self, name: str, action: str, payload: dict) -> list:
        return self._do(self._call(name, action, payload))

    async def _call(self, name: str, action: str, payload: dict) -> list:
        unique_id = f"bench-{next(self._numbers)}"
        self._answers[unique_id] = future = self._loop.create_future()
        await self._lines[name].send(json.dumps([2, unique_id, action, payload]))
        return await asyncio.wait_for(future, 15)

    def freeze(self, name: str) -> None:
        """Its line is dead from now on, and nobody says so."""
        self._loop.call_soon_threadsafe(self._lines[name].transport.pause_reading)


# --- measuring --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figures:
    """``processor`` in percent of one core, over ``seconds``; memory in MB; times in ms, ``dead`` in s."""

    chargers: int
    load: float
    seconds: float
    processor: float
    memory: float
    threads: int
    all_booted_s: float
    limits: int
    limit_to_charger: Times
    dead_lines: list[float]
    end_s: float


class Gateway(Running):
    """With OCPP and all other bridges."""

    def __init__(self, folder: Path, ports: list[str], broker: Broker, central: Central) -> None:
        self.names = [f"c{number}" for number in range(len(ports))]
        (folder / "token").write_text("token\n")
        uri = f"mqtt://127.0.0.1:{broker.port}"
        config = {
            "chargers": {name: {"port": str(port)} for name, port in zip(self.names, ports, strict=True)},
            "bridges": [
                {"type": "mqtt", "broker": uri},
                {"type": "rest", "listen": f"127.0.0.1:{free_port()}"},
                {"type": "modbus", "tcp": f"127.0.0.1:{free_port()}",
                 "units": {name: unit for unit, name in enumerate(self.names, 1)}},
                {"type": "ocpp", "url": f"ws://127.0.0.1:{central.port}/ocpp", "tag": "HOME"},
            ],
        }  # fmt: skip
        file = folder / "config.yaml"
        file.write_text(json.dumps(config))
        super().__init__(folder, file)


def measure(count: int, seconds: float, limits: int) -> Figures:
    load, dice = os.getloadavg()[0], random.Random(1)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as running:
        folder = Path(name)
        chargers = Chargers(count, folder)
        running.callback(chargers.close)
        broker, central = Broker(folder), Central()
        running.callback(broker.close)
        begin = time.monotonic()
        gateway = Gateway(folder, chargers.ports, broker, central)
        running.callback(gateway.close)
        wait_for(lambda: len(central.booted) == count, "all charge points have booted", 120)
        booted = time.monotonic() - begin
        for point in gateway.names:  # as EVCC does
            central.call(point, "ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "10"})
            central.call(point, "ChangeConfiguration", {"key": "WebSocketPingInterval", "value": str(PING_INTERVAL_S)})
        time.sleep(SETTLE_S)
        processor = gateway.processor_share(seconds)
        memory, threads = gateway.system.status("VmRSS"), gateway.system.status("Threads")
        times = [_limit(chargers, central, gateway, dice) for _ in range(limits)]
        dead = [_dead_line(central, point) for point in gateway.names[:DEAD_LINES]]
        return Figures(
            count, round(load, 1), seconds, round(processor, 1), round(memory / 1024, 1), threads, round(booted, 1),
            limits, Times.of(times), dead, round(gateway.end(), 1),
        )  # fmt: skip


def _limit(chargers: Chargers, central: Central, gateway: Gateway, dice: random.Random) -> float:
    """Seconds from SetChargingProfile to the charger's current; another one each time."""
    time.sleep(dice.uniform(0.05, 0.3))
    number, tenths = dice.randrange(len(gateway.names)), dice.randrange(60, 319)
    chargers.watch(number, tenths)
    schedule = {"chargingRateUnit": "A", "startSchedule": datetime.now(UTC).isoformat(),
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": tenths / 10}]}  # fmt: skip
    profile = {"chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
               "chargingProfileKind": "Absolute", "chargingSchedule": schedule}  # fmt: skip
    begin = time.monotonic()
    central.call(gateway.names[number], "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile})
    return chargers.arrived() - begin


def _dead_line(central: Central, point: str) -> float:
    """Seconds until it is there again by a new line."""
    begin = time.monotonic()
    central.freeze(point)
    wait_for(lambda: central.connected[point] > begin, f"{point} comes again", 60)
    return round(central.connected[point] - begin, 1)


# --- telling ----------------------------------------------------------------------------------------------------------


def table(figures: Figures) -> str:
    """Markdown."""
    worst = max(figures.dead_lines)
    packages = ", ".join(f"{name} {version(name)}" for name in ("websockets", "ocpp"))
    rows = [
        ("SetChargingProfile until the charger has the current",
         f"{figures.limit_to_charger.median:.0f} ms, 95 % {figures.limit_to_charger.p95:.0f} ms, longest "
         f"{figures.limit_to_charger.worst:.0f} ms",
         f"95 % within {LIMIT_TARGET_MS} ms" + missed(figures.limit_to_charger.p95 > LIMIT_TARGET_MS)),
        (f"a dead line (pings every {PING_INTERVAL_S} s) until there is a new one",
         f"{min(figures.dead_lines):.1f} to {worst:.1f} s",
         f"{2 * PING_INTERVAL_S} s, and the new line" + missed(worst > 2 * PING_INTERVAL_S + 1)),
        ("processor", f"{figures.processor:.0f} % of one core",
         "below 100 %" + missed(figures.processor >= 100)),
        ("memory, threads", f"{figures.memory:.0f} MB, {figures.threads}", ""),
        ("from its start until all have booted", f"{figures.all_booted_s:.1f} s", ""),
        ("from SIGTERM to its end", f"{figures.end_s:.1f} s", ""),
    ]  # fmt: skip
    return "\n".join([
        f"{figures.chargers} simulated chargers at which cars charge, in one gateway with OCPP, MQTT, REST and Modbus",
        f"({os.cpu_count()} cores, {platform.machine()}); meter values every 10 s; {figures.limits} limits.",
        f"Load of the computer by other programs before it began: {figures.load}.",
        f"{datetime.now(UTC).date().isoformat()}, Python {platform.python_version()}, {packages}.",
        "", "| | | target |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows),
    ])  # fmt: skip


def save(figures: Figures) -> None:
    write_between(PAGE, BEGIN, table(figures))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chargers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30.0, help="of measuring the processor")
    parser.add_argument("--limits", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--save", action="store_true", help="into docs/bridges/ocpp.md")
    arguments = parser.parse_args()
    figures = measure(arguments.chargers, arguments.seconds, arguments.limits)
    if arguments.save:
        save(figures)
    print(json.dumps(asdict(figures)) if arguments.json else table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
