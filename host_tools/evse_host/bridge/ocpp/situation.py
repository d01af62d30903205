"""What every part of the charge point looks at: the charger as it shows itself, and what the journal keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...catalog import SESSION_STATES
from ..snapshot import Snapshot
from .authorization import Authorization
from .configuration import Configuration, Judge
from .installed import InstalledProfiles
from .journal import Journal, Transaction
from .masters import Masters
from .outbox import Outbox
from .profiles import Supply

VENDOR, MODEL = "ESP32-EVSE", "ESP32-EVSE"
AUTH, RST = "AUTH", "RST"
SESSION_TOLERANCE_S = 10  # two values of the charger that are not of the same moment


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


class Situation:
    """``restart`` is why the charger was told to restart, and until when that is expected."""

    def __init__(
        self, journal: Journal, settings: Settings, judges: Mapping[str, Judge] | None, measurands: Sequence[str]
    ) -> None:
        self.journal, self.settings = journal, settings
        self.configuration = Configuration(journal.fact("configuration", {}), judges, measurands)
        self.authorization = Authorization(journal.fact("authorization"))
        self.outbox = Outbox(journal, self.configuration)
        self.masters = Masters(journal.fact("masters"))
        self.profiles = InstalledProfiles(journal)
        self.reservation: dict[str, Any] | None = journal.fact("reservation")
        self.transaction: Transaction | None = journal.running()
        self.snapshot = Snapshot()
        self.connected = False
        self.orders: list[Order] = []
        self.restart: tuple[str, float] | None = None
        self.uptime: int | None = None
        self._base: int = journal.fact("meter_base", 0)  # Wh that resets by people have taken from the charger's total
        self._total: int | None = journal.fact("meter_total", None)  # the charger's total, as it was last

    # --- the charger

    @property
    def supply(self) -> Supply:
        voltage = self.snapshot.get("EMETERACVOLTAGE") or 230
        phases = self.settings.phases or (1 if self.snapshot.get("EMETERTHREEPHASE") == 0 else 3)
        return Supply(float(voltage), phases, float(self.snapshot.maximum_current or 32))

    @property
    def identity(self) -> dict[str, str]:
        """vendor, model, firmware, serial: of the charger, or as it was when we saw it last; empty: never."""
        identity: dict[str, str] = self.journal.fact("identity", {})
        return identity

    def note_identity(self) -> None:
        snapshot = self.snapshot
        mac = str(snapshot.get("WIFISTAMAC") or "").replace(":", "").lower()
        known = {
            "vendor": VENDOR,
            "model": str(snapshot.get("DEVNAME") or MODEL)[:20],
            "firmware": str(snapshot.get("VER") or "")[:50],
            "serial": mac[:25],
            "chip": str(snapshot.get("CHIP") or "")[:20],
        }
        self.journal.keep("identity", {name: text for name, text in known.items() if text})

    def note_uptime(self) -> bool:
        """Whether the charger has restarted since we saw it last, in this life or in our one before."""
        uptime = self.snapshot.get("UPTIME")
        before = self.uptime
        if before is None and self.transaction:
            before = self.transaction.extra.get("uptime")
        if uptime is None:
            return False
        self.uptime = uptime
        return before is not None and uptime < before

    # --- its meter

    @property
    def register(self) -> int | None:
        """Lifetime Wh that never fall, None as long as nobody knows: the one meter that all messages tell of. A person
        may have set the charger's total to 0; what is billed goes on."""
        total = self.snapshot.total_energy
        return None if total is None else self._base + total

    def note_total(self) -> None:
        total = self.snapshot.total_energy
        if total is None:
            return
        if self._total is not None and total < self._total:
            self._base += self._total - total
            with self.journal.together():
                self.journal.keep("meter_base", self._base)
                self.journal.keep("meter_total", total)
        self._total = total

    def keep_total(self) -> None:
        self.journal.keep("meter_total", self._total)

    # --- its session

    @property
    def is_in_session(self) -> bool:
        return self.snapshot.state in SESSION_STATES

    @property
    def session(self) -> int | None:
        """A session's name: the charger's uptime when it began, which no clock of ours can change."""
        uptime, seconds = self.snapshot.get("UPTIME"), self.snapshot.get("EMETERSESTIME")
        return None if uptime is None or seconds is None or not self.is_in_session else uptime - seconds

    def is_session(self, name: int | None) -> bool:
        session = self.session
        return session is not None and name is not None and abs(session - name) <= SESSION_TOLERANCE_S

    @property
    def phase(self) -> str:
        """What the car does, in the words of 2.0.1."""
        if not self.is_in_session:
            return "Idle"
        if self.snapshot.charging:
            return "Charging"
        return "SuspendedEV" if self.snapshot.state == "B2" else "SuspendedEVSE"

    # --- what the journal keeps

    @property
    def running(self) -> Transaction:
        """The transaction, where there is one."""
        assert self.transaction
        return self.transaction

    def save_masters(self) -> None:
        self.journal.keep("masters", self.masters.as_dict())

    def save_authorization(self) -> None:
        self.journal.keep("authorization", self.authorization.as_dict())

    def set_reservation(self, reservation: dict[str, Any] | None) -> None:
        self.reservation = reservation
        self.journal.keep("reservation", reservation)
