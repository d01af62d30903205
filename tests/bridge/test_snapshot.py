"""What a charger shows, in the units that people use."""

from __future__ import annotations

import pytest

from evse_host.bridge.snapshot import Snapshot

CHARGING = Snapshot(
    online=True,
    values={
        "STATE": (4,),
        "ERROR": (0,),
        "ENABLE": (1,),
        "CHCUR": (125,),
        "EMETERPOWER": (3680,),
        "EMETERCONSUM": (1234,),
        "EMETERTOTCONSUM": (4_294_967_297,),
        "EMETERVOLTAGE": (230_100, 231_000, 0),
        "EMETERCURRENT": (16_000, 15_900, 0),
        "TEMP": (1, -525, -1000),
    },
)


def test_values_are_in_units_for_people():
    assert (CHARGING.state, CHARGING.charging, CHARGING.faults) == ("C2", True, 0)
    assert (CHARGING.charging_current, CHARGING.power) == (12.5, 3680)
    assert (CHARGING.session_energy, CHARGING.total_energy) == (1234, 4_294_967_297)
    assert CHARGING.voltages == (230.1, 231.0, 0.0) and CHARGING.currents == (16.0, 15.9, 0.0)
    assert CHARGING.temperature == -5.25
    assert CHARGING.flag("ENABLE") is True and CHARGING.get("TEMP", 2) == -1000


@pytest.mark.parametrize(
    ("number", "state", "charging"),
    [(0, "A", False), (1, "B1", False), (3, "C1", False), (4, "C2", True), (6, "D2", True), (7, "E", False)],
)
def test_each_state_has_its_letters_and_says_whether_it_charges(number, state, charging):
    snapshot = Snapshot(True, {"STATE": (number,)})
    assert (snapshot.state, snapshot.charging) == (state, charging)


def test_a_state_that_nobody_knows_is_no_state():
    snapshot = Snapshot(True, {"STATE": (9,)})
    assert (snapshot.state, snapshot.charging) == (None, None)


@pytest.mark.parametrize("name", [n for n, p in vars(Snapshot).items() if isinstance(p, property)])
def test_what_is_missing_is_none(name):
    assert getattr(Snapshot(), name) is None


def test_missing_fields_are_none():
    assert Snapshot().get("CHCUR") is None and Snapshot().flag("ENABLE") is None
    assert CHARGING.get("CHCUR", 1) is None


def test_without_a_sensor_there_is_no_temperature():
    assert Snapshot(True, {"TEMP": (0, 2500, 2400)}).temperature is None
