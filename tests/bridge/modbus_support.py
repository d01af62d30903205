"""Modbus for tests: a bus of two pseudo terminals, frames, and pymodbus's clients."""

from __future__ import annotations

import os
import select
import socket
import threading
import tty
from collections.abc import Sequence
from pathlib import Path

import serial
from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.framer import FramerRTU

BAUD_RATE = 9600
TIMEOUT_S = 60.0
CHUNK = 4096


class Bus:
    """An RS-485 line: what one end says the other hears. ``link`` is the server's device, which can be lost."""

    def __init__(self, folder: Path) -> None:
        self.link = folder / "bus"
        self._wake = os.pipe()
        self._client_fd, self.client_device = _terminal()
        self._server_fd = -1
        self.plug()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def plug(self) -> None:
        """The server's adapter comes (back), as another device behind the same link."""
        self._server_fd, device = _terminal()
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(device)
        os.write(self._wake[1], b"!")

    def unplug(self) -> None:
        lost, self._server_fd = self._server_fd, -1
        os.write(self._wake[1], b"!")
        os.close(lost)

    def close(self) -> None:
        self._stopping = True
        os.write(self._wake[1], b"!")
        self._thread.join()
        for fd in (self._client_fd, self._server_fd, *self._wake):
            if fd >= 0:
                os.close(fd)

    def _run(self) -> None:
        while not self._stopping:
            ends = {self._client_fd: self._server_fd, self._server_fd: self._client_fd}
            ends.pop(-1, None)
            poll = select.poll()
            for fd in (*ends, self._wake[0]):
                poll.register(fd, select.POLLIN)
            for fd, event in poll.poll(20):
                if fd == self._wake[0]:
                    os.read(fd, CHUNK)
                elif event & select.POLLIN:
                    self._carry(fd, ends[fd])

    def _carry(self, source: int, target: int) -> None:
        try:
            data = os.read(source, CHUNK)
            if target >= 0:
                os.write(target, data)
        except OSError:
            return  # unplugged meanwhile


def _terminal() -> tuple[int, str]:
    master, slave = os.openpty()
    tty.setraw(slave)
    device = os.ttyname(slave)
    # The slave stays open: a master without one would hang up before the first program comes.
    _KEPT[device] = slave
    return master, device


_KEPT: dict[str, int] = {}


class Wire:
    """The master's end of a bus, byte by byte."""

    def __init__(self, bus: Bus) -> None:
        self._port = serial.Serial(bus.client_device, BAUD_RATE, timeout=TIMEOUT_S)

    def send(self, data: bytes) -> None:
        self._port.write(data)

    def hear(self, count: int) -> bytes:
        """The next ``count`` bytes, fewer if they do not come."""
        return self._port.read(count)

    def ask(self, request: bytes, answer_length: int) -> bytes:
        self.send(request)
        return self.hear(answer_length)

    def close(self) -> None:
        self._port.close()


def frame(*values: int) -> bytes:
    """An RTU frame with its checksum."""
    data = bytes(values)
    return data + FramerRTU.compute_CRC(data).to_bytes(2, "big")


def read_request(address: int, count: int, unit: int = 1) -> bytes:
    return frame(unit, 3, *divmod(address, 256), *divmod(count, 256))


def write_request(address: int, value: int, unit: int = 1) -> bytes:
    return frame(unit, 6, *divmod(address, 256), *divmod(value, 256))


def tcp_client(port: int) -> ModbusTcpClient:
    client = ModbusTcpClient("127.0.0.1", port=port, timeout=TIMEOUT_S, retries=0)
    assert client.connect()
    return client


def rtu_client(bus: Bus, **options) -> ModbusSerialClient:
    client = ModbusSerialClient(bus.client_device, baudrate=BAUD_RATE, timeout=TIMEOUT_S, retries=0, **options)
    assert client.connect()
    return client


def words(client, address: int, count: int, unit: int = 1) -> list[int]:
    answer = client.read_holding_registers(address, count=count, device_id=unit)
    assert not answer.isError(), answer
    return answer.registers


def code(answer) -> int:
    """The exception code of an answer, 0 if it is none."""
    return answer.exception_code if answer.isError() else 0


class RawTcp:
    """A connection that sends whatever it likes."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self._file = self._socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self) -> tuple[int, int, bytes]:
        """Transaction, unit, PDU; EOFError at the end of the connection."""
        head = self._file.read(7)
        if len(head) < 7:
            raise EOFError
        length = int.from_bytes(head[4:6], "big")
        return int.from_bytes(head[:2], "big"), head[6], self._file.read(length - 1)

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def tcp_frame(transaction: int, unit: int, pdu: Sequence[int], protocol: int = 0) -> bytes:
    parts = (transaction, protocol, len(pdu) + 1)
    return b"".join(part.to_bytes(2, "big") for part in parts) + bytes([unit, *pdu])
