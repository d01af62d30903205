"""Lines, values and arguments: every sentence of the framing rules, and properties over all commands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evse_host.catalog import COMMAND, COMMANDS, INTEGER_RANGES
from evse_host.simulator.fields import split_arguments
from evse_host.wire import codec
from evse_host.wire.codec import Damaged, Decoder, Other, Ready, Result, Value

TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=31).filter(
    lambda text: len(text.encode()) <= 31
)
WRITABLE = [command for command in COMMANDS if codec.writable_fields(command)]
ANSWERED = [command for command in COMMANDS if command.fields and set("RX") & set(command.access)]


def values_of(fields, writing: bool):
    """A strategy for the fields' values: those that may be written, or all that can be answered."""
    strategies = []
    for column in fields:
        if column.address and writing:
            strategies.append(st.ip_addresses(v=4).map(str) | st.just(""))
        elif column.type == "str":
            strategies.append(TEXTS)
        else:
            strategies.append(st.integers(*(column.range if writing else INTEGER_RANGES[column.type])))
    return st.tuples(*strategies)


def shown(values) -> str:
    """As the charger prints values."""
    escape = {ord("\\"): "\\\\", ord('"'): '\\"', ord("\n"): "\\n"}
    return ",".join(f'"{v.translate(escape)}"' if isinstance(v, str) else str(v) for v in values)


@st.composite
def answers(draw):
    command = draw(st.sampled_from(ANSWERED))
    return command, draw(values_of(command.fields, writing=False))


@st.composite
def writes(draw):
    command = draw(st.sampled_from(WRITABLE))
    fields = codec.writable_fields(command)
    count = len(fields) if command.name == "SUB" else draw(st.integers(1, len(fields)))
    return command, draw(values_of(fields[:count], writing=True))


# --- framing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b"\n\nRDY\n\0", [Ready()]),
        (b"\n\nRDY\n\0\n+STATE=0\n", [Ready(), Value("STATE", (0,))]),
        (b"\n+STATE=0\n\nOK\n", [Value("STATE", (0,)), Result(True)]),
        (b"\r\n+STATE=0\r\n\r\nERROR\r\n", [Value("STATE", (0,)), Result(False)]),
        (b"+ERROR=5\n", [Value("ERROR", (5,))]),  # the value, not the result
        (b"+AUXOUPUTS=\"OUT1\"\n", [Value("AUXOUTPUTS", ("OUT1",))]),
        (b"+STA\x00TE=0\n", [Damaged(b"+STA\x00TE=0")]),
        (b"\0\0+STATE=0\n", [Value("STATE", (0,))]),
        (b"+STATE\n", [Damaged(b"+STATE")]),
        (b"+STATE=\n", [Damaged(b"+STATE=")]),
        (b"+STATE=256\n", [Damaged(b"+STATE=256")]),
        (b"+STATE=-1\n", [Damaged(b"+STATE=-1")]),
        (b"+STATE= 1\n", [Damaged(b"+STATE= 1")]),
        (b"+NEWER=1\n", [Other("+NEWER=1")]),
        (b"+state=1\n", [Other("+state=1")]),
        (b"AT+STATE?\n", [Other("AT+STATE?")]),
        (b"X" * 128 + b"\n", [Other("X" * 128)]),
        (b"X" * 129 + b"\n", [Damaged(b"X" * 129)]),
        (b"X" * 500 + b"\nOK\n", [Damaged(b"X" * 129), Result(True)]),
        (b"\xff\xfe\n", [Other("\udcff\udcfe")]),
    ],
)  # fmt: skip
def test_bytes_become_the_lines_that_the_charger_meant(data: bytes, events: list) -> None:
    assert Decoder().feed(data) == events


@given(st.binary(max_size=400), st.lists(st.integers(1, 40), min_size=1))
def test_pieces_of_any_size_mean_the_same_and_no_bytes_are_a_problem(data: bytes, sizes: list[int]) -> None:
    decoder, events, at, turn = Decoder(), [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        events += decoder.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    assert events == Decoder().feed(data)


@given(answers())
def test_what_the_charger_prints_is_read_back(answer) -> None:
    command, values = answer
    line = f"+{command.answer_name}={shown(values)}"
    expected = [Value(command.name, values)] if len(line.encode()) <= 128 else [Damaged(line.encode()[:129])]
    assert Decoder().feed(line.encode() + b"\n") == expected


def test_a_trailing_field_of_newer_firmware_may_be_missing_or_follow() -> None:
    assert codec.parse_value(COMMAND["WIFISTASTATIC"], '1,"a","b","c"') == (1, "a", "b", "c")
    assert codec.parse_value(COMMAND["WIFISTASTATIC"], '1,"a","b","c","d"') == (1, "a", "b", "c", "d")
    assert codec.parse_value(COMMAND["STATE"], "4,17") == (4,)
    with pytest.raises(ValueError, match="EMETERVOLTAGE: '1,2' lacks l3"):
        codec.parse_value(COMMAND["EMETERVOLTAGE"], "1,2")


# --- arguments --------------------------------------------------------------------------------------------------------


@given(writes())
def test_the_charger_reads_what_is_written(write) -> None:
    command, values = write
    try:
        argument = codec.format_argument(command, values)
    except ValueError as error:
        assert "" in values and "it is empty" in str(error)
        return
    assert "" not in values or command.name in ("WIFISTACFG", "WIFISTASTATIC", "SUB", "UNSUB")
    values = tuple("0.0.0.0" if c.address and v == "" else v for c, v in zip(command.fields, values, strict=False))
    data = argument.encode()
    assert len(data) <= 127 and not set(data) & set(b"\r\n\0")
    assert tuple(split_arguments(command.fields, data)) == values


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("CHCUR", (59,), "CHCUR: 59 is out of range, 60 to 630 A/10 are allowed"),
        ("CHCUR", (631,), "CHCUR: 631 is out of range, 60 to 630 A/10 are allowed"),
        ("CHCUR", ("60",), "CHCUR: '60' is not a whole number from 60 to 630"),
        ("CHCUR", (60.0,), "CHCUR: 60.0 is not a whole number from 60 to 630"),
        ("CHCUR", (), "CHCUR: 0 values given, it takes 1: value"),
        ("CHCUR", (60, 61), "CHCUR: 2 values given, it takes 1: value"),
        ("UNDERPOWERLIM", (65536,), "UNDERPOWERLIM: 65536 is out of range, 0 to 65535 W are allowed"),
        ("EMETERTOTCONSUM", (1,), "EMETERTOTCONSUM: 1 is out of range, only 0 is allowed"),
        ("ENABLE", (2,), "ENABLE: 2 is out of range, 0 to 1 are allowed"),
        ("STATE", (0,), "STATE: cannot be written"),
        ("SUB", ("+STATE",), "SUB: 1 values given, it takes 2: name, period"),
        ("WIFIAPCFG", (1, "name"), "WIFIAPCFG: 2 values given, it takes 1: enabled"),
        ("HOSTNAME", ("x" * 32,), f"HOSTNAME: '{'x' * 32}' has 32 bytes, at most 31 are allowed"),
        ("HOSTNAME", ("ä" * 16,), f"HOSTNAME: '{'ä' * 16}' has 32 bytes, at most 31 are allowed"),
        ("HOSTNAME", ("a\nAT+RST",), "HOSTNAME: 'a\\nAT+RST' holds a line end or another control character"),
        ("WIFISTACFG", (1, "home", "secret" * 6), "WIFISTACFG password: the password has 36 bytes"),
        ("WIFISTACFG", (1, *('"' * 31 for _ in range(2))), "WIFISTACFG: the values take 131 bytes"),
        ("WIFISTASTATIC", (1, "10.0.0.2", "10.0.0"), "WIFISTASTATIC gateway: '10.0.0' is not an IPv4 address"),
        ("WIFISTASTATIC", (1, ""), "WIFISTASTATIC ip: it is empty"),
    ],
)  # fmt: skip
def test_refused_arguments_name_key_value_and_range(name: str, values: tuple, message: str) -> None:
    with pytest.raises(ValueError) as error:
        codec.format_argument(COMMAND[name], values)
    assert str(error.value).startswith(message)


@given(st.text(max_size=60))
def test_no_text_becomes_a_second_command(text: str) -> None:
    try:
        codec.check_line("AT+HOSTNAME=" + text)
    except ValueError:
        return
    assert not set(codec.to_bytes(text)) & set(range(0x20))


@pytest.mark.parametrize(
    "line", ["", "A", "+STATE?", "AT+STATE?\nAT+RST", "AT\0", "AT+EMETERC=AT+RST", "AT+HOSTNAME=" + "x" * 128]
)
def test_what_is_no_command_line(line: str) -> None:
    with pytest.raises(ValueError):
        codec.check_line(line)


# --- danger and secrets -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    ["AT+SERIAL0?", "at+serial1?", "AT+SERIAL0=1,2,3,4,5", "AT+SERIA?", "AT+SERIAL?", 'AT+SUB="+SERIALS",1000',
     'AT+SUB="+AUXINPUTS",1000', 'AT+SU="+AUXOUTPUTS",1', 'at+sub="+auxanaloginputs",1', 'AT+SUB="+STATE"',
     'AT+SUB="+SERIAL0",1000'],
)  # fmt: skip
def test_dangerous_lines_have_a_reason(line: str) -> None:
    assert codec.danger_of(line)


@pytest.mark.parametrize(
    "line",
    ["AT", "ATE1", "AT+CMD", "AT+SERIALS?", "AT+AUXINPUTS?", 'AT+SUB="+STATE",1000', 'AT+UNSUB=""', "AT+SUB=?",
     "AT+SERIAL0=?", "AT+CHCUR=160", "AT+STATE?", "AT+SOCKETLOCK?"],
)  # fmt: skip
def test_harmless_lines_have_none(line: str) -> None:
    assert codec.danger_of(line) == ""


@pytest.mark.parametrize(
    ("line", "shown_line"),
    [
        ('AT+WIFISTACFG=1,"home","secret"', 'AT+WIFISTACFG=1,"home","***"'),
        ('at+wifistacf=1,"ho,m\\"e","sec,\\"ret"', 'at+wifistacf=1,"ho,m\\"e","***"'),
        ('AT+WIFISTACFG=1,home,secret', 'AT+WIFISTACFG=1,home,"***"'),
        ('AT+WIFISTACFG=1,"home","sec', 'AT+WIFISTACFG=1,"home","***"'),
        ('+WIFISTACFG=1,"home",""', '+WIFISTACFG=1,"home",""'),
        ('AT+WIFISTACFG=1,"home"', 'AT+WIFISTACFG=1,"home"'),
        ("AT+CHCUR=160", "AT+CHCUR=160"),
    ],
)  # fmt: skip
def test_passwords_are_hidden(line: str, shown_line: str) -> None:
    assert codec.redact(line) == shown_line


def test_only_printable_characters_reach_a_terminal() -> None:
    assert codec.printable("Café\x1b[2J\x9b\udcff\n") == "Café\\x1b[2J\\x9b\\xff\\n"
