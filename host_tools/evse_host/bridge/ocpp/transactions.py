"""The charger's sessions become transactions: when one begins, and with whom; when it ends, and why."""

from __future__ import annotations

from typing import Any

from . import profiles as calc
from .guests import Guests
from .journal import Transaction
from .masters import INVALID, STOPPED
from .situation import Situation
from .values import MeterValues

END_SETTLES_S = 1.0  # after a session, until its last energy is counted
EV_DISCONNECTED, POWER_LOSS, LOCAL, OTHER = "EVDisconnected", "PowerLoss", "Local", "Other"
BEGIN, END = "Transaction.Begin", "Transaction.End"


class Transactions:
    """``over``: the session goes on, its transaction has ended. ``scheduled`` are the connectors that the end of the
    transaction makes unavailable, ``shown_phase`` is what the car did when it was told last."""

    def __init__(self, situation: Situation, guests: Guests, values: MeterValues) -> None:
        self._situation, self._guests, self._values = situation, guests, values
        self._over: int | None = situation.journal.fact("over")
        self._ending: tuple[str, float] | None = None
        self.scheduled: set[int] = set(situation.journal.fact("scheduled", []))
        self.shown_phase = ""

    @property
    def is_over(self) -> bool:
        return self._over is not None

    @property
    def is_ending(self) -> bool:
        return self._ending is not None

    # --- what the charger shows

    def after_restart(self, now: float) -> None:
        reason, self._situation.restart = (self._situation.restart[0] if self._situation.restart else ""), None
        if self._situation.transaction:
            self._end(reason or POWER_LOSS, now)
        self._forget_session()
        if reason:
            self._situation.outbox.boot_again()

    def look_again(self, now: float) -> None:
        """After we were away, or the charger was: is it still the car whose transaction runs?"""
        transaction = self._situation.transaction
        if transaction and not self._continues(transaction):
            self._end(EV_DISCONNECTED, now, seen=False)
        if self._over is not None and not self._situation.is_session(self._over):
            self._forget_session()

    def follow(self, now: float) -> None:
        """The session, as the charger shows it."""
        if not self._situation.is_in_session:
            self._follow_absence(now)
            return
        if self._ending:  # plugged in again within a second
            self._finish_ending(now)
        if self._situation.transaction is None:
            self.let_in(now)

    def let_in(self, now: float) -> None:
        """Whoever may charge, if a car is there whose transaction has not begun."""
        situation = self._situation
        if not situation.snapshot.online or not situation.is_in_session or situation.transaction:
            return
        if self._over is None:
            self._begin_if_allowed(now)
        elif self._guests.guest:  # a remote start while the car whose transaction has ended is still there
            self._set_over(None)
            situation.masters.holds -= {STOPPED, INVALID}
            self._begin_if_allowed(now)

    def stop(self, reason: str, hold: str, now: float) -> None:
        """Ends the transaction, not the session: the car is still plugged in."""
        with self._situation.journal.together():
            self._situation.masters.holds.add(hold)
            self._situation.save_masters()
            self._end(reason, now)
            self._set_over(self._situation.session)

    def set_scheduled(self, connectors: set[int]) -> None:
        self.scheduled = connectors
        self._situation.journal.keep("scheduled", sorted(connectors))

    def _continues(self, transaction: Transaction) -> bool:
        energy = self._situation.snapshot.session_energy or 0
        return self._situation.is_session(transaction.extra.get("session")) and (
            energy >= transaction.extra.get("session_energy", 0)
        )

    def _follow_absence(self, now: float) -> None:
        situation = self._situation
        if situation.transaction and self._ending is None:
            reason = {"A": EV_DISCONNECTED, "F": LOCAL}.get(situation.snapshot.state or "", OTHER)
            self._ending = reason, now
        if self._ending and now >= self._ending[1] + END_SETTLES_S:
            self._finish_ending(now)
        held = situation.masters.holds & {STOPPED, INVALID} and not situation.restart
        if held or self._over is not None or self._guests.knows_session:
            self._forget_session()

    def _finish_ending(self, now: float) -> None:
        if self._ending is None:
            return
        (reason, at), self._ending = self._ending, None
        if self._situation.transaction:
            self._end(reason, at)

    def _forget_session(self) -> None:
        """The car is gone."""
        self._guests.forget_session()
        self._set_over(None)
        self._situation.masters.holds -= {STOPPED, INVALID}

    def _set_over(self, session: int | None) -> None:
        self._over = session
        self._situation.journal.keep("over", session)

    # --- begin

    def _begin_if_allowed(self, now: float) -> None:
        if self._situation.snapshot.flag("PENDAUTH"):
            self._guests.seek(now)
            return
        tag = self._guests.guest.tag if self._guests.guest else self._guests.home_tag
        if self._guests.may_use_reserved(tag):
            self._begin(tag, now)

    def _begin(self, tag: str, now: float) -> None:
        situation, guest, session = self._situation, self._guests.guest, self._situation.session
        if situation.register is None or session is None:
            return  # within a second
        began, meter = self._beginning(situation.register, now)
        remote_start = guest.remote_start if guest else None
        extra = {
            "session": session, "session_energy": situation.snapshot.session_energy or 0, "uptime": situation.uptime,
            "remote_start": remote_start, "begin_sample": self._values.now("StopTxnSampledData", meter), "aligned": [],
        }  # fmt: skip
        payload = {
            "tag": tag, "at": began, "meter": meter, "phase": situation.phase, "remote_start": remote_start,
            "reservation": situation.reservation["id"] if situation.reservation else None,
            "offline": not situation.connected,
        }  # fmt: skip
        with situation.journal.together():
            situation.transaction = situation.journal.begin(tag, began, meter, payload, extra)
            situation.journal.keep("last_session", session)
            if situation.reservation:
                situation.set_reservation(None)
        self._guests.guest = None
        if guest and guest.profile:
            situation.profiles.bring(guest.profile)
        self.shown_phase = situation.phase
        self._values.begin(now)
        situation.profiles.look_again()

    def _beginning(self, register: int, now: float) -> tuple[float, int]:
        """When (s since 1970), and with what on the meter (Wh): the first transaction of a session has all of it."""
        snapshot, journal = self._situation.snapshot, self._situation.journal
        first = not self._situation.is_session(journal.fact("last_session"))
        before = (snapshot.session_energy or 0) if first else 0
        began = now - (snapshot.get("EMETERSESTIME") or 0) if first and before else now
        return began, max(register - before, min(register, journal.fact("last_stop", 0)))

    # --- end

    def _end(self, reason: str, at: float, seen: bool = True) -> None:
        """``seen`` False: it ended while we were away, so its meter is what the session that runs now began with."""
        situation, transaction, register = self._situation, self._situation.running, self._situation.register
        if register is None:
            register = transaction.last_meter
        elif not seen and situation.is_in_session:
            register -= situation.snapshot.session_energy or 0
        meter = max(register, transaction.last_meter)
        data = self._data(transaction, meter, at)
        with situation.journal.together():
            situation.journal.end(transaction, {
                "at": max(at, transaction.last_at), "meter": meter, "reason": reason, "tag": None,
                "transaction_tag": transaction.tag, "data": data, "phase": situation.phase,
                "offline": not situation.connected,
            })  # fmt: skip
            situation.journal.keep("last_stop", meter)
            situation.keep_total()
            situation.profiles.clear(purpose=calc.TX)
            if self.scheduled:
                situation.masters.unavailable |= self.scheduled
                self.set_scheduled(set())
        situation.transaction, self._ending = None, None
        situation.profiles.look_again()

    def _data(self, transaction: Transaction, meter: int, at: float) -> list[dict[str, Any]]:
        data = []
        if begin := transaction.extra.get("begin_sample"):
            data.append({"at": transaction.began, "context": BEGIN, "sample": begin})
        data += transaction.extra.get("aligned", [])
        if end := self._values.now("StopTxnSampledData", meter):
            data.append({"at": at, "context": END, "sample": end})
        return data
