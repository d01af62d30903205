"""The charger's energy meter: what it shows while energy flows, and what it adds up over a session."""

from typing import Any

DUMMY, CURRENT, CURRENT_VOLTAGE = range(3)
SECONDS_PER_HOUR = 3600


class Meter:
    """Zero unless charging. The stored total grows only when a session ends."""

    def __init__(self, flash: dict[str, Any]) -> None:
        self._flash = flash
        self.mains = (230.0, 231.0, 229.0)  # V, L1..L3 against neutral
        self.in_session = False
        self._end()
        self.idle()

    def start_session(self) -> None:
        self.in_session = True

    def stop_session(self) -> None:
        """Adds the session to the stored total and zeroes its values."""
        self._flash["total_ws"] += self._session_ws
        self.in_session = False
        self._end()

    def _end(self) -> None:
        self.session_time = self.charging_time = 0.0
        self._session_ws = 0.0

    def idle(self) -> None:
        self.voltages = self.currents = (0.0, 0.0, 0.0)
        self.power = 0.0

    def step(self, seconds: float, charging: bool, set_current: float, car_currents: tuple[float, ...]) -> None:
        """Counts ``seconds``; ``set_current`` A is what the dummy meter believes."""
        if self.in_session:
            self.session_time += seconds
        if not charging:
            self.idle()
            return
        self._measure(set_current, car_currents)
        self.charging_time += seconds
        self._session_ws += self.power * seconds

    def _measure(self, set_current: float, car_currents: tuple[float, ...]) -> None:
        mode, phases = self._flash["EMETERMODE"], 3 if self._flash["EMETERTHREEPHASE"] else 1
        currents = (set_current,) * 3 if mode == DUMMY else car_currents
        voltages = self.mains if mode == CURRENT_VOLTAGE else (float(self._flash["EMETERACVOLTAGE"]),) * 3
        self.currents = _of_phases(currents, phases)
        self.voltages = _of_phases(voltages, phases)
        self.power = sum(volt * ampere for volt, ampere in zip(self.voltages, self.currents, strict=True))

    @property
    def session_energy(self) -> int:
        """Wh of the running session."""
        return int(self._session_ws / SECONDS_PER_HOUR)

    @property
    def total_energy(self) -> int:
        """Wh over the charger's life, the running session included."""
        return int((self._flash["total_ws"] + self._session_ws) / SECONDS_PER_HOUR)

    def reset_total(self) -> None:
        """Forgets what is stored; the running session stays."""
        self._flash["total_ws"] = 0


def _of_phases(values: tuple[float, ...], phases: int) -> tuple[float, float, float]:
    l1, l2, l3 = values
    return l1, l2 if phases > 1 else 0.0, l3 if phases > 2 else 0.0
