"""A proxy at work: moves bytes between a charger, its companion and TCP clients, as an ``Arbiter`` says.

One thread waits at each port and puts what comes into one queue; whoever runs ``Relay.run`` does everything else, so
that there is nothing to lock.
"""

from __future__ import annotations

import contextlib
import os
import queue
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import EvseError
from .arbitration import COMPANION, Arbiter, Output
from .transport import Transport

if TYPE_CHECKING:  # pseudo terminals, which not every system has
    from ..simulator.server import PtyPort

CHARGER = "charger"
READ_S = 0.2  # how often a waiting thread looks whether it is to end
CLEAN_UP_S = 1.0
CHUNK = 4096

#: Called after the bytes are on their way: `>` or `<`, the sender, the bytes, time.perf_counter_ns() of their coming.
Tap = Callable[[str, str, bytes, int], None]


@dataclass(frozen=True)
class _Event:
    """``kind``: data, join, leave or lost."""

    kind: str
    name: str
    data: bytes = b""
    moment_ns: int = 0
    error: Exception | None = None


class SerialSide:
    """A serial port, or any other that pyserial knows."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def read(self) -> bytes:
        return self._transport.read(READ_S)

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def close(self) -> None:
        self._transport.close()


class PtySide:
    """A pseudo terminal for a program; ``port`` is the simulator's PtyPort."""

    def __init__(self, port: PtyPort) -> None:
        self._port = port
        self._wake_read, self._wake_write = os.pipe()

    def read(self) -> bytes:
        return self._port.poll(READ_S, self._wake_read)[0]

    def write(self, data: bytes) -> None:
        self._port.write(data)

    def close(self) -> None:
        self._port.close()
        os.close(self._wake_read)
        os.close(self._wake_write)


class Listener:
    """TCP clients: ``address`` is (host, port); port 0 becomes a free one. Raises OSError."""

    def __init__(self, address: tuple[str, int]) -> None:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._socket = socket.create_server(address, family=family)
        self._socket.setblocking(False)
        self.host, self.port = self._socket.getsockname()[:2]
        self._clients: dict[str, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ, None)

    def poll(self, put: Callable[[_Event], None]) -> None:
        """Waits a little for clients and their bytes."""
        for key, _ in self._selector.select(READ_S):
            if key.data is None:
                self._accept(put)
            else:
                self._read(key.data, self._clients[key.data], put)

    def _accept(self, put: Callable[[_Event], None]) -> None:
        with contextlib.suppress(OSError):
            client, address = self._socket.accept()
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            name = f"{address[0]}:{address[1]}"
            self._clients[name] = client
            self._selector.register(client, selectors.EVENT_READ, name)
            put(_Event("join", name))

    def _read(self, name: str, client: socket.socket, put: Callable[[_Event], None]) -> None:
        data = b""
        try:
            data = client.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            pass  # gone, like an empty read
        if data:
            put(_Event("data", name, data, time.perf_counter_ns()))
            return
        self._selector.unregister(client)
        del self._clients[name]
        client.close()
        put(_Event("leave", name))

    def write(self, name: str, data: bytes) -> None:
        """A client that does not take its bytes is cut off: it must not hold up the others."""
        client = self._clients.get(name)
        if client is None:
            return
        try:
            whole = client.send(data) == len(data)
        except OSError:
            whole = False
        if not whole:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)  # the reading thread sees its end

    def close(self) -> None:
        self._selector.close()
        for client in [*self._clients.values(), self._socket]:
            client.close()


class Relay:
    """``companion`` and ``listener`` may be missing. ``run`` in a ``with``."""

    def __init__(self, charger: SerialSide, companion: SerialSide | PtySide | None, listener: Listener | None,
                 tap: Tap) -> None:  # fmt: skip
        self._charger, self._companion, self._listener, self._tap = charger, companion, listener, tap
        self._arbiter = Arbiter()
        self._inbox: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._stopping = False
        self._clients: set[str] = set()
        sides = [(CHARGER, charger)] + ([(COMPANION, companion)] if companion else [])
        self._threads = [threading.Thread(target=self._read, args=side, daemon=True) for side in sides]
        if listener:
            self._threads.append(threading.Thread(target=self._listen, daemon=True))

    def __enter__(self) -> Relay:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(EvseError):
            self._clean_up()
        self._stopping = True
        for thread in self._threads:
            thread.join()
        for part in (self._charger, self._companion, self._listener):
            if part:
                part.close()

    def stop(self) -> None:
        """Ends ``run``, from any thread."""
        self._stopping = True

    def run(self) -> None:
        """Until ``stop``. Raises PortError when a port is gone."""
        while not self._stopping:
            self._step(READ_S)

    def _clean_up(self) -> None:
        """No subscription of a client outlives the proxy."""
        deadline = time.monotonic() + CLEAN_UP_S
        for name in list(self._clients):
            self._send(self._arbiter.leave(name, time.monotonic()), CHARGER, b"", 0)
        self._clients.clear()
        while not self._arbiter.idle and time.monotonic() < deadline:
            self._step(0.05)

    # --- threads that wait

    def _read(self, name: str, side: SerialSide | PtySide) -> None:
        try:
            while not self._stopping:
                data = side.read()
                if data:
                    self._inbox.put(_Event("data", name, data, time.perf_counter_ns()))
        except EvseError as error:
            self._inbox.put(_Event("lost", name, error=error))

    def _listen(self) -> None:
        while self._listener and not self._stopping:
            self._listener.poll(self._inbox.put)

    # --- the one that works

    def _step(self, patience: float) -> None:
        wait = min(max(self._arbiter.deadline - time.monotonic(), 0.0), patience)
        try:
            event = self._inbox.get(timeout=wait)
        except queue.Empty:
            event = _Event("time", "")
        now = time.monotonic()
        self._send(self._decide(event, now), event.name, event.data, event.moment_ns)
        if now >= self._arbiter.deadline:
            self._send(self._arbiter.advance(now), CHARGER, b"", 0)

    def _decide(self, event: _Event, now: float) -> Output:
        arbiter = self._arbiter
        if event.kind == "lost":
            raise event.error or EvseError(event.name)
        if event.kind == "join":
            self._clients.add(event.name)
            arbiter.join(event.name)
        elif event.kind == "leave":
            self._clients.discard(event.name)
            return arbiter.leave(event.name, now)
        elif event.kind == "time":
            return Output()
        elif event.name == CHARGER:
            return arbiter.from_charger(event.data, now)
        elif event.name == COMPANION:
            return arbiter.from_companion(event.data, now)
        elif event.name in self._clients:
            return arbiter.from_client(event.name, event.data, now)
        return Output()

    def _send(self, output: Output, sender: str, data: bytes, moment_ns: int) -> None:
        companion = output.to_parties.pop(COMPANION, b"")
        if companion and self._companion:
            self._companion.write(companion)
        for _, line in output.to_charger:
            self._charger.write(line)
        for name, part in output.to_parties.items():
            if self._listener:
                self._listener.write(name, part)
        if sender == CHARGER and data:
            self._tap("<", CHARGER, data, moment_ns)
        for name, line in output.to_charger:
            self._tap(">", name, line, time.perf_counter_ns())
