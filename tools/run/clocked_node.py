"""A host node out of real time, and its simulated charger: the same orders give the same run, a minute takes a second.

    with ClockedNode(program, charger, directory) as node:
        node.at(20.0, lambda: node.command("Charging current", 10.0))
        node.run_until(30.0)
        node.value("Charging current"), charger.value("CHCUR")

The node is the whole program with its API, in a process of its own, so that valgrind and sanitizers can look at it. Its
clock, its sleeps and its serial ports are replaced by clocked_node.cpp, which reports when something is to happen or
the node has said something, and gets an order back. In between the node stands still: whatever the computer does,
nothing comes too late. Bytes take the time that they take at 115200 baud. All times are seconds since the node's start,
and the charger's own.

A node of several chargers has a serial port for each: ``/clocked/uart``, ``/clocked/uart2`` and so on.

``ClockedCharger`` is a charger with the face of the simulator's servers, for tests that know no other node.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import os
import re
import signal
import socket
import struct
import subprocess
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from aioesphomeapi import APIClient

from evse_host.catalog import BAUD_RATE
from evse_host.simulator import Charger, Faults
from evse_host.simulator.server import Wire
from tools.build import node as nodes
from tools.run.api import WAIT_TIMEOUT, Client, NodeError
from tools.run.host_node import free_port

SOURCE = Path(__file__).with_name("clocked_node.cpp")
HEAP_SOURCE = Path(__file__).with_name("heap_watch.cpp")
REPORT = struct.Struct("=QIIIIQII")
ORDER = struct.Struct("=QII")
BYTES = struct.Struct("=IIQI")
COUNT_HEAP, WRITE_HEAP, PROFILE_LOOPS, MEASURE = 1, 2, 4, 8  # of an order
AT_ONCE, LOSE = 1, 2  # of bytes
BYTE_S = 10 / BAUD_RATE
STUCK_S = 60.0  # real seconds: a turn takes less than a millisecond, under valgrind a hundred times as long
API_CONNECTS_AT = 0.5
PUMPS = 2  # turns of the API client's loop that are enough for what has arrived
HELLO_TURNS = 100  # of the API client's loop, and more than it needs to say hello
LOOK_AHEAD_S = 0.03
POLL_S = 0.005  # how often a condition is looked at
NEVER_S = 1e9
EPOCH_S = 1_781_000_000
WRAP_US = 2**32 * 1000
ORDERLY_EXIT = (0, -signal.SIGTERM)


def build(source: Path = SOURCE) -> Path:
    """Compile what is preloaded into a node, if its source is newer; returns the shared object. Raises BuildError."""
    nodes.need_compiler("g++", "g++")
    library = nodes.CACHE / source.with_suffix(".so").name
    if not library.is_file() or library.stat().st_mtime < source.stat().st_mtime:
        partial = library.with_suffix(f".{os.getpid()}")
        command = ["g++", "-std=gnu++20", "-O2", "-g", "-fPIC", "-shared", "-o", partial, source, "-ldl"]
        nodes.run(command, library.with_suffix(".log"), nodes.CACHE)
        partial.replace(library)
    return library


class Inline(ThreadPoolExecutor):
    """What the API client leaves to other threads is done at once: they would have a time of their own."""

    def submit(self, function: Callable, /, *arguments: Any, **options: Any) -> Future:
        future = Future()
        future.set_result(function(*arguments, **options))
        return future


class SerialPort:
    """One of a node's, and the charger at its other end.

    ``sent`` are the bytes that the node wrote there and when, before any fault, ``received`` what it was given.
    """

    def __init__(self, node: ClockedNode, charger: Charger, faults: Faults | None) -> None:
        self._node = node
        self.charger, self.faults = charger, faults or Faults(charger)
        self.sent: list[tuple[float, bytes]] = []
        self.received: list[tuple[float, bytes]] = []
        self.to_charger = Wire(BAUD_RATE)
        self._waiting = b""  # for the node, from _begin on
        self._begin = self._line_free = 0.0
        self._once = 0  # flags of the next bytes only

    @property
    def now(self) -> float:
        return self._node.now

    def moments(self) -> list[float]:
        """When something is to happen here."""
        event = self.faults.next_event(self.charger.now)
        moments = [] if event is None else [event]
        if self.to_charger:
            moments.append(self.now + self.to_charger.seconds_left(self.now))
        return moments

    def live_on(self) -> None:
        """The charger hears what has arrived, does what is due, and says it."""
        if data := self.to_charger.take(self.now):
            self.faults.receive(data, max(self.to_charger.last_at, self.charger.now))
        ahead = self.now
        while (event := self.faults.next_event(self.charger.now)) is not None and event <= ahead:
            self._say(self.faults.advance(event))
            ahead = max(ahead, self._look_ahead(event))
            if event <= self.now:
                for observer in self._node.on_event:
                    observer(event)
        self._say(self.faults.advance(max(self.now, self.charger.now)))

    def _look_ahead(self, event: float) -> float:
        """All that it says at once: it is busy with that, and looks at nothing that reaches it meanwhile."""
        return min(self.charger.busy_until, event + LOOK_AHEAD_S, self._node.next_on_agenda)

    def _say(self, data: bytes) -> None:
        if not data:
            return
        if not self._waiting:
            self._begin = max(self.now, self._line_free)
        self._waiting += data
        self._line_free = self._begin + len(self._waiting) * BYTE_S
        self.received.append((self._line_free, data))

    def take(self, data: bytes, moment: float) -> None:
        """What the node has sent."""
        self.sent.append((moment, data))
        self.to_charger.put(data, moment)

    def give(self, number: int) -> bytes:
        """What is to reach the node next, with its head for the conversation; nothing if there is nothing."""
        data, self._waiting = self._waiting, b""
        flags, self._once = self._once, 0
        return BYTES.pack(number, flags, round(self._begin * 1e6), len(data)) + data if data or flags else b""

    # --- faults of the line itself

    @property
    def on_the_way(self) -> bool:
        """Whether bytes are on their way to the node."""
        return self._line_free > self.now

    def lose(self) -> None:
        """What is on its way to the node never arrives."""
        self._once |= LOSE
        self._waiting = b""
        lost = math.ceil(max(self._line_free - self.now, 0.0) / BYTE_S)
        while lost > 0 and self.received:
            moment, data = self.received.pop()
            if len(data) > lost:
                self.received.append((moment - lost * BYTE_S, data[:-lost]))
            lost -= len(data)
        self._line_free = self.now

    def receive_at_once(self, data: bytes) -> None:
        """Bytes that lie in the node's serial buffer when it goes on, as after a pause of the node."""
        self._waiting, self._begin = self._waiting + data, self.now
        self._once |= AT_ONCE


class ClockedNode(Client):
    """A running node, its chargers, and an API client. ``zero_at`` is when the node's 32-bit millisecond clock is at 0,
    ``wrapper`` goes before the program's name, for valgrind; ``rx_buffer`` is how many unread bytes its UART keeps.

    ``ports`` are its serial ports; ``port`` is the first one, whose ``charger``, ``faults``, ``sent`` and ``received``
    are the node's. ``others`` are the chargers at the others.

    ``log`` are its log lines. ``on_turn`` are called whenever the node has said something and after whatever happens
    here, ``on_event`` after whatever a charger does by itself, pushes and answers among it. ``loops`` counts those of
    the hub, ``all_read`` the bytes that it read, ``most_read`` those of one loop at most; ``most_unread`` waited in the
    UART.
    """

    def __init__(
        self,
        program: Path,
        charger: Charger,
        directory: Path,
        faults: Faults | None = None,
        zero_at: float = 0.0,
        wrapper: Iterable[str] = (),
        rx_buffer: int = 1024,
        count_heap: bool = False,
        others: Iterable[tuple[Charger, Faults]] = (),
    ) -> None:
        super().__init__(free_port(), keepalive=NEVER_S)
        self._loop.set_default_executor(Inline())
        self.ports = [SerialPort(self, *ends) for ends in ((charger, faults), *others)]
        self.port = self.ports[0]
        self.charger, self.faults = charger, self.port.faults
        self.sent, self.received = self.port.sent, self.port.received
        self.now = self._started = charger.now
        self.log: list[str] = []
        self.log_times: list[float] = []
        self.on_turn: list[Callable[[], None]] = []
        self.on_event: list[Callable[[float], None]] = []
        self.loops = self.most_read = self.all_read = self.most_unread = self.heap_bytes = 0
        self.heap_file = directory / "heap.txt"
        self._command = [*wrapper, str(program)]
        self._directory = directory
        self._clock_us = round(-zero_at * 1e6) % WRAP_US
        self._rx_buffer = rx_buffer
        self._flags = COUNT_HEAP if count_heap else 0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._once = 0  # flags of the next order only
        self._standing = False
        self.running = False

    # --- life

    def __enter__(self) -> ClockedNode:
        """It starts at the charger's time."""
        self.now = self._started = self.charger.now
        self._directory.mkdir(parents=True, exist_ok=True)
        self._talk, other = socket.socketpair()
        self._talk.settimeout(STUCK_S)
        log_path = self._directory / "node.log"
        with other, log_path.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, env={**os.environ, **self._environment(other.fileno())}, cwd=self._directory,
                pass_fds=[other.fileno()], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._log = log_path.open("rb")
        self.running = True
        try:
            self._take_report()
        except BaseException:
            self.close()
            raise
        return self

    def _environment(self, talk: int) -> dict[str, str]:
        libraries = [build(), *([build(HEAP_SOURCE)] if self._flags & COUNT_HEAP else [])]
        return {
            "HOME": str(self._directory),
            "ESPHOME_PREFDIR": str(self._directory / ".esphome/prefs"),
            "EVSE_API_PORT": str(self._address[1]),
            "EVSE_UART": "/clocked/uart",
            "EVSE_STEP_FD": str(talk),
            "EVSE_CLOCK_US": str(self._clock_us),
            "EVSE_NOW_US": str(round(self.now * 1e6)),
            "EVSE_RX_BUFFER": str(self._rx_buffer),
            "EVSE_HEAP_FILE": str(self.heap_file),
            "LD_PRELOAD": ":".join(map(str, libraries)),
            "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=1:verify_asan_link_order=0",
            "UBSAN_OPTIONS": "print_stacktrace=1",
        }

    def __exit__(self, error_type: object, *_: object) -> None:
        code = self.close()
        if error_type is None and code not in ORDERLY_EXIT:
            raise NodeError(f"the node stopped with code {code}; {self.log_tail(60)}")

    def close(self) -> int:
        """End the node; returns its exit code."""
        self.running = False
        self._disconnect()
        self._talk.close()  # which ends it
        try:
            self._process.wait(STUCK_S)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._read_log()
            self._log.close()
            self._loop.close()
        return self._process.returncode

    def log_tail(self, count: int = 15) -> str:
        return "log ends with:\n  " + "\n  ".join(self.log[-count:])

    # --- time

    @property
    def time(self) -> float:
        return self.now

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Do ``action`` at that time; the node stands still meanwhile."""
        heapq.heappush(self._agenda, (max(moment, self.now), next(self._order), action))

    def run(self, seconds: float) -> None:
        """Let both live for so long."""
        self.run_until(self.now + seconds)

    def run_until(self, moment: float) -> None:
        """Let both live until then."""
        self.at(moment, lambda: None)
        while self.now < moment:
            self._step()

    def wait_until(self, condition: Callable[[], bool], timeout: float = WAIT_TIMEOUT) -> bool:
        """Let both live until ``condition`` is true, at most ``timeout`` seconds; whether it is."""
        end = self.now + timeout
        self.at(end, lambda: None)
        while not condition() and self.now < end:
            self._step()
        return condition()

    def wait_for_log(self, pattern: str, timeout: float = WAIT_TIMEOUT, start: int = 0) -> str:
        """The first log line from line ``start`` on that ``pattern`` is found in; raises TimeoutError without one."""
        found: list[str] = []

        def look() -> bool:
            nonlocal start
            found.extend(line for line in self.log[start:] if re.search(pattern, line))
            start = len(self.log)
            return bool(found)

        if not self.wait_until(look, timeout):
            raise TimeoutError(f"no log line like {pattern!r} within {timeout} s; {self.log_tail()}")
        return found[0]

    def wait_for(self, reference: Any, wanted: Any, timeout: float = WAIT_TIMEOUT) -> Any:
        try:
            return super().wait_for(reference, wanted, timeout)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {self.log_tail()}") from None

    @property
    def process_id(self) -> int:
        return self._process.pid

    @property
    def wall_clock(self) -> float:
        """What the node's time of day is, s since 1970."""
        return EPOCH_S + self.now

    def _step(self) -> None:
        """The node lives on to the next thing that happens on this side, or until it says something."""
        self._give_order(self._next_moment())
        self._take_report()
        self._live()

    def _next_moment(self) -> float:
        moments = [moment for port in self.ports for moment in port.moments()]
        if self._agenda:
            moments.append(self.next_on_agenda)
        return min(moments, default=self.now + 1.0)

    @property
    def next_on_agenda(self) -> float:
        return self._agenda[0][0] if self._agenda else math.inf

    def _live(self) -> None:
        """Everything on this side that happens now."""
        self._live_on()
        if self.next_on_agenda <= self.now:
            while self.next_on_agenda <= self.now:
                heapq.heappop(self._agenda)[2]()
            self._live_on()
        for observer in self.on_turn:
            observer()

    def _live_on(self) -> None:
        for port in self.ports:
            port.live_on()

    # --- the conversation

    def _give_order(self, moment: float) -> None:
        until_us = max(math.ceil(moment * 1e6 - 1e-3), round(self.now * 1e6) + 1)
        flags, self._once = self._flags | self._once, 0
        parts = [part for number, port in enumerate(self.ports) if (part := port.give(number))]
        try:
            self._talk.sendall(ORDER.pack(until_us, flags, len(parts)) + b"".join(parts))
        except OSError:
            self._stopped()

    def _take_report(self) -> None:
        now, self.loops, self.most_read, self.all_read, self.most_unread, self.heap_bytes, talked, parts = (
            REPORT.unpack(self._read(REPORT.size))
        )
        self.now = now / 1e6
        for _ in range(parts):
            number, _, sent_at, length = BYTES.unpack(self._read(BYTES.size))
            self.ports[number].take(self._read(length), sent_at / 1e6)
        if talked:
            self._pump()
        self._read_log()

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                part = self._talk.recv(size - len(data))
            except TimeoutError:
                self._read_log()
                raise NodeError(f"the node is stuck at {self.now:.3f} s; {self.log_tail(60)}") from None
            if not part:
                self._stopped()
            data += part
        return data

    def _stopped(self) -> None:
        self._process.wait(STUCK_S)
        self._read_log()
        raise NodeError(f"the node stopped with code {self._process.returncode}; {self.log_tail(60)}")

    def _read_log(self) -> None:
        if text := self._log.read():
            for line in text.decode(errors="replace").splitlines():
                self.log.append(re.sub(r"\x1b\[[0-9;]*m", "", line))
                self.log_times.append(self.now)

    # --- figures

    def measure(self) -> int:
        """The bytes of its heap that are in use."""
        self._once |= MEASURE
        self._give_order(self.now)
        self._take_report()
        return self.heap_bytes

    def write_heap(self) -> Path:
        """The file with the allocations so far."""
        self._once |= WRITE_HEAP
        self.run(0.001)
        return self.heap_file

    def profile_loops(self, on: bool) -> None:
        """Under callgrind, write the profile of every single loop of the hub."""
        self._flags = self._flags | PROFILE_LOOPS if on else self._flags & ~PROFILE_LOOPS

    # --- the API

    def connect(self, timeout: float = WAIT_TIMEOUT) -> None:
        self.run_until(max(self.now, self._started + API_CONNECTS_AT))
        super().connect(timeout)

    async def _open(self, client: APIClient) -> None:
        """Until the node must answer, its clock stands, whatever time the computer takes."""
        self._standing = True
        try:
            await client.start_resolve_host(self._on_stop)
            await client.start_connection()
            hello = self._loop.create_task(client.finish_connection())
            for _ in range(HELLO_TURNS):
                await asyncio.sleep(0)
        finally:
            self._standing = False
        await hello

    def disconnect(self) -> None:
        self._disconnect()

    def _disconnect(self) -> None:
        if self._client is not None:
            task = self._loop.create_task(self._client.disconnect(force=True))
            self._loop.run_until_complete(task)
        self._client = None

    def _pump(self) -> None:
        """The API client takes what has arrived, and answers it."""
        for _ in range(PUMPS):
            self._loop.call_soon(self._loop.stop)
            self._loop.run_forever()

    def _call(self, coroutine: Coroutine, timeout: float) -> Any:
        task = self._loop.create_task(coroutine)
        self._pump()
        end = self.now + timeout
        while not task.done():
            if self._standing:
                self._loop.run_until_complete(asyncio.wait([task], timeout=0.001))
                continue
            if self.now > end:
                task.cancel()
                self._pump()
                raise NodeError(f"the node's API does not answer; {self.log_tail()}")
            self.run(0.01)
            self._pump()
        return task.result()

    async def _pause(self) -> None:
        """Time passes in ``_call``."""
        future = self._loop.create_future()
        self._loop.call_soon(future.set_result, None)
        await future


class ClockedCharger:
    """A charger with the face of the simulator's servers, whose time passes with its node's, or by itself without one.

    with charger.node(program, directory) as node: ...
    """

    def __init__(self, charger: Charger | None = None, faults: Faults | None = None) -> None:
        self.charger = charger or Charger()
        self.faults = faults or Faults(self.charger)
        self._node: ClockedNode | None = None

    def node(self, program: Path, directory: Path, *others: ClockedCharger, **options: Any) -> ClockedNode:
        """A node on this charger's line, and the other chargers' at its other ports; not started yet."""
        ends = [(other.charger, other.faults) for other in others]
        node = ClockedNode(program, self.charger, directory, self.faults, others=ends, **options)
        for charger in (self, *others):
            charger._node = node
        return node

    @property
    def now(self) -> float:
        return self._node.now if self._lives else self.charger.now

    @property
    def _lives(self) -> bool:
        return self._node is not None and self._node.running

    def call(self, function: Callable[[Charger], Any]) -> Any:
        """``function(charger)``, between two moments of its life."""
        return function(self.charger)

    def inject(self, function: Callable[[Faults], Any]) -> Any:
        """Like ``call``, for ``faults``."""
        return function(self.faults)

    def run(self, seconds: float) -> None:
        """Let both live for so long."""
        if self._lives:
            self._node.run(seconds)
        else:
            self.faults.advance(self.charger.now + seconds)

    def wait_for(self, condition: Callable[[Charger], Any], timeout: float = WAIT_TIMEOUT) -> Any:
        """Lives on until ``condition(charger)`` is true and returns it; TimeoutError after ``timeout`` seconds."""
        end = self.now + timeout
        while not (result := condition(self.charger)):
            if self.now >= end:
                raise TimeoutError(f"the charger did not get there within {timeout} s")
            self.run(POLL_S)
        return result
