"""What is told of the meter: at intervals, at times of the clock, and when the central system asks."""

from __future__ import annotations

from . import outbox as out
from .journal import METER
from .measurands import Sample, sample
from .situation import Situation

NOTE_METER_S = 60.0
PERIODIC, CLOCK, TRIGGER = "Sample.Periodic", "Sample.Clock", "Trigger"
MAX_ALIGNED = 200  # values of a transaction that its end tells


class MeterValues:
    """Times are seconds since 1970."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self._next_sample = self._next_clock = self._next_note = 0.0
        if transaction := situation.transaction:  # its values go on at their interval
            self._next_sample = transaction.last_at + self._sample_interval

    @property
    def _sample_interval(self) -> int:
        return self._situation.configuration.number("MeterValueSampleInterval")

    def now(self, key: str, register: int | None = None) -> Sample:
        """What the configuration's ``key`` asks for; ``register`` (Wh) instead of what the meter shows."""
        situation = self._situation
        register = situation.register if register is None else register
        if register is None:
            return []
        return sample(situation.snapshot, register, situation.configuration.list(key), situation.supply)

    def begin(self, now: float) -> None:
        """A transaction has begun."""
        self._next_sample, self._next_note = now + self._sample_interval, now + NOTE_METER_S

    def configured(self, name: str, now: float) -> None:
        if name == "metervaluesampleinterval":
            self._next_sample = now + self._sample_interval
        if name == "clockaligneddatainterval":
            self._next_clock = 0.0

    def clock_was_set_back(self) -> None:
        self._next_sample = self._next_clock = self._next_note = 0.0

    def take(self, now: float) -> None:
        """Those that are due."""
        situation = self._situation
        self._next_sample = min(self._next_sample, now + self._sample_interval)  # whatever the clock has done
        if situation.transaction and self._sample_interval and now >= self._next_sample:
            self._next_sample = now + self._sample_interval
            self._add("MeterValuesSampledData", PERIODIC, now)
        if situation.transaction and now >= self._next_note:
            self._note_meter(now)
        aligned = situation.configuration.number("ClockAlignedDataInterval")
        if aligned and now >= self._next_clock:
            if self._next_clock:
                self._take_aligned(self._next_clock)
            self._next_clock = (now // aligned + 1) * aligned if 86400 % aligned == 0 else now + aligned

    def trigger(self, now: float) -> None:
        """The central system wants to see the meter now; of a running transaction they count."""
        values = self.now("MeterValuesSampledData")
        if values and self._situation.transaction:
            self._add("MeterValuesSampledData", TRIGGER, now)
        elif values:
            self._situation.outbox.ask(out.METER_NOW, now, triggered=True, at=now, context=TRIGGER, sample=values)

    def _take_aligned(self, at: float) -> None:
        situation = self._situation
        if situation.transaction is None:
            if values := self.now("MeterValuesAlignedData"):
                situation.outbox.ask(out.METER_NOW, at, at=at, context=CLOCK, sample=values)
            return
        self._add("MeterValuesAlignedData", CLOCK, at)
        if values := self.now("StopTxnAlignedData"):
            transaction = situation.running
            aligned = [*transaction.extra.get("aligned", []), {"at": at, "context": CLOCK, "sample": values}]
            extra = {**transaction.extra, "aligned": aligned[-MAX_ALIGNED:]}
            situation.transaction = situation.journal.note_extra(transaction, extra)

    def _add(self, key: str, context: str, at: float) -> None:
        situation = self._situation
        if values := self.now(key):
            payload = {"at": at, "context": context, "sample": values, "phase": situation.phase,
                       "offline": not situation.connected}  # fmt: skip
            with situation.journal.together():
                situation.journal.add(situation.running, METER, payload)
                self._note_meter(at)

    def _note_meter(self, now: float) -> None:
        self._next_note = now + NOTE_METER_S
        situation, journal = self._situation, self._situation.journal
        if situation.register is None or not situation.is_in_session:
            return
        transaction, energy = situation.running, situation.snapshot.session_energy or 0
        extra = {**transaction.extra, "session_energy": energy, "uptime": situation.uptime}
        with journal.together():
            situation.transaction = journal.note_meter(
                journal.note_extra(transaction, extra), max(situation.register, transaction.last_meter), now
            )
            situation.keep_total()
