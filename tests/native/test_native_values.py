"""Bytes to lines, lines to values, values to arguments, and which raw commands are refused."""

from __future__ import annotations

import random

import pytest

from components.esp32evse import codegen
from components.esp32evse.catalog import COMMAND, COMMANDS, INTEGER_RANGES, MAX_ARGUMENT_BYTES, MAX_LINE_BYTES
from tests.native.harness import Program, escape, unescape

# --- framer -----------------------------------------------------------------------------------------------------------


def frame(program: Program, data: bytes) -> list[str]:
    return program.ask(f"frame {escape(data)}")


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        pytest.param(b"\n\nRDY\n\0", ["line RDY"], id="the boot message"),
        pytest.param(b"\n\nRDY\n\0\n+STATE=0\n", ["line RDY", "line +STATE=0"], id="NUL before the next line"),
        pytest.param(b"\n\nRDY\n\0+STATE=0\n", ["line RDY", "line +STATE=0"], id="NUL glued to the next line"),
        pytest.param(b"\n+STATE=0\n\nOK\n", ["line +STATE=0", "line OK"], id="an answer"),
        pytest.param(b"\r\n+STATE=0\r\n\r\nOK\r\n", ["line +STATE=0", "line OK"], id="CR LF"),
        pytest.param(b"\rOK\rERROR\r", ["line OK", "line ERROR"], id="CR alone"),
        pytest.param(b"\n\n\r\r\n\n", [], id="blank lines"),
        pytest.param(b"OK", [], id="no end yet"),
        pytest.param('+HOSTNAME="caf\u00e9"\n'.encode(), ['line +HOSTNAME="caf\\xc3\\xa9"'], id="UTF-8"),
        pytest.param(b"O\0K\nOK\n", ["damaged", "line OK"], id="NUL within"),
        pytest.param(b"O\x1fK\n\x7f\nOK\n", ["damaged", "damaged", "line OK"], id="control bytes"),
        pytest.param(b"\t\n", ["damaged"], id="tab alone"),
        pytest.param(b"\0\0\0\n", [], id="NULs alone"),
    ],
)  # fmt: skip
def test_bytes_become_the_lines_that_the_charger_meant(program: Program, data: bytes, lines: list[str]) -> None:
    assert frame(program, data) == lines


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_over_long_line_is_dropped_to_its_end(program: Program, end: bytes) -> None:
    longest = b"x" * MAX_LINE_BYTES
    assert frame(program, longest + end + b"OK" + end) == [f"line {longest.decode()}", "line OK"]
    assert frame(program, longest + b"x" + end + b"OK" + end) == ["damaged", "line OK"]
    assert frame(program, longest * 5 + b"\n+STATE=4\n") == ["damaged", "line +STATE=4"]
    # Not even a part behind the limit that looks like a line of its own.
    assert frame(program, longest + b"+STATE=4" + end) == ["damaged"]


def test_each_control_byte_damages_its_line(program: Program) -> None:
    for byte in range(256):
        lines = frame(program, b"a" + bytes([byte]) + b"b\n")
        if byte in (0x0A, 0x0D):
            assert lines == ["line a", "line b"]
        elif byte < 0x20 or byte == 0x7F:
            assert lines == ["damaged"]
        else:
            assert lines == [f"line a{escape(bytes([byte]))}b"]


# --- values -----------------------------------------------------------------------------------------------------------


def parse(program: Program, signature: str, text: str) -> str:
    (answer,) = program.ask(f"parse {signature} {escape(text.encode())}")
    return answer.removeprefix("values ")


LETTERS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i8": "b", "i32": "i"}


@pytest.mark.parametrize("type_", INTEGER_RANGES)
def test_an_integer_beyond_its_type_is_refused(program: Program, type_: str) -> None:
    low, high = INTEGER_RANGES[type_]
    letter = LETTERS[type_]
    for value in (low, low + 1, 0, 1, 9, 10, high - 1, high):
        assert parse(program, letter, str(value)) == str(value)
    for value in (high + 1, high + 10, high * 10, high * 10 + 9, 2**64, 2**64 + 1, 10**30):
        assert parse(program, letter, str(value)) == "refused", value
    for value in (low - 1, low * 10 - 10, -(2**63), -(2**64), -(10**30)):
        assert parse(program, letter, str(value)) == "refused", value


@pytest.mark.parametrize("letter", LETTERS.values())
def test_rubbish_around_an_integer_is_refused(program: Program, letter: str) -> None:
    assert parse(program, letter, "007") == "7"
    assert parse(program, letter, "0" * 60 + "12") == "12"
    for text in ("", "-", "+1", " 1", "1 ", "0x1", "1.0", "1e1", "--1", "1-", '"1"', "a", ",", "1,", "\u0661"):
        expected = "1" if text == "1," else "refused"  # further fields are ignored, whatever they are
        assert parse(program, letter, text) == expected, text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"garage"', '"garage"'),
        ('""', '""'),
        (r'"\""', '"""'),
        (r'"\\"', r'"\\"'),
        (r'"a\nb"', r'"a\nb"'),
        (r'"\\n"', r'"\\n"'),
        ('"a,b"', '"a,b"'),
        ('"a","b"', '"a"'),
        ('"Zo\u00eb"', r'"Zo\xc3\xab"'),
        ('"' + "x" * 120 + '"', '"' + "x" * 120 + '"'),
        ("garage", "refused"),
        ('"garage', "refused"),
        ('garage"', "refused"),
        ('"', "refused"),
        ("", "refused"),
        ('"a"b', "refused"),
        (r'"\t"', "refused"),
        ('"\\', "refused"),
        (r'"a\"', "refused"),
        ("1", "refused"),
        ("'a'", "refused"),
    ],
)
def test_a_string_is_what_stands_between_its_quotes(program: Program, text: str, value: str) -> None:
    assert parse(program, "s", text) == value


@pytest.mark.parametrize(
    ("signature", "text", "values"),
    [
        ("Bii", "2,3105,-500", "2,3105,-500"),
        ("Bii", "2,3105", "refused"),
        ("Bii", "2,,3105", "refused"),
        ("Bii", "2,3105,-500,7", "2,3105,-500"),
        ("Bii", '2,3105,-500,"a newer firmware"', "2,3105,-500"),
        ("Bii", "2,3105,-500 ", "refused"),
        ("Bii", "2, 3105,-500", "refused"),
        ("Bss", '1,"a,\\"b","c"', '1,"a,"b","c"'),
        ("Bss", '1,"a""b"', "refused"),
        ("Bsss|s", '1,"a","b","c"', '1,"a","b","c"'),
        ("Bsss|s", '1,"a","b","c","d"', '1,"a","b","c","d"'),
        ("Bsss|s", '1,"a","b","c","d","e"', '1,"a","b","c","d"'),
        ("Bsss|s", '1,"a","b","c",', "refused"),
        ("Bsss|s", '1,"a","b"', "refused"),
        ("Bsss|s", '1,"a","b","c",4', "refused"),
    ],
)
def test_a_line_becomes_the_fields_of_its_signature(program: Program, signature: str, text: str, values: str) -> None:
    assert parse(program, signature, text) == values


def test_every_row_of_the_catalog_can_be_parsed(program: Program) -> None:
    for command in COMMANDS:
        if not command.fields:
            continue
        strings = [item.type == "str" for item in command.fields if not item.since_head]
        text = ",".join('"a"' if string else "1" for string in strings)
        assert parse(program, codegen._signature(command), text) == text, command.name


def test_what_is_not_utf8_is_kept_as_it_came(program: Program) -> None:
    """A read-back is compared with it; what leaves for ESPHome is made valid elsewhere, see test_native_text.py."""
    dice = random.Random(1)
    edges = (0x41, 0x7E, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE1, 0xEC, 0xF1, 0xF3, 0xF5, 0xFF)
    for text in (bytes(dice.choices(edges, k=dice.randrange(1, 31))) for _ in range(500)):
        (answer,) = program.ask(f'parse s "{escape(text)}"')
        assert unescape(answer.removeprefix("values "))[1:-1] == text


# --- arguments --------------------------------------------------------------------------------------------------------


def argument(program: Program, *values: int | bytes) -> str:
    words = [str(value) if isinstance(value, int) else '"' + escape(value).replace(" ", "\\x20") for value in values]
    (answer,) = program.ask(f"argument {' '.join(words)}")
    return answer.removeprefix("argument ")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0,), "0"),
        ((2**32 - 1,), "4294967295"),
        ((b"garage",), '"garage"'),
        ((b"",), "refused"),
        ((b'a"b',), r'"a\\"b"'),
        ((b"a\\b",), r'"a\\\\b"'),
        ((b"a\\",), r'"a\\\\"'),
        ((b"a,b c",), '"a,b c"'),
        (("Zo\u00eb".encode(),), r'"Zo\xc3\xab"'),
        ((1, b"home", b"secret"), '1,"home","secret"'),
        ((b"x" * 31,), '"' + "x" * 31 + '"'),
        ((b'"' * 31,), '"' + r"\\\"".replace("\\\\\\", "\\\\") * 31 + '"'),
        ((b"x" * 32,), "refused"),
        (("\u00eb".encode() * 16,), "refused"),
        ((1, b"x" * 31, b"y" * 31, b"z" * 31), f'1,"{"x" * 31}","{"y" * 31}","{"z" * 31}"'),
        ((b"x" * 31, b"x" * 31, b"x" * 31, b"x" * 23), ",".join(['"' + "x" * 31 + '"'] * 3 + ['"' + "x" * 23 + '"'])),
        ((b"x" * 31, b"x" * 31, b"x" * 31, b"x" * 24), "refused"),
        ((b'"' * 31, b'"' * 31), "refused"),
    ],
)
def test_values_become_the_argument_of_a_command(program: Program, values: tuple, text: str) -> None:
    assert argument(program, *values) == text


def test_argument_never_holds_a_control_byte(program: Program) -> None:
    for byte in range(256):
        text = argument(program, b"a" + bytes([byte]) + b"b")
        assert (text == "refused") == (byte < 0x20 or byte == 0x7F), byte


# --- raw commands -----------------------------------------------------------------------------------------------------

NAMES = [command.name for command in COMMANDS] + ["E0", "E1"]
DANGEROUS = {"SERIAL0", "SERIAL1", "SUB"}


def refuse(program: Program, text: str | bytes, force: bool = False) -> str:
    data = text.encode() if isinstance(text, str) else text
    (answer,) = program.ask(f"refuse {int(force)} {escape(data)}")
    return answer


def executed(typed: str) -> set[str]:
    """Names that the charger executes for an abbreviation: the only one that begins so."""
    matches = {typed} if typed in NAMES else {name for name in NAMES if name.startswith(typed)}
    return matches if len(matches) == 1 else set()


@pytest.mark.parametrize("form", ["", "?", "=1", '="+STATE",1000', "=?"])
def test_every_abbreviation_of_a_dangerous_command_is_refused(program: Program, form: str) -> None:
    for name in NAMES:
        for length in range(1, len(name) + 1):
            for typed in (name[:length], name[:length].lower(), name[:length].title()):
                answer = refuse(program, f"AT+{typed}{form}")
                if executed(typed.upper()) & DANGEROUS:
                    assert answer != "sent", typed
                elif name not in DANGEROUS and length == len(name):
                    assert answer == "sent", typed


@pytest.mark.parametrize("text", ["AT", "at", "AT+STATE?", "At+state?", "AT+SERIALS?", 'AT+UNSUB=""', "ATE1", "AT+TZ?"])
def test_harmless_commands_pass(program: Program, text: str) -> None:
    assert refuse(program, text) == "sent"


@pytest.mark.parametrize("text", ["AT+SERIAL0?", 'AT+SERIAL1="at",115200,8,1,0', 'AT+SUB="+SERIALS",1000', "AT+SU=1"])
def test_force_lets_dangerous_commands_pass(program: Program, text: str) -> None:
    assert refuse(program, text) != "sent"
    assert refuse(program, text, force=True) == "sent"


@pytest.mark.parametrize("force", [False, True])
def test_only_one_whole_command_ever_passes(program: Program, force: bool) -> None:
    for byte in (*range(32), 0x7F):
        for text in (b"AT" + bytes([byte]), b"AT+ST" + bytes([byte]) + b"ATE?", bytes([byte]) + b"AT"):
            assert refuse(program, text, force) != "sent", text
    for text in ("", "A", "T", "+STATE?", "STATE?", " AT", "XAT+STATE?"):
        assert refuse(program, text, force) == "it must begin with AT"
    assert refuse(program, "AT+" + "x" * (MAX_ARGUMENT_BYTES - 3), force) == "sent"
    assert refuse(program, "AT+" + "x" * (MAX_ARGUMENT_BYTES - 2), force) == "it is longer than 127 bytes"
    assert "line end" in refuse(program, "AT+STATE?\n", force)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("text", ['AT+E=AT+SUB="+SERIALS",100', "AT+EMETERC=at+serial0?", "AT+S=AT+RST", "AT+=AT+RST"])
def test_second_command_behind_an_ambiguous_one_is_refused(program: Program, text: str, force: bool) -> None:
    """An ambiguous write fails at its `=`, and what follows becomes a line of its own."""
    assert refuse(program, text, force) != "sent"


def test_dangerous_commands_are_those_of_the_catalog() -> None:
    dangerous = {command.name for command in COMMANDS if command.danger and not command.lines}
    assert dangerous | {"SUB"} == DANGEROUS
    assert all(COMMAND[name].lines for name in ("SERIALS", "AUXINPUTS", "AUXOUTPUTS", "AUXANALOGINPUTS"))
