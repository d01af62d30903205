"""Serial ports of all kinds: device paths, COM names and pyserial's URLs (`socket://host:port`, `rfc2217://...`).

Opening leaves DTR and RTS as the operating system sets them, both at once: boards with an automatic reset circuit
reset only when one of them moves alone, as pyserial would move them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import serial
from serial.tools import list_ports as serial_ports

from ..catalog import BAUD_RATE
from ..errors import PortError
from ..secrecy import hide

#: No OSError; pyserial lets it through when an adapter is pulled out.
TERMINAL_ERROR: type[Exception]
try:
    from termios import error as TERMINAL_ERROR  # noqa: N812
except ImportError:  # Windows
    TERMINAL_ERROR = OSError

READ_SLICE_S = 0.01  # of ports that the operating system cannot wait for
MAX_WAIT_S = 3600.0
WRITE_TIMEOUT_S = 2.0
CHUNK = 4096
VARIABLE = "EVSE_PORT"

_HINTS = {
    errno.ENOENT: "is it plugged in? `evse-host ports` lists what is there",
    errno.EACCES: "not permitted; on Linux: sudo usermod -aG dialout $USER, then log in again",
    errno.EPERM: "not permitted; on Linux: sudo usermod -aG dialout $USER, then log in again",
    errno.EBUSY: "another program has it open; close that first",
    errno.EAGAIN: "another program has it open; close that first",
    errno.ENOTTY: "this is no serial port",
    errno.ECONNREFUSED: "nobody listens there; is the proxy or simulator running?",
}


class Transport:
    """An open port. Every failure is a PortError."""

    def __init__(self, port: serial.Serial, name: str) -> None:
        self._port, self.name = port, name
        self._waker = Waker(port)

    def read(self, timeout: float) -> bytes:
        """What has come, at least one byte; empty after ``timeout`` s without any, and after ``wake``."""
        deadline = time.monotonic() + timeout
        try:
            if timeout <= 0:
                return self._read_waiting()
            if not self._waker.wait(timeout):
                return b""
            while True:
                data = self._port.read(1)
                if data:
                    return data + self._read_waiting()
                if time.monotonic() >= deadline or self._waker.woken():
                    return b""
        except (OSError, TypeError) as error:  # TypeError: pyserial, when another thread closes the port
            raise self._gone(error) from None

    def wake(self) -> None:
        """Ends the ``read`` of another thread, or the next one."""
        self._waker.wake()

    def _read_waiting(self) -> bytes:
        data = b""
        while len(data) < CHUNK and (waiting := self._port.in_waiting):  # of a socket it says no more than 1
            data += self._port.read(min(waiting, CHUNK))
        return data

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except serial.SerialTimeoutException as error:
            if not self._takes_more():  # else we stood still, on a busy computer: pyserial looks at the clock alone
                raise self._gone(error) from None
        except (OSError, TypeError) as error:
            raise self._gone(error) from None

    def _takes_more(self) -> bool:
        with contextlib.suppress(OSError, AttributeError, TypeError):
            poll = select.poll()
            poll.register(self._port.fileno(), select.POLLOUT)
            return any(event == select.POLLOUT for _, event in poll.poll(0))
        return False

    def _gone(self, error: Exception) -> PortError:
        return PortError(f"port {self.name}: lost ({_reason(error)}); check adapter and cable, then try again")

    def flush_input(self) -> None:
        try:
            self._port.reset_input_buffer()
        except (OSError, TERMINAL_ERROR) as error:
            raise self._gone(error) from None

    def set_baud_rate(self, baud_rate: int) -> None:
        try:
            self._port.baudrate = baud_rate
        except (OSError, ValueError) as error:
            raise PortError(f"port {self.name}: cannot do {baud_rate} baud ({_reason(error)})") from None

    def close(self) -> None:
        with contextlib.suppress(OSError):  # it is gone, which is what was wanted
            self._port.close()
        self._waker.close()

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Waker:
    """Waits for a port or for another thread, without asking again and again where the operating system can do that:
    not on Windows, and not for every URL."""

    def __init__(self, port: serial.Serial) -> None:
        self._ear, self._mouth = socket.socketpair()
        self._ear.setblocking(False)
        self._mouth.setblocking(False)
        self._poll = None
        with contextlib.suppress(OSError, AttributeError, TypeError):
            poll = select.poll()
            poll.register(port.fileno(), select.POLLIN)
            poll.register(self._ear, select.POLLIN)
            self._poll = poll

    def wait(self, seconds: float) -> bool:
        """Whether reading is worth while: False when woken, and after so many seconds."""
        if self._poll is None:
            return True
        ready = [source for source, _ in self._poll.poll(min(seconds, MAX_WAIT_S) * 1000)]
        return bool(ready) and not (self._ear.fileno() in ready and self.woken())

    def woken(self) -> bool:
        """Whether ``wake`` has been called since the last time."""
        with contextlib.suppress(OSError):
            return bool(self._ear.recv(CHUNK))
        return False

    def wake(self) -> None:
        with contextlib.suppress(OSError):  # closed; or full, and it wakes up anyway
            self._mouth.send(b"!")

    def close(self) -> None:
        self._ear.close()
        self._mouth.close()


def open_port(name: str, baud_rate: int = BAUD_RATE) -> Transport:
    """Opens a port for this program alone. Raises PortError with a remedy."""
    try:
        port: Any = serial.serial_for_url(name, do_not_open=True)
        port.baudrate, port.timeout = baud_rate, READ_SLICE_S
        port._update_dtr_state = port._update_rts_state = _leave_alone
        if "://" not in name:  # pyserial's URLs do without
            port.write_timeout = WRITE_TIMEOUT_S
            port.exclusive = True if os.name == "posix" else None  # Windows always does it
        port.open()
    except (OSError, TERMINAL_ERROR, ValueError) as error:
        raise PortError(f"port {hide(name)}: {_remedy(name, error).replace(name, hide(name))}") from None
    return Transport(port, name)


def _leave_alone() -> None:
    """In the place of what pyserial does to DTR and RTS when it opens a port."""


def _remedy(name: str, error: Exception) -> str:
    code = getattr(error, "errno", None)
    text = _reason(error)
    if code is None and "configure port" in text:
        code = errno.ENOTTY
    if code is None and "lock" in text:
        code = errno.EAGAIN
    if code is None and "refused" in text:
        code = errno.ECONNREFUSED
    if os.name == "nt" and "PermissionError" in text:
        code = errno.EBUSY
    if os.name == "nt" and "FileNotFoundError" in text:
        code = errno.ENOENT
    words = os.strerror(code).lower() if code else text
    return f"{words}: {_HINTS[code]}" if code in _HINTS else words


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


# --- which ports are there --------------------------------------------------------------------------------------------

#: USB serial chips and boards; (vendor, product or None for all) -> what it is.
USB_SERIAL = {
    (0x10C4, None): "Silicon Labs CP210x",
    (0x1A86, None): "WCH CH340",
    (0x0403, None): "FTDI",
    (0x067B, None): "Prolific PL2303",
    (0x303A, None): "Espressif USB",
}


@dataclass(frozen=True)
class Port:
    """``guess`` says why it may be a charger; empty if nothing speaks for it."""

    device: str
    description: str
    by_id: str
    guess: str


def list_ports() -> list[Port]:
    """All serial ports, those that may be a charger first."""
    by_id = _by_id()
    ports = [
        Port(info.device, _describe(info), by_id.get(info.device, ""), _guess(info)) for info in serial_ports.comports()
    ]
    return sorted(ports, key=lambda port: (not port.guess, port.device))


def _by_id() -> dict[str, str]:
    folder = Path("/dev/serial/by-id")
    return {str(link.resolve()): str(link) for link in folder.iterdir()} if folder.is_dir() else {}


def _pi_pins() -> str:
    link = Path("/dev/serial0")
    return str(link.resolve()) if link.exists() else ""


def _describe(info: Any) -> str:
    return "" if info.description in (None, "n/a") else info.description


def _guess(info: Any) -> str:
    if info.vid is None:
        return "serial pins of the Raspberry Pi" if info.device == _pi_pins() else ""
    chip = USB_SERIAL.get((info.vid, info.pid)) or USB_SERIAL.get((info.vid, None))
    return f"USB serial adapter, {chip}" if chip else ""


def find_port(wanted: str | None = None) -> str:
    """``wanted``, or what EVSE_PORT says, or the only port that may be a charger. Raises PortError."""
    name = wanted or os.environ.get(VARIABLE)
    if name:
        return name
    likely = [port for port in list_ports() if port.guess]
    if len(likely) == 1:
        return likely[0].device
    if not likely:
        raise PortError("no charger found: plug in its serial adapter, or name the port with --port or EVSE_PORT")
    names = ", ".join(port.device for port in likely)
    raise PortError(f"several ports may be a charger ({names}): choose one with --port or EVSE_PORT")
