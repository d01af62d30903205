"""A host node and its simulated charger on one clock that moves only when both have done their work.

    with ClockedNode(program, charger, directory) as node:
        node.at(20.0, lambda: node.command("number.Charging current", 10.0))
        node.run_until(30.0)
        node.values["number.Charging current"], charger.value("CHCUR")

The node is the real program on a real pseudo terminal, with a preloaded clock (host_clock.c). Its bytes take the time
that they take at 115200 baud, and a minute takes about a second. Whatever else the computer does, nothing comes too
late, and the same orders give the same run. All times are seconds since the node's start, and the charger's own.
"""

from __future__ import annotations

import heapq
import itertools
import os
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time
import tty
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from typing import Any

from aioesphomeapi import api_pb2
from aioesphomeapi.core import MESSAGE_TYPE_TO_PROTO
from aioesphomeapi.model import EntityInfo
from aioesphomeapi.model_conversions import LIST_ENTITIES_SERVICES_RESPONSE_TYPES, SUBSCRIBE_STATES_RESPONSE_TYPES
from google.protobuf.message import DecodeError

from evse_host.catalog import BAUD_RATE
from evse_host.simulator import Charger, Faults
from evse_host.simulator.server import Wire
from tools.build import node as nodes
from tools.run.host_node import WITHOUT_STATE, NodeError, entity_key, free_port, label, state_value

SOURCE = Path(__file__).with_name("host_clock.c")
LOOP_S = 0.001  # a turn of the node's main loop that does not sleep
API_CONNECTS_AT = 0.5
HANDSHAKE_S = 5.0
STUCK_S = 30.0  # real seconds: a turn takes less than a millisecond
NS = 1_000_000_000
WRAP_NS = 2**32 * 1_000_000

TYPE_OF_MESSAGE = {message: number for number, message in MESSAGE_TYPE_TO_PROTO.items()}
COMMAND_MESSAGES = {
    "switch": api_pb2.SwitchCommandRequest,
    "number": api_pb2.NumberCommandRequest,
    "select": api_pb2.SelectCommandRequest,
    "text": api_pb2.TextCommandRequest,
    "button": api_pb2.ButtonCommandRequest,
}


def build() -> Path:
    """Compile the clock that is preloaded into a node; returns the shared object."""
    nodes.need_compiler("gcc", "gcc")
    library = nodes.CACHE / "host_clock.so"
    if not library.is_file() or library.stat().st_mtime < SOURCE.stat().st_mtime:
        partial = library.with_suffix(f".{os.getpid()}")
        nodes.run(["gcc", "-std=gnu11", "-O2", "-shared", "-fPIC", "-o", partial, SOURCE, "-ldl"],
                  nodes.CACHE / "host_clock.log", nodes.CACHE)  # fmt: skip
        partial.replace(library)
    return library


@dataclass(frozen=True)
class Change:
    """A state that reached the API client: ``name`` is platform and name, ``value`` None for unknown."""

    time: float
    name: str
    value: Any


class ApiConnection:
    """A plain connection of ESPHome's API that never waits: what has arrived is there to be received."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._buffer = b""
        self.unreadable: list[bytes] = []  # messages that end a real client's connection

    def send(self, message: Any) -> None:
        payload = message.SerializeToString()
        header = b"\0" + _varint(len(payload)) + _varint(TYPE_OF_MESSAGE[type(message)])
        self._socket.sendall(header + payload)

    def receive(self) -> list[Any]:
        with suppress(BlockingIOError):
            self._buffer += self._socket.recv(1 << 20)
        messages = []
        while (frame := self._take()) is not None:
            kind, payload = frame
            try:
                messages.append(MESSAGE_TYPE_TO_PROTO[kind].FromString(payload))
            except DecodeError:
                self.unreadable.append(payload)
        return messages

    def _take(self) -> tuple[int, bytes] | None:
        size, at = _read_varint(self._buffer, 1)
        kind, at = _read_varint(self._buffer, at)
        if at is None or len(self._buffer) < at + size:
            return None
        payload, self._buffer = self._buffer[at : at + size], self._buffer[at + size :]
        return kind, payload

    def close(self) -> None:
        self._socket.close()


def _varint(number: int) -> bytes:
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*data, number])


def _read_varint(data: bytes, at: int | None) -> tuple[int, int | None]:
    """The number at ``at`` and the place behind it; None for the place if there is not enough."""
    number = shift = 0
    while at is not None and at < len(data):
        number |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not data[at - 1] & 0x80:
            return number, at
    return 0, None


class ClockedNode:
    """A running node, its charger, and an API client. ``zero_at`` is when the node's 32-bit millisecond clock is at 0.

    ``values`` holds what each entity shows (None: unknown), ``changes`` how it came to it, ``sent`` the bytes that the
    node wrote and when, before any fault, ``received`` what it was given, ``log`` its log lines. ``on_turn`` are called
    after every turn of the node, ``on_event`` after whatever the charger does by itself, pushes and answers among it.
    """

    def __init__(
        self, program: Path, charger: Charger, directory: Path, faults: Faults | None = None, zero_at: float = 0.0
    ) -> None:
        self.charger, self.faults = charger, faults or Faults(charger)
        self.now = charger.now
        self.entities: dict[str, EntityInfo] = {}
        self.values: dict[str, Any] = {}
        self.changes: list[Change] = []
        self.sent: list[tuple[float, bytes]] = []
        self.received: list[tuple[float, bytes]] = []
        self.log: list[tuple[float, str]] = []
        self.on_turn: list[Callable[[], None]] = []
        self.on_event: list[Callable[[float], None]] = []
        self.to_charger, self.to_node = Wire(BAUD_RATE), Wire(BAUD_RATE)
        self._program, self._directory, self._start_ns = program, directory, round(-zero_at * NS) % WRAP_NS
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._wake_at = 0.0
        self._listed = False
        self._api: ApiConnection | None = None
        self._names: dict[tuple[str, int, int], str] = {}

    # --- life

    def __enter__(self) -> ClockedNode:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self._clock, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._clock.settimeout(STUCK_S)
        self._log_path = self._directory / "node.log"
        self._port = free_port()
        with other, self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [str(self._program)], env={**os.environ, **self._environment(other.fileno())}, cwd=self._directory,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, pass_fds=[other.fileno()],
            )  # fmt: skip
        self._log = self._log_path.open("rb")
        try:
            self._turn()
            self._connect()
        except BaseException:
            self.close()
            raise
        return self

    def _environment(self, clock: int) -> dict[str, str]:
        return {
            "HOME": str(self._directory),
            "ESPHOME_PREFDIR": str(self._directory / "prefs"),
            "EVSE_API_PORT": str(self._port),
            "EVSE_UART": os.ttyname(self._slave),
            "EVSE_CLOCK_FD": str(clock),
            "LD_PRELOAD": str(build()),
            "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=1:verify_asan_link_order=0",
            "UBSAN_OPTIONS": "print_stacktrace=1",
        }

    def __exit__(self, error_type: object, *_: object) -> None:
        code = self.close()
        if error_type is None and code not in (0, -signal.SIGTERM):
            raise NodeError(f"the node stopped with code {code}; {self.log_tail(60)}")

    def close(self) -> int:
        """End the node; returns its exit code."""
        self._process.terminate()
        self._clock.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._api:
            self._api.close()
        self._read_log()
        self._log.close()
        os.close(self._master)
        os.close(self._slave)
        return self._process.returncode

    def log_tail(self, count: int = 15) -> str:
        return "log ends with:\n  " + "\n  ".join(line for _, line in self.log[-count:])

    # --- time

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Do ``action`` at that time, between two turns of the node."""
        heapq.heappush(self._agenda, (max(moment, self.now), next(self._order), action))

    def run_until(self, moment: float) -> None:
        """Let both live until then."""
        self.at(moment, lambda: None)
        while self.now < moment:
            self._sleep()
            self._turn()

    def wait_until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Let both live until ``condition`` is true, at most ``timeout`` seconds; whether it is."""
        end = self.now + timeout
        while not condition() and self.now < end:
            self._sleep()
            self._turn()
        return condition()

    def _sleep(self) -> None:
        """The node sleeps, the charger lives on."""
        moment = max(self._wake_at, self.now + LOOP_S)
        if self._agenda and self._agenda[0][0] <= moment:
            moment = max(self._agenda[0][0], self.now)
        self._live(moment)
        self.now = moment
        while self._agenda and self._agenda[0][0] <= moment:
            heapq.heappop(self._agenda)[2]()

    def _live(self, moment: float) -> None:
        data = self.to_charger.take(moment)
        if data:
            self.faults.receive(data, max(self.to_charger.last_at, self.charger.now))
        while (event := self.faults.next_event(self.charger.now)) is not None and event <= moment:
            self.to_node.put(self.faults.advance(event), event)
            for observer in self.on_event:
                observer(event)
        self.to_node.put(self.faults.advance(moment), moment)
        data = self.to_node.take(moment)
        if data:
            self.received.append((moment, data))
            self._give(data)

    def _give(self, data: bytes) -> None:
        """The terminal hands bytes over in its own time: wait for it, the node's clock stands."""
        expected = self._unread() + len(data)
        os.write(self._master, data)
        deadline = time.monotonic() + STUCK_S
        while self._unread() < expected:
            select.select([self._slave], [], [], STUCK_S)
            if time.monotonic() > deadline:
                raise NodeError("the node does not read its serial port")

    def _unread(self) -> int:
        return struct.unpack("i", ioctl(self._slave, termios.FIONREAD, b"\0" * 4))[0]

    def _turn(self) -> None:
        """The node wakes up, works and goes to sleep again."""
        self._clock_send()
        order = b""
        with suppress(TimeoutError):
            order = self._clock.recv(16)
        if len(order) != 16:
            self._read_log()
            state = "stopped by itself" if order == b"" and self._process.poll() is not None else "is stuck"
            raise NodeError(f"the node {state} at {self.now:.3f} s; {self.log_tail(60)}")
        wake_ns, written = struct.unpack("QQ", order)
        self._wake_at = (wake_ns - self._start_ns) / NS
        if written:
            data = self._take(written)
            self.sent.append((self.now, data))
            self.to_charger.put(data, self.now)
        self._read_log()
        self._read_api()
        for observer in self.on_turn:
            observer()

    def _clock_send(self) -> None:
        with suppress(BrokenPipeError):
            self._clock.send(struct.pack("Q", self._start_ns + round(self.now * NS)))

    def _take(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            if not select.select([self._master], [], [], STUCK_S)[0]:
                raise NodeError(f"{count - len(data)} bytes of the node are missing on the terminal")
            data += os.read(self._master, count - len(data))
        return data

    def _read_log(self) -> None:
        for line in self._log.read().decode(errors="replace").splitlines():
            self.log.append((self.now, re.sub(r"\x1b\[[0-9;]*m", "", line)))

    # --- the API

    @property
    def unreadable(self) -> list[bytes]:
        """Messages of the node that no client can read, such as text that is not UTF-8."""
        return self._api.unreadable

    def find(self, reference: Any) -> str:
        """Platform and name of an entity, given so ("sensor.Power") or by a row of the catalog; raises NodeError."""
        name = reference if isinstance(reference, str) else f"{reference.platform}.{reference.name}"
        if name not in self.entities:
            raise NodeError(f"no entity {name!r}; there are: {', '.join(sorted(self.entities))}")
        return name

    def command(self, reference: Any, value: Any = None) -> None:
        """Switch, set or press an entity as a user would."""
        name = self.find(reference)
        entity = self.entities[name]
        message = COMMAND_MESSAGES[name.partition(".")[0]](key=entity.key, device_id=entity.device_id)
        if value is not None:
            message.state = value
        self._api.send(message)

    def _connect(self) -> None:
        self.run_until(API_CONNECTS_AT)
        self._api = ApiConnection(self._port)
        self._api.send(api_pb2.HelloRequest(client_info="host_clock", api_version_major=1, api_version_minor=14))
        self._api.send(api_pb2.ListEntitiesRequest())
        if not self.wait_until(lambda: self._listed, HANDSHAKE_S):
            raise NodeError(f"the node did not list its entities; {self.log_tail()}")
        self._api.send(api_pb2.SubscribeStatesRequest())
        shown = [name for name in self.entities if name.partition(".")[0] not in WITHOUT_STATE]
        if not self.wait_until(lambda: all(name in self.values for name in shown), HANDSHAKE_S):
            missing = [name for name in shown if name not in self.values]
            raise NodeError(f"no first state of {', '.join(missing)}; {self.log_tail()}")

    def _read_api(self) -> None:
        for message in self._api.receive() if self._api else ():
            kind = type(message)
            if kind in SUBSCRIBE_STATES_RESPONSE_TYPES:
                state = SUBSCRIBE_STATES_RESPONSE_TYPES[kind].from_pb(message)
                change = Change(self.now, self._names[entity_key(state)], state_value(state))
                self.values[change.name] = change.value
                self.changes.append(change)
            elif LIST_ENTITIES_SERVICES_RESPONSE_TYPES.get(kind):
                info = LIST_ENTITIES_SERVICES_RESPONSE_TYPES[kind].from_pb(message)
                self.entities[label(info)] = info
                self._names[entity_key(info)] = label(info)
            elif kind is api_pb2.ListEntitiesDoneResponse:
                self._listed = True
            elif kind is api_pb2.PingRequest:
                self._api.send(api_pb2.PingResponse())
