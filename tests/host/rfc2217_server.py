"""A serial port on the network, as `ser2net` or a console server gives it: RFC 2217, one client."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import serial
from serial.rfc2217 import PortManager


class PseudoSerial(serial.Serial):
    """A pseudo terminal has no modem lines."""

    cts = dsr = cd = True
    ri = False

    def _update_dtr_state(self) -> None:
        pass

    def _update_rts_state(self) -> None:
        pass


class Sender:
    """Where the telnet answers go: the network side of a PortManager."""

    def __init__(self, client: socket.socket) -> None:
        self.write = client.sendall


@contextlib.contextmanager
def serving(path: str) -> Iterator[str]:
    """The URL of the serial port ``path`` while the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener, PseudoSerial(path, timeout=0.05) as port:
        threading.Thread(target=_serve, args=(listener, port), daemon=True).start()
        yield f"rfc2217://127.0.0.1:{listener.getsockname()[1]}"


def _serve(listener: socket.socket, port: serial.Serial) -> None:
    client, _ = listener.accept()
    manager = PortManager(port, Sender(client))
    threading.Thread(target=_forward, args=(port, manager, client), daemon=True).start()
    while data := client.recv(1024):
        port.write(b"".join(manager.filter(data)))


def _forward(port: serial.Serial, manager: PortManager, client: socket.socket) -> None:
    with contextlib.suppress(OSError, TypeError):  # the port is closed at the end
        while True:
            if data := port.read(port.in_waiting or 1):
                client.sendall(b"".join(manager.escape(data)))
