"""The charger's REST JSON, and what may be written through it. Pure: no HTTP, no charger.

REST counts energies in Ws and currents in A, the AT protocol in Wh and A/10.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal, InvalidOperation

from ..catalog import COMMAND
from ..errors import UsageError
from .snapshot import Snapshot

WS_PER_WH = 3600
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


def state_json(snapshot: Snapshot) -> Json:
    """The object of `GET /state`; what this charger does not show is null."""
    return {
        "state": snapshot.state,
        "available": snapshot.flag("AVAILABLE"),
        "enabled": snapshot.flag("ENABLE"),
        "pendingAuth": snapshot.flag("PENDAUTH"),
        "limitReached": snapshot.flag("LIMREACH"),
        "chargingCurrent": snapshot.charging_current,
        "consumptionLimit": _ws(snapshot.get("CONSUMLIM")),
        "chargingTimeLimit": snapshot.get("CHTIMELIM"),
        "underPowerLimit": snapshot.get("UNDERPOWERLIM"),
        "errors": _errors(snapshot.faults or 0),
        "sessionTime": snapshot.get("EMETERSESTIME"),
        "chargingTime": snapshot.get("EMETERCHTIME"),
        "consumption": _ws(snapshot.session_energy),
        "totalConsumption": _ws(snapshot.total_energy),
        "power": snapshot.power,
        "voltage": _list(snapshot.voltages),
        "current": _list(snapshot.currents),
    }


def is_known(snapshot: Snapshot) -> bool:
    """Whether there is anything to show: `errors: null` would pass for "no fault"."""
    return snapshot.online and snapshot.state is not None and snapshot.faults is not None


def _ws(energy: int | None) -> int | None:
    return None if energy is None else energy * WS_PER_WH


def _list(values: tuple[float, ...] | None) -> list[float] | None:
    return None if values is None else list(values)


def _errors(faults: int) -> list[str] | None:
    """A bit that later firmware may add is shown, too."""
    bits = [bit for bit in range(faults.bit_length()) if faults >> bit & 1]
    return [ERRORS[bit] if bit < len(ERRORS) else f"fault_{bit}" for bit in bits] or None


# --- what is written --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """One key of the state object that may be written, at the route `/state/<path>`, too.

    ``per_wire`` REST units are one unit of the wire; ``rounding`` makes a value one that the wire can carry (empty: it
    must be whole).
    """

    key: str
    path: str
    command: str
    unit: str = ""  # empty: true or false
    per_wire: Decimal = Decimal(1)
    rounding: str = ""

    @property
    def is_flag(self) -> bool:
        return not self.unit

    @property
    def range(self) -> tuple[Decimal, Decimal]:
        """Smallest and largest value, in REST units."""
        low, high = COMMAND[self.command].fields[0].range
        return low * self.per_wire, high * self.per_wire


CURRENT = Setting("chargingCurrent", "charging-current", "CHCUR", "A", Decimal("0.1"), ROUND_HALF_UP)

SETTINGS = (
    Setting("enabled", "enabled", "ENABLE"),
    Setting("available", "available", "AVAILABLE"),
    CURRENT,
    # Rounded up: 0 means no limit, so a small limit must not become 0.
    Setting("consumptionLimit", "consumption-limit", "CONSUMLIM", "Ws", Decimal(WS_PER_WH), ROUND_CEILING),
    Setting("chargingTimeLimit", "charging-time-limit", "CHTIMELIM", "s"),
    Setting("underPowerLimit", "under-power-limit", "UNDERPOWERLIM", "W"),
)
SETTING = {setting.key: setting for setting in SETTINGS}


@dataclass(frozen=True)
class Write:
    """``value`` in wire units."""

    setting: Setting
    value: int


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


def plan(values: object, snapshot: Snapshot) -> list[Write]:
    """What `POST /state` with this object writes, in this order: what stops charging, then current and limits, then
    what lets it begin. Raises UsageError unless every value is allowed.
    """
    if not isinstance(values, Mapping) or not values:
        raise UsageError(f"an object with at least one of {', '.join(SETTING)} is needed")
    unknown = [str(key) for key in values if key not in SETTING]
    if unknown:
        raise UsageError(f"{_shown(unknown[0])}: cannot be written, only {', '.join(SETTING)} can")
    writes = [Write(setting, wire_value(setting, values[setting.key], snapshot)) for setting in SETTINGS
              if setting.key in values]  # fmt: skip
    return sorted(writes, key=_turn)


def _turn(write: Write) -> int:
    if not write.setting.is_flag:
        return 1
    return 2 if write.value else 0


def wire_value(setting: Setting, value: object, snapshot: Snapshot) -> int:
    """A value from JSON in wire units. Raises UsageError that names key, value and what is allowed."""
    if setting.is_flag:
        if not isinstance(value, bool):
            raise UsageError(f"{setting.key}: {_shown(value)} is neither true nor false")
        return int(value)
    low, high = setting.range
    if setting is CURRENT and snapshot.maximum_current is not None:
        high = min(high, Decimal(snapshot.maximum_current))
    allowed = f"{low.normalize():f} to {high.normalize():f} {setting.unit} are allowed"
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise UsageError(f"{setting.key}: {_shown(value)} is no number, {allowed}")
    if not low <= value <= high:
        raise UsageError(f"{setting.key}: {_shown(value)} is out of range, {allowed}")
    if not setting.rounding and value % 1:
        raise UsageError(f"{setting.key}: {_shown(value)} is no whole number, {allowed}")
    return int((Decimal(value) / setting.per_wire).to_integral_value(setting.rounding or None))


def _shown(value: object) -> str:
    text = str(value) if isinstance(value, Decimal) else json.dumps(value, default=str)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
