"""What a charger shows at one moment, in the units that people use. Pure: no clock, no port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from ..catalog import CHARGING_STATES, COMMAND, STATES
from ..errors import UsageError
from ..wire.codec import Fields, Scalar

MIN_CURRENT, MAX_CURRENT = (limit // 10 for limit in COMMAND["CHCUR"].fields[0].range)  # A


def half_up(value: float | Decimal) -> int:
    """The nearest whole number, the upper one of two; as the decimal digits of ``value`` say, not its binary ones."""
    return int(Decimal(str(value)).to_integral_value(ROUND_HALF_UP))


def to_tenths(ampere: float | Decimal) -> int:
    """A current in wire units, rounded as the charger rounds: 8.25 A are 83."""
    return half_up(Decimal(str(ampere)) * 10)


@dataclass(frozen=True)
class Snapshot:
    """``values``: AT name -> fields in wire units; a name is missing when this charger lacks it, or did not show it
    yet.

    EMETERTOTCONSUM is the lifetime energy, which does not fall when the charger restarts: see lifetime_energy.py.
    While the charger is silent ``online`` is False and the values are the last ones known. Every property is None
    where the value is missing. ``bound`` says what a central system (OCPP) forbids or limits; empty: nothing.
    ``notes`` are sentences about controllers that are silent.
    """

    online: bool = False
    values: Mapping[str, Fields] = field(default_factory=dict)
    bound: str = ""
    notes: tuple[str, ...] = ()

    def get(self, name: str, index: int = 0) -> Any:
        """One field in wire units."""
        fields = self.values.get(name, ())
        if name == "PENDAUTH" and fields and self.state == "E":
            return 0  # whatever the charger shows: it means nothing there
        return fields[index] if index < len(fields) else None

    def after(self, name: str, value: Scalar) -> Snapshot:
        """As if it were written, in wire units: what is checked behind it may depend on it. Behind another maximum
        nobody knows which currents the charger holds."""
        kept = dict(self.values)
        if name == "MAXCHCUR" and kept.get(name) != (value,):
            kept = {key: fields for key, fields in kept.items() if key not in ("CHCUR", "DEFCHCUR")}
        return replace(self, values={**kept, name: (value,)})

    def flag(self, name: str) -> bool | None:
        value = self.get(name)
        return None if value is None else value == 1

    @property
    def state(self) -> str | None:
        """IEC 61851 state: `A`, `B1` ... `F`."""
        number = self.get("STATE")
        return STATES[number] if number is not None and number < len(STATES) else None

    @property
    def charging(self) -> bool | None:
        """Energy flows: C2 or D2."""
        return None if self.state is None else self.state in CHARGING_STATES

    @property
    def faults(self) -> int | None:
        """Bits, in the order of the catalog's FAULTS."""
        return self._number("ERROR")

    @property
    def charging_current(self) -> float | None:
        """Set point of the charging current, A."""
        return self._scaled("CHCUR", 10)

    @property
    def maximum_current(self) -> int | None:
        """The largest charging current of the installation, A."""
        return self._number("MAXCHCUR")

    def current_to_write(self, ampere: float) -> int:
        """A charging current that somebody wishes, in wire units. Raises UsageError, which names the range."""
        highest = self.maximum_current or MAX_CURRENT
        if not MIN_CURRENT <= ampere <= highest:
            raise UsageError(f"charging current {str(ampere)[:20]} A is out of range, {MIN_CURRENT} to {highest} A")
        return to_tenths(ampere)

    @property
    def power(self) -> int | None:
        """W."""
        return self._number("EMETERPOWER")

    @property
    def session_energy(self) -> int | None:
        """Wh."""
        return self._number("EMETERCONSUM")

    @property
    def total_energy(self) -> int | None:
        """Wh; it falls only when a person resets it."""
        return self._number("EMETERTOTCONSUM")

    @property
    def voltages(self) -> tuple[float, ...] | None:
        """L1 to L3, V."""
        return self._phases("EMETERVOLTAGE")

    @property
    def currents(self) -> tuple[float, ...] | None:
        """L1 to L3, A."""
        return self._phases("EMETERCURRENT")

    @property
    def temperature(self) -> float | None:
        """The highest, °C; None without a sensor."""
        return self._scaled("TEMP", 100, 1) if self.get("TEMP") else None

    def _number(self, name: str) -> int | None:
        value: int | None = self.get(name)
        return value

    def _scaled(self, name: str, divisor: int, index: int = 0) -> float | None:
        value = self.get(name, index)
        return None if value is None else value / divisor

    def _phases(self, name: str) -> tuple[float, ...] | None:
        fields = self.values.get(name)
        return None if fields is None else tuple(value / 1000 for value in fields)
