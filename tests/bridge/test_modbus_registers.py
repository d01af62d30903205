"""The register map: every register of a charger's snapshot, gaps, and what a write may ask for. No server, no port."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evse_host.bridge.registers import REGISTERS, Code, ModbusError, code_of, plan, read, values
from evse_host.bridge.snapshot import Snapshot
from evse_host.catalog import COMMAND, STATES
from evse_host.errors import MismatchError, NoAnswerError, PortError, RefusedError, UsageError

VALUES = {
    "STATE": (4,),
    "ERROR": (0x8000_0010,),
    "ENABLE": (1,),
    "AVAILABLE": (1,),
    "PENDAUTH": (0,),
    "CHCUR": (125,),
    "CONSUMLIM": (70_000,),
    "CHTIMELIM": (3_600,),
    "UNDERPOWERLIM": (65_535,),
    "EMETERPOWER": (3_680,),
    "EMETERSESTIME": (7_200,),
    "EMETERCHTIME": (66_000,),
    "EMETERCONSUM": (4_000_000_000,),
    "EMETERVOLTAGE": (230_100, 231_000, 229_500),
    "EMETERCURRENT": (16_000, 15_900, 0),
    "SOCKETOUTLET": (1,),
    "REQAUTH": (0,),
    "MAXCHCUR": (32,),
    "DEFCHCUR": (160,),
    "DEFCONSUMLIM": (80_000,),
    "DEFCHTIMELIM": (0,),
    "DEFUNDERPOWERLIM": (100,),
    "EMETERMODE": (2,),
    "EMETERACVOLTAGE": (230,),
    "EMETERTHREEPHASE": (1,),
    "UPTIME": (86_400,),
    "TEMP": (1, 4_250, -525),
    "VER": ("v2.1.1",),
}
ONLINE = Snapshot(True, VALUES)

#: As the charger's map has them: address -> words.
EXPECTED = {
    100: [0x4332],  # "C2"
    101: [0x8000, 0x0010],
    103: [1],
    104: [1],
    105: [0],
    106: [125],
    107: [1, 70_000 - 65_536],
    109: [0, 3_600],
    111: [65_535],
    200: [3_680],
    201: [0, 7_200],
    203: [1, 66_000 - 65_536],
    205: [0xEE6B, 0x2800],
    207: [3, 230_100 - 3 * 65_536],
    209: [3, 231_000 - 3 * 65_536],
    211: [3, 229_500 - 3 * 65_536],
    213: [0, 16_000],
    215: [0, 15_900],
    217: [0, 0],
    300: [1],
    303: [0],
    304: [32],
    305: [160],
    306: [1, 80_000 - 65_536],
    308: [0, 0],
    310: [100],
    315: [2],
    316: [230],
    317: [1],
    400: [1, 86_400 - 65_536],
    402: [0x1_0000 - 525],
    403: [4_250],
    404: [1],
    405: [0x7632, 0x2E31, 0x2E31] + [0] * 13,  # "v2.1.1"
}
UNREACHABLE = [301, 302, 311, 312, 313, 314]
WRITE_ONLY = [112, 421]


def refused(code: Code, function, *arguments) -> str:
    with pytest.raises(ModbusError) as caught:
        function(*arguments)
    assert caught.value.code == code, str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("address", "words"), EXPECTED.items())
def test_every_register_shows_its_value(address, words):
    assert read(ONLINE, address, len(words)) == words


def test_the_map_is_complete():
    assert sorted([*EXPECTED, *UNREACHABLE, *WRITE_ONLY]) == [register.address for register in REGISTERS]
    assert list(values(ONLINE)) == [register for register in REGISTERS if register.address in EXPECTED]


@pytest.mark.parametrize(("first", "last"), [(100, 111), (200, 218), (303, 310), (315, 317), (400, 420)])
def test_neighbours_are_read_at_once(first, last):
    words = [word for address, words in EXPECTED.items() if first <= address <= last for word in words]
    assert read(ONLINE, first, last - first + 1) == words


def test_half_of_a_value_may_be_read():
    assert read(ONLINE, 206, 1) == [0x2800] and read(ONLINE, 406, 2) == [0x2E31, 0x2E31]


@pytest.mark.parametrize("address", UNREACHABLE)
def test_what_at_cannot_reach_is_refused_with_the_reason(address):
    assert "cannot be reached over AT" in refused(Code.ILLEGAL_ADDRESS, read, ONLINE, address, 1)
    refused(Code.ILLEGAL_ADDRESS, plan, ONLINE, address, [1])


@pytest.mark.parametrize(
    ("address", "count"),
    [(0, 1), (99, 2), (112, 1), (100, 13), (113, 1), (199, 1), (218, 2), (219, 1), (300, 2), (318, 1), (399, 2),
     (404, 18), (421, 1), (422, 1), (65_535, 1), (65_535, 125)],
)  # fmt: skip
def test_gaps_are_no_addresses(address, count):
    refused(Code.ILLEGAL_ADDRESS, read, ONLINE, address, count)


@pytest.mark.parametrize("count", [0, 126, 65_535])
def test_too_few_or_too_many_registers_are_refused(count):
    refused(Code.ILLEGAL_VALUE, read, ONLINE, 100, count)
    refused(Code.ILLEGAL_VALUE, plan, ONLINE, 106, [100] * count)


def test_a_silent_charger_shows_no_old_values():
    offline = Snapshot(False, VALUES)
    assert refused(Code.NO_ANSWER, read, offline, 100, 1) == "the charger is offline"
    refused(Code.NO_ANSWER, plan, offline, 106, [100])
    refused(Code.ILLEGAL_ADDRESS, read, offline, 113, 1)


@pytest.mark.parametrize("number", range(len(STATES)))
def test_each_state_is_shown_by_its_letters(number):
    snapshot = Snapshot(True, {"STATE": (number,)})
    assert struct.pack(">H", *read(snapshot, 100, 1)).rstrip(b"\0").decode() == STATES[number]


def test_a_state_that_nobody_knows():
    assert read(Snapshot(True, {"STATE": (9,)}), 100, 1) == [ord("?") << 8]


def test_what_this_charger_lacks_is_no_address():
    text = refused(Code.ILLEGAL_ADDRESS, read, Snapshot(True, {}), 300, 1)
    assert text == "register 300 (SOCKETOUTLET): this charger does not show it"


def test_without_a_sensor_no_temperature_is_made_up():
    snapshot = Snapshot(True, {"TEMP": (0, 2_500, 2_400)})
    assert read(snapshot, 402, 3) == [0x8000, 0x8000, 0]


@pytest.mark.parametrize(("name", "address", "value"), [("TEMP", 402, (1, 0, -32_769)), ("CHCUR", 106, (65_536,))])
def test_a_value_that_does_not_fit_is_not_cut(name, address, value):
    assert "does not fit" in refused(Code.DEVICE_FAILURE, read, Snapshot(True, {name: value}), address, 1)


def test_a_version_longer_than_its_registers_is_cut():
    assert read(Snapshot(True, {"VER": ("v" * 40,)}), 405, 16) == [0x7676] * 16


@given(st.integers(0, 2**32 - 1))
def test_32_bits_are_two_words_the_high_one_first(number):
    high, low = read(Snapshot(True, {"EMETERCONSUM": (number,)}), 205, 2)
    assert high * 65_536 + low == number


@given(st.integers(-(2**15), 2**15 - 1))
def test_temperatures_are_signed(number):
    (word,) = read(Snapshot(True, {"TEMP": (1, number, 0)}), 403, 1)
    assert word - 65_536 * (word >= 32_768) == number


@given(st.integers(0, 65_535), st.integers(-1, 70_000))
def test_any_read_is_answered_or_refused(address, count):
    try:
        assert len(read(ONLINE, address, count)) == count
    except ModbusError as error:
        assert error.code in (Code.ILLEGAL_ADDRESS, Code.ILLEGAL_VALUE)


# --- writing ----------------------------------------------------------------------------------------------------------


def wishes(address: int, words: list[int]) -> list[tuple[str, int, bool]]:
    return [(write.register.command, write.value, write.runs) for write in plan(ONLINE, address, words)]


@pytest.mark.parametrize(
    ("address", "words", "expected"),
    [
        (103, [0], [("ENABLE", 0, False)]),
        (104, [1], [("AVAILABLE", 1, False)]),
        (106, [60], [("CHCUR", 60, False)]),
        (106, [320], [("CHCUR", 320, False)]),
        (107, [0, 0], [("CONSUMLIM", 0, False)]),
        (107, [0xFFFF, 0xFFFF], [("CONSUMLIM", 2**32 - 1, False)]),
        (109, [1, 2], [("CHTIMELIM", 65_538, False)]),
        (111, [65_535], [("UNDERPOWERLIM", 65_535, False)]),
        (300, [0], [("SOCKETOUTLET", 0, False)]),
        (303, [1, 32, 60], [("REQAUTH", 1, False), ("MAXCHCUR", 32, False), ("DEFCHCUR", 60, False)]),
        (
            306,
            [1, 5, 0, 7, 9],
            [("DEFCONSUMLIM", 65_541, False), ("DEFCHTIMELIM", 7, False), ("DEFUNDERPOWERLIM", 9, False)],
        ),
        (315, [2, 230, 1], [("EMETERMODE", 2, False), ("EMETERACVOLTAGE", 230, False), ("EMETERTHREEPHASE", 1, False)]),
        (112, [1], [("AUTH", 1, True)]),
        (421, [1], [("RST", 1, True)]),
        (103, [1, 0], [("ENABLE", 1, False), ("AVAILABLE", 0, False)]),
        (106, [100, 0, 5], [("CHCUR", 100, False), ("CONSUMLIM", 5, False)]),
    ],
)
def test_what_is_written_becomes_a_wish_in_wire_units(address, words, expected):
    assert wishes(address, words) == expected


@pytest.mark.parametrize(
    ("address", "words", "text"),
    [
        (103, [2], "ENABLE: 2 is out of range, 0 to 1"),
        (106, [59], "CHCUR: 59 is out of range, 60 to 630 A/10"),
        (106, [321], "charging current 32.1 A is out of range, 6 to 32 A"),
        (106, [65_535], "CHCUR: 65535 is out of range"),
        (305, [321], "charging current 32.1 A is out of range, 6 to 32 A"),
        (304, [5], "MAXCHCUR: 5 is out of range, 6 to 63 A"),
        (303, [2], "REQAUTH: 2 is out of range, 0 to 1"),
        (306, [5], "half of a 32-bit value; write 306 and 307 in one request"),
        (315, [3], "EMETERMODE: 3 is out of range, 0 to 2"),
        (316, [99], "EMETERACVOLTAGE: 99 is out of range, 100 to 300 V"),
        (112, [0], "AUTH: only 1 may be written, not 0"),
        (421, [2], "RST: only 1 may be written, not 2"),
        (107, [5], "half of a 32-bit value; write 107 and 108 in one request"),
        (108, [5], "half of a 32-bit value"),
        (108, [5, 0, 1], "half of a 32-bit value"),
        (109, [0, 1, 70, 0], "AUTH: only 1"),
        (106, [100, 0], "half of a 32-bit value"),
    ],
)
def test_values_that_are_not_allowed(address, words, text):
    assert text in refused(Code.ILLEGAL_VALUE, plan, ONLINE, address, words)


def test_a_maximum_and_the_current_below_it_in_one_write():
    """The second is checked against the first: the installation's new maximum."""
    low = Snapshot(True, {"MAXCHCUR": (16,), "DEFCHCUR": (160,)})
    assert [(write.register.command, write.value) for write in plan(low, 304, [32, 320])] == [
        ("MAXCHCUR", 32), ("DEFCHCUR", 320),
    ]  # fmt: skip
    with pytest.raises(ModbusError, match="6 to 10 A"):
        plan(low, 304, [10, 160])


@pytest.mark.parametrize("address", [100, 101, 105, 200, 218, 301, 302, 311, 314, 400, 404, 405, 420, 113, 0, 65_535])
def test_addresses_that_cannot_be_written(address):
    refused(Code.ILLEGAL_ADDRESS, plan, ONLINE, address, [1])


def test_nothing_is_done_when_the_end_is_wrong():
    refused(Code.ILLEGAL_ADDRESS, plan, ONLINE, 103, [1, 1, 1])
    refused(Code.ILLEGAL_VALUE, plan, ONLINE, 106, [100, 0, 5, 0, 5, 100, 2])


@given(st.integers(90, 430), st.lists(st.integers(0, 65_535), min_size=1, max_size=10))
def test_what_a_write_asks_for_is_what_was_sent(address, words):
    try:
        planned = plan(ONLINE, address, words)
    except ModbusError as error:
        assert error.code in (Code.ILLEGAL_ADDRESS, Code.ILLEGAL_VALUE)
        return
    sent = b"".join(write.value.to_bytes(2 * write.register.words, "big") for write in planned)
    assert list(struct.unpack(f">{len(words)}H", sent)) == words
    for write in planned:
        fields = COMMAND[write.register.command].fields
        low, high = fields[0].range if fields else (1, 1)
        assert low <= write.value <= high


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), Code.ILLEGAL_VALUE),
        (RefusedError("x"), Code.DEVICE_FAILURE),
        (MismatchError("x"), Code.DEVICE_FAILURE),
        (NoAnswerError("x"), Code.NO_ANSWER),
        (PortError("x"), Code.NO_ANSWER),
    ],
)
def test_a_failed_write_has_the_code_of_its_cause(error, code):
    assert code_of(error) == code
