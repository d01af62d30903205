"""What leaves for ESPHome: valid UTF-8, and the charger's clock as ISO 8601. Python is the judge."""

from __future__ import annotations

import datetime
import random

import pytest

from tests.native.harness import Program, escape

BROKEN = [
    b"\xed\xa0\x80", b"\xe0\x80\x80", b"\xff", b"\xc0\xaf", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80",
    b"Stra\xdfe", b"\xe2\x82", b"\xe2\x82x", b"\xf0\x9f\x98", b"\x80\x80", b"a\xc3", b"\xc3\xc3\xa9", b"\xed\xbf\xbf",
]  # fmt: skip
WHOLE = ["", "Garage", "Caf\u00e9", "\u20ac", "\U0001f600 10 %", "\ufffd", "\ud7ff\ue000", "\U0010ffff"]


def utf8(program: Program, data: bytes) -> str:
    (answer,) = program.ask(f"utf8 {escape(data)}")
    return answer


@pytest.mark.parametrize("data", BROKEN, ids=repr)
def test_broken_text_is_replaced_as_unicode_recommends(program: Program, data: bytes) -> None:
    assert utf8(program, data) == escape(data.decode("utf-8", "replace").encode())


@pytest.mark.parametrize("text", WHOLE, ids=ascii)
def test_a_text_that_is_whole_stays_as_it_is(program: Program, text: str) -> None:
    assert utf8(program, text.encode()) == escape(text.encode())


def test_any_bytes_become_what_python_makes_of_them(program: Program) -> None:
    dice = random.Random(1)
    samples = [
        bytes(dice.choice(b"aZ\x7f\x80\xbf\xc2\xdf\xe0\xa0\xed\xef\xf0\x90\xf4\x8f\xff") for _ in range(31))
        for _ in range(2000)
    ]
    assert [utf8(program, data) for data in samples] == [
        escape(data.decode("utf-8", "replace").encode()) for data in samples
    ]


def test_what_does_not_fit_ends_with_a_whole_character(program: Program) -> None:
    assert utf8(program, b"\xff" * 128) == escape("\ufffd".encode() * 42)


@pytest.mark.parametrize("character", ["a", "ü", "€", "😀"])
def test_what_does_not_fit_is_left_out_whole(program: Program, character: str) -> None:
    for before in range(116, 126):
        text = "\ufffd" + "a" * before + character * 8
        whole = max(count for count in range(len(text) + 1) if len(text[:count].encode()) <= 128)
        assert utf8(program, b"\xff" + text[1:].encode()) == escape(text[:whole].encode())


@pytest.mark.parametrize(
    "epoch",
    [0, 1, 951_782_399, 951_782_400, 951_868_800, 1_709_164_800, 1_709_251_199, 1_709_251_200, 4_107_542_400,
     253_402_300_799, 2**31, 2**32, 1_781_000_000],
)  # fmt: skip
def test_a_moment_is_told_by_date_and_time(program: Program, epoch: int) -> None:
    wanted = datetime.datetime.fromtimestamp(epoch, datetime.UTC).isoformat()
    assert program.ask(f"time {epoch}") == [wanted]


def test_every_day_of_a_thousand_years(program: Program) -> None:
    days = range(0, 365_250, 7)
    answers = [program.ask(f"time {day * 86_400 + day % 86_400}")[0] for day in days]
    start = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    wanted = [(start + datetime.timedelta(days=day, seconds=day % 86_400)).isoformat() for day in days]
    assert answers == wanted
