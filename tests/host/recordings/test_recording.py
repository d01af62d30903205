"""The recording format, the checker, the annotation and the playback: text and bytes only."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evse_host.errors import UsageError
from evse_host.recordings import recording
from evse_host.recordings.checker import check
from evse_host.recordings.playback import Player
from evse_host.recordings.recording import FROM_CHARGER, HEADER, Entry, Recorder, format_entry, parse
from evse_host.wire.annotation import Annotator
from evse_host.wire.codec import to_bytes

ROOT = Path(__file__).resolve().parents[3]


def record(*pieces: tuple[str, bytes], step_us: int = 1000) -> list[Entry]:
    recorder, entries = Recorder(), []
    for number, (direction, data) in enumerate(pieces):
        entries += recorder.feed(direction, data, number * step_us)
    return entries + recorder.finish()


def shown(entries: list[Entry]) -> list[str]:
    return [f"{entry.direction} {recording.escape(entry.data)}" for entry in entries]


def session(text: str) -> list[Entry]:
    """Entries from lines `> ...` and `< ...`, 10 ms apart; `+SECONDS` before one makes a pause."""
    rows, moment = [HEADER], 0
    for line in text.strip().splitlines():
        line = line.strip()
        if line.startswith("+") and " " in line:
            pause, line = line.split(" ", 1)
            moment += round(float(pause) * 1e6)
        moment += 10_000
        rows.append(f"{moment // 1_000_000}.{moment % 1_000_000:06d} {line}")
    return parse(rows, "test")


def deviations(text: str) -> list[tuple[int, str, str]]:
    """With line numbers that count from 1 at the first line of the text."""
    return [(found.line - 1, found.side, found.text) for found in check(session(text))]


# --- format -----------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=60))
def test_any_bytes_survive_as_text(data):
    text = recording.escape(data)
    assert recording.unescape(text) == data
    assert text.isprintable() and not text.endswith(" ")


@given(st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b"+STATE=0", b"OK", b"\0", b"\xff"]), max_size=30), st.data())
def test_the_pieces_in_which_bytes_come_do_not_matter(words, data):
    stream = b"".join(words)
    cut = data.draw(st.integers(0, len(stream)))
    whole = record((FROM_CHARGER, stream))
    pieces = record((FROM_CHARGER, stream[:cut]), (FROM_CHARGER, stream[cut:]))
    assert shown(whole) == shown(pieces)
    assert b"".join(entry.data for entry in whole) == stream


def test_an_exchange_is_one_line_for_each_line_of_the_wire():
    entries = record((">", b"AT+ST"), (">", b"ATE?\n"), ("<", b"\n+STATE=0\n\nOK\n"), ("<", b"\n\nRDY\n\0"))
    assert shown(entries) == ["> AT+STATE?\\n", "< \\n+STATE=0\\n", "< \\nOK\\n", "< \\n\\nRDY\\n", "< \\0"]
    assert entries[0].time_us == 1000, "the time of its last byte"


def test_a_file_is_read_as_it_was_written():
    entries = record((">", b"AT\r"), ("<", b"\r\nOK\r\n"), ("<", 'Café "\\'.encode() + b"\xff \x1b\n"))
    lines = [HEADER, "# mine", "", *(format_entry(entry) for entry in entries), "   9.000000 ! a note"]
    read = parse(lines, "file")
    assert [(e.time_us, e.direction, e.data) for e in read[:-1]] == [(e.time_us, e.direction, e.data) for e in entries]
    assert read[0].line == 4 and read[-1].text == "a note"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["hello"], "file:1: no recording"),
        ([HEADER], "file: an empty recording"),
        ([HEADER, "0.5 > AT"], "file:2: .* is not `seconds.microseconds > data`"),
        ([HEADER, "0.000001 > AT\\q"], r"file:2: unknown escape '\\\\q'"),
        ([HEADER, "2.000000 > A", "1.000000 > B"], "file:3: the time goes back"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(lines, message):
    with pytest.raises(UsageError, match=message):
        parse(lines, "file")


def test_an_unfinished_line_is_recorded_after_a_second():
    recorder = Recorder()
    assert recorder.feed(">", b"AT+STA", 0) == [] and recorder.advance(900_000) == []
    assert shown(recorder.advance(1_000_000)) == ["> AT+STA"]
    assert shown(recorder.feed(">", b"TE?\n", 2_000_000)) == ["> TE?\\n"]


def test_the_time_never_goes_back():
    recorder = Recorder()
    entries = recorder.feed(">", b"AT\n", 500) + recorder.feed("<", b"\nOK\n", 400)
    assert [entry.time_us for entry in entries] == [500, 500]


def test_the_documented_example_is_a_recording_without_deviations():
    text = (ROOT / "docs/recording-format.md").read_text("utf-8")
    example = text.split("```text\n")[1].split("```")[0]
    assert check(parse(example.splitlines(), "example")) == []


# --- passwords --------------------------------------------------------------------------------------------------------

SECRET = b"geh,eim 12"
WRITE = b'AT+WIFISTACFG=1,"ho,me","' + SECRET + b'"\n'


@given(st.integers(0, len(WRITE)), st.integers(0, len(WRITE)), st.booleans())
def test_no_password_is_recorded_in_whatever_pieces_it_comes(one, two, quiet):
    first, second = sorted((one, two))
    recorder, entries, moment = Recorder(), [], 0
    for piece in (WRITE[:first], WRITE[first:second], WRITE[second:]):
        moment += 2_000_000
        entries += recorder.feed(">", piece, moment)
        entries += recorder.advance(moment + 1_500_000) if quiet else []
    entries += recorder.feed("<", b"\nOK\n", moment) + recorder.finish()
    text = b"".join(entry.data for entry in entries if entry.direction == ">")
    assert text == b'AT+WIFISTACFG=1,"ho,me","***"\n'


def test_nor_its_echo_be_it_cut_in_two_by_a_push():
    half = WRITE.index(SECRET)
    entries = record(
        (">", WRITE), ("<", WRITE[:half] + b"\n+STATE=0\n" + WRITE[half:] + b"\nOK\n"), ("<", b"\nlater\n")
    )
    text = b"".join(entry.data for entry in entries)
    assert SECRET not in text and b"+STATE=0" in text and b"later" in text


def test_a_shortened_write_is_one_too():
    assert SECRET not in record((">", WRITE.replace(b"WIFISTACFG", b"wifistacf")))[0].data


# --- check ------------------------------------------------------------------------------------------------------------

GOOD = """
    > ~\\n
    < \\nERROR\\n
    > AT+VER?\\n
    < \\n+VER="v2.1.1"\\n
    < \\nOK\\n
    > AT+UNSUB=""\\n
    < \\nOK\\n
    > AT+SUB="+STATE",250\\n
    < \\nOK\\n
    < \\n+STATE=0\\n
    > AT+CHCUR=160\\n
    < \\nOK\\n
    +7 < \\n\\nRDY\\n
    +1.2 > AT+ENABLE=0\\n
    < \\nOK\\n
    > AT+CHIP=?\\n
    < \\n+CHIP=<STRING[RO]>,<UINT8[RO]>,<UINT16[RO]>\\n
    < \\nOK\\n
"""


def test_a_good_session_has_no_deviation():
    assert deviations(GOOD) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("> AT+ENAB=1\\n\n< \\nOK\\n", (1, "client", "ENAB: short for ENABLE")),
        ("> AT+NONE?\\n\n< \\nERROR\\n", (1, "client", "NONE: no such command")),
        ("> hello\\n\n< \\nERROR\\n", (1, "client", "'hello' is not a command")),
        ("> AT+STATE=1\\n\n< \\nERROR\\n", (1, "client", "STATE: cannot be written")),
        ("> AT+CHCUR=50\\n\n< \\nERROR\\n", (1, "client", "CHCUR: 50 is out of range")),
        ('> AT+SUB="+STATE"\\n\n< \\nERROR\\n', (1, "client", "SUB: without a period")),
        ('> AT+SUB="+SERIALS",1000\\n\n< \\nOK\\n', (1, "client", "SERIALS: subscribing to it hangs")),
        ("> AT+STATE?\\r\n< \\r\\n+STATE=0\\r\\n\n< \\r\\nOK\\r\\n", (1, "client", "the line does not end with")),
        ("> AT\\n\n> AT\\n\n< \\nOK\\n\n< \\nOK\\n", (2, "client", "a second command before the result of AT")),
        ("< \\n\\nRDY\\n\n> AT+ENABLE=1\\n\n< \\nOK\\n", (2, "client", "ENABLE: written 10 ms after RDY")),
        ("> AT+STATE?\\n\n< \\nOK\\n", (2, "charger", "OK to AT+STATE?, without its value")),
        ("< \\nOK\\n", (1, "charger", "OK without a command")),
        ("> AT+STATE?\\n\n+3 > AT\\n\n< \\nOK\\n", (1, "charger", "no result for AT+STATE?")),
        ("> AT+STATE?\\n\n< \\n+STATE=x\\n\n< \\nERROR\\n", (2, "charger", "damaged: +STATE=x")),
        ("> AT+STATE?\\n\n< \\n+STATE=9\\n\n< \\nOK\\n", (2, "charger", "STATE: state 9 is not 0 to 8")),
        ("> AT+STATE?\\n\n< +STATE=0\\n\n< \\nOK\\n", (2, "charger", "+STATE=0 is not between line ends")),
        ("< \\nI (12) wifi: log\\n", (1, "charger", "'I (12) wifi: log' is not of the AT protocol")),
        ("< \\n\\nRDY\\n\n< \\n+STATE=0\\n", (2, "charger", "STATE: neither asked for nor subscribed")),
        (
            "> AT+UPTIME?\\n\n< \\n+UPTIME=90\\n\n< \\nOK\\n\n> AT+UPTIME?\\n\n< \\n+UPTIME=3\\n\n< \\nOK\\n",
            (5, "charger", "UPTIME went back from 90 to 3 s"),
        ),
    ],
)
def test_every_deviation_is_reported_with_its_line(text, expected):
    found = deviations(text)
    assert len(found) == 1, found
    assert found[0][:2] == expected[:2] and found[0][2].startswith(expected[2])


# --- words ------------------------------------------------------------------------------------------------------------


def test_each_line_of_a_recording_is_said_in_words():
    annotator = Annotator()
    assert annotator.to_charger("AT+CHCUR=160") == "write charging_current 16 A"
    assert annotator.from_charger(b"OK") == "done: AT+CHCUR=160"
    assert annotator.to_charger("AT+STATE?") == "read state"
    assert annotator.from_charger(b"+ERROR=5") == "push: faults Control pilot, Socket lock"
    assert annotator.from_charger(b"+STATE=4") == "answer: state C2"
    assert annotator.from_charger(b"OK") == "done: AT+STATE?"
    assert annotator.from_charger(b"OK") == "a result that nobody asked for"
    assert annotator.to_charger("AT+EN=1") == "write enable on; short for ENABLE"
    assert annotator.to_charger('AT+SUB="+AUXINPUTS",9').startswith("push AUXINPUTS every 9 ms; DANGER: AUXINPUTS")
    assert annotator.from_charger(b"RDY").startswith("the charger has started")


@given(st.binary(max_size=40))
def test_any_line_has_words(line):
    assert Annotator().from_charger(line).isprintable()
    assert Annotator().to_charger(line.decode("utf-8", "surrogateescape")).isprintable()


# --- playback ---------------------------------------------------------------------------------------------------------

PLAYED = """
    > AT+CHCUR?\\n
    < \\n+CHCUR=320\\n
    < \\nOK\\n
    > AT+CHCUR=160\\n
    < \\nOK\\n
    > AT+CHCUR?\\n
    < \\n+CHCUR=160\\n
    < \\nOK\\n
    +10 < \\n+STATE=1\\n
    > AT+STATE?\\n
    < \\n+STATE=1\\n
    < \\nOK\\n
"""


def ask(player: Player, command: str, now: float) -> bytes:
    player.receive(to_bytes(command) + b"\n", now)
    return player.advance(now + 0.5)


def test_the_same_commands_get_the_same_answers():
    player = Player(session(PLAYED))
    assert ask(player, "AT+CHCUR?", 100.0) == b"\n+CHCUR=320\n\nOK\n"
    assert ask(player, "AT+CHCUR=160", 100.6) == b"\nOK\n"
    assert ask(player, "AT+CHCUR?", 101.2) == b"\n+CHCUR=160\n\nOK\n"
    assert player.misses == []


def test_answers_take_the_time_they_took():
    player = Player(session(PLAYED))
    player.receive(b"AT+CHCUR?\n", 100.0)
    assert player.deadline == pytest.approx(100.01) and player.advance(100.0) == b""
    assert player.advance(100.011) == b"\n+CHCUR=320\n"


def test_what_was_asked_once_may_be_asked_again_and_what_was_not_is_refused():
    player = Player(session(PLAYED))
    assert ask(player, "AT+STATE?", 0.0) == b"\n+STATE=1\n\nOK\n", "only later, but known"
    assert ask(player, "AT+VER?", 1.0) == b"\nERROR\n"
    assert [miss.command for miss in player.misses] == ["AT+VER?"]
    assert ask(player, "~", 2.0) == b"\nERROR\n" and len(player.misses) == 1
    ask(player, "AT+CHCUR?", 3.0)
    assert ask(player, "AT+CHCUR?", 40.0).startswith(b"\n+CHCUR=160\n\nOK\n")


def test_pushes_come_at_their_time_after_the_first_byte_and_faster_with_speed():
    player = Player(session(PLAYED), speed=2.0)
    assert player.deadline == float("inf") and not player.over
    player.receive(b"\n", 50.0)
    assert 50 < player.deadline < 56
    assert player.advance(56.0) == b"\n+STATE=1\n" and player.over
