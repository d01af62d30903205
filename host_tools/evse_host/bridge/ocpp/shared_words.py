"""What is said and asked for in the same words in OCPP 1.6 and 2.0.1. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod

from . import outbox as out
from . import rpc
from .model import ChargePoint
from .outbox import Outgoing

MAX_SCHEDULE_S = 7 * 86400


class SharedWords(ABC):
    """Base of both versions."""

    def __init__(self, point: ChargePoint) -> None:
        self.point = point

    def say(self, outgoing: Outgoing) -> tuple[str, rpc.Payload] | None:
        """Action and payload; None: this version has no such message."""
        if outgoing.kind == out.BOOT:
            return "BootNotification", self._boot()
        if outgoing.kind == out.HEARTBEAT:
            return "Heartbeat", {}
        if outgoing.kind == out.AUTHORIZE:
            return "Authorize", self._authorize(outgoing.data["tag"])
        return self._tell(outgoing)

    @abstractmethod
    def _boot(self) -> rpc.Payload: ...

    @abstractmethod
    def _authorize(self, tag: str) -> rpc.Payload: ...

    @abstractmethod
    def _tell(self, outgoing: Outgoing) -> tuple[str, rpc.Payload] | None:
        """Of all other kinds."""

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
