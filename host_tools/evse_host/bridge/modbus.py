"""Modbus server, RTU and TCP, for any number of chargers: each is a unit.

server = ModbusTcp({1: charger}, "127.0.0.1", 502)
server.start()    # PortError: the address is taken
server.stop()
"""

from __future__ import annotations

import contextlib
import logging
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    ReadInputRegistersResponse,
    WriteMultipleRegistersRequest,
    WriteMultipleRegistersResponse,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)

from ..errors import EvseError, PortError
from ..line.transport import Transport, open_port
from . import registers
from .charger import SharedCharger
from .modbus_frames import Request, RtuRequests, TcpRequests
from .registers import ANSWER_S, MAX_MASTERS, Code, ModbusError, Write

log = logging.getLogger("evse.modbus")

UNITS = (1, 247)
CHUNK = 4096
LISTEN_S = 0.5  # how long stopping may take
CHARACTERS_OF_SILENCE = 3.5  # between the frames of a bus
BITS_PER_CHARACTER = 11
IDLE_S = 20.0  # a master that has asked nothing for so long gives way to another; the charger itself means 20 s, too
KEEP_ALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}  # s, s, times: a master that is gone is noticed
BACK_OFF_S = (0.5, 1.0, 2.0, 4.0, 8.0)

Chargers = Mapping[int, SharedCharger]
Heard = Mapping[int, Callable[[], None]]  # what is called with every request to a unit
NOBODY: Heard = MappingProxyType({})

#: Both read the same registers.
_READS: dict[Any, Callable[..., ModbusPDU]] = {
    ReadHoldingRegistersRequest: ReadHoldingRegistersResponse,
    ReadInputRegistersRequest: ReadInputRegistersResponse,
}
_REQUESTS = {
    request.function_code: request for request in (*_READS, WriteSingleRegisterRequest, WriteMultipleRegistersRequest)
}


class Units:
    """Executes requests, for any thread. Every problem is told once, and again after it was gone."""

    def __init__(self, chargers: Chargers, heard: Heard = NOBODY) -> None:
        self._chargers, self._heard = chargers, heard
        self._told: dict[tuple[Any, ...], str] = {}

    def execute(self, request: Request) -> ModbusPDU:
        """The answer; an exception response if something is wrong."""
        function, problem = request.pdu[0], ""
        try:
            answer = self._execute(request)
        except ModbusError as error:
            answer, problem = ExceptionResponse(function & 0x7F, error.code), str(error)
        except Exception as error:  # the line lives on, and the master is told
            problem = f"{type(error).__name__}: {error}"
            answer = ExceptionResponse(function & 0x7F, Code.DEVICE_FAILURE)
        self._tell((request.unit, *request.pdu[:3]), request.unit, problem)
        answer.dev_id, answer.transaction_id = request.unit, request.transaction
        return answer

    def _execute(self, request: Request) -> ModbusPDU:
        charger = self._chargers.get(request.unit)
        if charger is None:
            raise ModbusError(Code.NO_SUCH_UNIT, "no such unit here")
        if request.unit in self._heard:
            self._heard[request.unit]()
        message = _decode(request.pdu)
        if answer := _READS.get(type(message)):
            return answer(registers=registers.read(charger.snapshot, message.address, message.count))
        deadline = time.monotonic() + ANSWER_S
        for write in registers.plan(charger.snapshot, message.address, message.registers):
            _do(charger, write, deadline)
        if isinstance(message, WriteSingleRegisterRequest):
            return WriteSingleRegisterResponse(address=message.address, registers=message.registers)
        return WriteMultipleRegistersResponse(address=message.address, count=len(message.registers))

    def _tell(self, key: tuple[Any, ...], unit: int, problem: str) -> None:
        if self._told.get(key, "") == problem:
            return
        if len(self._told) > 1000:
            self._told.clear()
        self._told[key] = problem
        charger = self._chargers.get(unit)
        if problem:
            name = f"evse.{charger.name}.modbus" if charger else "evse.modbus"
            logging.getLogger(name).warning("unit %d: %s", unit, problem)


def _decode(pdu: bytes) -> ModbusPDU:
    if pdu[0] not in _REQUESTS:
        raise ModbusError(Code.ILLEGAL_FUNCTION, f"function {pdu[0]}: only 3, 4, 6 and 16 are there")
    message: ModbusPDU = _REQUESTS[pdu[0]]()
    with contextlib.suppress(ModbusException, ValueError, struct.error, IndexError):
        message.decode(pdu[1:])
        if message.encode() == pdu[1:]:
            return message
    raise ModbusError(Code.ILLEGAL_VALUE, f"function {pdu[0]}: its count and its length are not those of a request")


def _do(charger: SharedCharger, write: Write, deadline: float) -> None:
    """Done when the charger shows it. Raises ModbusError."""
    name = write.register.command
    future = charger.run(name) if write.runs else charger.set(name, write.value)
    place = f"register {write.register.address}"
    try:
        future.result(max(deadline - time.monotonic(), 0))
    except EvseError as error:
        raise ModbusError(registers.code_of(error), f"{place}: {error}") from None
    except TimeoutError:
        if future.cancel():
            raise ModbusError(Code.DEVICE_BUSY, f"{place}: the charger was busy, {name} was not written") from None
        text = f"{place}: no answer to {name} within {ANSWER_S:g} s, nobody knows whether it was done"
        raise ModbusError(Code.NO_ANSWER, text) from None


class ModbusTcp:
    """Serves masters that connect to ``host``:``port`` (0: any free one)."""

    def __init__(self, chargers: Chargers, host: str, port: int, heard: Heard = NOBODY) -> None:
        self._units = Units(chargers, heard)
        self._address = (host, port)
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        assert self._server, "not started"
        return int(self._server.server_address[1])

    @property
    def place(self) -> str:
        """Where masters find it."""
        host = self._address[0]
        return f"{f'[{host}]' if ':' in host else host}:{self.port}"

    def start(self) -> None:
        """Raises PortError."""
        host, port = self._address
        try:
            self._server = _Server(self._address, self._units)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise PortError(f"Modbus TCP {host}:{port}: {reason}") from None
        threading.Thread(target=self._server.serve_forever, args=(LISTEN_S,), name="modbus-tcp", daemon=True).start()
        log.info("Modbus TCP on %s", self.place)

    def stop(self) -> None:
        """Ends the connections."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server.end_connections()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], units: Units) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.units = units
        self._connections: dict[socket.socket, float] = {}  # and when it last asked
        self._lock = threading.Lock()
        super().__init__(address, _Connection)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        with self._lock:
            if len(self._connections) >= MAX_MASTERS:
                self._make_room()
            welcome = len(self._connections) < MAX_MASTERS
            if welcome:
                self._connections[request] = time.monotonic()
        if not welcome:
            log.warning("%s is turned away: %d masters are connected already", client_address[0], MAX_MASTERS)
        return welcome

    def _make_room(self) -> None:
        """Under the lock: who has been idle longest gives way."""
        idle = min(self._connections, key=self._connections.__getitem__)
        if time.monotonic() - self._connections[idle] >= IDLE_S:
            del self._connections[idle]
            _hang_up(idle)
            log.info("a master that was idle for more than %g s gives way to another", IDLE_S)

    def heard(self, request: socket.socket) -> None:
        with self._lock:
            if request in self._connections:
                self._connections[request] = time.monotonic()

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.exception("%s: the connection ended with an error", client_address[0])

    def end_connections(self) -> None:
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            _hang_up(connection)


def _hang_up(connection: socket.socket) -> None:
    """Its own thread notices and closes it."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _Connection(socketserver.BaseRequestHandler):
    """One master; its requests are executed in order."""

    server: _Server

    def handle(self) -> None:
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEP_ALIVE.items():
            if number := getattr(socket, option, None):  # not everywhere
                self.request.setsockopt(socket.IPPROTO_TCP, number, value)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        requests, framer = TcpRequests(), FramerSocket(DecodePDU(True))
        with contextlib.suppress(OSError):  # the master is gone
            while data := self.request.recv(CHUNK):
                try:
                    for request in requests.feed(data):
                        self.server.heard(self.request)
                        self.request.sendall(framer.buildFrame(self.server.units.execute(request)))
                except ValueError as error:
                    log.warning("%s: %s", self.client_address[0], error)
                    return


class ModbusRtu:
    """Serves the master on a bus: ``port`` is a device, or one of pyserial's URLs; 8 data bits, no parity.

    Other units' requests and broadcasts are never answered nor executed. A port that goes away is opened again.
    """

    def __init__(self, chargers: Chargers, port: str, baud_rate: int = 9600, heard: Heard = NOBODY) -> None:
        self._units, self._requests = Units(chargers, heard), RtuRequests(chargers)
        self.place, self._baud_rate = port, baud_rate
        self._silence = CHARACTERS_OF_SILENCE * BITS_PER_CHARACTER / baud_rate
        self._framer = FramerRTU(DecodePDU(True))
        self._transport: Transport | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="modbus-rtu", daemon=True)

    def start(self) -> None:
        """Raises PortError."""
        self._transport = open_port(self.place, self._baud_rate)
        self._thread.start()
        log.info("Modbus RTU on %s, %d baud", self.place, self._baud_rate)

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        failures, told = 0, ""
        while not self._stop.is_set():
            try:
                with self._transport or open_port(self.place, self._baud_rate) as transport:
                    if failures:
                        log.info("port %s is back", self.place)
                    failures, told = 0, ""
                    self._serve(transport)
            except Exception as error:  # a PortError, or what pyserial lets through when an adapter is pulled out
                if str(error) != told:
                    log.warning("%s", error)
                told = str(error)
                self._stop.wait(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])
                failures += 1
            self._transport = None

    def _serve(self, transport: Transport) -> None:
        while not self._stop.is_set():
            request = self._requests.feed(transport.read(LISTEN_S))
            while request:
                answer = self._framer.buildFrame(self._units.execute(request))
                time.sleep(self._silence)
                request = self._requests.feed(transport.read(0))
                if not request:  # else the master has given up waiting
                    transport.write(answer)
