"""The profile calculator against a reference that is slow and obvious: it walks the calendar second by second."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evse_host.bridge.ocpp import profiles as p
from evse_host.bridge.ocpp.profiles import Period, Profile, Supply

SUPPLY = Supply(230, 3, 32)
T0 = datetime(2026, 11, 26, 12, tzinfo=UTC)
NOW = T0.timestamp()


def profile(**values) -> Profile:
    defaults = {"id": 1, "stack_level": 0, "purpose": p.TX_DEFAULT, "kind": p.ABSOLUTE, "unit": "A",
                "periods": (Period(0, 16.0),), "begin": NOW}  # fmt: skip
    return Profile(**{**defaults, **values})


# --- the reference ----------------------------------------------------------------------------------------------------


def slow_period(prof: Profile, at: datetime, tx_start: datetime | None) -> Period | None:
    """By the calendar: finds the round that ``at`` lies in by stepping from the first one."""
    stamp = lambda seconds: datetime.fromtimestamp(seconds, UTC)  # noqa: E731
    if prof.valid_from is not None and at < stamp(prof.valid_from):
        return None
    if prof.valid_to is not None and not at < stamp(prof.valid_to):
        return None
    if prof.kind == "Relative":
        begin = stamp(prof.received) if prof.purpose == "ChargePointMaxProfile" else tx_start or at
    elif prof.begin is not None:
        begin = stamp(prof.begin)
    elif prof.valid_from is not None:
        begin = stamp(prof.valid_from)
    else:
        begin = stamp(prof.received)
    if at < begin:
        return None
    if prof.kind == "Recurring":
        step = timedelta(days=1 if prof.recurrency == "Daily" else 7)
        while begin + step <= at:
            begin += step
    if prof.duration is not None and not at < begin + timedelta(seconds=prof.duration):
        return None
    found = None
    for period in prof.periods:
        if begin + timedelta(seconds=period.start) <= at:
            found = period
    return found


def slow_limit(profs: list[Profile], at: datetime, tx_start: datetime | None) -> float | None:
    def ampere(prof: Profile) -> float:
        value = slow_period(prof, at, tx_start).limit
        return value if prof.unit == "A" else value / 690

    def best(purpose: str) -> float | None:
        active = [prof for prof in profs if prof.purpose == purpose and slow_period(prof, at, tx_start)]
        own = [prof for prof in active if prof.connector == 1] or active
        if not own:
            return None
        top = max(prof.stack_level for prof in own)
        return next(ampere(prof) for prof in own if prof.stack_level == top)

    tx = best("TxProfile") if tx_start else None
    limits = [best("ChargePointMaxProfile"), tx if tx is not None else best("TxDefaultProfile")]
    return min((limit for limit in limits if limit is not None), default=None)


# --- strategies: small numbers, so that boundaries meet ---------------------------------------------------------------

offsets = st.integers(-20, 20).map(lambda minutes: NOW + 60.0 * minutes)
maybe = lambda strategy: st.none() | strategy  # noqa: E731


@st.composite
def some_profiles(draw) -> list[Profile]:
    installed: list[Profile] = []
    for number in range(draw(st.integers(0, 6))):
        purpose = draw(st.sampled_from((p.STATION_MAX, p.TX_DEFAULT, p.TX)))
        connector = {p.STATION_MAX: 0, p.TX: 1}.get(purpose, draw(st.integers(0, 1)))
        starts = sorted({0, *draw(st.lists(st.integers(1, 40).map(lambda m: 60 * m), max_size=3))})
        kind = draw(st.sampled_from((p.ABSOLUTE, p.RECURRING, p.RELATIVE)))
        installed = p.install(installed, Profile(
            id=number, stack_level=draw(st.integers(0, 3)), purpose=purpose, kind=kind,
            unit=draw(st.sampled_from("AW")), connector=connector, received=draw(offsets), begin=draw(maybe(offsets)),
            periods=tuple(Period(s, draw(st.sampled_from((0, 6, 9.9, 16, 32, 3680, 11040)))) for s in starts),
            duration=draw(maybe(st.integers(0, 40).map(lambda m: 60 * m))),
            recurrency=draw(st.sampled_from(("Daily", "Weekly"))) if kind == p.RECURRING else None,
            valid_from=draw(maybe(offsets)), valid_to=draw(maybe(offsets)),
        ))  # fmt: skip
    return installed


moments = st.builds(
    lambda days, seconds: T0 + timedelta(days=days, seconds=seconds), st.integers(0, 15), st.integers(-2500, 2500)
)
starts = maybe(st.integers(-1500, 1500).map(lambda seconds: T0 + timedelta(seconds=seconds)))


def stamp(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


@given(some_profiles(), moments, starts)
@settings(max_examples=200, deadline=None)
def test_the_limit_is_that_of_the_reference(profs, at, tx_start):
    limit = p.limit_at(profs, at.timestamp(), stamp(tx_start), SUPPLY)
    assert (
        (limit and limit[0]) == pytest.approx(slow_limit(profs, at, tx_start))
        if limit
        else (slow_limit(profs, at, tx_start) is None)
    )


@given(some_profiles(), moments, starts)
@settings(max_examples=150, deadline=None)
def test_nothing_changes_before_the_next_change(profs, at, tx_start):
    """In steps of half a minute: all boundaries here are whole minutes, or the transaction's."""
    until = p.next_change(profs, at.timestamp(), stamp(tx_start), 3600)
    first = slow_limit(profs, at, tx_start)
    for step in range(1, 120):
        moment = at + timedelta(seconds=30 * step)
        if until is not None and moment.timestamp() >= until:
            break
        assert slow_limit(profs, moment, tx_start) == first


@given(some_profiles(), moments, starts, st.integers(1, 5000), st.sampled_from("AW"))
@settings(max_examples=150, deadline=None)
def test_the_composite_schedule_is_the_limit_at_every_second(profs, at, tx_start, duration, unit):
    periods = p.composite(profs, at.timestamp(), duration, unit, stamp(tx_start), SUPPLY)
    assert periods[0].start == 0 and all(a.start < b.start < duration for a, b in itertools.pairwise(periods))
    for second in {0, duration - 1, *range(0, duration, 97), *(q.start for q in periods),
                   *(q.start - 1 for q in periods[1:])}:  # fmt: skip
        shown = [q for q in periods if q.start <= second][-1].limit
        wanted = slow_limit(profs, at + timedelta(seconds=second), tx_start)
        wanted = min(32.0, 32.0 if wanted is None else wanted) * (690 if unit == "W" else 1)
        assert shown == pytest.approx(wanted, abs=0.1) and shown <= wanted + 1e-6


# --- by example: what the standard says -------------------------------------------------------------------------------


def limit(profs: list[Profile], seconds: float = 0, tx_start: float | None = None) -> float | None:
    found = p.limit_at(profs, NOW + seconds, tx_start, SUPPLY)
    return found and found[0]


def test_a_higher_stack_level_prevails_until_its_duration_is_over():
    low = profile(stack_level=0, periods=(Period(0, 10),))
    high = profile(id=2, stack_level=5, duration=60, periods=(Period(0, 20),))
    assert limit([high, low]) == 20
    assert limit([high, low], 60) == 10


def test_a_transaction_profile_replaces_the_default_even_with_a_lower_level_and_more_current():
    default = profile(stack_level=9, periods=(Period(0, 10),))
    own = profile(id=2, stack_level=0, purpose=p.TX, connector=1, periods=(Period(0, 20),))
    assert limit([default, own], tx_start=NOW) == 20
    assert limit([default, own]) == 10, "no transaction"


def test_the_smaller_of_charge_point_and_transaction_counts():
    roof = profile(purpose=p.STATION_MAX, periods=(Period(0, 13),))
    assert limit([roof, profile(id=2, periods=(Period(0, 20),))]) == 13
    assert limit([roof, profile(id=2, periods=(Period(0, 8),))]) == 8


def test_relative_begins_with_the_transaction():
    prof = profile(kind=p.RELATIVE, periods=(Period(0, 16), Period(600, 8)), begin=None)
    assert limit([prof], 900, tx_start=NOW) == 8
    assert limit([prof], 900, tx_start=NOW + 500) == 16
    assert limit([prof], 900) == 16, "nobody is charging: what would hold then"


def test_daily_over_the_change_of_summer_time():
    """UTC knows none: 86,400 s each."""
    prof = profile(kind=p.RECURRING, recurrency="Daily", periods=(Period(0, 6), Period(3600, 32)))
    assert [limit([prof], 200 * 86400 + s) for s in (0, 3599, 3600, 86399)] == [6, 6, 32, 32]


def test_watts_are_shared_by_the_phases_that_the_charger_has():
    assert Supply(230, 3).to_ampere(11040, "W") == 16
    assert Supply(230, 1).to_ampere(3680, "W") == 16


@pytest.mark.parametrize(("ampere", "wire"), [(16.0, 160), (6.1, 61), (15.99, 159), (16.1, 161), (0.3, 3)])
def test_the_charger_is_never_told_more(ampere, wire):
    assert p.tenths(ampere) == wire


def test_the_same_id_or_the_same_place_is_replaced():
    first = profile()
    assert p.install([first], profile(stack_level=3)) == [profile(stack_level=3)]
    assert p.install([first], profile(id=2)) == [profile(id=2)]
    assert len(p.install([first], profile(id=2, stack_level=1))) == 2


def test_clearing_takes_what_fits_all_that_is_given():
    profs = [profile(), profile(id=2, stack_level=1), profile(id=3, purpose=p.STATION_MAX)]
    assert [q.id for q in p.clear(profs, id=2, purpose=p.TX)] == [1, 3]
    assert [q.id for q in p.clear(profs, purpose=p.TX_DEFAULT, stack_level=1)] == [1, 3]
    assert p.clear(profs) == []


@pytest.mark.parametrize("wrong", [
    {"periods": ()}, {"periods": (Period(5, 6),)}, {"periods": (Period(0, 6), Period(0, 7))}, {"stack_level": 100},
    {"periods": (Period(0, -1),)}, {"kind": p.RECURRING}, {"purpose": p.STATION_MAX, "connector": 1},
    {"purpose": p.TX, "connector": 0}, {"duration": -1}, {"periods": (Period(0, 6, 4),)},
    {"periods": (Period(0, float("nan")),)},
])  # fmt: skip
def test_what_cannot_be_used_is_said(wrong):
    assert p.problem(profile(**wrong))
    assert p.problem(profile()) is None


def test_a_profile_survives_the_journal():
    prof = profile(kind=p.RECURRING, recurrency="Weekly", periods=(Period(0, 6.5, 3), Period(60, 0)))
    assert Profile.of(prof.as_dict()) == prof
