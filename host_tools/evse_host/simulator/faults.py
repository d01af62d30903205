"""What goes wrong between a charger and its client, and in the charger: scripted, and the same for the same seed.

A ``Faults`` stands between the charger and the port and has the charger's own interface (``receive``, ``advance``,
``next_event``). Nothing goes wrong until a fault is ordered.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .charger import Charger
from .parser import Request

ERROR = b"ERROR"


@dataclass
class ByteFaults:
    """Chances per byte, 0 to 1, of one direction."""

    drop: float = 0.0
    flip: float = 0.0
    duplicate: float = 0.0

    def apply(self, data: bytes, dice: random.Random) -> bytes:
        if not (self.drop or self.flip or self.duplicate):
            return data
        result = bytearray()
        for byte in data:
            if dice.random() < self.drop:
                continue
            if dice.random() < self.flip:
                byte ^= 1 << dice.randrange(8)
            result += bytes([byte]) * (2 if dice.random() < self.duplicate else 1)
        return bytes(result)


@dataclass
class AnswerFault:
    """Waits for an answer of ``command`` (any, if empty), then changes it and the time (s) it takes."""

    change: Callable[[bytes, float], tuple[bytes, float]]
    command: str = ""

    def fits(self, request: Request) -> bool:
        return not self.command or request.name == f"+{self.command}"


class Faults:
    """Orders for faults; every method may be called at any time. ``to_client`` and ``to_charger`` hold the lasting
    byte faults of the two directions."""

    def __init__(self, charger: Charger, seed: int = 0) -> None:
        self.charger = charger
        self.to_client, self.to_charger = ByteFaults(), ByteFaults()
        self._dice = random.Random(seed)
        self._cable_out = False
        self._silent_until = float("-inf")
        self._injected = bytearray()
        self._line_edits: deque[Callable[[bytes], bytes]] = deque()
        self._answers: deque[AnswerFault] = deque()
        charger.answer_hook = self._on_answer

    def calm(self) -> None:
        """Everything is well from now on; what was ordered and has not happened yet is forgotten."""
        self.to_client, self.to_charger = ByteFaults(), ByteFaults()
        self._cable_out = False
        self._silent_until = float("-inf")
        self._injected.clear()
        self._line_edits.clear()
        self._answers.clear()

    # --- the charger's interface

    def receive(self, data: bytes, now: float) -> None:
        if not self._cable_out and now >= self._silent_until:
            self.charger.receive(self.to_charger.apply(data, self._dice), now)

    def advance(self, now: float) -> bytes:
        data = self.charger.advance(now)
        if self._cable_out or now < self._silent_until:
            self._injected.clear()
            return b""
        injected, self._injected = bytes(self._injected), bytearray()
        return injected + self.to_client.apply(self._edit_lines(data), self._dice)

    def next_event(self, now: float) -> float | None:
        return now if self._injected else self.charger.next_event(now)

    # --- the link

    def drop(self, chance: float) -> None:
        """Both directions lose bytes."""
        self.to_client.drop = self.to_charger.drop = chance

    def flip(self, chance: float) -> None:
        """Both directions turn bits over."""
        self.to_client.flip = self.to_charger.flip = chance

    def duplicate(self, chance: float) -> None:
        """Both directions double bytes."""
        self.to_client.duplicate = self.to_charger.duplicate = chance

    def noise(self, count: int = 40) -> None:
        """A burst of ``count`` random bytes, to both ends."""
        burst = bytes(self._dice.randrange(256) for _ in range(count))
        self._injected += burst
        self.receive(burst, self.charger.now)

    def nuls(self, count: int = 8) -> None:
        """``count`` NUL bytes to both ends, as from a line that was pulled low."""
        self._injected += bytes(count)
        self.receive(bytes(count), self.charger.now)

    def to_client_now(self, data: bytes) -> None:
        """Any bytes, to the client."""
        self._injected += data

    def long_line(self, length: int = 500) -> None:
        """A line of ``length`` bytes that no charger sends, to the client."""
        self._injected += b"\n+" + b"X" * (length - 1) + b"\n"

    def cut_line(self, length: int = 4) -> None:
        """The next line to the client ends after ``length`` bytes, without its line end."""
        self._line_edits.append(lambda line: line[:length])

    def glue_lines(self) -> None:
        """The next line to the client loses its line end."""
        self._line_edits.append(lambda line: line.rstrip(b"\r\n"))

    def cable_out(self) -> None:
        self._cable_out = True

    def cable_in(self) -> None:
        self._cable_out = False

    def _edit_lines(self, data: bytes) -> bytes:
        if not self._line_edits:
            return data
        lines = data.splitlines(keepends=True)
        for at, line in enumerate(lines):
            if line.strip() and self._line_edits:
                lines[at] = self._line_edits.popleft()(line)
        return b"".join(lines)

    # --- answers

    def late_answer(self, seconds: float, command: str = "", count: int = 1) -> None:
        """The next ``count`` answers (of ``command``, e.g. `CHCUR`) begin ``seconds`` later; the charger is busy."""
        self._order(lambda data, delay: (data, delay + seconds), command, count)

    def missing_answer(self, command: str = "", count: int = 1) -> None:
        """Executed, never answered."""
        self._order(lambda _data, delay: (b"", delay), command, count)

    def error_after_apply(self, command: str = "", count: int = 1) -> None:
        """Executed, but answered ERROR."""
        self._order(lambda data, delay: (_only_result(data, ERROR), delay), command, count)

    def double_error(self, command: str = "", count: int = 1) -> None:
        """Executed, but answered ERROR twice."""
        self._order(lambda data, delay: (_only_result(data, ERROR) * 2, delay), command, count)

    def _order(self, change: Callable[[bytes, float], tuple[bytes, float]], command: str, count: int) -> None:
        self._answers.extend(AnswerFault(change, command) for _ in range(count))

    def _on_answer(self, request: Request, data: bytes, delay: float) -> tuple[bytes, float]:
        fault = next((order for order in self._answers if order.fits(request)), None)
        if fault is None:
            return data, delay
        self._answers.remove(fault)
        return fault.change(data, delay)

    # --- the charger

    def silence(self, seconds: float) -> None:
        """Deaf and dumb for so long, then as if nothing had been."""
        self._silent_until = self.charger.now + seconds

    def reboot(self, rdy_seen: bool = True) -> None:
        """The charger restarts now; with ``rdy_seen`` False its RDY never arrives."""
        self.charger.reboot(self.charger.now, announce=rdy_seen)

    def echo_on(self) -> None:
        """As if somebody had sent ATE1."""
        self.charger.echo = True

    def lose_subscriptions(self) -> None:
        self.charger.subscriptions.clear()

    def change_setting(self, name: str, *values: int | str) -> None:
        """Somebody else changes a setting: ``change_setting("CHCUR", 100)``."""
        self.charger.set(name, *values)


def _only_result(data: bytes, result: bytes) -> bytes:
    newline = b"\r\n" if data.endswith(b"\r\n") else b"\n"
    return newline + result + newline
