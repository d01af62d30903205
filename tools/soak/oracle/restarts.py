"""Restarts of the charger, and the other things that a node counts."""

from __future__ import annotations

from collections.abc import Sequence

from evse_host.catalog import ENTITY
from tools.run.clocked_node import ClockedNode
from tools.soak.oracle.findings import Complain

NOTICED_S = 8.0  # long enough for the node to ask the charger for its uptime, twice
REBOOTS = "sensor.Restarts"
COUNTERS = (REBOOTS, "sensor.Commands answered", "sensor.Commands failed", "sensor.Commands timed out")


def told(boots: Sequence[float], now: float) -> int:
    """How many must have been counted: each that is followed by time enough to be noticed, and to be published."""
    before = now - NOTICED_S - ENTITY["sensor", "charger_reboots"].cadence
    spans = zip(boots, [*boots[1:], now], strict=False)
    return sum(end - begin >= NOTICED_S and begin <= before for begin, end in spans)


def judge_noticed(node: ClockedNode, boots: Sequence[float], complain: Complain) -> None:
    """None that must have been counted is missing."""
    lasting = told(boots, node.now)
    counted = node.values[REBOOTS]
    if counted is not None and counted < lasting:
        complain("restart not noticed", "charger", f"{lasting} of them, {counted:.0f} counted")


class Counters:
    """They never fall, and there are as many restarts as there were, each when it may be told."""

    def __init__(self, node: ClockedNode, complain: Complain) -> None:
        self._node, self._complain = node, complain
        self._last = dict.fromkeys(COUNTERS, 0.0)

    @property
    def reboots(self) -> int:
        """When they were looked at last."""
        return int(self._last[REBOOTS])

    def judge(self, boots: Sequence[float]) -> None:
        """``boots`` are when the charger was ready again (s)."""
        for name, last in self._last.items():
            value = self._node.values[name]
            if value < last:
                self._complain("counter falls", name, f"from {last:g} to {value:g}")
            self._last[name] = value
        if not told(boots, self._node.now) <= self.reboots <= len(boots):
            self._complain("restarts miscounted", f"{self.reboots} counted", f"{len(boots)} happened")
