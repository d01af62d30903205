"""How often values have to come, and which subscriptions a charger has to hold."""

from __future__ import annotations

from collections.abc import Iterable

from evse_host import catalog
from evse_host.simulator import Charger
from tools.soak.oracle.findings import Complain
from tools.soak.oracle.truth import READ, bound

REPEATED = [command for command in READ if command.refresh != catalog.ONCE]
RENEWED_S = 300  # a subscription with every heartbeat: 61 rows every 4.2 s


class Gaps:
    """How long there is no value line of a name on the wire."""

    def __init__(self, names: Iterable[str]) -> None:
        self._seen = dict.fromkeys(names, 0.0)
        self._longest = dict.fromkeys(self._seen, 0.0)

    def take(self, moment: float, data: bytes) -> None:
        """Bytes that have arrived at ``moment``."""
        for line in data.split(b"\n"):
            name = line[1:].partition(b"=")[0].decode("ascii", "replace") if line[:1] == b"+" else ""
            if name in self._seen:
                self._longest[name] = max(self._longest[name], moment - self._seen[name])
                self._seen[name] = moment

    def judge(self, now: float, disturbed: bool, complain: Complain) -> dict[str, float]:
        """The longest time (s) of each name since the last call, in which nothing must have been wrong to count."""
        gaps = {}
        for command in REPEATED:
            name = command.name
            if disturbed:  # the time without a line begins anew
                self._seen[name], self._longest[name] = now, 0.0
            gaps[name] = max(self._longest[name], now - self._seen[name])
            self._longest[name] = 0.0
            if gaps[name] > bound(command, False):
                complain("no line", name, f"for {gaps[name]:.1f} s")
        return gaps


class Subscriptions:
    """Always the same ones, depending on whether energy flows. Where a digit of a period was lost, the charger pushes
    more often than asked, which nothing on the line tells, until the subscription is repeated."""

    def __init__(self, charger: Charger, complain: Complain) -> None:
        self._charger, self._complain = charger, complain
        self._wanted: dict[bool, dict[str, int]] = {}
        self._too_fast: dict[str, float] = {}  # name: seen first

    def judge(self, now: float, charging: bool, calm_since: float) -> int:
        """How many have lost a digit."""
        held = {entry.name: entry.period for entry in self._charger.subscriptions}
        wanted = self._wanted.setdefault(charging, held)
        too_fast = {name for name in held.keys() & wanted.keys() if held[name] < wanted[name]}
        self._too_fast = {name: self._too_fast.get(name, now) for name in too_fast}
        late = any(max(since, calm_since) < now - RENEWED_S for since in self._too_fast.values())
        if late or any(held.get(name) != wanted.get(name) for name in (held.keys() | wanted.keys()) - too_fast):
            self._complain("subscriptions differ", f"{sorted(held.items() ^ wanted.items())}", "")
        return len(too_fast)
