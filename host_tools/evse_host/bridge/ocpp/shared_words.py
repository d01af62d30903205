"""What the central system asks for in the same words in OCPP 1.6 and 2.0.1. Pure."""

from __future__ import annotations

from . import rpc
from .model import ChargePoint

MAX_SCHEDULE_S = 7 * 86400


class SharedWords:
    """Base of both versions: answers of actions that look alike in them."""

    def __init__(self, point: ChargePoint) -> None:
        self.point = point

    def _cancel_reservation(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        return accepted(self.point.cancel_reservation(payload["reservationId"], now))

    def _clear_cache(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        if not self.point.configuration.flag("AuthorizationCacheEnabled"):
            return accepted(False)
        self.point.authorization.clear_cache()
        self.point.save_authorization()
        return accepted(True)

    def _data_transfer(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        return {"status": "UnknownVendorId"}

    def _periods(self, duration: int, unit: str, now: float) -> list[rpc.Payload]:
        """Of the composite schedule for the next ``duration`` seconds."""
        return [
            rpc.without_none({"startPeriod": period.start, "limit": period.limit, "numberPhases": period.phases})
            for period in self.point.composite(duration, unit, now)
        ]


def accepted(done: bool) -> rpc.Payload:
    return {"status": "Accepted" if done else "Rejected"}
