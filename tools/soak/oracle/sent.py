"""Each byte that a node sends to a charger: what it must never send, and which writes need somebody who asks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from evse_host.catalog import COMMAND
from evse_host.simulator import journal
from evse_host.simulator.charger import BYTE_S, INPUT_BUFFER_BYTES
from tools.run.clocked_node import ClockedNode, SerialPort
from tools.soak.oracle.command import READ, RUN, WRITE, forbidden, read_command
from tools.soak.oracle.contract import HOLDOFF_S
from tools.soak.oracle.findings import Complain
from tools.soak.oracle.link import Link, read_line
from tools.soak.oracle.world import Arriving, Unread

ROUNDING_S = 2e-6  # of the node's clock
STOOD_STILL_S = 1.0  # a node that stood longer must not believe what waits for it
HARMLESS = ("", "~", "ATE0", "AT")


class Sent:
    """``look`` after every turn of the node. ``on_write(name, line)`` judges who has asked for a write or a run,
    ``on_read(name)`` may take note. ``lines`` are all that were sent, ``on_heard`` gets all that was received.
    ``blocked`` is when the node stood still (s). Of a node with several chargers it judges one port."""

    def __init__(
        self,
        node: ClockedNode | SerialPort,
        complain: Complain,
        on_write: Callable[[str, str], None],
        on_read: Callable[[str], None] = lambda _name: None,
        blocked: Sequence[tuple[float, float]] = (),
    ) -> None:
        self._node, self._charger, self._complain, self._blocked = node, node.charger, complain, blocked
        self._on_write, self._on_read = on_write, on_read
        self.boots: list[float] = []  # when the charger was ready again
        self.lines: set[bytes] = set()
        self.on_heard: list[Callable[[float, bytes], None]] = []
        self._line, self._ready = b"", -math.inf  # when it began to be ready; before all this
        self._link = Link(COMMAND, lambda what, line: complain(what, line, ""))
        self._sent, self._arriving = Unread(node.sent), Arriving(node.received)

    def look(self) -> None:
        now = self._node.now
        if not self._charger.ready:
            self._ready = now
        elif self._ready > max(self.boots, default=-math.inf):
            self.boots.append(now)

        for moment, data in self._sent.take():
            self._hear(moment + ROUNDING_S)
            self._take(moment, data)
        self._hear(now)

    def forget(self, before: float) -> None:
        """What went over the line."""
        self._sent.forget(before)
        self._arriving.forget(before)

    def _hear(self, until: float) -> None:
        for moment, data in self._arriving.take(until):
            if any(begin <= moment < end and end - begin > STOOD_STILL_S for begin, end in self._blocked):
                self._link.lose()
            elif line := read_line(data.decode("latin-1")):
                self._link.on_line(line, moment * 1000)
            for observe in self.on_heard:
                observe(moment, data)

    def _take(self, moment: float, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self.lines.add(line)
            self._link.on_sent(line.decode("latin-1"), moment * 1000)
            self._judge(line.decode("utf-8", "backslashreplace"), moment + (len(line) + 1) * BYTE_S)

    def _judge(self, line: str, arrives: float) -> None:
        if line in HARMLESS:
            return
        form = read_command(line)
        if wrong := forbidden(form):
            self._complain(wrong, line, "")
        elif form.kind == READ:
            self._on_read(form.name)
        elif form.kind in (WRITE, RUN):
            if form.kind == WRITE and self._charger.ready and arrives < self._ready + HOLDOFF_S:
                self._complain("write within 1 s of RDY", line, f"{arrives - self._ready:.3f} s after it")
            self._on_write(form.name, line)

    def has_earned(self, violation: journal.Violation) -> bool:
        """Whether the node itself sent what the charger complains of; else the noise made it."""
        if violation.kind == journal.OVERRUN:
            return _outstanding(self._node, violation.time) > INPUT_BUFFER_BYTES
        return violation.line.rstrip(b"\n") in self.lines


def _outstanding(node: ClockedNode | SerialPort, moment: float) -> int:
    """How many bytes the node had sent without an answer."""
    results = (time for time, data in node.received if time <= moment and (b"OK\n" in data or b"R\n" in data))
    answered = max(results, default=0.0)
    return sum(len(data) for time, data in node.sent if answered < time <= moment)
