"""A host node out of real time, against a simulated charger: the same run every time, an hour of it in seconds.

    with SteppedNode(program, Charger(start=START_S), directory) as node:
        node.connect()
        node.charger.car.plug()
        node.run(60)
        node.command("Charging current", 10)

The node's clock, its sleeps and its serial port are replaced by stepped_node.cpp, which reports when something is
to happen and gets an order back. In between the node stands still, so that whatever is done here takes no time. Seconds
are the node's and the charger's.

It is the whole program in a process of its own, with its API, so that valgrind can look at it; for days and weeks there
is tools/run/virtual_node.py.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from aioesphomeapi import api_pb2
from aioesphomeapi.core import MESSAGE_TYPE_TO_PROTO

from evse_host.catalog import BAUD_RATE
from evse_host.simulator import Charger, Faults
from evse_host.simulator.server import Wire
from tools.build import node
from tools.run.host_node import free_port

START_S = 10.0  # what the node's clock shows when it starts
BYTES_LATER_S = 0.001  # how soon to look again while bytes are on the line
REPORT = struct.Struct("=QIIII")
ORDER = struct.Struct("=QII")
COUNT_HEAP, WRITE_HEAP, PROFILE_LOOPS = 1, 2, 4
SOURCES = ("stepped_node.cpp", "heap_watch.cpp")

MESSAGE_TYPE = {proto: number for number, proto in MESSAGE_TYPE_TO_PROTO.items()}
ARGUMENT = {str: "string_", float: "float_", int: "int_", bool: "bool_"}


class StoppedError(Exception):
    """The node ended by itself; the message holds the last lines of its output."""


def preload() -> Path:
    """The library that takes a node out of real time, compiled if its sources are newer. Raises node.BuildError."""
    node.need_compiler("g++", "g++")
    library = node.CACHE / "stepped/stepped_node.so"
    sources = [Path(__file__).with_name(name) for name in SOURCES]
    if not library.exists() or library.stat().st_mtime < max(source.stat().st_mtime for source in sources):
        command = ["g++", "-std=gnu++20", "-O2", "-g", "-fPIC", "-shared", "-o", f"{library}.{os.getpid()}", *sources]
        node.run(command, library.with_suffix(".log"), node.CACHE)
        Path(f"{library}.{os.getpid()}").replace(library)
    return library


class Client:
    """What an ESPHome API client does, without a thread and a clock of its own: it acts when ``pump`` is called."""

    def __init__(self, port: int) -> None:
        self.values: dict[str, Any] = {}
        self.listed = False
        self._entities: dict[str, Any] = {}
        self._names: dict[tuple[str, int], str] = {}
        self._actions: dict[str, Any] = {}
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setblocking(False)
        self._received = bytearray()
        self.send(api_pb2.HelloRequest(client_info="stepped node", api_version_major=1, api_version_minor=14))
        self.send(api_pb2.AuthenticationRequest())
        self.send(api_pb2.ListEntitiesRequest())

    def close(self) -> None:
        self._socket.close()

    def send(self, message: Any) -> None:
        payload = message.SerializeToString()
        frame = b"\0" + _varint(len(payload)) + _varint(MESSAGE_TYPE[type(message)]) + payload
        self._socket.sendall(frame)

    def pump(self) -> None:
        """Take what has arrived, and answer it."""
        with suppress(BlockingIOError):
            while data := self._socket.recv(65536):
                self._received += data
        while (message := self._next_message()) is not None:
            self._on_message(message)

    def command(self, name: str, value: Any = None) -> None:
        """Switch, set or press the entity ``name`` ("switch.Charging enabled")."""
        kind = name.partition(".")[0].capitalize()
        arguments = {} if value is None else {"state": value}
        self.send(getattr(api_pb2, f"{kind}CommandRequest")(key=self._entities[name].key, **arguments))

    def action(self, name: str, *values: Any) -> None:
        """Run an action of the node's `api: actions:`."""
        arguments = [api_pb2.ExecuteServiceArgument(**{ARGUMENT[type(value)]: value}) for value in values]
        self.send(api_pb2.ExecuteServiceRequest(key=self._actions[name].key, args=arguments))

    def _next_message(self) -> Any:
        parts = _read_varint(self._received, 1)
        parts = parts and (parts[0], *(_read_varint(self._received, parts[1]) or ()))
        if not parts or len(parts) < 3 or len(self._received) < parts[2] + parts[0]:
            return None
        size, number, begin = parts
        message = MESSAGE_TYPE_TO_PROTO[number].FromString(bytes(self._received[begin : begin + size]))
        del self._received[: begin + size]
        return message

    def _on_message(self, message: Any) -> None:
        kind = type(message).__name__
        if kind == "PingRequest":
            self.send(api_pb2.PingResponse())
        elif kind == "ListEntitiesDoneResponse":
            self.listed = True
            self.send(api_pb2.SubscribeStatesRequest())
        elif kind == "ListEntitiesServicesResponse":
            self._actions[message.name] = message
        elif kind.startswith("ListEntities"):
            platform = _platform(kind.removeprefix("ListEntities").removesuffix("Response"))
            self._entities[f"{platform}.{message.name}"] = message
            self._names[platform, message.key] = f"{platform}.{message.name}"
        elif kind.endswith("StateResponse"):
            name = self._names[_platform(kind.removesuffix("StateResponse")), message.key]
            self.values[name] = None if getattr(message, "missing_state", False) else message.state


class SteppedNode:
    """A node that lives only while ``run`` is executed.

    ``loops`` counts those of the hub, ``all_read`` the bytes that it read, ``most_read`` those of one loop at most.
    ``charger`` must start at START_S. ``wrapper`` goes before the program's name, for valgrind. ``faults`` may be used
    between two runs, as the charger itself.
    """

    def __init__(self, program: Path, charger: Charger, directory: Path, wrapper: Iterable[str] = ()) -> None:
        self.charger = charger
        self.faults = Faults(charger)
        self.client: Client | None = None
        self.now = START_S
        self.loops = self.most_read = self.all_read = 0
        self.heap_file = directory / "heap.txt"
        self._log = directory / "node.log"
        self._command = [*wrapper, str(program)]
        self._directory = directory
        self._port = free_port()
        self._flags = 0
        self._waiting = b""
        self._inward, self._outward = Wire(BAUD_RATE), Wire(BAUD_RATE)

    def __enter__(self) -> SteppedNode:
        library = preload()
        self._directory.mkdir(parents=True, exist_ok=True)
        self._talk, other = socket.socketpair()
        os.set_inheritable(other.fileno(), True)
        environment = {
            **os.environ,
            "LD_PRELOAD": str(library),
            "EVSE_STEP_FD": str(other.fileno()),
            "EVSE_HEAP_FILE": str(self.heap_file),
            "EVSE_UART": "/stepped/uart",
            "EVSE_API_PORT": str(self._port),
            "HOME": str(self._directory),
            "ESPHOME_PREFDIR": str(self._directory / "prefs"),
        }
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                self._command, env=environment, cwd=self._directory, pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        other.close()
        self._take_report()
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()
        self._talk.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def run(self, seconds: float) -> None:
        """Let the node and the charger live for so long. Raises StoppedError."""
        end = self.now + seconds
        while self.now < end:
            self._give_order(end)
            self._take_report()

    def connect(self) -> None:
        """Connect the API client and wait for all entities to be listed."""
        self.client = Client(self._port)
        for _ in range(100):
            if self.client.listed:
                return
            self.run(0.1)
        raise StoppedError("the node's API lists no entities")

    def disconnect(self) -> None:
        """The API client goes without a word."""
        if self.client:
            self.client.close()
        self.client = None

    def count_heap(self) -> None:
        """From now on, count allocations."""
        self._flags |= COUNT_HEAP

    def write_heap(self) -> Path:
        """The file with the allocations so far."""
        self._flags |= WRITE_HEAP
        self.run(0.001)
        self._flags &= ~WRITE_HEAP
        return self.heap_file

    def profile_loops(self, on: bool) -> None:
        """Under callgrind, write the profile of every single loop of the hub."""
        self._flags = self._flags | PROFILE_LOOPS if on else self._flags & ~PROFILE_LOOPS

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def receive_at_once(self, data: bytes) -> None:
        """Bytes that lie in the node's serial buffer when it goes on, as after a pause of the node."""
        self._waiting += data

    def _take_report(self) -> None:
        now, self.loops, self.most_read, self.all_read, length = REPORT.unpack(self._read(REPORT.size))
        self.now = now / 1e6
        self._inward.put(self._read(length), self.now)

    def _give_order(self, end: float) -> None:
        if sent := self._inward.take(self.now):
            self.faults.receive(sent, self.now)
        self._outward.put(self.faults.advance(self.now), self.now)
        received, self._waiting = self._outward.take(self.now) + self._waiting, b""
        if self.client:
            self.client.pump()
        moments = [end, self.faults.next_event(self.now) or end]
        if self._inward or self._outward:
            moments.append(self.now + BYTES_LATER_S)
        next_us = max(round(min(moments) * 1e6), round(self.now * 1e6) + 1)
        self._talk.sendall(ORDER.pack(next_us, self._flags, len(received)) + received)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._talk.recv(size - len(data))
            if not part:
                self._process.wait(10)
                tail = "\n".join(self.output.splitlines()[-20:])
                raise StoppedError(f"the node stopped with code {self._process.returncode}; its output ends:\n{tail}")
            data += part
        return data


def _platform(name: str) -> str:
    """`text_sensor` for `TextSensor`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _read_varint(data: bytearray, at: int) -> tuple[int, int] | None:
    """The number at ``at`` and where it ends; None if it is not complete."""
    number = shift = 0
    for position in range(at, len(data)):
        number |= (data[position] & 0x7F) << shift
        shift += 7
        if data[position] < 0x80:
            return number, position + 1
    return None
