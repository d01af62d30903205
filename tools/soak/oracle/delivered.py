"""What a simulated charger's meter has let through, by its own model: the truth that energies are judged by."""

from __future__ import annotations

from evse_host.simulator import Charger
from tools.soak.oracle.findings import Complain

SECONDS_PER_HOUR = 3600
SAVED_WH = 600  # what is shown is saved once a minute; 75 s at 28 kW
AHEAD_WH = 15  # 2 s at 28 kW


class Delivered:
    """``wh`` since the beginning, over restarts of the charger; ``listen`` must follow each of them."""

    def __init__(self, charger: Charger) -> None:
        self._charger, self.wh = charger, 0.0
        self.listen()

    def listen(self) -> None:
        meter = self._charger.point.meter
        step = meter.step

        def counting(seconds: float, charging: bool, *rest) -> None:
            step(seconds, charging, *rest)
            self.wh += meter.power * seconds / SECONDS_PER_HOUR if charging else 0.0

        meter.step = counting


class Total:
    """The lifetime energy (Wh) that a node shows: it never falls, and is the charger's."""

    def __init__(self, charger: Charger, delivered: Delivered) -> None:
        self._delivered = delivered
        self._before: float = charger.value("EMETERTOTCONSUM")[0]  # Wh, with what was delivered the total
        self._last = 0
        self._unseen = 0.0

    def reset(self) -> None:
        self._before = -self._delivered.wh
        self._last, self._unseen = 0, 0.0

    def note_unseen(self, wh: float) -> None:
        """So much at most has nobody seen before the charger forgot it."""
        self._unseen += wh

    def judge(self, shown: int, complain: Complain) -> int:
        """How far (Wh) it is behind."""
        total = round(self._before + self._delivered.wh)
        if shown < self._last:
            complain("total energy falls", f"from {self._last} to {shown} Wh", "")
        if not total - SAVED_WH - self._unseen <= shown <= total + AHEAD_WH:
            complain("total energy is wrong", f"shows {shown} Wh", f"true is {total} Wh")
        self._last = shown
        return total - shown
