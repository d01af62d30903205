"""The charger's REST JSON of `/state`, and what may be written through it. Pure: no HTTP, no charger.

REST has currents in A and energies in Wh, as every release of the charger has; the AT protocol has A/10 and Wh. The
charger's documentation says Ws: who relies on that asks for it by ``energies`` (a key of ENERGIES).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from ..catalog import COMMAND
from ..errors import UsageError
from ..wire.codec import Scalar, format_argument
from .snapshot import Snapshot

#: Unit of energies in REST -> how many make a Wh.
ENERGIES = {"Wh": 1, "Ws": 3600}
MAX_BODY = 50 * 1024  # bytes
SHOWN = 40  # characters of a wrong value in a message

#: Names of the fault bits, lowest first.
ERRORS = (
    "pilot_fault",
    "diode_short",
    "lock_fault",
    "unlock_fault",
    "rcm_triggered",
    "rcm_selftest_fault",
    "temperature_high",
    "temperature_fault",
)

Json = dict[str, object]


# --- what is read -----------------------------------------------------------------------------------------------------


def state_json(snapshot: Snapshot, energies: str = "Wh") -> Json:
    """The object of `GET /state`; what this charger does not show is null."""

    def energy(watt_hours: int | None) -> int | None:
        return None if watt_hours is None else watt_hours * ENERGIES[energies]

    return {
        "state": snapshot.state,
        "available": snapshot.flag("AVAILABLE"),
        "enabled": snapshot.flag("ENABLE"),
        "pendingAuth": snapshot.flag("PENDAUTH"),
        "limitReached": snapshot.flag("LIMREACH"),
        "chargingCurrent": snapshot.charging_current,
        "consumptionLimit": energy(snapshot.get("CONSUMLIM")),
        "chargingTimeLimit": snapshot.get("CHTIMELIM"),
        "underPowerLimit": snapshot.get("UNDERPOWERLIM"),
        "errors": _errors(snapshot.faults or 0),
        "sessionTime": snapshot.get("EMETERSESTIME"),
        "chargingTime": snapshot.get("EMETERCHTIME"),
        "consumption": energy(snapshot.session_energy),
        "totalConsumption": energy(snapshot.total_energy),
        "power": snapshot.power,
        "voltage": _list(snapshot.voltages),
        "current": _list(snapshot.currents),
    }


def is_known(snapshot: Snapshot) -> bool:
    """Whether there is anything to show: `errors: null` would pass for "no fault"."""
    return snapshot.online and snapshot.state is not None and snapshot.faults is not None


def _list(values: tuple[float, ...] | None) -> list[float] | None:
    return None if values is None else list(values)


def _errors(faults: int) -> list[str] | None:
    """A bit that later firmware may add is shown, too."""
    bits = [bit for bit in range(faults.bit_length()) if faults >> bit & 1]
    return [ERRORS[bit] if bit < len(ERRORS) else f"fault_{bit}" for bit in bits] or None


# --- what is written --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """One key of an object that may be written; in `/state` at a route of its own (``path``), too.

    ``kind`` is flag (true or false), number, choice (one of ``choices``, which are 0, 1, ... on the wire) or text.
    Of a number ``per_wire`` REST units are one unit of the wire, and ``rounding`` makes a value one that the wire can
    carry (empty: it must be whole).
    """

    key: str
    command: str
    kind: str = "number"
    unit: str = ""
    per_wire: Decimal = Decimal(1)
    rounding: str = ""
    choices: tuple[str, ...] = ()
    path: str = ""

    @property
    def range(self) -> tuple[Decimal, Decimal]:
        """Smallest and largest number, in REST units."""
        low, high = COMMAND[self.command].fields[0].range
        return low * self.per_wire, high * self.per_wire

    @property
    def is_current(self) -> bool:
        """A set point, which the installation's largest current bounds."""
        return self.command in ("CHCUR", "DEFCHCUR")

    def shown(self, snapshot: Snapshot) -> object:
        """What the charger holds, as REST has it; None: it does not show it."""
        value = snapshot.get(self.command)
        if value is None or self.kind == "text":
            return value
        if self.kind == "flag":
            return value == 1
        if self.kind == "choice":
            return self.choices[value] if value < len(self.choices) else None
        exact = value * self.per_wire
        return int(exact) if self.per_wire >= 1 else float(exact)


#: How a number of each kind is written. An energy is rounded up: 0 means no limit, so a small limit must not become 0.
CURRENT: dict[str, Any] = {"unit": "A", "per_wire": Decimal("0.1"), "rounding": ROUND_HALF_UP}
ENERGY: dict[str, Any] = {"unit": "Wh", "rounding": ROUND_CEILING}

_STATE = (
    Setting("enabled", "ENABLE", "flag", path="enabled"),
    Setting("available", "AVAILABLE", "flag", path="available"),
    Setting("chargingCurrent", "CHCUR", **CURRENT, path="charging-current"),
    Setting("consumptionLimit", "CONSUMLIM", **ENERGY, path="consumption-limit"),
    Setting("chargingTimeLimit", "CHTIMELIM", unit="s", path="charging-time-limit"),
    Setting("underPowerLimit", "UNDERPOWERLIM", unit="W", path="under-power-limit"),
)

Settings = Mapping[str, Setting]


def settings(rows: Iterable[Setting] = _STATE, energies: str = "Wh") -> Settings:
    """By their keys, with energies in that unit."""
    return {row.key: _in_unit(row, energies) for row in rows}


def _in_unit(setting: Setting, energies: str) -> Setting:
    if setting.unit != "Wh":
        return setting
    return replace(setting, unit=energies, per_wire=Decimal(ENERGIES[energies]))


@dataclass(frozen=True)
class Write:
    """``value`` in wire units."""

    setting: Setting
    value: Scalar


def parse(body: bytes) -> object:
    """A JSON text; every number is an int or a Decimal. Raises UsageError."""
    try:
        return json.loads(
            body.decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_object,
        )
    except (ValueError, InvalidOperation, RecursionError):
        raise UsageError("the body is not JSON") from None


def _no_constant(text: str) -> None:
    raise ValueError(text)


def _object(pairs: list[tuple[str, object]]) -> Json:
    if len(dict(pairs)) < len(pairs):
        raise UsageError("the body names a key twice")
    return dict(pairs)


def plan(values: object, snapshot: Snapshot, writable: Settings) -> list[Write]:
    """What a `POST` of this object writes, in this order: what stops charging, then current and limits, then what lets
    it begin. Raises UsageError unless every value is allowed.

    As at the charger other keys mean nothing, so the object that `GET` gave can be sent back; null leaves a value as
    it is.
    """
    wanted = {}
    if isinstance(values, Mapping):
        wanted = {key: values[key] for key in writable if values.get(key) is not None}
    if not wanted:
        raise UsageError(f"an object with at least one of {', '.join(writable)} is needed")
    writes = []
    for key, value in wanted.items():
        writes.append(Write(writable[key], wire_value(writable[key], value, snapshot)))
        snapshot = snapshot.after(writes[-1].setting.command, writes[-1].value)
    return sorted(writes, key=_turn)


def _turn(write: Write) -> int:
    if write.setting.command not in ("ENABLE", "AVAILABLE"):
        return 1
    return 2 if write.value else 0


def wire_value(setting: Setting, value: object, snapshot: Snapshot) -> Scalar:
    """A value from JSON in wire units. Raises UsageError that names key, value and what is allowed."""
    if setting.kind == "flag":
        if not isinstance(value, bool):
            raise UsageError(f"{setting.key}: {_shown(value)} is neither true nor false")
        return int(value)
    if setting.kind == "choice":
        if value not in setting.choices:
            raise UsageError(f"{setting.key}: {_shown(value)} is none of {', '.join(setting.choices)}")
        return setting.choices.index(value)
    if setting.kind == "text":
        return _text(setting, value)
    return _number(setting, value, snapshot)


def _text(setting: Setting, value: object) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{setting.key}: {_shown(value)} is no text")
    try:
        format_argument(COMMAND[setting.command], (value,))
    except ValueError as error:
        raise UsageError(f"{setting.key}: {error}") from None
    return value


def _number(setting: Setting, value: object, snapshot: Snapshot) -> int:
    low, high = setting.range
    if setting.is_current and snapshot.maximum_current is not None:
        high = min(high, Decimal(snapshot.maximum_current))
    allowed = f"{low.normalize():f} to {high.normalize():f} {setting.unit} are allowed"
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise UsageError(f"{setting.key}: {_shown(value)} is no number, {allowed}")
    held = Decimal(str(setting.shown(snapshot) or 0))  # a maximum that was lowered later leaves the current as it is
    if not low <= value <= high and value != held:
        raise UsageError(f"{setting.key}: {_shown(value)} is out of range, {allowed}")
    if not setting.rounding and value % 1:
        raise UsageError(f"{setting.key}: {_shown(value)} is no whole number, {allowed}")
    return int((Decimal(value) / setting.per_wire).to_integral_value(setting.rounding or None))


def _shown(value: object) -> str:
    text = str(value) if isinstance(value, Decimal) else json.dumps(value, default=str)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
