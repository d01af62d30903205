"""Runs a simulated charger in real time, on a pseudo terminal or a TCP port, in a thread of its own."""

import contextlib
import os
import select
import socket
import termios
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from .charger import Charger
from .faults import Faults

Result = TypeVar("Result")

CHUNK = 4096
UNPLUGGED_POLL_S = 0.01  # how often to look whether a client is back
PACED_POLL_S = 0.0002  # two bytes at 115200 baud
WAKE_UP_S = 1.2e-4  # how late a sleeping thread wakes up: the end of a line is waited for awake, as a real one is exact
BITS_PER_BYTE = 10


class Wire:
    """One direction of a serial line: bytes come out no faster than its baud rate allows (None: at once)."""

    def __init__(self, baud_rate: int | None) -> None:
        self._seconds_per_byte = BITS_PER_BYTE / baud_rate if baud_rate else 0.0
        self._pending = bytearray()
        self.last_at = 0.0  # when the last byte taken had arrived

    def put(self, data: bytes, now: float) -> None:
        if data and not self._pending:
            self.last_at = max(self.last_at, now)
        self._pending += data

    def take(self, now: float) -> bytes:
        """The bytes that have arrived by ``now`` (s)."""
        count = len(self._pending)
        if self._seconds_per_byte:
            count = min(count, int((now - self.last_at) / self._seconds_per_byte + 1e-6))
        if count <= 0:
            return b""
        data = bytes(self._pending[:count])
        del self._pending[:count]
        self.last_at += count * self._seconds_per_byte
        return data

    def lose(self) -> None:
        """What is still on its way never arrives."""
        self._pending.clear()

    def seconds_left(self, now: float) -> float:
        """Until the last byte has arrived."""
        return max(self.last_at + len(self._pending) * self._seconds_per_byte - now, 0.0)

    def __bool__(self) -> bool:
        return bool(self._pending)


class PtyPort:
    """The master side of a pseudo terminal. Clients may come and go; what is sent while none is there is lost."""

    def __init__(self, link: str | Path | None) -> None:
        self.fd, slave = os.openpty()
        tty.setraw(slave)
        self.path = self._device = os.ttyname(slave)
        os.set_blocking(self.fd, False)
        os.close(slave)
        self._poller = select.poll()
        self._poller.register(self.fd, select.POLLIN)
        self._link = Path(link) if link else None
        if self._link:
            self._make_link(self._link)
        self._connected = False

    def _make_link(self, link: Path) -> None:
        if link.exists() and not link.is_symlink():
            os.close(self.fd)
            raise FileExistsError(f"--link {link}: something else is there; only a symbolic link is replaced")
        if link.exists():
            os.close(self.fd)
            raise FileExistsError(
                f"--link {link}: in use, it leads to {link.resolve()}; choose another, or remove it if nobody needs it"
            )
        link.unlink(missing_ok=True)
        link.symlink_to(self._device)
        self.path = str(link)

    def poll(self, timeout: float, wake_fd: int) -> tuple[bytes, float]:
        """Waits for input, for a wake-up or for ``timeout`` s; what came, and when."""
        hung_up = self._is_hung_up()
        if hung_up and self._connected:
            self._forget_unread()
        if hung_up:
            timeout = min(timeout, UNPLUGGED_POLL_S)
        self._connected = not hung_up
        select.select([wake_fd] if hung_up else [wake_fd, self.fd], [], [], timeout)  # poll() knows only milliseconds
        woke_at = time.monotonic()
        data = self._read()
        if data and hung_up:
            self._connected = not self._is_hung_up()  # who sent it came meanwhile, and waits for an answer
        return data, woke_at

    def _is_hung_up(self) -> bool:
        return any(event & select.POLLHUP for _, event in self._poller.poll(0))

    def _forget_unread(self) -> None:
        """What the last client left unread is not for the next one."""
        client = os.open(self._device, os.O_RDWR | os.O_NOCTTY)
        termios.tcflush(client, termios.TCIFLUSH)
        os.close(client)

    def _read(self) -> bytes:
        with contextlib.suppress(OSError):
            return os.read(self.fd, CHUNK)
        return b""

    def write(self, data: bytes) -> None:
        if self._connected:
            with contextlib.suppress(OSError):
                os.write(self.fd, data)

    def close(self) -> None:
        if self._link and self._link.is_symlink() and str(self._link.readlink()) == self._device:
            self._link.unlink()
        os.close(self.fd)


class TcpPort:
    """One TCP client at a time; a new one takes the place of the old."""

    def __init__(self, host: str, port: int) -> None:
        self._listener = socket.create_server((host, port))
        self._listener.setblocking(False)
        self.host, self.port = self._listener.getsockname()[:2]
        self._client: socket.socket | None = None

    def poll(self, timeout: float, wake_fd: int) -> tuple[bytes, float]:
        sources: list[int | socket.socket] = [wake_fd, self._listener]
        if self._client:
            sources.append(self._client)
        readable, _, _ = select.select(sources, [], [], timeout)
        woke_at = time.monotonic()
        if self._listener in readable:
            self._accept()
            return b"", woke_at
        return self._read() if self._client in readable else b"", woke_at

    def _accept(self) -> None:
        self._drop()
        self._client, _ = self._listener.accept()
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client.setblocking(False)

    def _read(self) -> bytes:
        data = b""
        with contextlib.suppress(OSError):
            data = self._client.recv(CHUNK) if self._client else b""
        if not data:
            self._drop()
        return data

    def _drop(self) -> None:
        if self._client:
            self._client.close()
        self._client = None

    def write(self, data: bytes) -> None:
        if self._client:
            with contextlib.suppress(OSError):
                self._client.send(data)

    def close(self) -> None:
        self._drop()
        self._listener.close()


class Server:
    """Feeds a charger with a port's bytes and with the time. A context manager; ``call`` is safe from any thread.

    ``time_scale``: seconds of the charger per real second. ``baud_rate`` paces the bytes in both directions, None does
    not.
    """

    def __init__(
        self,
        charger: Charger,
        port: PtyPort | TcpPort,
        baud_rate: int | None,
        time_scale: float,
        faults: Faults | None,
    ) -> None:
        self.charger = charger
        self.faults = faults or Faults(charger)
        self._port = port
        self._inward, self._outward = Wire(baud_rate), Wire(baud_rate)
        self._scale, self._real_start, self._model_start = time_scale, time.monotonic(), charger.now
        self._changed = threading.Condition()
        self._wake_read, self._wake_write = os.pipe()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="simulated charger", daemon=True)

    def __enter__(self) -> Self:
        self._real_start = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stopping = True
        os.write(self._wake_write, b"x")
        self._thread.join()
        self._port.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    @property
    def now(self) -> float:
        """The charger's time in seconds."""
        return self._model_time(time.monotonic())

    def call(self, function: Callable[[Charger], Result]) -> Result:
        """Runs ``function(charger)`` between two moments of the charger's life and returns its result."""
        with self._changed:
            self.charger.advance_to(self.now)
            result = function(self.charger)
        os.write(self._wake_write, b"x")
        return result

    def inject(self, function: Callable[[Faults], Result]) -> Result:
        """Like ``call``, for ``faults``."""
        return self.call(lambda _: function(self.faults))

    def wait_for(self, condition: Callable[[Charger], Result], timeout: float = 10.0) -> Result:
        """Waits until ``condition(charger)`` is true and returns it; TimeoutError after ``timeout`` real seconds."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not (result := condition(self.charger)):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"the charger did not get there within {timeout} s")
                self._changed.wait(min(left, 0.05))
        return result

    def _run(self) -> None:
        while not self._stopping:
            data, real = self._port.poll(self._timeout(), self._wake_read)
            self._drain_wake()
            self._inward.put(data, real)
            self._live(self._inward.take(real), self._inward.last_at)
            self._port.write(self._outward.take(real))

    def _live(self, data: bytes, arrived_at: float) -> None:
        """Everything happens at its own moment, however late this thread wakes up."""
        with self._changed:
            if data:
                self.faults.receive(data, max(self._model_time(arrived_at), self.charger.now))
            now = self.now
            while (moment := self.faults.next_event(self.charger.now)) is not None and moment <= now:
                self._outward.put(self.faults.advance(moment), self._real_time(moment))
            self._outward.put(self.faults.advance(now), self._real_time(now))
            self._changed.notify_all()

    def _model_time(self, real: float) -> float:
        return self._model_start + (real - self._real_start) * self._scale

    def _real_time(self, moment: float) -> float:
        return self._real_start + (moment - self._model_start) / self._scale

    def _timeout(self) -> float:
        if self._inward or self._outward:
            real = time.monotonic()
            left = min(wire.seconds_left(real) for wire in (self._inward, self._outward) if wire)
            return min(max(left - WAKE_UP_S, 0.0), PACED_POLL_S)
        with self._changed:
            now = self.now
            moment = self.faults.next_event(now)
        return 1.0 if moment is None else min(max(moment - now, 0.0) / self._scale + 1e-4, 1.0)

    def _drain_wake(self) -> None:
        while select.select([self._wake_read], [], [], 0)[0]:
            os.read(self._wake_read, CHUNK)


class PtyServer(Server):
    """A charger on a pseudo terminal: ``path`` is the device to open, ``link`` a symbolic link to it, if wanted.

    ESPHome's host UART takes only `/dir/name`, so use a link such as `/tmp/evse`.
    """

    def __init__(
        self,
        charger: Charger,
        link: str | Path | None = None,
        baud_rate: int | None = None,
        time_scale: float = 1.0,
        faults: Faults | None = None,
    ) -> None:
        port = PtyPort(link)
        self.path = port.path
        super().__init__(charger, port, baud_rate, time_scale, faults)


class TcpServer(Server):
    """A charger on a TCP port (0: any free one): ``host``, ``port``, and ``url`` for clients that take
    `socket://host:port`."""

    def __init__(
        self,
        charger: Charger,
        host: str = "127.0.0.1",
        port: int = 0,
        baud_rate: int | None = None,
        time_scale: float = 1.0,
        faults: Faults | None = None,
    ) -> None:
        listening = TcpPort(host, port)
        self.host, self.port = listening.host, listening.port
        self.url = f"socket://{self.host}:{self.port}"
        super().__init__(charger, listening, baud_rate, time_scale, faults)
