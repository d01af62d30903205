"""Finds Modbus requests in what a line carries. Pure: bytes in, requests out.

pymodbus builds the answers and counts the checksums. It is not asked to find requests: its server loses a request that
comes while another is executed, and the whole input behind a damaged frame.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pymodbus.framer import FramerRTU

MAX_RTU_FRAME = 256
MIN_RTU_FRAME = 4  # unit, function, checksum
MBAP = struct.Struct(">HHHB")  # transaction, protocol, length behind it, unit
MAX_TCP_PDU = 253

_FIXED = {3: 8, 4: 8, 6: 8}  # function -> length of the frame
_WRITE_MULTIPLE = 16


@dataclass(frozen=True)
class Request:
    """``pdu``: function code and what is behind it; ``transaction`` is 0 on RTU."""

    unit: int
    pdu: bytes
    transaction: int = 0


class RtuRequests:
    """A bus, with noise, halves of frames, and other units' requests and answers on it.

    Without a clock: a request is what ends with its checksum, whatever is before and behind it. Of requests that came
    together only the last is returned: on RTU a master that sends again has given up the one before.
    """

    def __init__(self, units: Collection[int]) -> None:
        self._units = frozenset(units)
        self._heard = b""

    def feed(self, data: bytes) -> Request | None:
        self._heard = (self._heard + data)[-MAX_RTU_FRAME:]
        found, at = None, 0
        while at < len(self._heard):
            rest = self._heard[at:]
            size = _length(rest)
            if size <= len(rest) and self._is_request(rest[:size]):
                found = Request(rest[0], rest[1 : size - 2])
                self._heard, at = rest[size:], 0
            else:
                at += 1
        return found

    def _is_request(self, frame: bytes) -> bool:
        if len(frame) < MIN_RTU_FRAME or frame[0] not in self._units or frame[1] >= 0x80:
            return False
        return FramerRTU.compute_CRC(frame[:-2]) == int.from_bytes(frame[-2:], "big")


def _length(frame: bytes) -> int:
    """Of a request that begins so; of an unknown function everything that is there."""
    function = frame[1] if len(frame) > 1 else 0
    if function == _WRITE_MULTIPLE:
        return 9 + frame[6] if len(frame) > 6 else MAX_RTU_FRAME
    return _FIXED.get(function, len(frame))


class TcpRequests:
    """One connection."""

    def __init__(self) -> None:
        self._heard = b""

    def feed(self, data: bytes) -> Iterator[Request]:
        """Every whole request, in order. Raises ValueError at what is not Modbus: there is no way back into step."""
        self._heard += data
        while len(self._heard) >= MBAP.size:
            transaction, protocol, length, unit = MBAP.unpack_from(self._heard)
            if protocol or not 2 <= length <= MAX_TCP_PDU + 1:
                raise ValueError("this is no Modbus TCP")
            end = MBAP.size - 1 + length
            if len(self._heard) < end:
                return
            pdu, self._heard = self._heard[MBAP.size : end], self._heard[end:]
            yield Request(unit, pdu, transaction)
