"""What state the connector is in, in the words of OCPP 1.6. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ...catalog import CHARGING_STATES, FAULTS, SESSION_STATES
from ..snapshot import Snapshot

STATION, CONNECTOR = 0, 1  # their numbers
AVAILABLE, PREPARING, CHARGING, FINISHING = "Available", "Preparing", "Charging", "Finishing"
SUSPENDED_EV, SUSPENDED_EVSE = "SuspendedEV", "SuspendedEVSE"
RESERVED, UNAVAILABLE, FAULTED = "Reserved", "Unavailable", "Faulted"

#: By the keys of FAULTS; what is missing is OtherError.
ERROR_CODES = {
    "diode_short": "EVCommunicationError",
    "lock": "ConnectorLockFailure",
    "unlock": "ConnectorLockFailure",
    "rcm_triggered": "GroundFailure",
    "rcm_self_test": "GroundFailure",
    "temperature_high": "HighTemperature",
}


@dataclass(frozen=True)
class Status:
    """``info`` is the fault's name, for people and as the vendor's code."""

    status: str
    error: str = "NoError"
    info: str = ""


def connector_status(snapshot: Snapshot, transaction: bool, over: bool, reserved: bool, expected: bool) -> Status:
    """``over``: its transaction has ended, the car is still there; ``expected``: somebody was authorized, and may plug
    in now."""
    state = snapshot.state
    if not snapshot.online or state is None:
        return Status(FAULTED, "InternalError", "the charger does not answer")
    if state == "E" or snapshot.faults:
        return _fault(snapshot.faults or 0)
    if state == "F" or (snapshot.flag("AVAILABLE") is False and not transaction):
        return Status(UNAVAILABLE)
    if transaction:
        if state in CHARGING_STATES:
            return Status(CHARGING)
        return Status(SUSPENDED_EV if state == "B2" else SUSPENDED_EVSE)
    if over:
        return Status(FINISHING)
    if reserved:
        return Status(RESERVED)
    return Status(PREPARING if state in SESSION_STATES or expected else AVAILABLE)


def _fault(bits: int) -> Status:
    for number, (key, text) in enumerate(FAULTS):
        if bits >> number & 1:
            return Status(FAULTED, ERROR_CODES.get(key, "OtherError"), text)
    return Status(FAULTED, "OtherError", f"fault {bits}" if bits else "")
