"""The charge point: what the charger shows and the central system asks for, become transactions, messages and writes.

No socket, clock or charger in it: ``now`` is seconds since 1970, ``take_orders`` says what to write, ``outbox`` what
to send. The words of OCPP 1.6 and 2.0.1 are in v16 and v201, which share this. Its parts are ``transactions``,
``guests``, who may charge, and ``values`` of the meter; they look at the same ``Situation``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..snapshot import Snapshot
from . import outbox as out
from . import profiles as calc
from .authorization import ACCEPTED, TagInfo
from .configuration import MEASURANDS, Judge
from .guests import Guests
from .journal import UPDATE, Journal, Message
from .masters import INVALID, NAMES, RESERVED, STOPPED
from .profiles import Profile
from .situation import RST, Order, Settings, Situation
from .status import CONNECTOR, STATION, Status, connector_status
from .told_status import ToldStatus
from .transactions import Transactions
from .values import MeterValues

CLOCK_JUMP_S = 30.0
RESTART_S = 60.0
REMOTE, DEAUTHORIZED = "Remote", "DeAuthorized"


class ChargePoint(Situation):
    """``updates``: the central system wants to hear of every change within a transaction (2.0.1)."""

    def __init__(
        self,
        journal: Journal,
        settings: Settings,
        judges: Mapping[str, Judge] | None = None,
        updates: bool = False,
        measurands: Sequence[str] = MEASURANDS,
    ) -> None:
        super().__init__(journal, settings, judges, measurands)
        self._updates = updates
        self.guests, self.values = Guests(self), MeterValues(self)
        self.transactions = Transactions(self, self.guests, self.values)
        self._reset_waits = False  # for the end of the transaction
        self._told_status = ToldStatus(self.outbox, self.configuration)
        self._next_heartbeat = self._last = 0.0

    # === the charger ==================================================================================================

    def see(self, snapshot: Snapshot, now: float) -> None:
        """Something new of the charger, or that it went away."""
        was_online = self.snapshot.online
        self.snapshot = snapshot
        if snapshot.online:
            restarted = self.note_uptime()
            for name in NAMES:
                self.masters.see(name, snapshot.get(name))
            self.note_identity()
            self.note_total()
            if restarted:
                self.transactions.after_restart(now)
            elif not was_online:
                self.transactions.look_again(now)
            self.transactions.follow(now)
        self._conclude(now)

    def tick(self, now: float) -> None:
        """At least once a second."""
        if now < self._last - CLOCK_JUMP_S:  # somebody has set the clock back
            self._next_heartbeat = 0.0
            self.values.clock_was_set_back()
            self.profiles.look_again()
        self._last = now
        if self.snapshot.online:
            self.transactions.follow(now)
            if not self.transactions.is_ending:  # nothing of a transaction is later than its end
                self.values.take(now)
        self.guests.decide_offline(now)
        self._let_guest_in(now)
        self._expire(now)
        if self.outbox.is_accepted and now >= self._next_heartbeat:
            if self._next_heartbeat:
                self.outbox.ask(out.HEARTBEAT)
            self._next_heartbeat = now + self.configuration.number("HeartbeatInterval")
        self._conclude(now)

    def asked(self, name: str, value: int, now: float) -> None:
        """Somebody else has written to the charger through this program."""
        self.masters.asked(name, value)
        self._conclude(now)

    def fell(self, name: str, value: int, now: float) -> None:
        """It was written because the central system has been silent for too long."""
        self.masters.fell(name, value)
        self._conclude(now)

    def take_orders(self, now: float) -> list[Order]:
        """What to do at the charger now, in this order; ``ordered`` is called with what became of each."""
        orders = []
        if self.snapshot.online:
            orders, self.orders = self.orders, []
            orders += [Order(name, value) for name, value in self.masters.orders(now)]
            self.save_masters()
        return orders

    def ordered(self, order: Order, done: bool, now: float) -> None:
        if order.value is not None:
            self.masters.written(order.name, done, now)
        elif order.name == RST and not done:
            self._give_up_restart()
        self._conclude(now)

    # === what the central system asks for =============================================================================

    def remote_start(self, tag: str, now: float, profile: Profile | None = None, number: int | None = None) -> bool:
        """Whether it can be: then a transaction begins as soon as a car is there."""
        if self.transaction or not self.snapshot.online or self.restart or not self.guests.may_use_reserved(tag):
            return False
        if self.masters.unavailable or self.snapshot.flag("AVAILABLE") is False or self.snapshot.state in ("E", "F"):
            return False
        self.guests.start(tag, now, number, profile)
        self._let_guest_in(now)
        self._conclude(now)
        return True

    def _let_guest_in(self, now: float) -> None:
        if self.guests.guest:
            self.transactions.let_in(now)

    def remote_stop(self, transaction_id: str, now: float) -> bool:
        transaction, ends = self.transaction, self.transactions.is_ending
        if transaction is None or transaction_id not in (transaction.remote, transaction.uuid) or ends:
            return False
        self.transactions.stop(REMOTE, STOPPED, now)
        self._conclude(now)
        return True

    def set_availability(self, connector: int, operative: bool, now: float) -> str:
        """`Accepted`, `Scheduled`, `Rejected`."""
        targets = {STATION, CONNECTOR} if connector == STATION else {connector}
        scheduled = self.transactions.scheduled
        if operative:
            self.transactions.set_scheduled(scheduled - targets)
            self.masters.unavailable -= targets
            answer = "Rejected" if self.masters.person_made_unavailable else "Accepted"
        elif self.transaction:
            self.transactions.set_scheduled(scheduled | targets)
            answer = "Scheduled"
        else:
            self.masters.unavailable |= targets
            answer = "Accepted"
        self._conclude(now)
        return answer

    def install_profile(self, profile: Profile, now: float) -> str | None:
        """Why not, or None: then it holds from now on."""
        problem = self.profiles.install(profile)
        self._conclude(now)
        return problem

    def clear_profiles(self, now: float, **criteria: Any) -> bool:
        """Whether there was one."""
        found = self.profiles.clear(**criteria)
        self._conclude(now)
        return found

    def composite(self, duration: int, unit: str, now: float) -> list[calc.Period]:
        return self.profiles.composite(duration, unit, now, self.transaction, self.supply)

    def reserve(self, reservation: dict[str, Any], now: float) -> str:
        """``reservation``: id, tag, parent, expiry, connector. The answer in the words of 1.6."""
        state = self.snapshot.state
        if not self.snapshot.online or state == "E":
            return "Faulted"
        if state == "F" or self.masters.unavailable or self.snapshot.flag("AVAILABLE") is False:
            return "Unavailable"
        if reservation["expiry"] <= now:
            return "Rejected"
        replaces = self.reservation is not None and self.reservation["id"] == reservation["id"]
        if self.is_in_session or self.transaction or self.guests.guest or (self.reservation and not replaces):
            return "Occupied"
        self.set_reservation(reservation)
        self._conclude(now)
        return "Accepted"

    def cancel_reservation(self, number: int, now: float) -> bool:
        if self.reservation is None or self.reservation["id"] != number:
            return False
        self.set_reservation(None)
        self._conclude(now)
        return True

    def reset(self, reason: str, now: float) -> bool:
        """Ends the transaction and restarts the charger; the boot is told again afterwards."""
        if not self.snapshot.online:
            return False
        if self.transaction:
            self.transactions.stop(reason, STOPPED, now)
        self.restart = reason, now + RESTART_S
        self.orders.append(Order(RST))
        self._conclude(now)
        return True

    def reset_when_idle(self) -> None:
        self._reset_waits = True

    def configure(self, name: str, value: str, now: float) -> str:
        answer = self.configuration.set(name, value)
        self.journal.keep("configuration", dict(self.configuration.values))
        self.values.configured(name.lower(), now)
        if name.lower() == "heartbeatinterval":
            self._next_heartbeat = now + self.configuration.number("HeartbeatInterval")
        return answer

    def trigger_values(self, now: float) -> None:
        """The central system wants to see the meter now."""
        self.values.trigger(now)

    def trigger_status(self, connector: int | None, now: float) -> None:
        for number in (STATION, CONNECTOR) if connector is None else (connector,):
            self._told_status.tell(number, self.status(number), now, triggered=True)

    # === what the central system answers ==============================================================================

    def booted(self, status: str, interval: int, now: float) -> None:
        self.outbox.booted(status, interval, now)
        if status == out.ACCEPTED:
            if 0 < interval <= 86400:
                self.configure("HeartbeatInterval", str(interval), now)
            self._next_heartbeat = now + self.configuration.number("HeartbeatInterval")
            self._told_status.forget()
        self._conclude(now)

    def line_is_up(self, now: float) -> None:
        self.connected = True
        self.masters.heard()
        self._told_status.forget()
        self._conclude(now)

    def line_is_down(self) -> None:
        self.connected = False

    def authorized(self, question: dict[str, Any], info: TagInfo, now: float) -> None:
        self.guests.authorized(question, info, now)
        self._let_guest_in(now)
        self._conclude(now)

    def started(self, message: Message, remote: str | None, info: TagInfo | None, now: float) -> None:
        """The answer to a transaction's begin: its number, and whether the tag may charge."""
        self.journal.settle(message, remote)
        transaction = self.transaction
        if transaction and transaction.id == message.transaction_id:
            self.transaction = self.journal.transaction(transaction.id)
        if info is not None:
            self.judged(message, info, now)
        self._conclude(now)

    def judged(self, message: Message, info: TagInfo, now: float) -> None:
        """What the central system says of a transaction's tag when it hears of it."""
        transaction = self.transaction
        self.guests.learn(self.journal.transaction(message.transaction_id).tag, info)
        if transaction is None or transaction.id != message.transaction_id or info.now(now).status == ACCEPTED:
            return
        if self.configuration.flag("StopTransactionOnInvalidId"):
            self.transactions.stop(DEAUTHORIZED, INVALID, now)
        else:
            self.masters.holds.add(INVALID)  # no energy; the transaction goes on

    def told(self, message: Message, now: float) -> None:
        """A transaction's message was answered."""
        self.journal.settle(message)

    # === what follows from all that ===================================================================================

    @property
    def limit_due(self) -> float | None:
        """When the limit may change next."""
        return self.profiles.due

    def status(self, connector: int = CONNECTOR) -> Status:
        status = connector_status(
            self.snapshot,
            transaction=self.transaction is not None and not self.transactions.is_ending,
            over=self.transactions.is_over,
            reserved=self.reservation is not None,
            expected=self.guests.guest is not None,
        )
        if connector == STATION and status.status not in ("Unavailable", "Faulted"):
            return Status("Available")
        return replace(status, info=status.info[:50])

    def _expire(self, now: float) -> None:
        self.guests.expire(now)
        if self.reservation and now >= self.reservation["expiry"]:
            self.set_reservation(None)
        if self._reset_waits and self.transaction is None:
            self._reset_waits = False
            self.reset("ImmediateReset", now)
        if self.restart and now >= self.restart[1]:
            self._give_up_restart()

    def _give_up_restart(self) -> None:
        self.restart = None
        self.masters.holds.discard(STOPPED)

    def _conclude(self, now: float) -> None:
        """Brings limit, holds and status up to date; saves what must be kept."""
        if self.limit_due is not None and now >= self.limit_due:
            self.masters.limit = self.profiles.limit(now, self.transaction, self.supply)
        waits = self.is_in_session and self.transaction is None and not self.transactions.is_over
        refused = self.reservation and waits and self.guests.guest is None
        (self.masters.holds.add if refused else self.masters.holds.discard)(RESERVED)
        self.save_masters()
        for connector in (STATION, CONNECTOR):
            self._told_status.follow(connector, self.status(connector), now)
        if self._updates and self.transaction and not self.transactions.is_ending and self.snapshot.online:
            self._follow_phase(now)

    def _follow_phase(self, now: float) -> None:
        phase = self.phase
        if phase != self.transactions.shown_phase:
            self.transactions.shown_phase = phase
            self.journal.add(self.running, UPDATE, {"at": now, "phase": phase, "offline": not self.connected})
