"""Heap allocations of a node after its setup, counted by tools/run/heap_watch.cpp, by who asked for the memory."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from evse_host.simulator import Charger
from tools.measure import charging_hour
from tools.run.clocked_node import ClockedNode

COMPONENT = "/components/esp32evse/"
LIBRARY = re.compile(r"/include/c\+\+/|\.so(\.|$)|^\?\?")

OURS = "the component itself"
STATES = "ESPHome's copy of a text state"
#: Who works for the component, by the path of its source.
HELPERS = (
    (STATES, re.compile(r"/components/(text_sensor|text)/")),
    ("ESPHome's copy of a select's option, gone in 2026.7", re.compile(r"/components/select/")),
    ("ESPHome's API, its queue", re.compile(r"/components/api/")),
    ("preferences of the host platform", re.compile(r"/components/host/preference")),
    ("the user's automations: copies of texts", re.compile(r"automation\.h|/main\.cpp|\.yaml|core/string_ref\.h")),
)
OTHERS = "the C library, once"


@dataclass(frozen=True)
class Frame:
    """A function on the call stack; inlined ones count as such. ``place`` is file:line, or a library's name."""

    function: str
    place: str

    @property
    def in_component(self) -> bool:
        return COMPONENT in self.place

    @property
    def in_library(self) -> bool:
        return LIBRARY.search(self.place) is not None

    def __str__(self) -> str:
        name = re.sub(r"\(.*", "", self.function.removeprefix("esphome::"))
        return f"{name} ({self.place.rpartition('/')[2]})"


@dataclass(frozen=True)
class Allocations:
    """Allocations that happened with one call stack, the innermost frame first; ``bytes`` of them all."""

    count: int
    bytes: int
    frames: tuple[Frame, ...]

    @cached_property
    def site(self) -> Frame:
        """Who asked for the memory: the innermost frame that is not the C or C++ library's."""
        return next((frame for frame in self.frames if not frame.in_library), Frame("unknown", "?"))

    @cached_property
    def component(self) -> Frame | None:
        """The component's innermost frame."""
        return next((frame for frame in self.frames if frame.in_component), None)

    @cached_property
    def party(self) -> str | None:
        """Who allocates for the component, or the component itself; None when it has nothing to do with it."""
        if self.component is None:
            return None
        if self.site.in_component:
            return OURS
        helpers = self.frames[: self.frames.index(self.component)]
        return next(filter(None, map(_helper, helpers)), OTHERS)


def measure(program: Path, directory: Path, minutes: int, parts: int = 2) -> list[list[Allocations]]:
    """What is allocated in so many minutes of ``charging_hour`` from the end of the setup on: the sum after each of
    ``parts`` equal parts of them. Raises NodeError."""
    sums = []
    with ClockedNode(program, Charger(), directory, count_heap=True) as node:
        node.connect()
        node.call_service("log_everything")
        for part in range(parts):
            charging_hour.live(node, minutes * part // parts, minutes * (part + 1) // parts)
            sums.append(read(node.write_heap(), program))
    return sums


def _helper(frame: Frame) -> str | None:
    return next((name for name, path in HELPERS if path.search(frame.place)), None)


def read(file: Path, program: Path) -> list[Allocations]:
    """The allocations in a file of heap_watch_write(), the most frequent first; ``program`` made it.

    Raises ValueError when there were more call stacks than it has room for.
    """
    first, *lines = file.read_text().splitlines()
    if int(first):
        raise ValueError(f"{file}: {first} allocations are missing, too many different call stacks")
    stacks = [line.split() for line in lines]
    frames = _frames(program, {word for stack in stacks for word in stack[2:]})
    return sorted(
        (
            Allocations(int(count), int(size), tuple(frame for word in words for frame in frames[word]))
            for count, size, *words in stacks
        ),
        key=lambda allocations: -allocations.count,
    )


def _frames(program: Path, words: Iterable[str]) -> dict[str, list[Frame]]:
    """The functions at each return address, the inlined ones first; a library's name stands for itself."""
    found = {word: [Frame(word, word)] for word in words if not word.startswith("0x")}
    addresses = sorted(set(words) - set(found))
    calls = [hex(int(address, 16) - 1) for address in addresses]  # the call lies before where it returns to
    output = subprocess.run(
        ["addr2line", "-e", str(program), "-afCi"],
        input="\n".join(calls), capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for address, block in zip(addresses, re.split(r"^0x[0-9a-f]+$", output, flags=re.MULTILINE)[1:], strict=True):
        lines = block.strip().splitlines()
        found[address] = [Frame(*pair) for pair in zip(lines[::2], lines[1::2], strict=True)]
    return found
