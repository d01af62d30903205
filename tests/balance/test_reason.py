"""The reason on a node: always true, with the cause, the phase, and what will happen next."""

from __future__ import annotations

import re

import pytest

from tests.balance.conftest import living


def announced(reason: str, what: str) -> float:
    """The s in which the reason says that this will happen; it counts in steps of 10 s, or of a minute."""
    found = re.search(rf"{what} (\d+) (s|min)", reason)
    assert found, reason
    return int(found[1]) * (60 if found[2] == "min" else 1)


def watch(house, what: str, done, cause: str, within: int) -> int:
    """Lives until `done`; all the time the reason names the cause and tells when. Returns s."""
    told = []
    for _ in range(within):
        house.live(1)
        if done():
            break
        told.append(house.reason)
    assert done(), told[-1:]
    for left, reason in enumerate(reversed(told), start=1):
        assert reason.startswith(cause), reason
        seconds = announced(reason, what)
        step = 60 if "min" in reason else 10
        assert left - 3 <= seconds <= left + step + 3, f"{reason!r}, it took {left} s"
    return len(told)


@pytest.fixture
def paused(program, charger, tmp_path):
    """A node starts at a charger that is switched off; the house has room."""
    charger.call(lambda charger: charger.set("ENABLE", 0))
    with living(program, charger, tmp_path) as house:
        yield house


def test_a_start_waits_for_the_meter_to_be_known_and_says_so(paused):
    assert watch(paused, "starts in", paused.enabled, "Watching the meter", 60) <= 40
    paused.live_until(lambda: paused.current() > 15.5)


def test_a_start_into_a_full_house_names_the_fuse(paused):
    paused.loads[1] = 22.0
    paused.live(60)
    assert paused.reason == "Main fuse L2, waits for room"
    paused.loads[1] = 2.0
    paused.live(1)
    watch(paused, "starts in", paused.enabled, "Main fuse L2", 160)


def test_after_an_outage_of_the_meter_it_is_watched(charging):
    charging.silent = True
    charging.live(60)
    assert charging.reason == "Meter silent"
    charging.silent = False
    charging.live(1)
    assert watch(charging, "starts in", charging.enabled, "Watching the meter", 160) > 100


def test_room_that_has_come_back_is_told_with_the_time(charging):
    charging.live(30)
    charging.loads[0] = 16.0
    charging.live(8)
    assert charging.reason == "Main fuse L1"
    charging.loads[0] = 2.0
    offer = charging.offer()
    charging.live(6)  # until house and car can be told apart
    watch(charging, "rises in", lambda: charging.offer() > offer, "Main fuse L1", 160)


def test_an_overload_at_the_minimum_tells_when_it_pauses(charging):
    charging.loads[2] = 22.5
    charging.live(10)
    watch(charging, "pauses in", lambda: not charging.enabled(), "Main fuse L3", 600)
    assert charging.reason == "Main fuse L3, waits for room"


def test_a_charger_that_offers_nothing_itself(charging):
    charging.set("CONSUMLIM", 1)
    charging.live(15)
    assert charging.current() == 0
    assert charging.reason == "Charger offers nothing: see its status"


def test_a_charger_that_is_not_available_is_no_missing_car(charging):
    charging.set("AVAILABLE", 0)
    charging.live(15)
    assert charging.reason == "Charger offers nothing: see its status"
    charging.charger.call(lambda charger: charger.car.unplug())
    charging.live(15)
    assert charging.reason == "Charger offers nothing: see its status"


def test_a_charger_that_waits_for_an_authorization(charging):
    charging.live(30)
    charging.charger.call(lambda charger: charger.car.unplug())
    charging.live(5)
    assert charging.reason == "No vehicle"
    charging.set("REQAUTH", 1)
    charging.charger.call(lambda charger: charger.car.plug())
    charging.live(15)
    assert charging.current() == 0
    assert charging.reason == "Charger offers nothing: see its status"
    charging.charger.call(lambda charger: charger.point.authorize())
    charging.live_until(lambda: charging.current() > 5)


def test_a_persons_time_limit_that_is_over(charging):
    charging.node.command("number.Time limit", 1 / 60)
    charging.live_until(lambda: charging.current() == 0, 100)
    charging.live(15)
    assert charging.reason == "Your time limit"


def test_a_car_that_is_full(charging):
    charging.charger.call(lambda charger: charger.car.stop())
    charging.live(30)
    assert charging.reason == "Car takes nothing"


@pytest.mark.parametrize("mode", ["fast", "solar"])
def test_a_charger_that_falls_silent_and_restarts(charging, mode):
    charging.node.command("select.Mode", mode)
    charging.live(3)
    charging.charger.call(lambda charger: charger.reboot(charger.now))
    for _ in range(20):
        charging.live(1)
        assert charging.reason != "No vehicle"
