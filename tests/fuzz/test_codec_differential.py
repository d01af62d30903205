"""The component's C++ and the host tool's codec read the same bytes, in the same pieces, the same way."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evse_host.catalog import COMMAND, INTEGER_RANGES
from evse_host.wire import codec
from evse_host.wire.codec import Damaged, Decoder, Other, Ready, Result, Value
from tests.fuzz import targets
from tests.support.text import shown_text
from tools.build import kept

Observe = Callable[[list[bytes]], list[str]]

#: Commands that a value line may name and that the client has rows of.
ANSWERED = [command for command in targets.ROWS if command.fields]
EDGES = sorted({edge + step for edges in INTEGER_RANGES.values() for edge in edges for step in (-1, 0, 1)})

SETTINGS = settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    """observe.cpp with the component, compiled only if something has changed."""
    names = (*targets.SOURCES["client"], "utf8.cpp")
    sources = [targets.HERE / "observe.cpp", *(targets.COMPONENT / name for name in names)]
    headers = [*sorted(targets.COMPONENT.glob("*.h")), targets.HERE / "rows.h"]

    def make(directory: Path) -> None:
        (directory / "rows.inc").write_text(targets.rows())
        flags = ["-std=gnu++20", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared"]
        includes = [f"-I{path}" for path in (directory, targets.COMPONENT, targets.HERE)]
        subprocess.run(["g++", *flags, *includes, *sources, "-o", directory / "observe.so"], check=True)

    built = kept.build(targets.CACHE / "observe", [*sources, *headers], targets.rows(), make)
    loaded = ctypes.CDLL(str(built / "observe.so"))
    for name in ("observe", "format_string", "refuse"):
        getattr(loaded, name).restype = ctypes.c_char_p
    return loaded


@pytest.fixture(scope="module")
def observe(library: ctypes.CDLL) -> Observe:
    def observe(pieces: list[bytes]) -> list[str]:
        sizes = (ctypes.c_size_t * len(pieces))(*map(len, pieces))
        return library.observe(b"".join(pieces), sizes, ctypes.c_size_t(len(pieces))).decode("ascii").splitlines()

    return observe


# --- what the codec says, in the words of observe.cpp -----------------------------------------------------------------


def decoded(pieces: list[bytes]) -> list[str]:
    decoder, events = Decoder(), []
    for piece in pieces:
        events += decoder.feed(piece)
    told = [word for event in events for word in words(event)]
    return [*told, f"discarded {sum(map(is_discarded, events))}"]


def words(event: codec.Event) -> list[str]:
    match event:
        case Ready():
            return ["error", "ready"]  # the raw command that was under way has failed
        case Result(ok):
            return ["ok" if ok else "error"]
        case Value(name, fields, text):
            return [shown_line(text), f"value {name} {','.join(map(shown_field, fields))}"]
        case Other(text):
            return [shown_line(text)]
        case Damaged(raw) if framed(raw):  # a line, but no value
            return [f"line {raw.hex()}"]
    return []


def framed(raw: bytes) -> bool:
    return len(raw) <= 128 and not any(byte < 0x20 or byte == 0x7F for byte in raw)


def is_discarded(event: codec.Event) -> bool:
    """What an idle client counts as lost: all that means nothing to it, because it may have been a value. An echo
    (`AT...`, `~`) and a name that it does not know are no damage."""
    match event:
        case Damaged():
            return True
        case Result(ok):
            return ok
        case Other(text):
            return not text.startswith(("+", "~", "AT"))
    return False


def shown_line(text: str) -> str:
    return f"line {codec.to_bytes(text).hex()}"


def shown_field(value: int | str) -> str:
    return str(value) if isinstance(value, int) else '"' + shown_text(codec.to_bytes(value)).hex()


# --- bytes that mean something, and nearly do -------------------------------------------------------------------------


@st.composite
def value_lines(draw) -> bytes:
    """A value line of the catalog's grammar; its numbers may be out of range."""
    command = draw(st.sampled_from(ANSWERED))
    fields = [draw(field_texts(column.type)) for column in command.fields]
    count = draw(st.sampled_from((len(fields), len(fields), len(fields), len(fields) - 1)))
    extra = draw(st.sampled_from((b"", b"", b"", b",", b",1", b" ", b'"')))
    return b"+" + command.answer_name.encode() + b"=" + b",".join(fields[:count]) + extra


@st.composite
def field_texts(draw, type_: str) -> bytes:
    if type_ == "str":
        text = draw(st.binary(max_size=40) | st.text(max_size=20).map(str.encode))
        escaped = text.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
        return b'"' + draw(st.sampled_from((escaped, escaped, escaped, text))) + b'"'
    number = draw(st.sampled_from(EDGES) | st.integers(*INTEGER_RANGES[type_]))
    return b"0" * draw(st.sampled_from((0, 0, 0, 1, 5))) + str(number).encode()


OTHER_LINES = st.sampled_from(
    [b"OK", b"ERROR", b"RDY", b"OKAY", b"ok", b"~", b"AT+STATE?", b"ATE0", b"+NEWER=1", b"+STATE", b"=", b"+=",
     b"RDY\0", b"\0RDY",
     b"x" * 127, b"x" * 128, b"x" * 129, b"+WIFISTASTATIC=1", b"E (123) wifi: lost", b"+RST=", b"+AUTH=",
     b'+AUXOUTPUTS="a"', b'+AUXOUPUTS="a"']
)  # fmt: skip
LINE_ENDS = st.sampled_from([b"\n", b"\n", b"\r\n", b"\r", b"\n\0", b"\n\n\0\0"])
MUTATIONS = st.sampled_from(["none", "none", "none", "lose", "change", "add", "cut", "twice"])


@st.composite
def lines(draw) -> bytes:
    line = draw(value_lines() | OTHER_LINES)
    mutation, at = draw(MUTATIONS), draw(st.integers(0, max(0, len(line) - 1)))
    byte = draw(st.binary(min_size=1, max_size=1))
    before, after = line[:at], line[at + 1 :]
    mutated = {
        "none": line, "lose": before + after, "change": before + byte + after, "add": before + byte + line[at:],
        "cut": before, "twice": line + line,
    }[mutation]  # fmt: skip
    return draw(LINE_ENDS) + mutated + draw(LINE_ENDS)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """In pieces of these sizes, again and again."""
    pieces, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        pieces.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return pieces


SIZES = st.lists(st.integers(1, 60), min_size=1, max_size=5)


@SETTINGS
@given(st.lists(lines(), max_size=6).map(b"".join), SIZES)
def test_lines_and_what_nearly_is_one(observe: Observe, data: bytes, sizes: list[int]) -> None:
    pieces = cut(data, sizes)
    assert decoded(pieces) == observe(pieces)


@SETTINGS
@given(st.binary(max_size=400), SIZES)
def test_any_bytes_are_the_same_lines_to_node_and_computer(observe: Observe, data: bytes, sizes: list[int]) -> None:
    pieces = cut(data, sizes)
    assert decoded(pieces) == observe(pieces)


@pytest.mark.parametrize("line", [b"+UPTIME=" + b"0" * 25 + b"1\n", b"+WIFISTACONN=1,-0\n"])
def test_odd_numbers_are_the_same_values_to_node_and_computer(observe: Observe, line: bytes) -> None:
    assert decoded([line]) == observe([line])


# --- what is sent -----------------------------------------------------------------------------------------------------

TEXTS = st.text(max_size=40).map(codec.to_bytes) | st.binary(max_size=40)


@SETTINGS
@given(TEXTS)
def test_texts_are_quoted_alike_or_refused_by_both(library: ctypes.CDLL, text: bytes) -> None:
    made = library.format_string(text, ctypes.c_size_t(len(text)))
    try:
        argument = codec.format_argument(COMMAND["HOSTNAME"], [codec.to_text(text)])
    except ValueError:
        assert made is None
    else:
        assert made == codec.to_bytes(argument)


@SETTINGS
@given(st.sampled_from([b"AT", b"at+", b"AT+HOSTNAME=", b"AT+EMETERC=", b""]), TEXTS | st.just(b"x" * 128))
def test_raw_commands_are_one_line_for_both(library: ctypes.CDLL, begin: bytes, text: bytes) -> None:
    line = begin + text
    reason = library.refuse(line, ctypes.c_size_t(len(line)))
    try:
        codec.check_line(codec.to_text(line))
    except ValueError:
        assert reason
    else:
        # The component is stricter: 127 bytes for the whole line, not only behind the `=`.
        assert not reason or len(line) > 127
