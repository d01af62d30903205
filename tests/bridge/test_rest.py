"""The charger's REST JSON: what a snapshot shows, what may be written, and how."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evse_host.bridge import rest, rest_config
from evse_host.bridge.snapshot import Snapshot
from evse_host.catalog import COMMAND, FAULTS, STATES
from evse_host.errors import UsageError
from evse_host.wire.codec import format_argument

VALUES = {
    "STATE": (4,),
    "ERROR": (0,),
    "ENABLE": (1,),
    "AVAILABLE": (1,),
    "PENDAUTH": (0,),
    "LIMREACH": (0,),
    "CHCUR": (105,),
    "MAXCHCUR": (32,),
    "CONSUMLIM": (2_000,),
    "CHTIMELIM": (7_200,),
    "UNDERPOWERLIM": (500,),
    "EMETERPOWER": (7_245,),
    "EMETERVOLTAGE": (230_100, 229_900, 231_000),
    "EMETERCURRENT": (10_500, 10_400, 10_300),
    "EMETERSESTIME": (120,),
    "EMETERCHTIME": (100,),
    "EMETERCONSUM": (82,),
    "EMETERTOTCONSUM": (1_234_649,),
}


def snapshot(**changed) -> Snapshot:
    """A charger at work; ``NAME=None`` is a value that it does not show."""
    values = {**VALUES, **changed}
    return Snapshot(True, {name: fields for name, fields in values.items() if fields is not None})


# --- what is read


def test_the_state_object_has_every_key_in_its_unit():
    assert rest.state_json(snapshot()) == {
        "state": "C2",
        "available": True,
        "enabled": True,
        "pendingAuth": False,
        "limitReached": False,
        "chargingCurrent": 10.5,
        "consumptionLimit": 2_000,
        "chargingTimeLimit": 7_200,
        "underPowerLimit": 500,
        "errors": None,
        "sessionTime": 120,
        "chargingTime": 100,
        "consumption": 82,
        "totalConsumption": 1_234_649,
        "power": 7_245,
        "voltage": [230.1, 229.9, 231.0],
        "current": [10.5, 10.4, 10.3],
    }


@pytest.mark.parametrize("number", range(len(STATES)))
def test_each_state_is_shown_by_its_letters(number):
    assert rest.state_json(snapshot(STATE=(number,)))["state"] == STATES[number]


def test_energies_may_be_asked_for_in_ws():
    shown = rest.state_json(snapshot(), "Ws")
    assert (shown["consumptionLimit"], shown["consumption"]) == (7_200_000, 295_200)
    assert shown["totalConsumption"] == 4_444_736_400  # beyond 32 bits


@pytest.mark.parametrize(("energies", "factor"), [("Wh", 1), ("Ws", 3600)])
def test_energy_is_exact_far_beyond_32_bits(energies, factor):
    text = json.dumps(rest.state_json(snapshot(EMETERTOTCONSUM=(2**64 - 1,)), energies))
    assert f'"totalConsumption": {(2**64 - 1) * factor},' in text


def test_each_fault_has_its_name():
    shown = [rest.state_json(snapshot(ERROR=(1 << bit,)))["errors"] for bit in range(len(FAULTS))]
    assert shown == [
        ["pilot_fault"], ["diode_short"], ["lock_fault"], ["unlock_fault"], ["rcm_triggered"], ["rcm_selftest_fault"],
        ["temperature_high"], ["temperature_fault"],
    ]  # fmt: skip


def test_faults_together_and_one_of_later_firmware():
    assert rest.state_json(snapshot(ERROR=(0b1_0000_1001,)))["errors"] == ["pilot_fault", "unlock_fault", "fault_8"]


def test_what_the_charger_lacks_is_null():
    shown = rest.state_json(snapshot(EMETERVOLTAGE=None, CONSUMLIM=None, EMETERTOTCONSUM=None, LIMREACH=None))
    assert [shown[key] for key in ("voltage", "consumptionLimit", "totalConsumption", "limitReached")] == [None] * 4


@pytest.mark.parametrize("missing", ["STATE", "ERROR"])
def test_a_charger_without_a_state_is_not_known(missing):
    assert rest.is_known(snapshot())
    assert not rest.is_known(snapshot(**{missing: None}))
    assert not rest.is_known(Snapshot(False, VALUES))


# --- what is written

SETTINGS, IN_WS = rest.settings(), rest.settings(energies="Ws")
EVSE = rest.settings(rest_config.EVSE)
NAMES = rest.settings(rest_config.DISCOVERY)


def wire(key: str, text: str, settings=SETTINGS, **changed) -> int:
    return rest.wire_value(settings[key], rest.parse(text.encode()), snapshot(**changed))


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("enabled", "true", 1),
        ("enabled", " false\n", 0),
        ("available", "true", 1),
        ("chargingCurrent", "16", 160),
        ("chargingCurrent", "10.5", 105),
        ("chargingCurrent", "1.05e1", 105),
        ("chargingCurrent", "10.7", 107),  # 10.7 * 10 is less than 107 in binary
        ("chargingCurrent", "10.299999999999999", 103),
        ("chargingCurrent", "10.347826086956522", 103),
        ("chargingCurrent", "10.35", 104),
        ("chargingCurrent", "6", 60),
        ("chargingCurrent", "32.0", 320),
        ("consumptionLimit", "10000", 10_000),  # 10 kWh at the charger's own page
        ("consumptionLimit", "0.2", 1),  # never 0, which is no limit
        ("consumptionLimit", "0", 0),
        ("consumptionLimit", "4294967295", 2**32 - 1),
        ("chargingTimeLimit", "7200", 7_200),
        ("chargingTimeLimit", "7200.0", 7_200),
        ("chargingTimeLimit", "-0", 0),
        ("underPowerLimit", "65535", 65_535),
    ],
)
def test_a_value_becomes_what_the_wire_takes(key, text, expected):
    assert wire(key, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10000000", 2_778), ("7200000", 2_000), ("1", 1), ("0", 0), ("15461882262000", 2**32 - 1)],
)
def test_an_energy_in_ws_becomes_wh(text, expected):
    assert wire("consumptionLimit", text, IN_WS) == expected


@pytest.mark.parametrize("energies", rest.ENERGIES)
@pytest.mark.parametrize("key", list(SETTINGS))
def test_what_is_shown_can_be_written_back(key, energies):
    shown = rest.state_json(snapshot(), energies)[key]
    settings = rest.settings(energies=energies)
    assert settings[key].shown(snapshot()) == shown
    assert wire(key, json.dumps(shown), settings) == VALUES[settings[key].command][0]


def test_a_current_above_a_maximum_that_was_lowered_can_be_written_back():
    assert wire("chargingCurrent", "20", CHCUR=(200,), MAXCHCUR=(16,)) == 200
    for other in ("20.1", "16.1"):
        with pytest.raises(UsageError, match="6 to 16 A are allowed"):
            wire("chargingCurrent", other, CHCUR=(200,), MAXCHCUR=(16,))


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        ("enabled", "1", "enabled: 1 is neither true nor false"),
        ("enabled", '"true"', 'enabled: "true" is neither true nor false'),
        ("enabled", "null", "enabled: null is neither true nor false"),
        ("chargingCurrent", "5.99", "chargingCurrent: 5.99 is out of range, 6 to 32 A are allowed"),
        ("chargingCurrent", "32.01", "chargingCurrent: 32.01 is out of range, 6 to 32 A are allowed"),
        ("chargingCurrent", "-6", "chargingCurrent: -6 is out of range, 6 to 32 A are allowed"),
        ("chargingCurrent", "1e400", "chargingCurrent: 1E+400 is out of range, 6 to 32 A are allowed"),
        ("chargingCurrent", "true", "chargingCurrent: true is no number, 6 to 32 A are allowed"),
        ("chargingCurrent", '"16"', 'chargingCurrent: "16" is no number, 6 to 32 A are allowed'),
        ("chargingCurrent", "[16]", "chargingCurrent: [16] is no number, 6 to 32 A are allowed"),
        ("consumptionLimit", "-1", "consumptionLimit: -1 is out of range, 0 to 4294967295 Wh are allowed"),
        ("consumptionLimit", "4294967295.5",
         "consumptionLimit: 4294967295.5 is out of range, 0 to 4294967295 Wh are allowed"),
        ("chargingTimeLimit", "0.5", "chargingTimeLimit: 0.5 is no whole number, 0 to 4294967295 s are allowed"),
        ("chargingTimeLimit", "4294967296",
         "chargingTimeLimit: 4294967296 is out of range, 0 to 4294967295 s are allowed"),
        ("underPowerLimit", "65536", "underPowerLimit: 65536 is out of range, 0 to 65535 W are allowed"),
    ],
)  # fmt: skip
def test_wrong_values_say_what_is_allowed(key, text, reason):
    with pytest.raises(UsageError) as error:
        wire(key, text)
    assert str(error.value) == reason


def test_the_installation_bounds_the_current():
    assert wire("chargingCurrent", "16", MAXCHCUR=(16,)) == 160
    with pytest.raises(UsageError, match="6 to 16 A"):
        wire("chargingCurrent", "16.1", MAXCHCUR=(16,))
    assert wire("chargingCurrent", "63", MAXCHCUR=None) == 630


def test_a_long_wrong_value_is_cut_in_the_message():
    with pytest.raises(UsageError) as error:
        wire("chargingCurrent", json.dumps("x" * 10_000))
    assert len(str(error.value)) < 120


@pytest.mark.parametrize(
    "body",
    [
        b"", b"tru", b"16 A", b"NaN", b"Infinity", b"-Infinity", b"16,5", b"\xff", b"\xef\xbb\xbf16",
        b'{"enabled":true', b"1e999999999999999999999", b"[" * 20_000, b"9" * 5_000,
    ],
)  # fmt: skip
def test_what_is_not_json_is_refused(body):
    with pytest.raises(UsageError, match="not JSON"):
        rest.parse(body)


def test_a_key_that_comes_twice_is_refused():
    with pytest.raises(UsageError, match="twice"):
        rest.parse(b'{"enabled":true,"enabled":false}')


# --- several at once


def planned(**values) -> list[tuple[str, int]]:
    return [(write.setting.command, write.value) for write in rest.plan(values, snapshot(), SETTINGS)]


def test_charging_begins_only_when_the_rest_is_written():
    values = {"available": True, "enabled": True, "underPowerLimit": 100, "chargingCurrent": Decimal("13.5")}
    assert planned(**values) == [("CHCUR", 135), ("UNDERPOWERLIM", 100), ("ENABLE", 1), ("AVAILABLE", 1)]


def test_charging_stops_before_anything_else_is_written():
    assert planned(consumptionLimit=0, enabled=False, chargingCurrent=6) == [
        ("ENABLE", 0), ("CHCUR", 60), ("CONSUMLIM", 0),
    ]  # fmt: skip


@pytest.mark.parametrize("values", [{}, [], None, True, 16, "enabled"])
def test_an_object_without_a_setting_says_which_there_are(values):
    with pytest.raises(UsageError, match="at least one of enabled, available, chargingCurrent"):
        rest.plan(values, snapshot(), SETTINGS)


def test_other_keys_mean_nothing_and_null_leaves_a_value_as_it_is():
    """As at the charger, so what GET gave can be sent back whole."""
    assert planned(enabled=True, state="C2", chargingcurrent=5, chargingCurrent=None, nonsense={}) == [("ENABLE", 1)]
    whole = rest.parse(json.dumps(rest.state_json(snapshot(CONSUMLIM=None))).encode())
    assert planned(**whole) == [
        ("CHCUR", 105), ("CHTIMELIM", 7_200), ("UNDERPOWERLIM", 500), ("ENABLE", 1), ("AVAILABLE", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("values", [{"state": "A"}, {"enabled": None}, {"Enabled": True}])
def test_an_object_that_writes_nothing_is_refused(values):
    with pytest.raises(UsageError, match="at least one of enabled"):
        rest.plan(values, snapshot(), SETTINGS)


def test_one_wrong_value_spoils_the_whole_object():
    with pytest.raises(UsageError, match="underPowerLimit"):
        rest.plan({"enabled": True, "chargingCurrent": 10, "underPowerLimit": -1}, snapshot(), SETTINGS)


# --- whatever comes

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.integers(0, 70_000)
    | st.sampled_from([6.5, 16]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*SETTINGS, *EVSE, *NAMES]) | st.text(), inner),
)


def allowed(write: rest.Write) -> bool:
    """Whether the wire can carry it; raises ValueError otherwise."""
    return bool(format_argument(COMMAND[write.setting.command], (write.value,)))


@settings(deadline=None)
@given(_JSON.map(lambda value: json.dumps(value).encode()) | st.binary(), st.sampled_from([SETTINGS, EVSE, NAMES]))
def test_any_body_is_refused_in_one_line_or_allowed(body, settings):
    try:
        writes = rest.plan(rest.parse(body), snapshot(), settings)
    except UsageError as error:
        assert str(error).isprintable() and len(str(error)) < 300
    else:
        assert writes and all(map(allowed, writes))
