"""A host node at work: its process, and a client of its ESPHome API with a synchronous face.

    with Node(program, uart="/tmp/evse-demo", directory=tmp_path) as node:
        node.command("Charging current", 10)
        node.wait_for("Charging current", 10)

The program must be built with tools/run/runtime.yaml, which lets it take its API port and its serial port from the
environment. Times are in seconds; nothing here waits without a limit.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aioesphomeapi import APIClient, APIConnectionError
from aioesphomeapi.model import COMPONENT_TYPE_TO_INFO, EntityInfo, EntityState

PLATFORM_OF = {info: platform for platform, info in COMPONENT_TYPE_TO_INFO.items()}
WITHOUT_STATE = ("button", "event")  # nothing to show before they happen

START_TIMEOUT = 20.0
WAIT_TIMEOUT = 10.0
ORDERLY_EXIT = (0, -signal.SIGTERM)


class NodeError(Exception):
    """The node did not start, stopped by itself, or an entity is not there."""


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class HostProcess:
    """A running node program; ``directory`` is its home, with its preferences and its log."""

    def __init__(self, program: Path, uart: str | Path, directory: Path, api_port: int = 0) -> None:
        self.program = program
        self.uart = str(uart)
        self.directory = directory
        self.api_port = api_port or free_port()
        self.log: list[str] = []
        self._lines = threading.Condition()
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        settings = {
            "HOME": str(self.directory),
            "ESPHOME_PREFDIR": str(self.directory / ".esphome/prefs"),
            "EVSE_API_PORT": str(self.api_port),
            "EVSE_UART": self.uart,
            "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=1",  # ESPHome frees nothing at its end
            "UBSAN_OPTIONS": "print_stacktrace=1",
        }
        self._process = subprocess.Popen(
            [str(self.program)], env={**os.environ, **settings}, cwd=self.directory, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            restore_signals=False,  # a client that is gone must not end the node: Python ignores SIGPIPE
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read_log, args=(self._process,), daemon=True)
        self._reader.start()

    def stop(self) -> None:
        """End the process if it runs."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)

    @property
    def exit_code(self) -> int | None:
        """Negative for the signal that ended the process; None while it runs."""
        return self._process.poll()

    def wait(self) -> int:
        """Wait for the process to end by itself."""
        return self._process.wait()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait_for_log(self, pattern: str, timeout: float = WAIT_TIMEOUT, start: int = 0) -> str:
        """The first log line from line ``start`` on that ``pattern`` is found in; raises TimeoutError without one."""
        deadline = time.monotonic() + timeout
        with self._lines:
            while True:
                for line in self.log[start:]:
                    if re.search(pattern, line):
                        return line
                start = len(self.log)
                if not self._lines.wait(max(0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    raise TimeoutError(f"no log line like {pattern!r} within {timeout} s; {self.log_tail()}")

    def log_tail(self, count: int = 15) -> str:
        return "log ends with:\n  " + "\n  ".join(self.log[-count:])

    def _read_log(self, process: subprocess.Popen) -> None:
        with (self.directory / "node.log").open("a") as file:
            for line in process.stdout:
                text = re.sub(r"\x1b\[[0-9;]*m", "", line.rstrip("\n"))
                file.write(text + "\n")
                with self._lines:
                    self.log.append(text)
                    self._lines.notify_all()
        with self._lines:
            self._lines.notify_all()


@dataclass(frozen=True)
class Change:
    """A state that arrived: ``time`` is time.monotonic(), ``value`` as in ``ApiClient.value``."""

    time: float
    entity: EntityInfo
    value: Any


class ApiClient:
    """A client of a node's ESPHome API, callable from any thread.

    An entity is named by its name ("Power"), by platform and name where several share one ("text_sensor.State"), by
    any object with ``platform`` and ``name`` (a row of the catalog), or by its EntityInfo.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.entities: list[EntityInfo] = []
        self.services: dict[str, Any] = {}
        self.changes: list[Change] = []
        self.on_change: Callable[[Change], None] = lambda _: None
        self._values: dict[tuple[str, int, int], Any] = {}
        self._arrived = threading.Condition()
        self._address = (host, port)
        self._client: APIClient | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def connect(self, timeout: float = START_TIMEOUT) -> None:
        """Connect, list the entities and wait for the first state of each; tries again until ``timeout`` is over."""
        self._call(self._connect(timeout), timeout + 5)

    def close(self) -> None:
        if self._loop.is_closed():
            return
        if self._client is not None:
            self._call(self._client.disconnect(force=True), 5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def find(self, reference: Any) -> EntityInfo:
        """The entity that ``reference`` names; raises NodeError if there is none or more than one."""
        if isinstance(reference, EntityInfo):
            return reference
        name = reference if isinstance(reference, str) else f"{reference.platform}.{reference.name}"
        found = [entity for entity in self.entities if name in (entity.name, label(entity))]
        if len(found) == 1:
            return found[0]
        if found:
            raise NodeError(f"{name!r} is ambiguous: {', '.join(map(label, found))}")
        raise NodeError(f"no entity {name!r}; there are: {', '.join(sorted(map(label, self.entities)))}")

    def value(self, reference: Any) -> Any:
        """What the node last reported: bool, float or str; for an event its type; None while unknown."""
        return self._values.get(entity_key(self.find(reference)))

    def states(self) -> dict[str, Any]:
        """The value of every entity by platform and name; None while unknown."""
        return {label(entity): self._values.get(entity_key(entity)) for entity in self.entities}

    def wait_for(self, reference: Any, wanted: Any, timeout: float = WAIT_TIMEOUT) -> Any:
        """Wait until the entity has the value ``wanted`` or ``wanted(value)`` is true, and return the value.

        A float is compared with the precision of the API's 32 bits. Raises TimeoutError.
        """
        entity = self.find(reference)
        accept = wanted if callable(wanted) else lambda value: _same(value, wanted)
        if not self.wait_until(lambda: accept(self.value(entity)), timeout):
            goal = "what was wanted" if callable(wanted) else repr(wanted)
            raise TimeoutError(f"{label(entity)} is {self.value(entity)!r}, not {goal} within {timeout} s")
        return self.value(entity)

    def wait_until(self, condition: Callable[[], bool], timeout: float = WAIT_TIMEOUT) -> bool:
        """Whether ``condition`` came true within ``timeout``; it is looked at after every change."""
        with self._arrived:
            return self._arrived.wait_for(condition, timeout)

    def history(self, reference: Any) -> list[Any]:
        """Every value that the entity has had since the client connected, oldest first."""
        key = entity_key(self.find(reference))
        return [change.value for change in self.changes if entity_key(change.entity) == key]

    def command(self, reference: Any, value: Any = None) -> None:
        """Switch, set or press an entity as a user would; the node's answer is its next state."""
        entity = self.find(reference)
        send = getattr(self._client, f"{PLATFORM_OF[type(entity)]}_command")
        arguments = () if value is None else (value,)
        self._call(_awaitable(lambda: send(entity.key, *arguments, device_id=entity.device_id)), 5)

    def call_service(self, name: str, **data: Any) -> None:
        """Run one of the node's API actions (`api: actions:`)."""
        self._call(self._client.execute_service(self.services[name], data), 5)

    async def _connect(self, timeout: float) -> None:
        deadline = self._loop.time() + timeout
        while True:
            self._client = APIClient(*self._address, None)
            try:
                await self._client.connect(log_errors=False)
                break
            except APIConnectionError as error:
                if self._loop.time() >= deadline:
                    raise NodeError(f"no ESPHome API at {self._address} within {timeout} s: {error}") from None
                await asyncio.sleep(0.05)
        entities, services = await self._client.list_entities_services()
        self.entities = entities
        self.services = {service.name: service for service in services}
        by_key = {entity_key(entity): entity for entity in entities}
        self._client.subscribe_states(lambda state: self._on_state(by_key, state))
        while missing := [key for key, entity in by_key.items() if not self._has_state(entity)]:
            if self._loop.time() >= deadline:
                raise NodeError(f"no first state of {', '.join(label(by_key[key]) for key in missing)}")
            await asyncio.sleep(0.01)

    def _has_state(self, entity: EntityInfo) -> bool:
        return PLATFORM_OF[type(entity)] in WITHOUT_STATE or entity_key(entity) in self._values

    def _on_state(self, by_key: dict[tuple[str, int, int], EntityInfo], state: EntityState) -> None:
        entity = by_key.get(entity_key(state))
        if entity is None:
            return
        change = Change(time.monotonic(), entity, state_value(state))
        with self._arrived:
            self._values[entity_key(entity)] = change.value
            self.changes.append(change)
            self._arrived.notify_all()
        self.on_change(change)

    def _call(self, coroutine: Any, timeout: float) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)


class Node(ApiClient):
    """A running node and a client that is connected to it."""

    def __init__(self, program: Path, uart: str | Path, directory: Path, api_port: int = 0) -> None:
        self.process = HostProcess(program, uart, directory, api_port)
        super().__init__(self.process.api_port)

    def __enter__(self) -> Node:
        self.process.start()
        try:
            self.connect()
        except NodeError as error:
            self.close()
            raise NodeError(f"{error}; {self.process.log_tail()}") from None
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, error_type: object, *_: object) -> None:
        died = not self.process.running
        self.close()
        if error_type is None and (died or self.process.exit_code not in ORDERLY_EXIT):
            raise NodeError(f"the node stopped with code {self.process.exit_code}; {self.process.log_tail(60)}")

    def close(self) -> None:
        try:
            super().close()
        finally:
            self.process.stop()

    @property
    def log(self) -> list[str]:
        return self.process.log

    def wait_for(self, reference: Any, wanted: Any, timeout: float = WAIT_TIMEOUT) -> Any:
        try:
            return super().wait_for(reference, wanted, timeout)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {self.process.log_tail()}") from None

    def wait_for_log(self, pattern: str, timeout: float = WAIT_TIMEOUT, start: int = 0) -> str:
        return self.process.wait_for_log(pattern, timeout, start)


def label(entity: EntityInfo) -> str:
    """Platform and name: "sensor.Power"."""
    return f"{PLATFORM_OF[type(entity)]}.{entity.name}"


def entity_key(item: EntityInfo | EntityState) -> tuple[str, int, int]:
    """Kind, sub-device and key: the key is a hash of the name, which several platforms may share."""
    kind = type(item).__name__.removesuffix("Info").removesuffix("State")
    return kind, item.device_id, item.key


def state_value(state: EntityState) -> Any:
    if hasattr(state, "event_type"):
        return state.event_type
    value = getattr(state, "state", None)
    if getattr(state, "missing_state", False):
        return None
    if isinstance(value, float):
        return None if math.isnan(value) else _shortest(value)
    return value


def _shortest(value: float) -> float:
    """The shortest decimal number that is this 32-bit float: 230.1 for 230.10000610351562."""
    for digits in range(1, 10):
        decimal = float(f"{value:.{digits}g}")
        if struct.pack("f", decimal) == struct.pack("f", value):
            return decimal
    return value


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, float) and isinstance(value, float):
        return math.isclose(value, wanted, rel_tol=1e-6, abs_tol=1e-6)
    return value == wanted


async def _awaitable(function: Callable[[], None]) -> None:
    function()
