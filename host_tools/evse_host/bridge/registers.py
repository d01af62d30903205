"""The charger's Modbus holding registers: one table, what they show of a snapshot, and what a write asks for.

Pure: no port, no clock. Addresses are those of the wire, from 0; words are big-endian, the high word first.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from ..catalog import COMMAND, Field
from ..errors import EvseError, NoAnswerError, PortError, UsageError
from ..wire.codec import format_argument, to_bytes
from .snapshot import Snapshot

ANSWER_S = 2.0  # masters do not wait much longer
MAX_MASTERS = 32
MAX_READ = 125  # words in one answer
MAX_WRITE = 123
#: A temperature where no sensor is: below absolute zero, so that nobody takes it for one.
NO_TEMPERATURE = -(2**15)


class Code(IntEnum):
    """Modbus exception codes."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_ADDRESS = 2
    ILLEGAL_VALUE = 3
    DEVICE_FAILURE = 4
    DEVICE_BUSY = 6
    NO_SUCH_UNIT = 10  # "gateway path unavailable"
    NO_ANSWER = 11  # "gateway target device failed to respond"


class ModbusError(Exception):
    """A request that is answered with an exception code; ``str(error)`` is one line for the log."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Register:
    """``type`` is `u16`, `i16`, `u32` or `char[n]`. ``access`` holds R, W, or nothing where AT does not reach it.

    ``index`` is the field of the AT command; a command without fields is run by writing 1.
    """

    address: int
    type: str
    access: str
    command: str = ""
    index: int = 0
    text: str = ""

    @property
    def words(self) -> int:
        """How many registers it takes."""
        return _WORDS[self.type]

    @property
    def unit(self) -> str:
        return self._field.unit if self._field else ""

    @property
    def doc(self) -> str:
        return self.text or COMMAND[self.command].doc

    @property
    def _field(self) -> Field | None:
        fields = COMMAND[self.command].fields if self.command else ()
        return fields[self.index] if fields else None


_WORDS = {"u16": 1, "i16": 1, "u32": 2, "char[2]": 1, "char[32]": 16}

REGISTERS = (
    Register(100, "char[2]", "R", "STATE", text="IEC 61851 state: `A`, `B1` ... `F`; the rest is NUL"),
    Register(101, "u32", "R", "ERROR", text="Fault bits"),
    Register(103, "u16", "RW", "ENABLE"),
    Register(104, "u16", "RW", "AVAILABLE"),
    Register(105, "u16", "R", "PENDAUTH"),
    Register(106, "u16", "RW", "CHCUR"),
    Register(107, "u32", "RW", "CONSUMLIM"),
    Register(109, "u32", "RW", "CHTIMELIM"),
    Register(111, "u16", "RW", "UNDERPOWERLIM"),
    Register(112, "u16", "W", "AUTH", text="Write 1: grant authorization for 60 s"),
    Register(200, "u16", "R", "EMETERPOWER"),
    Register(201, "u32", "R", "EMETERSESTIME"),
    Register(203, "u32", "R", "EMETERCHTIME"),
    Register(205, "u32", "R", "EMETERCONSUM"),
    Register(207, "u32", "R", "EMETERVOLTAGE", 0, "Voltage L1; 0 unless charging"),
    Register(209, "u32", "R", "EMETERVOLTAGE", 1, "Voltage L2"),
    Register(211, "u32", "R", "EMETERVOLTAGE", 2, "Voltage L3"),
    Register(213, "u32", "R", "EMETERCURRENT", 0, "Current L1; 0 unless charging"),
    Register(215, "u32", "R", "EMETERCURRENT", 1, "Current L2"),
    Register(217, "u32", "R", "EMETERCURRENT", 2, "Current L3"),
    Register(300, "u16", "RW", "SOCKETOUTLET", text="The charger has a socket outlet instead of a fixed cable"),
    Register(301, "u16", "", text="Residual current monitor"),
    Register(302, "u16", "", text="Temperature threshold"),
    Register(303, "u16", "RW", "REQAUTH"),
    Register(304, "u16", "RW", "MAXCHCUR"),
    Register(305, "u16", "RW", "DEFCHCUR"),
    Register(306, "u32", "RW", "DEFCONSUMLIM"),
    Register(308, "u32", "RW", "DEFCHTIMELIM"),
    Register(310, "u16", "RW", "DEFUNDERPOWERLIM"),
    Register(311, "u16", "", text="Socket lock operating time"),
    Register(312, "u16", "", text="Socket lock break time"),
    Register(313, "u16", "", text="Socket lock detection"),
    Register(314, "u16", "", text="Socket lock retry count"),
    Register(315, "u16", "RW", "EMETERMODE", text="Energy meter mode: 0 dummy, 1 current, 2 current and voltage"),
    Register(316, "u16", "RW", "EMETERACVOLTAGE"),
    Register(317, "u16", "RW", "EMETERTHREEPHASE"),
    Register(400, "u32", "R", "UPTIME"),
    Register(402, "i16", "R", "TEMP", 2, f"Lowest temperature; {NO_TEMPERATURE} without a sensor"),
    Register(403, "i16", "R", "TEMP", 1, f"Highest temperature; {NO_TEMPERATURE} without a sensor"),
    Register(404, "u16", "R", "TEMP", 0, "Number of temperature sensors"),
    Register(405, "char[32]", "R", "VER", text="Firmware version, filled up with NUL"),
    Register(421, "u16", "W", "RST", text="Write 1: restart the charger, which takes about 7 s"),
)

#: Address of every word -> its register.
_AT = {register.address + word: register for register in REGISTERS for word in range(register.words)}


# --- what is read -----------------------------------------------------------------------------------------------------


def read(snapshot: Snapshot, address: int, count: int) -> list[int]:
    """``count`` words from ``address``. Raises ModbusError: all of them can be read, or none is."""
    if not 1 <= count <= MAX_READ:
        raise ModbusError(Code.ILLEGAL_VALUE, f"{count} registers at once, 1 to {MAX_READ} are allowed")
    places = [(at, _allowed(at, "R", "read")) for at in range(address, address + count)]
    _check_online(snapshot)
    shown = {register: words(register, snapshot) for register in dict.fromkeys(register for _, register in places)}
    return [shown[register][at - register.address] for at, register in places]


def words(register: Register, snapshot: Snapshot) -> list[int]:
    """The words of one register. Raises ModbusError where this charger does not have the value."""
    value = _value(register, snapshot)
    if value is None:
        text = f"register {register.address} ({register.command}): this charger does not show it"
        raise ModbusError(Code.ILLEGAL_ADDRESS, text)
    if isinstance(value, str):
        size = 2 * register.words
        data = to_bytes(value)[:size].ljust(size, b"\0")
    else:
        data = _pack(register, value)
    return list(struct.unpack(f">{register.words}H", data))


def values(snapshot: Snapshot) -> dict[Register, int | str]:
    """Of every register that can be read and that this charger has."""
    readable = [register for register in REGISTERS if "R" in register.access]
    return {register: value for register in readable if (value := _value(register, snapshot)) is not None}


def _value(register: Register, snapshot: Snapshot) -> int | str | None:
    if register.command == "STATE":
        return snapshot.state or (None if snapshot.get("STATE") is None else "?")
    if register.command == "TEMP" and register.index and snapshot.get("TEMP") == 0:
        return NO_TEMPERATURE
    value: int | str | None = snapshot.get(register.command, register.index)
    return value


def _pack(register: Register, value: int) -> bytes:
    try:
        return struct.pack({"u16": ">H", "i16": ">h", "u32": ">I"}[register.type], value)
    except struct.error:
        text = f"register {register.address} ({register.command}): {value} does not fit {register.type}"
        raise ModbusError(Code.DEVICE_FAILURE, text) from None


# --- what is written --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Write:
    """An AT command to run, or with a value to write in wire units."""

    register: Register
    value: int

    @property
    def runs(self) -> bool:
        return not COMMAND[self.register.command].fields


def plan(snapshot: Snapshot, address: int, values: Sequence[int]) -> list[Write]:
    """What to do, in this order, for words written from ``address``. Raises ModbusError unless all of it is allowed."""
    if not 1 <= len(values) <= MAX_WRITE:
        raise ModbusError(Code.ILLEGAL_VALUE, f"{len(values)} registers at once, 1 to {MAX_WRITE} are allowed")
    for at in range(address, address + len(values)):
        _allowed(at, "W", "written")
    writes, left = [], list(values)
    while left:
        register = _AT[address]
        _check_whole(register, address, len(left))
        value = 0
        for _ in range(register.words):
            value = value << 16 | left.pop(0)
        writes.append(Write(register, value))
        address += register.words
    _check_online(snapshot)
    for write in writes:
        _check_value(snapshot, write)
        snapshot = snapshot.after(write.register.command, write.value)
    return writes


def _check_whole(register: Register, address: int, left: int) -> None:
    """Half a limit is none: with the old other half it would be a limit that nobody asked for."""
    if address != register.address or left < register.words:
        first, last = register.address, register.address + register.words - 1
        text = (
            f"register {address} ({register.command}): half of a 32-bit value; write {first} and {last} in one request"
        )
        raise ModbusError(Code.ILLEGAL_VALUE, text)


def _check_value(snapshot: Snapshot, write: Write) -> None:
    command = COMMAND[write.register.command]
    try:
        if write.runs:
            if write.value != 1:
                raise UsageError(f"{command.name}: only 1 may be written, not {write.value}")
            return
        format_argument(command, (write.value,))
        if command.name in ("CHCUR", "DEFCHCUR"):
            snapshot.current_to_write(write.value / 10)
    except (UsageError, ValueError) as error:
        raise ModbusError(Code.ILLEGAL_VALUE, f"register {write.register.address}: {error}") from None


def code_of(error: EvseError) -> Code:
    """The exception code for a write that failed: refused and not shown is 4, a silent charger is 11."""
    if isinstance(error, UsageError):
        return Code.ILLEGAL_VALUE
    return Code.NO_ANSWER if isinstance(error, (NoAnswerError, PortError)) else Code.DEVICE_FAILURE


# --- both -------------------------------------------------------------------------------------------------------------


def _allowed(address: int, access: str, verb: str) -> Register:
    register = _AT.get(address)
    if register is None:
        raise ModbusError(Code.ILLEGAL_ADDRESS, f"register {address}: there is none")
    if not register.access:
        raise ModbusError(Code.ILLEGAL_ADDRESS, f"register {address}: {register.doc} cannot be reached over AT")
    if access not in register.access:
        raise ModbusError(Code.ILLEGAL_ADDRESS, f"register {address} ({register.command}) cannot be {verb}")
    return register


def _check_online(snapshot: Snapshot) -> None:
    """Old values are worse than none."""
    if not snapshot.online:
        raise ModbusError(Code.NO_ANSWER, "the charger is offline")
