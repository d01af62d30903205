"""What state of each connector the central system was told, and when it has to hear of another."""

from __future__ import annotations

from . import outbox as out
from .configuration import Configuration
from .outbox import Outbox
from .status import CONNECTOR, Status


class ToldStatus:
    """Times are seconds since 1970."""

    def __init__(self, outbox: Outbox, configuration: Configuration) -> None:
        self._outbox, self._configuration = outbox, configuration
        self._told: dict[int, Status] = {}
        self._since: tuple[Status, float] | None = None  # of the connector, untold

    def forget(self) -> None:
        """All is told again."""
        self._told.clear()

    def follow(self, connector: int, status: Status, now: float) -> None:
        if self._told.get(connector) == status:
            return
        if connector == CONNECTOR and connector in self._told and not self._lasts(status, now):
            return
        self.tell(connector, status, now)

    def tell(self, connector: int, status: Status, now: float, triggered: bool = False) -> None:
        self._told[connector] = status
        self._outbox.ask(
            out.STATUS, connector, triggered, connector=connector, status=status.status, error=status.error,
            info=status.info, at=now,
        )  # fmt: skip

    def _lasts(self, status: Status, now: float) -> bool:
        """A state that is over within MinimumStatusDuration is not told."""
        if self._since is None or self._since[0] != status:
            self._since = status, now
        return now - self._since[1] >= self._configuration.number("MinimumStatusDuration")
