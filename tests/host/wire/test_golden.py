"""The Python decoder against the component's own C++: the golden transcripts, and random bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.esp32evse import codegen
from evse_host.catalog import COMMAND, COMMANDS
from evse_host.wire.codec import Damaged, Decoder, Event, LineFramer, Value, to_bytes
from tests.native import transcript
from tests.native.harness import Program, escape

PATHS = sorted(transcript.DIRECTORY.glob("*.txt"))
ANSWERS = {command.answer_name: command for command in COMMANDS if command.fields}


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with Program() as running:
        yield running


def charger_bytes(path: Path) -> bytes:
    """Everything that the charger sends in a transcript."""
    return b"".join(what for kind, _, what in transcript.read(path).steps() if kind == "<")


def show(value: Value) -> str:
    """As the C++ side shows values."""
    parts = (f'"{escape(to_bytes(field))}"' if isinstance(field, str) else str(field) for field in value.fields)
    return "values " + ",".join(parts)


def compiled_frames(program: Program, data: bytes) -> list[str]:
    return program.ask(f"frame {escape(data)}")


def python_frames(data: bytes) -> list[str]:
    return [f"line {escape(line)}" if whole else "damaged" for line, whole in LineFramer().feed(data)]


def compiled_value(program: Program, line: bytes) -> str:
    name, _, argument = line[1:].partition(b"=")
    signature = codegen._signature(ANSWERS[name.decode()])
    return program.ask(f"parse {signature} {escape(argument)}")[0]


def value_lines(data: bytes) -> list[bytes]:
    """Whole lines of known names."""
    lines = [line for line, whole in LineFramer().feed(data) if whole and line[:1] == b"+" and b"=" in line]
    return [line for line in lines if line[1:].partition(b"=")[0].decode("latin-1") in ANSWERS]


def python_value(event: Event) -> str:
    return show(event) if isinstance(event, Value) else "refused"


@pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
def test_transcripts_give_the_same_lines_and_values(program: Program, path: Path) -> None:
    data = charger_bytes(path)
    assert python_frames(data) == compiled_frames(program, data)
    lines = value_lines(data)
    events = [event for line in lines for event in Decoder().feed(line + b"\n")]
    assert [python_value(event) for event in events] == [compiled_value(program, line) for line in lines]


@pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
def test_pieces_of_any_size_give_the_same_events(path: Path) -> None:
    data = charger_bytes(path)
    expected = Decoder().feed(data)
    for size in range(1, min(len(data), 140)):
        decoder = Decoder()
        pieces = (data[at : at + size] for at in range(0, len(data), size))
        assert [event for piece in pieces for event in decoder.feed(piece)] == expected, f"in pieces of {size}"


@pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
def test_what_the_component_takes_from_a_transcript_is_decoded_here_too(path: Path) -> None:
    """In the same order; the component may pass over values, while a write of its own is pending."""
    decoded = iter(
        [f"values {e.name} {show(e)[7:]}" for e in Decoder().feed(charger_bytes(path)) if isinstance(e, Value)]
    )
    for line in transcript.read(path).lines:
        if line.kind == "=" and line.text.startswith("values "):
            assert line.text in decoded, f"{line.text} is missing, or not in this order"


BYTES = st.lists(st.sampled_from([b"\n", b"\r\n", b"\0", b"OK", b"+STATE=4", b"A" * 60, b"\x01", b"\xff", b'"'])).map(
    b"".join
)


@given(data=BYTES | st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_give_the_same_lines(program: Program, data: bytes) -> None:
    assert python_frames(data) == compiled_frames(program, data)


ARGUMENTS = st.text(st.sampled_from('0123456789,-"\\n+ a.\u00e4'), max_size=40) | st.from_regex(
    r'\A[0-9]{1,21}(,"[a-z\\"n]{0,5}")?(,-?[0-9]{1,12})?\Z'
)


@given(name=st.sampled_from(sorted(ANSWERS)), argument=ARGUMENTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_argument_gives_the_same_fields(program: Program, name: str, argument: str) -> None:
    line = f"+{name}={argument}".encode()
    (event,) = Decoder().feed(line + b"\n")
    assert python_value(event) == compiled_value(program, line)
    assert isinstance(event, Value | Damaged)


def test_every_command_is_compared() -> None:
    assert {command.name for command in ANSWERS.values()} == {name for name, c in COMMAND.items() if c.fields}
