"""The charge point: what the charger shows and the central system asks for, become transactions, messages and writes.

No socket, clock or charger in it: ``now`` is seconds since 1970, ``orders`` is what to write, ``outbox`` what to send.
The words of OCPP 1.6 and 2.0.1 are in v16 and v201, which share this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...catalog import SESSION_STATES
from ..snapshot import Snapshot
from . import outbox as out
from . import profiles as calc
from .authorization import ACCEPTED, Authorization, TagInfo, same
from .configuration import MEASURANDS, Configuration, Judge
from .installed import InstalledProfiles
from .journal import METER, UPDATE, Journal, Message, Transaction
from .masters import INVALID, NAMES, RESERVED, STOPPED, Masters
from .measurands import Sample, sample
from .outbox import Outbox
from .profiles import Profile, Supply
from .status import CONNECTOR, STATION, Status, connector_status
from .told_status import ToldStatus

VENDOR, MODEL = "ESP32-EVSE", "ESP32-EVSE"
DEFAULT_TAG = "FREEVEND"

AUTH, RST = "AUTH", "RST"
AUTH_RETRY_S, AUTH_TRIES = 10.0, 3
END_SETTLES_S = 1.0  # after a session, until its last energy is counted
SESSION_TOLERANCE_S = 10  # two values of the charger that are not of the same moment
NOTE_METER_S = 60.0
CLOCK_JUMP_S = 30.0

EV_DISCONNECTED, POWER_LOSS, REMOTE, LOCAL = "EVDisconnected", "PowerLoss", "Remote", "Local"
DEAUTHORIZED, OTHER = "DeAuthorized", "Other"
PERIODIC, CLOCK, TRIGGER, BEGIN, END = (
    "Sample.Periodic", "Sample.Clock", "Trigger", "Transaction.Begin", "Transaction.End",
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """``tag`` stands for "plugged in at home"; with ``free_vend`` it charges without asking the central system, also
    where the charger wants an authorization. ``phases`` None: as the charger says."""

    tag: str = ""
    free_vend: bool = False
    phases: int | None = None


@dataclass(frozen=True)
class Order:
    """A write to the charger, in wire units; AUTH and RST have no value."""

    name: str
    value: int | None = None


@dataclass(frozen=True)
class Guest:
    """Somebody who was authorized, and whose transaction has not begun yet."""

    tag: str
    until: float
    remote_start: int | None = None  # the id of 2.0.1
    profile: Profile | None = None  # for its transaction


class ChargePoint:
    """``updates``: the central system wants to hear of every change within a transaction (2.0.1)."""

    def __init__(
        self,
        journal: Journal,
        settings: Settings,
        judges: Mapping[str, Judge] | None = None,
        updates: bool = False,
        measurands: Sequence[str] = MEASURANDS,
    ) -> None:
        self.journal, self.settings, self._updates = journal, settings, updates
        self.configuration = Configuration(journal.fact("configuration", {}), judges, measurands)
        self.authorization = Authorization(journal.fact("authorization"))
        self.outbox = Outbox(journal, self.configuration)
        self.masters = Masters(journal.fact("masters"))
        self.profiles = InstalledProfiles(journal)
        self.reservation: dict[str, Any] | None = journal.fact("reservation")
        self.transaction: Transaction | None = journal.running()
        self.snapshot = Snapshot()
        self.connected = False
        self._orders: list[Order] = []
        self._over: int | None = journal.fact("over")  # the session whose transaction has ended before it
        self._guest: Guest | None = None
        self._question: dict[str, Any] | None = None  # that the central system has not answered yet
        self._asked_home = False  # the home tag was presented in this session
        self._auth_tries, self._auth_at = 0, 0.0
        self._ending: tuple[str, float] | None = None
        self._reset: tuple[str, float] | None = None  # reason, until when it is expected
        self._reset_waits = False  # for the end of the transaction
        self._scheduled: set[int] = set(journal.fact("scheduled", []))
        self._told_status = ToldStatus(self.outbox, self.configuration)
        self._shown_phase = ""
        self._uptime: int | None = None
        self._next_sample = self._next_clock = self._next_heartbeat = self._next_note = 0.0
        self._last = 0.0
        self._base: int = journal.fact("meter_base", 0)  # Wh that resets by people have taken from the charger's total
        self._total: int | None = journal.fact("meter_total", None)  # the charger's total, as it was last
        if self.transaction:  # its values go on at their interval
            self._next_sample = self.transaction.last_at + self.configuration.number("MeterValueSampleInterval")

    # === the charger ==================================================================================================

    def see(self, snapshot: Snapshot, now: float) -> None:
        """Something new of the charger, or that it went away."""
        was_online = self.snapshot.online
        self.snapshot = snapshot
        if snapshot.online:
            restarted = self._note_uptime(snapshot)
            for name in NAMES:
                self.masters.see(name, snapshot.get(name))
            self._note_identity(snapshot)
            self._note_total(snapshot.total_energy)
            if restarted:
                self._after_restart(now)
            elif not was_online:
                self._look_at_the_session_again(now)
            self._follow_session(now)
        self._conclude(now)

    def tick(self, now: float) -> None:
        """At least once a second."""
        if now < self._last - CLOCK_JUMP_S:  # somebody has set the clock back
            self._next_sample = self._next_clock = self._next_heartbeat = self._next_note = 0.0
            self.profiles.look_again()
        self._last = now
        if self.snapshot.online:
            self._follow_session(now)
            self._take_samples(now)
        self._decide_offline(now)
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
            orders, self._orders = self._orders, []
            orders += [Order(name, value) for name, value in self.masters.orders(now)]
            self._save_masters()
        return orders

    def ordered(self, order: Order, done: bool, now: float) -> None:
        if order.value is not None:
            self.masters.written(order.name, done, now)
        elif order.name == RST and not done:
            self._reset = None
            self.masters.holds.discard(STOPPED)
        self._conclude(now)

    @property
    def supply(self) -> Supply:
        voltage = self.snapshot.get("EMETERACVOLTAGE") or 230
        phases = self.settings.phases or (1 if self.snapshot.get("EMETERTHREEPHASE") == 0 else 3)
        return Supply(float(voltage), phases, float(self.snapshot.maximum_current or 32))

    @property
    def register(self) -> int | None:
        """Lifetime Wh that never fall, None as long as nobody knows: the one meter that all messages tell of. A person
        may have set the charger's total to 0; what is billed goes on."""
        total = self.snapshot.total_energy
        return None if total is None else self._base + total

    @property
    def _running(self) -> Transaction:
        """The transaction, where there is one."""
        assert self.transaction
        return self.transaction

    @property
    def is_in_session(self) -> bool:
        return self.snapshot.state in SESSION_STATES

    @property
    def identity(self) -> dict[str, str]:
        """vendor, model, firmware, serial: of the charger, or as it was when we saw it last; empty: never."""
        identity: dict[str, str] = self.journal.fact("identity", {})
        return identity

    def _note_identity(self, snapshot: Snapshot) -> None:
        mac = str(snapshot.get("WIFISTAMAC") or "").replace(":", "").lower()
        known = {
            "vendor": VENDOR,
            "model": str(snapshot.get("DEVNAME") or MODEL)[:20],
            "firmware": str(snapshot.get("VER") or "")[:50],
            "serial": mac[:25],
            "chip": str(snapshot.get("CHIP") or "")[:20],
        }
        self.journal.keep("identity", {name: text for name, text in known.items() if text})

    def _note_total(self, total: int | None) -> None:
        if total is None:
            return
        if self._total is not None and total < self._total:
            self._base += self._total - total
            with self.journal.together():
                self.journal.keep("meter_base", self._base)
                self.journal.keep("meter_total", total)
        self._total = total

    def _note_uptime(self, snapshot: Snapshot) -> bool:
        """Whether the charger has restarted since we saw it last, in this life or in our one before."""
        uptime = snapshot.get("UPTIME")
        before = self._uptime
        if before is None and self.transaction:
            before = self.transaction.extra.get("uptime")
        if uptime is None:
            return False
        self._uptime = uptime
        return before is not None and uptime < before

    # === sessions and transactions ====================================================================================

    def _session(self) -> int | None:
        """A session's name: the charger's uptime when it began, which no clock of ours can change."""
        uptime, seconds = self.snapshot.get("UPTIME"), self.snapshot.get("EMETERSESTIME")
        return None if uptime is None or seconds is None or not self.is_in_session else uptime - seconds

    def _is_session(self, name: int | None) -> bool:
        session = self._session()
        return session is not None and name is not None and abs(session - name) <= SESSION_TOLERANCE_S

    def _after_restart(self, now: float) -> None:
        reason, self._reset = (self._reset[0] if self._reset else ""), None
        if self.transaction:
            self._end_transaction(reason or POWER_LOSS, now)
        self._forget_session()
        if reason:
            self.outbox.boot_again()

    def _look_at_the_session_again(self, now: float) -> None:
        """After we were away, or the charger was: is it still the car whose transaction runs?"""
        transaction = self.transaction
        if transaction and not self._continues(transaction):
            self._end_transaction(EV_DISCONNECTED, now, seen=False)
        if self._over is not None and not self._is_session(self._over):
            self._forget_session()

    def _continues(self, transaction: Transaction) -> bool:
        return self._is_session(transaction.extra.get("session")) and (
            (self.snapshot.session_energy or 0) >= transaction.extra.get("session_energy", 0)
        )

    def _follow_session(self, now: float) -> None:
        if not self.is_in_session:
            if self.transaction and self._ending is None:
                self._ending = self._reason_of_end(), now
            if self._ending and now >= self._ending[1] + END_SETTLES_S:
                self._finish_ending(now)
            held = self.masters.holds & {STOPPED, INVALID} and not self._reset
            if held or self._over is not None or self._asked_home or self._auth_tries:
                self._forget_session()
            return
        if self._ending:  # plugged in again within a second
            self._finish_ending(now)
        if self.transaction is None and self._over is None:
            self._begin_if_allowed(now)
        elif self.transaction is None and self._guest:
            self._begin_again(now)

    def _reason_of_end(self) -> str:
        return {"A": EV_DISCONNECTED, "F": LOCAL}.get(self.snapshot.state or "", OTHER)

    def _finish_ending(self, now: float) -> None:
        if self._ending is None:
            return
        (reason, at), self._ending = self._ending, None
        if self.transaction:
            self._end_transaction(reason, at)

    def _forget_session(self) -> None:
        """The car is gone."""
        self._over, self._asked_home, self._auth_tries, self._auth_at = None, False, 0, 0.0
        if self._question and same(self._question["tag"], self.settings.tag):
            self.outbox.withdraw(out.AUTHORIZE, self._question["tag"])
            self._question = None
        self.journal.keep("over", None)
        self.masters.holds -= {STOPPED, INVALID}

    def _begin_if_allowed(self, now: float) -> None:
        if self.snapshot.flag("PENDAUTH"):
            self._seek_authorization(now)
            return
        tag = self._guest.tag if self._guest else self.settings.tag or DEFAULT_TAG
        if not self._may_use_reserved(tag):
            return
        self._begin_transaction(tag, now)

    def _begin_again(self, now: float) -> None:
        """A remote start while the car whose transaction has ended is still there."""
        self._over = None
        self.journal.keep("over", None)
        self.masters.holds -= {STOPPED, INVALID}
        self._begin_if_allowed(now)

    def _begin_transaction(self, tag: str, now: float) -> None:
        register = self.register
        session = self._session()
        if register is None or session is None:
            return  # within a second
        first = not self._is_session(self.journal.fact("last_session"))  # of this session
        before = (self.snapshot.session_energy or 0) if first else 0
        began = now - (self.snapshot.get("EMETERSESTIME") or 0) if first and before else now
        meter = max(register - before, min(register, self.journal.fact("last_stop", 0)))
        reserved = self.reservation["id"] if self.reservation else None
        extra = {
            "session": session, "session_energy": self.snapshot.session_energy or 0, "uptime": self._uptime,
            "remote_start": self._guest.remote_start if self._guest else None,
            "begin_sample": self._sample("StopTxnSampledData", meter), "aligned": [],
        }  # fmt: skip
        payload = {
            "tag": tag, "at": began, "meter": meter, "reservation": reserved, "phase": self._phase(),
            "remote_start": extra["remote_start"], "offline": not self.connected,
        }  # fmt: skip
        with self.journal.together():
            self.transaction = self.journal.begin(tag, began, meter, payload, extra)
            self.journal.keep("last_session", session)
            if self.reservation:
                self._set_reservation(None)
        guest, self._guest = self._guest, None
        if guest and guest.profile:
            self.profiles.bring(guest.profile)
        self._shown_phase = payload["phase"]
        interval = self.configuration.number("MeterValueSampleInterval")
        self._next_sample, self._next_note = now + interval, now + NOTE_METER_S
        self.profiles.look_again()

    def _end_transaction(self, reason: str, at: float, seen: bool = True, tag: str | None = None) -> None:
        """``seen`` False: it ended while we were away, so its meter is what the session that runs now began with."""
        transaction = self._running
        register = self.register
        if register is None:
            register = transaction.last_meter
        elif not seen and self.is_in_session:
            register -= self.snapshot.session_energy or 0
        meter = max(register, transaction.last_meter)
        data = self._transaction_data(transaction, meter, at)
        with self.journal.together():
            self.journal.end(transaction, {
                "at": max(at, transaction.last_at), "meter": meter, "reason": reason, "tag": tag,
                "transaction_tag": transaction.tag, "data": data, "phase": self._phase(), "offline": not self.connected,
            })  # fmt: skip
            self.journal.keep("last_stop", meter)
            self.journal.keep("meter_total", self._total)
            self.profiles.clear(purpose=calc.TX)
            if self._scheduled:
                self.masters.unavailable |= self._scheduled
                self._set_scheduled(set())
        self.transaction, self._ending = None, None
        self.profiles.look_again()

    def _transaction_data(self, transaction: Transaction, meter: int, at: float) -> list[dict[str, Any]]:
        data = []
        if begin := transaction.extra.get("begin_sample"):
            data.append({"at": transaction.began, "context": BEGIN, "sample": begin})
        data += transaction.extra.get("aligned", [])
        if end := self._sample("StopTxnSampledData", meter):
            data.append({"at": at, "context": END, "sample": end})
        return data

    def _phase(self) -> str:
        """What the car does, in the words of 2.0.1."""
        if not self.is_in_session:
            return "Idle"
        if self.snapshot.charging:
            return "Charging"
        return "SuspendedEV" if self.snapshot.state == "B2" else "SuspendedEVSE"

    # === who may charge ===============================================================================================

    def _seek_authorization(self, now: float) -> None:
        """A car waits, and the charger wants somebody's word."""
        if self._guest is None and self.settings.free_vend and self._may_use_reserved(self._home_tag()):
            self._guest = Guest(self._home_tag(), self._patience(now))
        if self._guest is None and self.settings.tag and not self._asked_home:
            self._asked_home = True
            if self._may_use_reserved(self.settings.tag):
                self.authorize(self.settings.tag, now)
        if self._guest and self._auth_tries < AUTH_TRIES and now >= self._auth_at:
            self._auth_tries, self._auth_at = self._auth_tries + 1, now + AUTH_RETRY_S
            self._guest = replace(self._guest, until=max(self._guest.until, now + AUTH_RETRY_S))
            self._orders.append(Order(AUTH))

    def _home_tag(self) -> str:
        return self.settings.tag or DEFAULT_TAG

    def authorize(self, tag: str, now: float, remote_start: int | None = None, profile: Profile | None = None) -> None:
        """Lets ``tag`` charge if it may: by what is known here, or by what the central system says."""
        question: dict[str, Any] = {"tag": tag, "remote_start": remote_start, "profile": profile}
        if self._is_known_as_accepted(tag, now):
            self._welcome(Guest(**question, until=self._patience(now)), now)
        else:
            self._question = question
            self.outbox.ask(out.AUTHORIZE, tag, **question)  # now, or when it is back

    def _is_known_as_accepted(self, tag: str, now: float) -> bool:
        configuration, online = self.configuration, self.connected and self.outbox.is_accepted
        known = self.authorization.known(
            tag, now, configuration.flag("LocalAuthListEnabled"), configuration.flag("AuthorizationCacheEnabled")
        )
        if known is None:
            return not online and configuration.flag("AllowOfflineTxForUnknownId")
        local = configuration.flag("LocalPreAuthorize" if online else "LocalAuthorizeOffline")
        return local and known.status == ACCEPTED

    def _decide_offline(self, now: float) -> None:
        """The line has died while the central system was asked."""
        question = self._question
        if question and not self.connected and self._is_known_as_accepted(question["tag"], now):
            self._question = None
            self.outbox.withdraw(out.AUTHORIZE, question["tag"])
            self._welcome(Guest(**question, until=self._patience(now)), now)

    def authorized(self, question: dict[str, Any], info: TagInfo, now: float) -> None:
        """The central system's answer."""
        tag, self._question = question["tag"], None
        self._learn(tag, info)
        accepted = info.now(now).status == ACCEPTED and self._may_use_reserved(tag, info.parent)
        gone = same(tag, self.settings.tag) and not self.is_in_session  # with the car that the home tag stood for
        if accepted and not gone and self.transaction is None:
            self._welcome(Guest(**question, until=self._patience(now)), now)
        self._conclude(now)

    def _patience(self, now: float) -> float:
        return now + self.configuration.number("ConnectionTimeOut")

    def _learn(self, tag: str, info: TagInfo) -> None:
        if self.configuration.flag("AuthorizationCacheEnabled"):
            self.authorization.learn(tag, info)
            self.save_authorization()

    def _welcome(self, guest: Guest, now: float) -> None:
        self._guest = guest
        self._auth_tries, self._auth_at = 0, 0.0
        if self.snapshot.online and self.is_in_session and self.transaction is None:
            (self._begin_if_allowed if self._over is None else self._begin_again)(now)

    def _may_use_reserved(self, tag: str, parent: str | None = None) -> bool:
        reservation = self.reservation
        if reservation is None or same(tag, reservation["tag"]):
            return True
        if parent is None and (known := self.authorization.known(tag, 0.0, True, True)):
            parent = known.parent
        return same(parent, reservation.get("parent"))

    # === what the central system asks for =============================================================================

    def remote_start(self, tag: str, now: float, profile: Profile | None = None, number: int | None = None) -> bool:
        """Whether it can be: then a transaction begins as soon as a car is there."""
        if self.transaction or not self.snapshot.online or self._reset or not self._may_use_reserved(tag):
            return False
        if self.masters.unavailable or self.snapshot.flag("AVAILABLE") is False or self.snapshot.state in ("E", "F"):
            return False
        if self.configuration.flag("AuthorizeRemoteTxRequests"):
            self.authorize(tag, now, number, profile)
        else:
            self._welcome(Guest(tag, self._patience(now), number, profile), now)
        self._conclude(now)
        return True

    def remote_stop(self, transaction_id: str, now: float) -> bool:
        transaction = self.transaction
        if transaction is None or transaction_id not in (transaction.remote, transaction.uuid) or self._ending:
            return False
        self._stop(REMOTE, STOPPED, now)
        self._conclude(now)
        return True

    def _stop(self, reason: str, hold: str, now: float) -> None:
        """Ends the transaction, not the session: the car is still plugged in."""
        with self.journal.together():
            self.masters.holds.add(hold)
            self._save_masters()
            self._end_transaction(reason, now)
            self._over = self._session()
            self.journal.keep("over", self._over)

    def set_availability(self, connector: int, operative: bool, now: float) -> str:
        """`Accepted`, `Scheduled`, `Rejected`."""
        targets = {STATION, CONNECTOR} if connector == STATION else {connector}
        if operative:
            self._set_scheduled(self._scheduled - targets)
            self.masters.unavailable -= targets
            answer = "Rejected" if self.masters.person_made_unavailable else "Accepted"
        elif self.transaction:
            self._set_scheduled(self._scheduled | targets)
            answer = "Scheduled"
        else:
            self.masters.unavailable |= targets
            answer = "Accepted"
        self._conclude(now)
        return answer

    def _set_scheduled(self, connectors: set[int]) -> None:
        self._scheduled = connectors
        self.journal.keep("scheduled", sorted(connectors))

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
        if self.is_in_session or self.transaction or self._guest or (self.reservation and not replaces):
            return "Occupied"
        self._set_reservation(reservation)
        self._conclude(now)
        return "Accepted"

    def cancel_reservation(self, number: int, now: float) -> bool:
        if self.reservation is None or self.reservation["id"] != number:
            return False
        self._set_reservation(None)
        self._conclude(now)
        return True

    def _set_reservation(self, reservation: dict[str, Any] | None) -> None:
        self.reservation = reservation
        self.journal.keep("reservation", reservation)

    def reset(self, reason: str, now: float) -> bool:
        """Ends the transaction and restarts the charger; the boot is told again afterwards."""
        if not self.snapshot.online:
            return False
        if self.transaction:
            self._stop(reason, STOPPED, now)
        self._reset = reason, now + 60.0
        self._orders.append(Order(RST))
        self._conclude(now)
        return True

    def reset_when_idle(self) -> None:
        self._reset_waits = True

    def configure(self, name: str, value: str, now: float) -> str:
        answer = self.configuration.set(name, value)
        self.journal.keep("configuration", dict(self.configuration.values))
        if name.lower() == "metervaluesampleinterval":
            self._next_sample = now + self.configuration.number("MeterValueSampleInterval")
        if name.lower() == "clockaligneddatainterval":
            self._next_clock = 0.0
        if name.lower() == "heartbeatinterval":
            self._next_heartbeat = now + self.configuration.number("HeartbeatInterval")
        return answer

    def save_authorization(self) -> None:
        self.journal.keep("authorization", self.authorization.as_dict())

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

    def started(self, message: Message, remote: str | None, info: TagInfo | None, now: float) -> None:
        """The answer to a transaction's begin: its number, and whether the tag may charge."""
        self.journal.settle(message, remote)
        transaction = self.transaction
        if transaction and transaction.id == message.transaction_id:
            self.transaction = transaction = self.journal.transaction(transaction.id)
        if info is not None:
            self.judged(message, info, now)
        self._conclude(now)

    def judged(self, message: Message, info: TagInfo, now: float) -> None:
        """What the central system says of a transaction's tag when it hears of it."""
        transaction = self.transaction
        self._learn(self.journal.transaction(message.transaction_id).tag, info)
        if transaction is None or transaction.id != message.transaction_id or info.now(now).status == ACCEPTED:
            return
        if self.configuration.flag("StopTransactionOnInvalidId"):
            self._stop(DEAUTHORIZED, INVALID, now)
        else:
            self.masters.holds.add(INVALID)  # no energy; the transaction goes on

    def told(self, message: Message, now: float) -> None:
        """A transaction's message was answered."""
        self.journal.settle(message)

    # === what is told from time to time ===============================================================================

    def _sample(self, key: str, register: int | None = None) -> Sample:
        register = self.register if register is None else register
        if register is None:
            return []
        return sample(self.snapshot, register, self.configuration.list(key), self.supply)

    def _take_samples(self, now: float) -> None:
        if self._ending:
            return  # nothing of a transaction is later than its end
        interval = self.configuration.number("MeterValueSampleInterval")
        self._next_sample = min(self._next_sample, now + interval)  # whatever the clock has done
        if self.transaction and interval and now >= self._next_sample:
            self._next_sample = now + interval
            self._add_values("MeterValuesSampledData", PERIODIC, now)
        if self.transaction and now >= self._next_note:
            self._note_meter(now)
        aligned = self.configuration.number("ClockAlignedDataInterval")
        if aligned and now >= self._next_clock:
            if self._next_clock:
                self._take_aligned(self._next_clock)
            self._next_clock = (now // aligned + 1) * aligned if 86400 % aligned == 0 else now + aligned

    def _take_aligned(self, at: float) -> None:
        if self.transaction is None:
            if values := self._sample("MeterValuesAlignedData"):
                self.outbox.ask(out.METER_NOW, at, at=at, context=CLOCK, sample=values)
            return
        self._add_values("MeterValuesAlignedData", CLOCK, at)
        if values := self._sample("StopTxnAlignedData"):
            transaction = self._running
            aligned = [*transaction.extra.get("aligned", []), {"at": at, "context": CLOCK, "sample": values}]
            extra = {**transaction.extra, "aligned": aligned[-200:]}
            self.transaction = self.journal.note_extra(transaction, extra)

    def _add_values(self, key: str, context: str, at: float) -> None:
        if values := self._sample(key):
            payload = {"at": at, "context": context, "sample": values, "phase": self._phase(),
                       "offline": not self.connected}  # fmt: skip
            with self.journal.together():
                self.journal.add(self._running, METER, payload)
                self._note_meter(at)

    def _note_meter(self, now: float) -> None:
        self._next_note = now + NOTE_METER_S
        if self.register is None or not self.is_in_session:
            return
        transaction = self._running
        extra = {**transaction.extra, "session_energy": self.snapshot.session_energy or 0, "uptime": self._uptime}
        with self.journal.together():
            self.transaction = self.journal.note_meter(
                self.journal.note_extra(transaction, extra), max(self.register, transaction.last_meter), now
            )
            self.journal.keep("meter_total", self._total)

    def trigger_values(self, now: float) -> None:
        """The central system wants to see the meter now; of a running transaction they count."""
        values = self._sample("MeterValuesSampledData")
        if values and self.transaction:
            self._add_values("MeterValuesSampledData", TRIGGER, now)
        elif values:
            self.outbox.ask(out.METER_NOW, now, triggered=True, at=now, context=TRIGGER, sample=values)

    def trigger_status(self, connector: int | None, now: float) -> None:
        for number in (STATION, CONNECTOR) if connector is None else (connector,):
            self._told_status.tell(number, self.status(number), now, triggered=True)

    # === what follows from all that ===================================================================================

    def _expire(self, now: float) -> None:
        if self._guest and now >= self._guest.until:
            self._guest = None
        if self.reservation and now >= self.reservation["expiry"]:
            self._set_reservation(None)
        if self._reset_waits and self.transaction is None:
            self._reset_waits = False
            self.reset("ImmediateReset", now)
        if self._reset and now >= self._reset[1]:
            self._reset = None
            self.masters.holds.discard(STOPPED)

    def _conclude(self, now: float) -> None:
        """Brings limit, holds and status up to date; saves what must be kept."""
        if self.limit_due is not None and now >= self.limit_due:
            self.masters.limit = self.profiles.limit(now, self.transaction, self.supply)
        waits = self.is_in_session and self.transaction is None and self._over is None
        refused = self.reservation and waits and self._guest is None
        (self.masters.holds.add if refused else self.masters.holds.discard)(RESERVED)
        self._save_masters()
        for connector in (STATION, CONNECTOR):
            self._told_status.follow(connector, self.status(connector), now)
        if self._updates and self.transaction and self._ending is None and self.snapshot.online:
            self._follow_phase(now)

    @property
    def limit_due(self) -> float | None:
        """When the limit may change next."""
        return self.profiles.due

    def _save_masters(self) -> None:
        self.journal.keep("masters", self.masters.as_dict())

    def _follow_phase(self, now: float) -> None:
        phase = self._phase()
        if phase != self._shown_phase:
            self._shown_phase = phase
            self.journal.add(self._running, UPDATE, {"at": now, "phase": phase, "offline": not self.connected})

    def status(self, connector: int = CONNECTOR) -> Status:
        status = connector_status(
            self.snapshot,
            transaction=self.transaction is not None and self._ending is None,
            over=self._over is not None,
            reserved=self.reservation is not None,
            expected=self._guest is not None,
        )
        if connector == STATION and status.status not in ("Unavailable", "Faulted"):
            return Status("Available")
        return replace(status, info=status.info[:50])
