"""What ThingsBoard and a charger say to each other over MQTT: telemetry and remote procedure calls. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UsageError
from .snapshot import Snapshot

INTERVAL_S = 60.0
TELEMETRY_TOPIC = "v1/devices/me/telemetry"
REQUEST_TOPIC = "v1/devices/me/rpc/request/"  # and the number of the request
RESPONSE_TOPIC = "v1/devices/me/rpc/response/"
SESSION_STATES = ("B1", "B2", "C1", "C2", "D1", "D2")
METHODS = ("getEnabled", "setEnabled", "getChargingCurrent", "setChargingCurrent")


def telemetry(snapshot: Snapshot) -> dict[str, object]:
    """What is known; nothing of a silent charger, as ThingsBoard would take it for what is so now."""
    if not snapshot.online:
        return {}
    values = {
        "session": None if snapshot.state is None else snapshot.state in SESSION_STATES,
        "charging": snapshot.charging,
        "enabled": snapshot.flag("ENABLE"),
        "available": snapshot.flag("AVAILABLE"),
        "error": None if snapshot.faults is None else snapshot.faults != 0,
        "consumption": snapshot.session_energy,
        "totalConsumption": snapshot.total_energy,
        "power": snapshot.power,
        "temperature": snapshot.temperature,
        "uptime": snapshot.get("UPTIME"),
        **_phases("current", snapshot.currents),
        **_phases("voltage", snapshot.voltages),
    }
    return {key: value for key, value in values.items() if value is not None}


def _phases(name: str, values: Sequence[float] | None) -> dict[str, float]:
    return {f"{name}L{number}": value for number, value in enumerate(values or (), 1)}


@dataclass(frozen=True)
class Read:
    """A call that is answered at once."""

    value: object


@dataclass(frozen=True)
class Write:
    """A call that is answered when the charger shows it."""

    name: str  # of the AT command
    value: int  # in wire units


def parse_call(payload: bytes, snapshot: Snapshot) -> Read | Write:
    """Raises UsageError, for the caller to read."""
    try:
        call = json.loads(payload)
    except (ValueError, RecursionError):
        raise UsageError("the request is not JSON") from None
    method = call.get("method") if isinstance(call, dict) else None
    if not isinstance(method, str):
        raise UsageError('the request must look like {"method": "getEnabled", "params": null}')
    params = call.get("params")
    match method:
        case "getEnabled":
            return Read(_known(snapshot, "enabled", snapshot.flag("ENABLE")))
        case "getChargingCurrent":
            return Read(_known(snapshot, "charging current", snapshot.charging_current))
        case "setEnabled":
            if not isinstance(params, bool):
                raise UsageError("setEnabled: params must be true or false")
            return Write("ENABLE", int(params))
        case "setChargingCurrent":
            if isinstance(params, bool) or not isinstance(params, int | float):
                raise UsageError("setChargingCurrent: params must be a number of A")
            return Write("CHCUR", snapshot.current_to_write(params))
        case _:
            raise UsageError(f"unknown method {method[:40]!r}: {', '.join(METHODS)}")


def _known(snapshot: Snapshot, name: str, value: object) -> object:
    if not snapshot.online or value is None:
        raise UsageError(f"{name}: unknown, the charger does not answer")
    return value


def shown(write: Write, wire: int) -> object:
    """What the charger shows after the write, in the units of the call."""
    return wire == 1 if write.name == "ENABLE" else wire / 10
