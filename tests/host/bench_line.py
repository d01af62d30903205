"""Serial lines for tests: one in virtual time, one that garbles bytes when its ends disagree on the baud rate."""

import termios

from evse_host.catalog import BAUD_RATE
from evse_host.simulator import Charger, Faults
from evse_host.simulator.server import PtyPort, Server

_SPEEDS = {getattr(termios, f"B{rate}"): rate for rate in (9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)}


def resample(data: bytes, sender: int, receiver: int) -> bytes:
    """What a UART at ``receiver`` Bd makes of bytes that were sent, without a pause, at ``sender`` Bd.

    Start bit 0, eight data bits with the lowest first, stop bit 1; it waits for a falling edge and samples in the
    middle of each bit.
    """
    if sender == receiver:
        return data
    level = [1]
    for byte in data:
        level += [0, *(byte >> bit & 1 for bit in range(8)), 1]
    level += [1] * 10
    step, at, received = sender / receiver, 0.0, bytearray()
    while int(at) < len(level) - 1:
        if level[int(at)]:
            at += step / 16
            continue
        bits = [level[min(int(at + (bit + 1.5) * step), len(level) - 1)] for bit in range(8)]
        received.append(sum(value << bit for bit, value in enumerate(bits)))
        at += 9.5 * step
    return bytes(received)


def applied_writes(charger: Charger) -> list[str]:
    """What took effect. One flipped bit makes a write of `AT+STATE?`, which the charger refuses."""
    writes = charger.journal.writes()
    return [entry.command for entry in charger.journal.entries if entry.result == "OK" and entry.command in writes]


class BenchLine:
    """A charger at the other end of a line, in virtual time: what ``Doctor`` takes for a port, and its clock."""

    def __init__(self, charger: Charger | None = None, baud_rate: int = BAUD_RATE, seed: int = 0) -> None:
        self.charger = charger or Charger()
        self.faults = Faults(self.charger, seed)
        self.now = self.charger.now
        self.baud_rate = self.charger_baud_rate = baud_rate
        self.unplugged = False
        self.loopback = False
        self._pending = b""

    def clock(self) -> float:
        return self.now

    def write(self, data: bytes) -> None:
        if self.loopback:
            self._pending += data
        else:
            self.faults.receive(resample(data, self.baud_rate, self.charger_baud_rate), self.now)

    def read(self, timeout: float) -> bytes:
        """The next bytes that arrive within ``timeout`` s."""
        deadline = self.now + timeout
        while True:
            data = self._pending + resample(self.faults.advance(self.now), self.charger_baud_rate, self.baud_rate)
            self._pending = b""
            if data or self.now >= deadline:
                return data
            moment = self.faults.next_event(self.now)
            self.now = deadline if moment is None else min(max(moment, self.now + 1e-4), deadline)

    def flush_input(self) -> None:
        self._pending = b""
        self.faults.advance(self.now)

    def set_baud_rate(self, baud_rate: int) -> None:
        self.baud_rate = baud_rate


class TrueBaudRatePort(PtyPort):
    """A pseudo terminal that heeds the baud rate its client has set, as a wire does."""

    baud_rate = BAUD_RATE  # the charger's

    @property
    def _client(self) -> int:
        return _SPEEDS.get(termios.tcgetattr(self.fd)[4], self.baud_rate)

    def _read(self) -> bytes:
        return resample(super()._read(), self._client, self.baud_rate)

    def write(self, data: bytes) -> None:
        super().write(resample(data, self.baud_rate, self._client))


class TrueBaudRateServer(Server):
    """A charger on a pseudo terminal, ``path``, that is only understood at ``baud_rate``."""

    def __init__(self, baud_rate: int) -> None:
        port = TrueBaudRatePort(None)
        port.baud_rate = baud_rate
        self.path = port.path
        super().__init__(Charger(), port, baud_rate=None, time_scale=1.0, faults=None)
