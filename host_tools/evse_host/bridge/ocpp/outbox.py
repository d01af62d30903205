"""What is to be sent, and in which order: one call at a time. Pure but for the journal.

Before the central system has accepted the boot nothing else is sent. Then what a person waits for, the newest status
of each connector, the transactions' messages in the order in which they came to be, and last what may as well be lost.
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass
from typing import Any

from .configuration import Configuration
from .journal import Journal, Message

BOOT, AUTHORIZE, STATUS, REPORT, METER_NOW, HEARTBEAT, NOTIFY = (
    "boot", "authorize", "status", "report", "meter now", "heartbeat", "notify",
)  # fmt: skip
_BEFORE = (AUTHORIZE, STATUS)  # the journal
_BEHIND = (NOTIFY, REPORT, METER_NOW, HEARTBEAT)
_KEPT = (AUTHORIZE, STATUS, NOTIFY)  # over a cut of the line

BOOT_RETRY_S = 60.0
MAX_REQUESTS = 100

ACCEPTED, PENDING, REJECTED, DUE = "Accepted", "Pending", "Rejected", "due"


Key = tuple[str, object]  # kind and place


@dataclass(frozen=True)
class Outgoing:
    """A call to send: ``message`` is what the journal has of it."""

    kind: str
    data: dict[str, Any]
    unique_id: str
    message: Message | None = None

    @property
    def of_transaction(self) -> Message:
        """``message``, where the kind says that there is one."""
        assert self.message
        return self.message


class Outbox:
    """``boot`` is DUE, or what the central system has answered."""

    def __init__(self, journal: Journal, configuration: Configuration) -> None:
        self._journal, self._configuration = journal, configuration
        self._requests: dict[Key, dict[str, Any]] = {}
        self._numbers = itertools.count()
        self._not_before = 0.0  # of the next boot
        self.boot = DUE
        self.triggered: set[Key] = set()

    @property
    def is_accepted(self) -> bool:
        return self.boot == ACCEPTED

    def ask(self, kind: str, place: object = None, triggered: bool = False, **data: object) -> None:
        """To be sent once; a newer one of the same kind and place takes its place. ``triggered`` by the central system:
        it wants it before it has accepted us, too."""
        key = (kind, next(self._numbers) if kind in (NOTIFY, REPORT) else place)
        if kind in (STATUS, AUTHORIZE, HEARTBEAT) or len(self._requests) < MAX_REQUESTS:
            self._requests[key] = data
        if triggered:
            self.triggered.add(key)

    def withdraw(self, kind: str, place: object) -> None:
        self._requests.pop((kind, place), None)

    def boot_again(self) -> None:
        self.boot, self._not_before = DUE, 0.0

    def next(self, now: float) -> Outgoing | None:
        """It is answered, refused or lost before the next one is asked for."""
        if self.boot != ACCEPTED:
            return self._next_before_acceptance(now)
        if (outgoing := self._take(_BEFORE)) is not None:
            return outgoing
        message = self._journal.head()
        if message is not None and now >= message.not_before:
            return Outgoing(message.kind, message.payload, message.unique_id, message)
        return self._take(_BEHIND)

    def _next_before_acceptance(self, now: float) -> Outgoing | None:
        if now >= self._not_before:
            self._not_before = now + BOOT_RETRY_S
            return Outgoing(BOOT, {}, str(uuid.uuid4()))
        if self.boot == PENDING:
            for key in [key for key in self._requests if key in self.triggered]:
                self.triggered.discard(key)
                return Outgoing(key[0], self._requests.pop(key), str(uuid.uuid4()))
        return None

    def _take(self, kinds: tuple[str, ...]) -> Outgoing | None:
        for kind in kinds:
            for key in self._requests:
                if key[0] == kind:
                    self.triggered.discard(key)
                    return Outgoing(kind, self._requests.pop(key), str(uuid.uuid4()))
        return None

    # --- what became of it

    def booted(self, status: str, interval: int, now: float) -> None:
        self.boot = status
        self._not_before = now + (interval if interval > 0 else BOOT_RETRY_S)

    def lost(self, outgoing: Outgoing) -> None:
        """The line was cut before the answer: what the journal has is sent again anyway."""
        if outgoing.kind == BOOT:
            self._not_before = 0.0
        elif outgoing.kind in _KEPT:
            key = (outgoing.kind, outgoing.data.get("connector", outgoing.data.get("tag")))
            if outgoing.kind == NOTIFY:
                key = (NOTIFY, next(self._numbers))
            self._requests.setdefault(key, outgoing.data)

    def refused(self, outgoing: Outgoing, now: float) -> bool:
        """The central system answered with an error. Whether it is given up: only a transaction's message is tried
        again, as often and as late as the configuration says."""
        if outgoing.message is None:
            return True
        attempts = outgoing.message.attempts + 1
        last = attempts >= self._configuration.number("TransactionMessageAttempts")
        wait = attempts * self._configuration.number("TransactionMessageRetryInterval")
        self._journal.refused(outgoing.message, now + wait, last)
        return last
