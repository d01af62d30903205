"""What a recorder gets to write in an hour, and what is told at once all the same."""

from __future__ import annotations

import random

import pytest

from evse_host.bridge.home_assistant import state
from evse_host.bridge.pace import RULES, Pace
from evse_host.bridge.snapshot import Snapshot

BEAT_S = 0.25  # how often the charger pushes


def charging(second: float, noise: random.Random) -> Snapshot:
    """11 kW with the noise of a real meter."""
    current = tuple(int(16_000 + noise.gauss(0, 40)) for _ in range(3))
    voltage = tuple(int(231_000 + noise.gauss(0, 400)) for _ in range(3))
    power = sum(u * i for u, i in zip(voltage, current, strict=True)) // 1_000_000
    energy = int(11_088 * second / 3600)
    return Snapshot(True, {
        "STATE": (4,), "ERROR": (0,), "ENABLE": (1,), "CHCUR": (160,), "EMETERPOWER": (power,),
        "EMETERCURRENT": current, "EMETERVOLTAGE": voltage, "EMETERCONSUM": (energy,),
        "EMETERTOTCONSUM": (1_000_000 + energy,), "EMETERSESTIME": (int(second),), "EMETERCHTIME": (int(second),),
        "TEMP": (1, 3150 + int(noise.gauss(0, 20)), 0),
    })  # fmt: skip


def rows(states: list[dict]) -> int:
    """What Home Assistant's recorder writes: a row for each value of an entity that differs."""
    return sum(
        before.get(key) != value
        for before, now in zip([{}, *states], states, strict=False)
        for key, value in now.items()
    )


def hour(moment) -> list[dict]:
    noise, pace = random.Random(1), Pace()
    beats = range(int(3600 / BEAT_S))
    return [pace.paced(state(moment(beat * BEAT_S, noise)), beat * BEAT_S) for beat in beats]


def test_an_hour_of_charging_with_a_noisy_meter():
    told = hour(charging)
    assert rows(told) <= 3000
    assert len({id_["session_energy"] for id_ in told}) <= 122, "11,000 before"


def test_an_idle_hour_makes_few_rows():
    idle = {"STATE": (0,), "ERROR": (0,), "ENABLE": (1,), "EMETERPOWER": (0,), "EMETERCONSUM": (0,)}

    def moment(_second: float, noise: random.Random) -> Snapshot:
        return Snapshot(True, idle | {"TEMP": (1, 2150 + int(noise.gauss(0, 20)), 0)})

    assert rows(hour(moment)) <= 100


def test_every_rule_is_for_a_value_of_the_state():
    assert RULES.keys() <= state(Snapshot()).keys()


@pytest.mark.parametrize(
    ("key", "before", "after", "at_once"),
    [
        ("power", 11_000, 11_540, False),
        ("power", 11_000, 11_560, True),
        ("power", 11_000, 10_440, True),
        ("power", 0, 5, True),
        ("power", 5, 0, True),
        ("power", None, 11_000, True),
        ("power", 11_000, None, True),
        ("current_l1", 16.0, 15.0, True),
        ("voltage_l1", 230.0, 200.0, False),
        ("voltage_l1", 230.0, 0.0, True),
        ("session_energy", 1000, 1001, False),
        ("session_energy", 1000, 0, True),
        ("current", 16.0, 16.1, True),
        ("enabled", True, False, True),
        ("error", False, True, True),
        ("consumption_limit", 0, 100, True),
    ],
)
def test_what_is_told_at_once(key, before, after, at_once):
    pace = Pace()
    pace.paced({key: before}, 0.0)
    told = pace.paced({key: after}, 0.1)[key]
    assert told == (after if at_once else before)
    if at_once:
        assert pace.due == float("inf")
    else:
        assert pace.due == RULES[key].every
        assert pace.paced({key: after}, RULES[key].every)[key] == after


def test_the_end_of_charging_tells_all():
    pace = Pace()
    running = {"state": "C2", "charging": True, "session_energy": 1000, "total_energy": 5000, "session_time": 60}
    pace.paced(running, 0.0)
    ended = running | {"state": "B2", "charging": False, "session_energy": 1009, "total_energy": 5009}
    assert pace.paced(ended, 3.0) == ended


def test_what_is_told_once_is_not_told_early_again():
    pace, told = Pace(), []
    for second in range(100):
        told.append(pace.paced({"session_energy": second + 1}, float(second))["session_energy"])
    assert sorted(set(told)) == [1, 31, 61, 91]
