"""The last 24 hours, from snapshots and a clock that the test turns."""

from __future__ import annotations

from evse_host.bridge.history import STEPS, WORTH_S, History
from evse_host.bridge.snapshot import Snapshot
from evse_host.catalog import STATES

NOON = 1_800_000_000 // 60 * 60


def at(state: str, power: int = 0, energy: int = 0, seconds: int = 0, online: bool = True) -> Snapshot:
    values = {"STATE": (STATES.index(state),), "EMETERPOWER": (power,), "EMETERCONSUM": (energy,),
              "EMETERSESTIME": (seconds,)}  # fmt: skip
    return Snapshot(online, values)


def charge(history: History, start: int, minutes: int, power: int = 6000) -> int:
    """A session of so many minutes, a snapshot every 10 s; when it has ended."""
    for second in range(0, minutes * 60, 10):
        history.add(at("C2", power, power * second // 3600, second), start + second)
    history.add(at("A"), start + minutes * 60)
    return start + minutes * 60


def test_minute_by_minute():
    history = History()
    now = charge(history, NOON, 3)
    shown = history.json(now)
    assert shown["step"] == 60 and len(shown["power"]) == len(shown["energy"]) == STEPS
    assert shown["start"] == now - (STEPS - 1) * 60
    assert shown["power"][-4:] == [6000, 6000, 6000, 0]
    assert shown["energy"][-4:] == [83, 183, 283, None] and set(shown["power"][:-4]) == {None}


def test_the_power_of_a_minute_is_its_mean():
    history = History()
    for watts in (1000, 2000, 3000):
        history.add(at("C2", watts), NOON + watts // 100)
    assert history.json(NOON)["power"][-1] == 2000


def test_what_was_not_heard_is_unknown():
    history = History()
    history.add(at("C2", 1000), NOON)
    history.add(at("C2", 1000, online=False), NOON + 60)
    history.add(at("C2", 1000), NOON + 180)
    assert history.json(NOON + 180)["power"][-4:] == [1000, None, None, 1000]


def test_a_day_and_not_a_minute_more():
    history = History()
    for minute in range(STEPS + 100):
        history.add(at("A", minute), NOON + minute * 60)
    assert history.json(NOON + (STEPS + 99) * 60)["power"] == list(range(100, STEPS + 100))
    assert len(history._minutes) == STEPS


def test_sessions_newest_first_with_start_duration_and_energy():
    history = History()
    end = charge(history, NOON, 10)
    charge(history, end + 600, 5, 3000)
    assert history.json(end + 900)["sessions"] == [
        {"start": end + 600, "energy": 241, "duration": 290},
        {"start": NOON, "energy": 983, "duration": 590},
    ]


def test_a_session_that_was_on_before_has_its_own_start():
    history = History()
    history.add(at("C2", 6000, 5000, 3600), NOON)
    history.add(at("A"), NOON + 60)
    assert history.json(NOON)["sessions"] == [{"start": NOON - 3600, "energy": 5000, "duration": 3600}]


def test_a_fault_in_a_session_does_not_cut_it():
    history = History()
    history.add(at("C2", 6000, 5000, 3600), NOON)
    history.add(at("E", 0, 5000, 3660), NOON + 60)
    history.add(at("C2", 6000, 5100, 3720), NOON + 120)
    assert history.json(NOON + 120)["sessions"] == []
    history.add(at("A"), NOON + 180)
    (session,) = history.json(NOON + 180)["sessions"]
    assert (session["energy"], session["duration"]) == (5100, 3720)


def test_a_restart_in_a_session_ends_it_and_begins_another():
    history = History()
    history.add(at("C2", 6000, 5000, 3600), NOON)
    history.add(at("C2", 6000, 10, 6), NOON + 20)
    history.add(at("B2", 0, 700, 600), NOON + 620)
    history.add(at("A"), NOON + 640)
    assert [one["energy"] for one in history.json(NOON + 640)["sessions"]] == [700, 5000]


def test_a_plug_that_was_tried_is_no_session():
    history = History()
    history.add(at("B1", seconds=WORTH_S - 1), NOON)
    history.add(at("A"), NOON + 60)
    assert history.json(NOON + 60)["sessions"] == []


def test_a_clock_that_is_set_back():
    history = History()
    for minute in range(5):
        history.add(at("A", 100), NOON + minute * 60)
    history.add(at("A", 200), NOON + 60)
    assert history.json(NOON + 60)["power"][-2:] == [100, 150]  # the minute has both
