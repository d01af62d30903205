"""Text to command: exactly one well-formed command, or a refusal; in C++ and in Python, judged by the simulated
charger's own parser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evse_host.catalog import COMMAND, MAX_ARGUMENT_BYTES
from evse_host.simulator import Charger
from evse_host.simulator.fields import split_arguments
from evse_host.wire import codec
from tests.native.harness import Program, escape
from tests.security.texts import NEVER_LINES, TEXTS, is_taken, string_fields, wire

ANY_TEXT = st.one_of(
    st.text(max_size=40),
    st.text(alphabet='"\\,=?\n\r\0 ATat+~é🚗\x7f', max_size=40),
    st.sampled_from(sorted(TEXTS.values())),
)
ANY_LINE = st.one_of(
    st.text(alphabet='AT+EMTRCSUBN="\\,=?\n\r\0~at ', max_size=40).map(lambda text: "AT" + text),
    st.lists(st.sampled_from(["AT+", "AT", "EMETERC", "E", "CHCUR", "SUB", "=", "?", "at+rst", '"', "A", "60", " "]))
    .map("".join).map(lambda text: "AT+" + text),
    ANY_TEXT,
)  # fmt: skip


@pytest.fixture(scope="module")
def program():
    with Program() as running:
        yield running


def received(data: bytes) -> list:
    """What a charger understands of these bytes, result by result."""
    charger = Charger()
    charger.receive(data, charger.now)
    charger.advance(charger.now + 30)
    return charger.journal.entries


def arguments(command, field, text: str) -> tuple:
    """The text in its field; the fields before it get something plain."""
    before = command.fields[: command.field_index(field.name)]
    plain = {"str": "x", "address": "192.168.1.1"}
    return (*(plain.get("address" if column.address else column.type, 1) for column in before), text)


def python_argument(command, values) -> str | None:
    try:
        return codec.format_argument(command, values)
    except ValueError as error:
        assert command.name in str(error)
        return None


def cpp_argument(program: Program, values) -> str | None:
    words = [_word(value) for value in values]
    (answer,) = program.ask(f"argument {' '.join(words)}")
    return None if answer == "refused" else answer.removeprefix("argument ")


def _word(value: int | str) -> str:
    return '"' + escape(value.encode()).replace(" ", "\\x20") if isinstance(value, str) else str(value)


# --- string fields ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_every_text_in_every_field(text: str) -> None:
    for command, field in string_fields():
        values = arguments(command, field, text)
        if command.name == "SUB":
            values = (*values, 1000)
        argument = python_argument(command, values)
        if not text:
            continue  # some fields take an empty text, others do not: tests/host
        taken = is_taken(text) and not field.address  # none of them is an address
        assert (argument is not None) == taken, (command.name, field.name)
        if argument is not None:
            assert wire(text) in argument
            assert tuple(split_arguments(command.fields, argument.encode())) == values


@given(ANY_TEXT, ANY_TEXT)
def test_two_texts_are_two_fields_of_one_command(ssid: str, password: str) -> None:
    argument = python_argument(COMMAND["WIFISTACFG"], (1, ssid, password))
    fits = len(f"1,{wire(ssid)},{wire(password)}".encode()) <= MAX_ARGUMENT_BYTES
    assert (argument is not None) == (is_taken(ssid) and is_taken(password) and fits)
    if argument is not None:
        (entry,) = received(f"AT+WIFISTACFG={argument}\n".encode())
        assert entry.command == f"AT+WIFISTACFG={argument}"
        fields = COMMAND["WIFISTACFG"].fields
        assert tuple(split_arguments(fields, argument.encode())) == (1, ssid, password)


@given(ANY_TEXT, ANY_TEXT)
def test_the_component_writes_the_same(program: Program, ssid: str, password: str) -> None:
    """But no empty one: an open network's password is none that anybody has typed."""
    values = (1, ssid, password)
    argument = python_argument(COMMAND["WIFISTACFG"], values) if ssid and password else None
    assert cpp_argument(program, values) == _escaped(argument)


def _escaped(argument: str | None) -> str | None:
    return None if argument is None else escape(argument.encode())


@given(st.text(min_size=1, max_size=12), st.text(max_size=12))
def test_a_password_is_in_no_refusal(ssid: str, rest: str) -> None:
    secret = "correct horse 42"
    for password in (secret + "\n" + rest, secret + "x" * 16 + rest):
        with pytest.raises(ValueError) as error:
            codec.format_argument(COMMAND["WIFISTACFG"], (1, ssid.encode()[:20].decode(errors="ignore"), password))
        assert "correct" not in str(error.value)


# --- raw commands -----------------------------------------------------------------------------------------------------


def python_passes(line: str) -> bool:
    try:
        codec.check_line(line)
    except ValueError:
        return False
    return True


def cpp_passes(program: Program, line: str, force: bool = True) -> bool:
    (answer,) = program.ask(f"refuse {int(force)} {escape(line.encode())}")
    return answer == "sent"


@pytest.mark.parametrize("line", NEVER_LINES.values(), ids=NEVER_LINES.keys())
def test_what_is_not_one_command_is_refused_whoever_insists(program: Program, line: str) -> None:
    assert not python_passes(line)
    assert not cpp_passes(program, line)


@given(ANY_LINE)
def test_what_passes_is_one_line_that_executes_at_most_one_command(program: Program, line: str) -> None:
    for passes in (python_passes(line), cpp_passes(program, line)):
        if passes:
            entries = received(line.encode() + b"\n")
            assert sum(entry.command is not None for entry in entries) <= 1
            assert 1 <= len(entries) <= 2  # an ambiguous write gets two ERRORs
            assert all(entry.result == "ERROR" for entry in entries[1:])


@given(ANY_LINE)
def test_both_refuse_the_same_lines(program: Program, line: str) -> None:
    """Up to the length: the component counts the whole line, the host tool what is behind the `=`."""
    if len(line.encode()) <= MAX_ARGUMENT_BYTES:
        assert python_passes(line) == cpp_passes(program, line)
