"""Charging profiles: how much current may flow at a moment, and when that changes. Pure.

Moments are seconds since 1970 (UTC). The rules are those of OCPP 1.6, chapter 3.13, which 2.0.1 shares: of each purpose
the profile with the highest stack level that has a period at the moment prevails; a TxProfile replaces
TxDefaultProfile; the smaller of that and ChargePointMaxProfile is the limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

STATION_MAX, TX_DEFAULT, TX = "ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"
ABSOLUTE, RECURRING, RELATIVE = "Absolute", "Recurring", "Relative"
RECURRENCY_S = {"Daily": 86400, "Weekly": 7 * 86400}
AMPERE, WATT = "A", "W"

MAX_STACK_LEVEL = 99
MAX_PROFILES = 50
MAX_PERIODS = 500


@dataclass(frozen=True)
class Period:
    """From ``start`` (s after the schedule's begin) on at most ``limit`` in the unit of the schedule."""

    start: int
    limit: float
    phases: int | None = None


@dataclass(frozen=True)
class Profile:
    """``connector`` 0 is the whole charge point; ``begin`` anchors absolute and recurring schedules; ``received`` does
    where they have none. ``transaction`` is the central system's name of the one that a TxProfile is for."""

    id: int
    stack_level: int
    purpose: str
    kind: str
    unit: str
    periods: tuple[Period, ...]
    connector: int = 0
    received: float = 0.0
    begin: float | None = None
    duration: int | None = None
    recurrency: str | None = None
    valid_from: float | None = None
    valid_to: float | None = None
    transaction: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, saved: dict[str, Any]) -> Profile:
        return cls(**{**saved, "periods": tuple(Period(**period) for period in saved["periods"])})


@dataclass(frozen=True)
class Supply:
    """What the charger is connected to: V between phase and neutral, phases, and its largest current in A.

    Watts are shared by all ``phases``, whatever a period says of fewer: the charger cannot switch phases, and a car
    that takes all of them must not take more than the limit.
    """

    voltage: float = 230.0
    phases: int = 3
    maximum: float = 32.0

    def to_ampere(self, limit: float, unit: str) -> float:
        return limit if unit == AMPERE else limit / (self.voltage * self.phases)

    def to_unit(self, ampere: float, unit: str) -> float:
        return ampere if unit == AMPERE else ampere * self.voltage * self.phases


def tenths(ampere: float) -> int:
    """A/10 as the charger takes them; never more than the limit, but for what floating point adds."""
    return math.floor(ampere * 10 + 1e-6)


# --- one profile ------------------------------------------------------------------------------------------------------


def problem(profile: Profile) -> str | None:
    """Why it cannot be used, or None."""
    starts = [period.start for period in profile.periods]
    rules = (
        (0 <= profile.stack_level <= MAX_STACK_LEVEL, f"stackLevel is 0 to {MAX_STACK_LEVEL}"),
        (0 < len(starts) <= MAX_PERIODS, f"a schedule has 1 to {MAX_PERIODS} periods"),
        (starts[:1] == [0], "the first period starts at 0"),
        (all(a < b for a, b in pairwise(starts)), "periods start one after the other"),
        (all(0 <= period.limit < 1e9 for period in profile.periods), "a limit is 0 or more"),
        (all(period.phases in (None, 1, 2, 3) for period in profile.periods), "numberPhases is 1 to 3"),
        (profile.duration is None or profile.duration >= 0, "a duration is 0 or more"),
        (profile.kind != RECURRING or profile.recurrency in RECURRENCY_S, "Recurring needs a recurrencyKind"),
        (profile.purpose != STATION_MAX or profile.connector == 0, "ChargePointMaxProfile is for connector 0"),
        (profile.purpose != TX or profile.connector != 0, "TxProfile is for a connector"),
    )
    return next((text for fulfilled, text in rules if not fulfilled), None)


def period_at(profile: Profile, moment: float, tx_start: float | None) -> Period | None:
    """The period that holds at ``moment``; ``tx_start`` is when the transaction began, None without one."""
    if profile.valid_from is not None and moment < profile.valid_from:
        return None
    if profile.valid_to is not None and moment >= profile.valid_to:
        return None
    position = moment - _begin(profile, moment, tx_start)
    if position < 0:
        return None
    if profile.kind == RECURRING:
        position %= RECURRENCY_S[str(profile.recurrency)]
    if profile.duration is not None and position >= profile.duration:
        return None
    return next((period for period in reversed(profile.periods) if period.start <= position), None)


def _begin(profile: Profile, moment: float, tx_start: float | None) -> float:
    if profile.kind == RELATIVE:
        if profile.purpose == STATION_MAX:
            return profile.received
        return moment if tx_start is None else tx_start
    if profile.begin is not None:
        return profile.begin
    return profile.received if profile.valid_from is None else profile.valid_from


def _changes(profile: Profile, start: float, end: float, tx_start: float | None) -> Iterator[float]:
    """Moments in (start, end) at which its period may change."""
    yield from (moment for moment in (profile.valid_from, profile.valid_to) if moment is not None)
    offsets = [period.start for period in profile.periods]
    offsets += [] if profile.duration is None else [profile.duration]
    if profile.kind == RELATIVE and profile.purpose != STATION_MAX and tx_start is None:
        return  # it waits at its first period
    begin = _begin(profile, start, tx_start)
    if profile.kind != RECURRING:
        yield from (begin + offset for offset in offsets)
        return
    length = RECURRENCY_S[str(profile.recurrency)]
    round_at = begin + max(0, math.floor((start - begin) / length)) * length
    while round_at < end:
        yield from (round_at + offset for offset in offsets if offset < length)
        round_at += length


# --- all of them ------------------------------------------------------------------------------------------------------


def limit_at(
    profiles: Iterable[Profile], moment: float, tx_start: float | None, supply: Supply
) -> tuple[float, int | None] | None:
    """(A, phases) that may flow; None: no profile says anything."""
    limits = []
    for purposes in ((STATION_MAX,), (TX, TX_DEFAULT)):
        if (found := _prevailing(profiles, purposes, moment, tx_start)) is not None:
            profile, period = found
            limits.append((supply.to_ampere(period.limit, profile.unit), period.phases))
    return min(limits, key=lambda limit: limit[0], default=None)


def _prevailing(
    profiles: Iterable[Profile], purposes: Sequence[str], moment: float, tx_start: float | None
) -> tuple[Profile, Period] | None:
    """(profile, period) of the first purpose that has one; of its profiles the connector's own before those of the
    whole charge point, then the highest stack level."""
    best = None
    for profile in profiles:
        if profile.purpose not in purposes or (profile.purpose == TX and tx_start is None):
            continue
        rank = (-purposes.index(profile.purpose), profile.connector, profile.stack_level)
        if (best is None or rank > best[0]) and (period := period_at(profile, moment, tx_start)) is not None:
            best = rank, profile, period
    return best[1:] if best else None


def next_change(
    profiles: Iterable[Profile], moment: float, tx_start: float | None, horizon: float = 7 * 86400.0
) -> float | None:
    """The next moment within ``horizon`` s at which the limit may change."""
    ahead = {
        change
        for profile in profiles
        for change in _changes(profile, moment, moment + horizon, tx_start)
        if moment < change < moment + horizon
    }
    return min(ahead, default=None)


def composite(
    profiles: Sequence[Profile], start: float, duration: int, unit: str, tx_start: float | None, supply: Supply
) -> list[Period]:
    """What may flow from ``start`` on for ``duration`` s, in ``unit``; where no profile says anything, or more than the
    charger can, it is what the charger can. Limits have one decimal, rounded down."""
    moments = {start} | {
        change
        for profile in profiles
        for change in _changes(profile, start, start + duration, tx_start)
        if start < change < start + duration
    }
    result: list[Period] = []
    for moment in sorted(moments):
        ampere, phases = limit_at(profiles, moment, tx_start, supply) or (supply.maximum, None)
        limit = tenths(supply.to_unit(min(ampere, supply.maximum), unit)) / 10
        offset = math.ceil(moment - start)
        if result and (result[-1].limit, result[-1].phases) == (limit, phases):
            continue
        if result and result[-1].start == offset:  # both within one second: the later one holds longer
            result.pop()
        if offset < duration:
            result.append(Period(offset, limit, phases))
    return result


# --- keeping them -----------------------------------------------------------------------------------------------------


def install(profiles: Sequence[Profile], new: Profile) -> list[Profile]:
    """With ``new`` instead of those that it replaces: the same id, or the same purpose, stack level and connector."""
    place = (new.purpose, new.stack_level, new.connector)
    kept = [old for old in profiles if old.id != new.id and (old.purpose, old.stack_level, old.connector) != place]
    return [*kept, new]


def clear(
    profiles: Sequence[Profile],
    id: int | None = None,  # noqa: A002 the protocol's word
    connector: int | None = None,
    purpose: str | None = None,
    stack_level: int | None = None,
) -> list[Profile]:
    """Without those that fit all that is given; with an id nothing else counts."""

    def fits(profile: Profile) -> bool:
        if id is not None:
            return profile.id == id
        return all(
            wanted is None or wanted == has
            for wanted, has in (
                (connector, profile.connector),
                (purpose, profile.purpose),
                (stack_level, profile.stack_level),
            )
        )

    return [profile for profile in profiles if not fits(profile)]
