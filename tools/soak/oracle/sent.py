"""Each byte that a node sends: what it must never send, and which writes somebody has to have asked for."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from evse_host.catalog import COMMAND
from evse_host.simulator import Charger, journal
from evse_host.simulator.charger import BYTE_S, INPUT_BUFFER_BYTES, SERIAL_PORTS
from evse_host.simulator.interpreter import LISTS
from tools.run.clocked_node import ClockedNode
from tools.soak.oracle.contract import HOLDOFF_S, SHORTEST_PERIOD_S
from tools.soak.oracle.findings import Complain

HARMLESS = ("", "~", "ATE0", "AT", 'AT+UNSUB=""')
READ = re.compile(r"AT\+([A-Z0-9]+)\?")
SUBSCRIPTION = re.compile(r'AT\+(?:SUB="\+([A-Z0-9]+)",(\d+)|UNSUB="\+([A-Z0-9]+)")')
WRITE = re.compile(r"AT\+([A-Z0-9]+)(?:=(.*))?", re.DOTALL)


class Sent:
    """``take`` what the node sends, ``look`` after every turn of it. ``on_write(name, line)`` judges who has asked for
    a write or a run, ``on_read(name)`` may take note. ``lines`` are all that were sent."""

    def __init__(
        self,
        charger: Charger,
        complain: Complain,
        on_write: Callable[[str, str], None],
        on_read: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._charger, self._complain = charger, complain
        self._on_write, self._on_read = on_write, on_read
        self.boots: list[float] = []  # when the charger was ready again
        self.lines: set[bytes] = set()
        self._line, self._ready = b"", -math.inf  # when it began to be ready; before all this

    def look(self, now: float) -> None:
        """Before ``take``: whether the charger is up."""
        if not self._charger.ready:
            self._ready = now
        elif self._ready > max(self.boots, default=-math.inf):
            self.boots.append(now)

    def take(self, moment: float, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self.lines.add(line)
            self._judge(line.decode("utf-8", "backslashreplace"), moment + (len(line) + 1) * BYTE_S)

    def _judge(self, line: str, arrives: float) -> None:
        if line in HARMLESS:
            return
        if read := READ.fullmatch(line):
            self._judge_read(read[1], line)
        elif subscription := SUBSCRIPTION.fullmatch(line):
            name = subscription[1] or subscription[3]
            too_short = subscription[2] and int(subscription[2]) < SHORTEST_PERIOD_S * 1000
            if name not in COMMAND or name in LISTS or too_short:
                self._complain("forbidden subscription", line, "")
        elif write := WRITE.fullmatch(line):
            if "=" in line and self._charger.ready and arrives < self._ready + HOLDOFF_S:
                self._complain("write within 1 s of RDY", line, f"{arrives - self._ready:.3f} s after it")
            self._on_write(write[1], line)
        else:
            self._complain("garbage sent", line, "")

    def _judge_read(self, name: str, line: str) -> None:
        if name not in COMMAND or "R" not in COMMAND[name].access or name in SERIAL_PORTS:
            self._complain("read that nobody needs", line, "")
        self._on_read(name)

    def has_earned(self, violation: journal.Violation, node: ClockedNode) -> bool:
        """Whether the node itself sent what the charger complains of; else the noise made it."""
        if violation.kind == journal.OVERRUN:
            return _outstanding(node, violation.time) > INPUT_BUFFER_BYTES
        return violation.line.rstrip(b"\n") in self.lines


def _outstanding(node: ClockedNode, moment: float) -> int:
    """How many bytes the node had sent without an answer."""
    results = (time for time, data in node.received if time <= moment and (b"OK\n" in data or b"R\n" in data))
    answered = max(results, default=0.0)
    return sum(len(data) for time, data in node.sent if answered < time <= moment)
