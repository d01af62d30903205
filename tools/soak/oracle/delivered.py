"""What a simulated charger's meter has let through, by its own model: the truth that energies are judged by."""

from __future__ import annotations

from evse_host.simulator import Charger

SECONDS_PER_HOUR = 3600


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
