"""Builds the component's pure C++ parts as a program (shim.cpp) and talks to it.

    with Program() as program:
        client = Client(program, ["UPTIME", "CHCUR"])
        client.start()
        client.receive(b"\\n\\nRDY\\n\\0")

EVSE_COMPONENT names another directory with the component's C++ files, for experiments.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from components.esp32evse import codegen
from components.esp32evse.catalog import COMMAND
from tools.build import kept, node

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COMPONENT = Path(os.environ.get("EVSE_COMPONENT", ROOT / "components" / "esp32evse"))
CACHE = ROOT / ".cache" / "native"

# Stops at the first wrong memory access or undefined behaviour.
SANITIZED = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
# What was broken on purpose may leave a variable unused.
WARNINGS = ["-w"] if "EVSE_COMPONENT" in os.environ else ["-Wall", "-Wextra", "-Werror"]
FLAGS = ["-std=gnu++20", *WARNINGS, *SANITIZED]
CACHED = ["ccache"] if shutil.which("ccache") else []
SOURCES = (
    "at_client.cpp", "at_client_lines.cpp", "at_value.cpp", "attempt.cpp", "cadence.cpp", "charging.cpp", "energy.cpp",
    "iso_time.cpp", "kept.cpp", "link.cpp", "pauses.cpp", "schedule.cpp", "utf8.cpp", "wishes.cpp",
)  # fmt: skip
HEADERS = (
    "at_client.h", "at_value.h", "attempt.h", "cadence.h", "charging.h", "charging_current.h", "command_row.h",
    "configured.h", "energy.h", "iso_time.h", "kept.h", "line_framer.h", "link.h", "parts.h", "pauses.h", "schedule.h",
    "trust.h", "utf8.h", "wishes.h",
)  # fmt: skip


class BuildError(Exception):
    """The program does not compile; the message is the compiler's."""


def build() -> Path:
    """The program for the present sources, compiled only if they have changed; the newest few builds are kept."""
    support = HERE.parent / "support" / "escaped.h"
    sources = [*(COMPONENT / name for name in (*HEADERS, *SOURCES)), HERE / "shim.cpp", support]
    return kept.build(CACHE, sources, FLAGS, _compile) / "shim"


def _compile(directory: Path) -> None:
    sources = [*(COMPONENT / name for name in SOURCES), HERE / "shim.cpp"]
    objects = [directory / f"{source.stem}.o" for source in sources]
    jobs = []
    for source, target in zip(sources, objects, strict=True):
        optimised = "-O0" if source.parent == HERE else "-O1"
        command = [*CACHED, "g++", *FLAGS, optimised, f"-I{COMPONENT}", "-c", source, "-o", target]
        jobs.append(subprocess.Popen(command, env=node.environment(CACHE), stderr=subprocess.PIPE, text=True))
    errors = [job.communicate()[1] for job in jobs]
    if any(job.returncode for job in jobs):
        raise BuildError("\n".join(errors)[:4000])
    subprocess.run(["g++", *FLAGS, *objects, "-o", directory / "shim"], check=True)


class Program:
    """A running program; `ask` sends one request and returns its answer."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [build()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_) -> None:
        _, errors = self._process.communicate()
        assert self._process.returncode == 0, errors

    def ask(self, *requests: str) -> list[str]:
        """The answer lines to all requests; raises AssertionError with the sanitizer's report if the program stops."""
        self._process.stdin.write("".join(f"{request}\n" for request in requests))
        self._process.stdin.flush()
        lines = []
        for _ in requests:
            while (line := self._process.stdout.readline()) != ".\n":
                if not line:
                    raise AssertionError(f"the program has stopped at {requests}:\n{self._process.stderr.read()}")
                if line.startswith("error "):
                    raise AssertionError(line)
                lines.append(line[:-1])
        return lines


def row_request(name: str) -> str:
    """The request that gives the client a row, made from the catalog as the generated tables are."""
    command = COMMAND[name]
    words = ["row", name, command.answer_name, codegen._signature(command) or "-", command.refresh.upper()]
    return " ".join(words + codegen._traits(command))


def escape(data: bytes) -> str:
    """Bytes as the program's requests and answers show them."""
    shown = {0x0A: "\\n", 0x5C: "\\\\"}
    return "".join(shown.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}") for byte in data)


def unescape(text: str) -> bytes:
    """The inverse of `escape`; knows \\r and \\0 too."""
    out, position = bytearray(), 0
    while position < len(text):
        character = text[position]
        position += 1
        if character != "\\":
            out += character.encode()
            continue
        kind = text[position]
        position += 1
        if kind == "x":
            out.append(int(text[position : position + 2], 16))
            position += 2
        else:
            out += {"n": b"\n", "r": b"\r", "0": b"\0"}.get(kind, kind.encode())
    return bytes(out)


@dataclass(frozen=True)
class Event:
    """Something that the client did, `time` milliseconds after its start; `text` begins with `> ` if it transmitted."""

    time: int
    text: str

    @property
    def transmitted(self) -> bytes | None:
        return unescape(self.text[2:]) if self.text.startswith("> ") else None


class Client:
    """An AT client with its clock; only one at a time lives in a program."""

    def __init__(self, program: Program, rows: Iterable[str], push: int = 0, poll: int = 60_000) -> None:
        self._program = program
        program.ask("new", *(row_request(name) for name in rows), f"push {push}", f"poll {poll}")
        self.now = 0

    def ask(self, request: str) -> list[Event]:
        """What the client does during any request of the program."""
        events = []
        for line in self._program.ask(request):
            time, _, text = line.partition(" ")
            if time == "now":
                self.now = int(text)
            else:
                events.append(Event(int(time), text))
        return events

    def start(self, clock: int = 0) -> list[Event]:
        return self.ask(f"start {clock}")

    def receive(self, data: bytes, size: int = 1_000_000) -> list[Event]:
        """`data` in pieces of `size`."""
        return self.ask(f"receive {size} {escape(data)}")

    def run_to(self, time: int) -> list[Event]:
        """Loops at every millisecond before `time`."""
        return self.ask(f"pass {time}")

    def run_to_transmission(self, limit: int) -> list[Event]:
        """Loops until the client transmits, at most to `limit`."""
        return self.ask(f"watch {limit}")

    def says(self, question: str) -> bool:
        """`is_online`, `is_busy` or `is_pending ROW`."""
        return self._program.ask(question) == ["yes"]

    def counters(self) -> dict[str, int]:
        (event,) = self.ask("counters")
        words = event.text.split()[1:]
        return dict(zip(words[::2], map(int, words[1::2]), strict=True))
