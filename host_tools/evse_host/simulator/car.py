"""The car at the other end of the cable, as the charger feels it: a pilot voltage and three currents."""

from dataclasses import dataclass

NO_CAR, CONNECTED, CHARGING, VENTILATED = 12, 9, 6, 3  # pilot voltages, V
REACTION_S = 1.0  # from an offer of energy to closing the car's own contactor
RELEASE_S = 3.0  # from the end of the offer to opening it; IEC 61851 allows 6 s
FOLLOW_S = 5.0  # a changed current is followed within this time


@dataclass
class Car:
    """A car. Set the fields, or use the verbs, at any time.

    ``phases`` 1 to 3; ``max_current`` in A per phase; ``ventilation`` makes it ask for state D; ``ignores_pilot`` keeps
    it in state C when the charger stops offering energy.
    """

    plugged: bool = False
    wants_charge: bool = True
    phases: int = 3
    max_current: float = 16.0
    ventilation: bool = False
    ignores_pilot: bool = False
    current: float = 0.0  # A per used phase, what flows now if the charger's contactor is closed
    _closed: bool = False
    _decided_at: float | None = None

    def plug(self, wants_charge: bool = True) -> None:
        self.plugged, self.wants_charge = True, wants_charge

    def unplug(self) -> None:
        self.plugged = self._closed = False
        self.current, self._decided_at = 0.0, None

    def request(self) -> None:
        """Wants energy (again)."""
        self.wants_charge = True

    def stop(self) -> None:
        """Battery full, or the driver's wish: stays plugged."""
        self.wants_charge = False

    def pilot_voltage(self) -> int:
        if not self.plugged:
            return NO_CAR
        if not self._closed:
            return CONNECTED
        return VENTILATED if self.ventilation else CHARGING

    def step(self, now: float, seconds: float, offered: float, powered: bool) -> None:
        """``offered``: A on the pilot, 0 for no offer; ``powered``: the charger's contactor is closed."""
        wanted = self.plugged and self.wants_charge and (offered > 0 or (self.ignores_pilot and self._closed))
        self._switch(now, wanted)
        limit = offered if offered else self.max_current
        target = min(limit, self.max_current) if self._closed and wanted and powered else 0.0
        self._follow(seconds, target, instantly=not powered)

    def _switch(self, now: float, wanted: bool) -> None:
        if wanted == self._closed:
            self._decided_at = None
            return
        if self._decided_at is None:
            self._decided_at = now
        if now - self._decided_at >= (REACTION_S if wanted else RELEASE_S):
            self._closed, self._decided_at = wanted, None

    def _follow(self, seconds: float, target: float, instantly: bool) -> None:
        step = self.max_current / FOLLOW_S * seconds
        if instantly or abs(target - self.current) <= step:
            self.current = target
        else:
            self.current += step if target > self.current else -step

    def currents(self) -> tuple[float, float, float]:
        """A on L1, L2, L3."""
        l1, l2, l3 = (self.current if phase < self.phases else 0.0 for phase in range(3))
        return l1, l2, l3
