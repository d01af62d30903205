"""What the page says, without a server: every state of a charger in words."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from evse_host.bridge.page_view import ADVICE, action, view, words
from evse_host.bridge.snapshot import Snapshot
from evse_host.catalog import FAULTS, STATES

CALM = {
    "STATE": (0,),
    "ERROR": (0,),
    "ENABLE": (1,),
    "AVAILABLE": (1,),
    "PENDAUTH": (0,),
    "LIMREACH": (0,),
    "REQAUTH": (0,),
    "CHCUR": (160,),
    "MAXCHCUR": (32,),
    "EMETERPOWER": (0,),
    "EMETERCURRENT": (0, 0, 0),
    "EMETERVOLTAGE": (0, 0, 0),
    "EMETERCONSUM": (0,),
    "EMETERCHTIME": (0,),
    "CONSUMLIM": (0,),
    "CHTIMELIM": (0,),
    "UNDERPOWERLIM": (0,),
    "INSTNAME": ("Garage",),
}


def snapshot(state: str, **values) -> Snapshot:
    rows = {name: value if isinstance(value, tuple) else (value,) for name, value in values.items()}
    return Snapshot(True, CALM | {"STATE": (STATES.index(state),)} | rows)


@pytest.mark.parametrize(
    ("state", "values", "kind", "headline", "explanation"),
    [
        ("A", {}, "ready", "No car", "can charge at once"),
        ("A", {"REQAUTH": 1}, "ready", "No car", "after an authorization"),
        ("A", {"ENABLE": 0}, "stopped", "No car, stopped", "has to wait until charging is started"),
        ("B1", {"PENDAUTH": 1, "ENABLE": 0}, "waiting", "Waiting for authorization", "when somebody authorizes it"),
        ("B1", {"ENABLE": 0}, "stopped", "Stopped", "Somebody stopped charging, here or elsewhere."),
        ("C1", {"ENABLE": 0}, "stopped", "Stopped", "The car asks for energy."),
        ("B1", {"AVAILABLE": 0, "ENABLE": 0}, "stopped", "Out of service", "not available"),
        ("B1", {}, "waiting", "Car connected", "prepares"),
        ("D1", {}, "waiting", "Car connected", "The car asks for energy."),
        ("B2", {}, "ready", "Car connected", "the car asks for none"),
        ("C2", {}, "charging", "Charging", "takes none yet"),
        ("C2", {"EMETERPOWER": 3680, "EMETERCURRENT": (16000, 0, 0)}, "charging", "Charging", "on 1 phase."),
        ("D2", {"EMETERPOWER": 7000, "EMETERCURRENT": (9000, 9000, 499)}, "charging", "Charging", "on 2 phases."),
        ("C2", {"EMETERPOWER": 11000, "EMETERCURRENT": (9000, 9000, 500)}, "charging", "Charging", "on 3 phases."),
        ("C2", {"EMETERPOWER": 90, "EMETERCURRENT": (400, 0, 0)}, "charging", "Charging", "The car takes energy."),
        ("E", {"ERROR": 16}, "fault", "Fault", "until the fault is gone"),
        ("E", {}, "fault", "Fault", "until the fault is gone"),
        ("A", {"ERROR": 1}, "fault", "Fault", "until the fault is gone"),
        ("F", {}, "stopped", "Out of service", "not available"),
    ],
)  # fmt: skip
def test_each_situation_is_said_in_words(state, values, kind, headline, explanation) -> None:
    said = words(snapshot(state, **values))
    assert said[:2] == (kind, headline)
    assert explanation in said[2]


@pytest.mark.parametrize(
    ("values", "which"),
    [
        ({"CONSUMLIM": 5000, "EMETERCONSUM": 5001}, "energy limit"),
        ({"CONSUMLIM": 5000, "EMETERCONSUM": 5000, "CHTIMELIM": 60, "EMETERCHTIME": 61}, "time limit"),
        ({"CONSUMLIM": 5000, "EMETERCONSUM": 4000, "UNDERPOWERLIM": 500}, "under-power limit"),
        ({"CONSUMLIM": 0, "EMETERCONSUM": 4000, "CHTIMELIM": 60, "EMETERCHTIME": 61}, "time limit"),
        ({"CHTIMELIM": 0, "EMETERCHTIME": 61, "UNDERPOWERLIM": 500}, "under-power limit"),
    ],
)
def test_the_limit_that_was_reached_is_named(values, which) -> None:
    kind, headline, explanation = words(snapshot("B1", LIMREACH=1, **values))
    assert (kind, headline) == ("stopped", "Limit reached")
    assert which in explanation


@pytest.mark.parametrize(
    ("state", "values", "expected"),
    [
        ("A", {}, None),
        ("A", {"ENABLE": 0}, "start"),
        ("A", {"ENABLE": 0, "AVAILABLE": 0}, None),
        ("B1", {}, None),
        ("B1", {"PENDAUTH": 1}, None),
        ("B1", {"PENDAUTH": 1, "ENABLE": 0}, "start"),
        ("B1", {"LIMREACH": 1}, None),
        ("B1", {"ENABLE": 0}, "start"),
        ("C1", {"ENABLE": 0}, "start"),
        ("C1", {"LIMREACH": 1}, None),
        ("B2", {}, "stop"),
        ("C2", {}, "stop"),
        ("D2", {}, "stop"),
        ("E", {}, None),
        ("E", {"ENABLE": 0}, None),
        ("C2", {"ERROR": 1}, None),
        ("F", {"ENABLE": 0}, None),
    ],
)
def test_there_is_a_button_only_for_what_can_be_done(state, values, expected) -> None:
    assert action(snapshot(state, **values)) == expected


def test_every_state_has_words() -> None:
    assert all(all(words(snapshot(state))) for state in STATES)
    assert words(Snapshot())[0] == words(Snapshot(True, {"STATE": (9,)}))[0] == "unknown"


def test_every_fault_has_a_name_and_advice() -> None:
    shown = view(snapshot("E", ERROR=(1 << len(FAULTS)) - 1), "x")["faults"]
    assert [fault["name"] for fault in shown] == [text for _, text in FAULTS]
    assert [fault["advice"] for fault in shown] == [ADVICE[key] for key, _ in FAULTS]
    assert view(snapshot("A"), "x")["faults"] == []


def test_a_fault_of_later_firmware_is_shown_with_its_number() -> None:
    assert [fault["name"] for fault in view(snapshot("E", ERROR=0x210), "x")["faults"]] == [
        "Residual current",
        "number 9",
    ]


def test_values_are_in_units_of_people() -> None:
    shown = view(
        snapshot(
            "C2",
            CHCUR=165,
            EMETERPOWER=11040,
            EMETERCURRENT=(16000, 15900, 16100),
            EMETERVOLTAGE=(230100, 231000, 229000),
            EMETERCONSUM=1234,
            EMETERTOTCONSUM=2**33,
            EMETERSESTIME=4000,
            EMETERCHTIME=3000,
            TEMP=(2, -1250, -1300),
            CONSUMLIM=10000,
            CHTIMELIM=3600,
            UNDERPOWERLIM=500,
        ),
        "x",
    )
    assert shown["charging_current"] == 16.5 and shown["maximum_current"] == 32
    assert shown["currents"] == (16.0, 15.9, 16.1) and shown["voltages"] == (230.1, 231.0, 229.0)
    assert (shown["power"], shown["session_energy"], shown["total_energy"]) == (11040, 1234, 2**33)
    assert (shown["session_time"], shown["charging_time"], shown["temperature"]) == (4000, 3000, -12.5)
    assert (shown["energy_limit"], shown["time_limit"], shown["under_power_limit"]) == (10000, 3600, 500)


def test_voltages_of_a_resting_meter_are_unknown() -> None:
    assert view(snapshot("B1"), "x")["voltages"] is None


def test_without_a_value_nothing_is_invented() -> None:
    shown = view(Snapshot(), "garage", "no answer")
    assert (shown["online"], shown["error"], shown["name"]) == (False, "No answer.", "garage")
    texts = ("online", "error", "name", "kind", "headline", "explanation", "bound", "faults")
    assert all(value is None for key, value in shown.items() if key not in texts)
    json.dumps(shown, allow_nan=False)


def test_silence_is_said_once() -> None:
    assert view(Snapshot(), "x", "the charger does not answer: is it on?")["error"] == "Is it on?"


def test_an_old_error_is_not_told_while_online() -> None:
    assert view(snapshot("A"), "x", "no answer")["error"] == ""


@pytest.mark.parametrize(
    ("state", "values", "bound", "explanation"),
    [
        (
            "C2",
            {"EMETERPOWER": 2300, "EMETERCURRENT": (10000, 0, 0)},
            "limited by the central system to 10 A",
            "The car takes energy on 1 phase. Limited by the central system to 10 A.",
        ),
        ("B1", {"ENABLE": 0}, "paused by the central system", "Paused by the central system."),
        ("B1", {"ENABLE": 0}, "", "Somebody stopped charging, here or elsewhere."),
    ],
)
def test_a_central_systems_bound_is_told(state, values, bound, explanation):
    shown = view(replace(snapshot(state, **values), bound=bound), "garage")
    assert shown["explanation"] == explanation and shown["bound"] == bound
