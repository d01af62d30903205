"""A snapshot in the measurands of OCPP. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..snapshot import Snapshot
from .profiles import Supply

Sample = list[dict[str, Any]]


def sample(snapshot: Snapshot, register: int, measurands: Sequence[str], supply: Supply) -> Sample:
    """One dictionary per value: measurand, value, unit, phase if it is of one. ``register`` is the lifetime Wh; what
    the charger does not show is left out. Values of phases are always three, as EVCC wants them or takes none."""
    offered = (snapshot.charging_current or 0.0) if (snapshot.state or "").endswith("2") else 0.0
    voltages = snapshot.voltages if snapshot.charging and any(snapshot.voltages or ()) else None
    values = {
        "Energy.Active.Import.Register": (register, "Wh"),
        "Power.Active.Import": (snapshot.power, "W"),
        "Current.Offered": (offered, "A"),
        "Power.Offered": (round(supply.to_unit(offered, "W")), "W"),
        "Temperature": (snapshot.temperature, "Celsius"),
    }
    phased = {"Current.Import": (snapshot.currents, "A", ""), "Voltage": (voltages, "V", "-N")}
    found: Sample = []
    for name in measurands:
        if name in phased:
            numbers, unit, suffix = phased[name]
            found += [
                {"measurand": name, "value": number, "unit": unit, "phase": f"L{phase}{suffix}"}
                for phase, number in enumerate(numbers or (), 1)
            ]
        elif values[name][0] is not None:
            found.append({"measurand": name, "value": values[name][0], "unit": values[name][1]})
    return found
