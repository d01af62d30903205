"""Requests found in bytes, and their execution, without a line: anything may come, nothing may break."""

from __future__ import annotations

from concurrent.futures import Future
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.pdu import ExceptionResponse

from evse_host.bridge.modbus import Units
from evse_host.bridge.modbus_frames import Request, RtuRequests, TcpRequests
from evse_host.bridge.registers import Code
from evse_host.bridge.snapshot import Snapshot

from .modbus_support import frame, read_request, tcp_frame, write_request

READ = read_request(100, 4)
WRITE_MANY = frame(1, 16, 0, 107, 0, 2, 4, 0, 1, 0, 5)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[first:last] for first, last in pairwise(places)]


CUTS = st.lists(st.integers(0, 1000), max_size=6)
SOUND = st.sampled_from([READ, write_request(106, 100), WRITE_MANY])


@given(SOUND, CUTS)
def test_a_request_on_the_bus_is_found_in_any_pieces(request, cuts):
    finder = RtuRequests({1})
    found = [finder.feed(piece) for piece in pieces(request, cuts)]
    assert [one for one in found if one] == [Request(1, request[1:-2])]
    assert found[-1]


@given(st.binary(max_size=300), SOUND, CUTS)
def test_a_request_on_the_bus_is_found_after_any_noise(noise, request, cuts):
    """Noise may look like the beginning of something longer, but it never costs more than the pieces that come with
    it."""
    finder = RtuRequests({1})
    found = [finder.feed(piece) for piece in pieces(noise + request, cuts)]
    assert Request(1, request[1:-2]) in found


@given(st.binary(max_size=300))
def test_rtu_noise_is_no_request(noise):
    assert RtuRequests({1}).feed(noise.replace(b"\x01", b"\x02")) is None


@given(SOUND, st.integers(0, 200), st.integers(0, 7))
def test_rtu_a_flipped_bit_is_no_request(request, place, bit):
    damaged = bytearray(request)
    damaged[place % len(request)] ^= 1 << bit
    assert RtuRequests({1}).feed(bytes(damaged)) is None


def test_rtu_a_request_is_found_once():
    finder = RtuRequests({1})
    assert finder.feed(READ)
    assert finder.feed(b"") is None and finder.feed(READ[-2:]) is None


REQUESTS = st.lists(
    st.tuples(st.integers(0, 65_535), st.integers(0, 255), st.binary(min_size=1, max_size=253)), max_size=5
)


@given(REQUESTS, CUTS)
def test_requests_over_tcp_are_found_in_any_pieces(requests, cuts):
    finder = TcpRequests()
    stream = b"".join(tcp_frame(transaction, unit, pdu) for transaction, unit, pdu in requests)
    found = [request for piece in pieces(stream, cuts) for request in finder.feed(piece)]
    assert found == [Request(unit, pdu, transaction) for transaction, unit, pdu in requests]


@pytest.mark.parametrize("head", ["0001 0001 0006 01", "0001 0000 0000 01", "0001 0000 0001 01", "0001 0000 00FF 01"])
def test_tcp_what_is_no_modbus(head):
    with pytest.raises(ValueError, match="no Modbus TCP"):
        list(TcpRequests().feed(bytes.fromhex(head)))


# --- execution --------------------------------------------------------------------------------------------------------


class Recorder:
    """A charger that does what it is told."""

    name = "charger"

    def __init__(self) -> None:
        self.snapshot = Snapshot(True, {"CHCUR": (160,), "MAXCHCUR": (32,), "STATE": (4,)})
        self.done: list[tuple] = []

    def set(self, name: str, *values: int) -> Future:
        return self._note(name, *values)

    def run(self, name: str) -> Future:
        return self._note(name)

    def _note(self, *order) -> Future:
        self.done.append(order)
        future: Future = Future()
        future.set_result(None)
        return future


@given(st.integers(0, 3), st.binary(min_size=1, max_size=260))
def test_any_request_has_an_answer(unit, pdu):
    charger = Recorder()
    answer = Units({1: charger}).execute(Request(unit, pdu, 7))
    assert (answer.dev_id, answer.transaction_id) == (unit, 7)
    assert answer.function_code & 0x7F == pdu[0] & 0x7F
    assert len(answer.encode()) < 253
    if isinstance(answer, ExceptionResponse):
        assert charger.done == []
    if charger.done:
        assert unit == 1 and pdu[0] in (6, 16)


def test_a_request_is_done_once():
    charger = Recorder()
    units = Units({1: charger})
    units.execute(Request(1, bytes([16, 0, 106, 0, 6, 12, 0, 100, 0, 0, 0, 5, 0, 1, 0, 0, 0, 9])))
    units.execute(Request(1, bytes([6, 0, 112, 0, 1])))
    assert charger.done == [
        ("CHCUR", 100), ("CONSUMLIM", 5), ("CHTIMELIM", 65_536), ("UNDERPOWERLIM", 9), ("AUTH",),
    ]  # fmt: skip


def test_an_error_that_nobody_expects_is_exception_4(caplog):
    charger = SimpleNamespace(name="garage", snapshot=None)
    answer = Units({1: charger}).execute(Request(1, bytes([3, 0, 100, 0, 1])))
    assert answer.exception_code == Code.DEVICE_FAILURE
    assert "unit 1: AttributeError" in caplog.text
