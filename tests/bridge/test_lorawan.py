"""The decoders of LoRaWAN uplinks, in Python and in JavaScript, on the same vectors and against each other."""

from __future__ import annotations

import random
import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evse_host.bridge.lorawan import LAYOUT, VERSION, decode_uplink
from evse_host.bridge.modbus_frames import RtuRequests

from .lorawan_support import DECODER, SETTINGS, VECTORS, converter, crc, decode_in_javascript, needs_node

NAMES = [vector["name"] for vector in VECTORS]


def expected(vector: dict) -> dict:
    return {key: vector[key] for key in ("data", "warnings", "errors")}


@pytest.mark.parametrize("vector", VECTORS, ids=NAMES)
def test_the_decoder_in_python_finds_the_values_of_each_uplink(vector):
    assert decode_uplink(bytes.fromhex(vector["payload"])) == expected(vector)


@pytest.fixture(scope="module")
def in_javascript() -> dict[str, dict]:
    payloads = [bytes.fromhex(vector["payload"]) for vector in VECTORS]
    return dict(zip(NAMES, decode_in_javascript(payloads), strict=True))


@needs_node
@pytest.mark.parametrize("vector", VECTORS, ids=NAMES)
def test_the_decoder_in_javascript_finds_the_values_of_each_uplink(vector, in_javascript):
    assert in_javascript[vector["name"]] == expected(vector)


@needs_node
def test_both_say_the_same_of_anything():
    dice = random.Random(1)
    payloads = [dice.randbytes(dice.randrange(60)) for _ in range(200)]
    for _ in range(800):  # close to a good one
        payload = bytearray(bytes.fromhex(VECTORS[0]["payload"]))
        for _ in range(dice.randrange(1, 6)):
            payload[dice.randrange(len(payload))] = dice.choice(
                [0, 1, 0x31, 0x41, 0x7F, 0x80, 0xFF, dice.randrange(256)]
            )
        payloads.append(bytes(payload))
    decoded = [decode_uplink(payload) for payload in payloads]
    assert decoded == decode_in_javascript(payloads)
    assert sum(not one["errors"] for one in decoded) > 100


@given(st.binary(max_size=60))
def test_any_payload_is_decoded_or_an_error(payload):
    decoded = decode_uplink(payload)
    assert (decoded["data"] is None) == bool(decoded["errors"])
    assert payload[:1] == bytes([VERSION]) or decoded["errors"]


@given(
    st.tuples(*[st.integers(0, 2**32 - 1)] * 8), st.integers(0, 65_535), st.integers(-(2**15) + 1, 2**15 - 1),
    st.booleans(),
)  # fmt: skip
def test_what_was_packed_comes_out(numbers, power, temperature, enabled):
    consumption, *phases, uptime = numbers
    payload = LAYOUT.pack(VERSION, b"B2", 0, enabled, power, consumption, *phases, uptime, temperature)
    assert decode_uplink(payload)["data"] == {
        "state": "B2",
        "errors": [],
        "enabled": enabled,
        "power": power,
        "consumption": consumption,
        "voltage": [number / 1000 for number in phases[:3]],
        "current": [number / 1000 for number in phases[3:]],
        "uptime": uptime,
        "temperature": temperature / 100,
    }


@pytest.mark.parametrize("code", range(1, 12))
@pytest.mark.parametrize("tail", [b"", b"\0" * 10, b"\xff" * 10], ids=["short", "zeros", "ones"])
def test_an_exception_in_the_place_of_the_state_is_no_data(code, tail):
    """The converter cuts an exception, too: what it takes for the state is then a checksum."""
    answer = bytes([1, 0x83, code])
    cut = converter().polls[0].cut(answer + crc(answer) + tail)
    rest = bytes.fromhex(VECTORS[0]["payload"])[8:]
    decoded = decode_uplink(bytes([VERSION]) + cut + rest)
    assert decoded["data"] is None and len(decoded["errors"]) == 1


# --- the settings of the converter ------------------------------------------------------------------------------------


def test_the_converter_polls_what_it_shall():
    assert [(poll.request.hex(" "), poll.cuts) for poll in converter().polls] == [
        ("01 03 00 64 00 04", ((4, 9), (11, 11))),
        ("01 03 00 c8 00 07", ((4, 5), (14, 17))),
        ("01 03 00 cf 00 0c", ((4, 27),)),
        ("01 03 01 90 00 04", ((4, 7), (10, 11))),
    ]


def test_the_cuts_fit_the_answers_and_the_payload():
    for poll in converter().polls:
        (count,) = struct.unpack(">H", poll.request[4:])
        assert poll.length == 5 + 2 * count <= 45, "the converter keeps 45 bytes"
        assert all(4 <= first <= last <= poll.length - 2 for first, last in poll.cuts)
        assert len(poll.cuts) <= 3, "the converter cuts three sections"
        assert RtuRequests({1}).feed(poll.request + crc(poll.request)).pdu == poll.request[1:]
    sizes = [sum(last - first + 1 for first, last in poll.cuts) for poll in converter().polls]
    assert 1 + sum(sizes) == LAYOUT.size == 44
    assert converter().version == VERSION


def test_every_line_of_the_settings_is_a_comment_or_a_setting():
    for line in SETTINGS.read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"# .+|AT\+[A-Z]+[0-9A-F]?=[0-9A-F ,~+]+", line), line


def test_the_decoder_is_plain_old_javascript():
    """Network servers run old engines: neither modules nor arrows."""
    assert not re.search(r"=>|\b(require|import|export|const|let)\b", DECODER.read_text(encoding="utf-8"))
