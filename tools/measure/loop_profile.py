"""Instructions that one loop() of the hub takes, counted by valgrind's callgrind in a node out of real time.

A loop's cost is that of Esp32Evse::loop() with everything it calls, publishing and queueing for the API included, but
without the UART driver and without the log. It is the same in every run; another compiler or C library gives others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from evse_host.catalog import COMMANDS, Command, Field
from evse_host.simulator import Charger
from evse_host.simulator.fields import encode
from tools.build import node
from tools.run.api import NodeError
from tools.run.clocked_node import ClockedNode

LOOP = "esphome::esp32evse::Esp32Evse::loop()"
BYTES_PER_LOOP = 256  # that the hub takes at most
IDLE_S = 10.0
REPEATS = 3  # of each burst: one loop in three has the 50 ms tick in it
MAX_ATTEMPTS = 50  # at it: a loop may have had something else to do


@dataclass(frozen=True)
class Loop:
    """One loop of the hub: instructions, bytes that it read and wrote."""

    cost: int
    read: int
    written: int


@dataclass(frozen=True)
class Profile:
    """Instructions. ``idle`` without anything to do, ``tick`` with the look at all rows every 50 ms, ``second`` of all
    loops in a second without a car, reads and pushes included; ``unchanged`` and ``changed`` of one line with a number,
    ``unknown`` of one nobody asked for; ``worst`` the most that 256 bytes have cost, by what was in them, the costliest
    first."""

    idle: int
    tick: int
    second: int
    unchanged: int
    changed: int
    unknown: int
    worst: tuple[tuple[str, int], ...]

    def budgeted(self) -> dict[str, int]:
        """The figures that must not grow."""
        return {
            "idle loop": self.idle,
            "idle loop with the 50 ms tick": self.tick,
            "all loops of an idle second": self.second,
            "line with an unchanged number": self.unchanged,
            "line with a changed number": self.changed,
            "line nobody asked for": self.unknown,
            f"longest loop, {BYTES_PER_LOOP} B waiting": self.worst[0][1],
        }


def measure(program: Path, directory: Path) -> Profile:
    """Profile ``program``; some 10 s. Raises NodeError, and node.BuildError without valgrind."""
    node.need_compiler("valgrind", "valgrind")
    bursts = {command.name: _burst(command) for command in COMMANDS if _is_pushable(command)}
    bursts["STATE, sessions that begin and end"] = _fill([b"\n+STATE=0\n", b"\n+STATE=4\n"])
    bursts["noise"] = bytes(range(128, 256)) * 2
    with _Profiler(program, directory) as profiler:
        loops = profiler.loops(IDLE_S)
        idle = sorted(loop.cost for loop in loops if loop.read == loop.written == 0)
        worst = sorted(((profiler.burst(data), name) for name, data in bursts.items()), reverse=True)
        return Profile(
            idle=idle[len(idle) // 2],
            tick=idle[-1],
            second=round(sum(loop.cost for loop in loops) / IDLE_S),
            unchanged=profiler.line(["\n+EMETERPOWER=3680\n"]),
            changed=profiler.line(["\n+EMETERPOWER=3680\n", "\n+EMETERPOWER=1234\n"]),
            unknown=profiler.line(["\n+NOBODY=3680\n"]),
            worst=tuple((name, cost) for cost, name in worst),
        )


class _Profiler:
    """A node under callgrind with a profile of each loop; nothing changes at its charger."""

    def __init__(self, program: Path, directory: Path) -> None:
        options = (f"--toggle-collect={LOOP}", f"--callgrind-out-file={directory}/profile")
        valgrind = ("valgrind", "-q", "--tool=callgrind", *options)
        self._directory = directory
        self._node = ClockedNode(program, Charger(), directory, wrapper=valgrind)

    def __enter__(self) -> _Profiler:
        self._remove_profiles()
        self._node.__enter__()
        self._node.connect()
        self._node.run(10)
        self._node.profile_loops(True)
        self.loops(1.0)
        return self

    def __exit__(self, *error: object) -> None:
        self._node.__exit__(*error)
        self._remove_profiles()

    def loops(self, seconds: float) -> list[Loop]:
        """The hub's loops in so many seconds from now on."""
        self._node.run(seconds)
        loops = [loop for loop in map(_read, self._profiles()) if loop]
        self._remove_profiles()
        return loops

    def burst(self, data: bytes) -> int:
        """The most instructions of a loop that finds ``data`` waiting."""
        return max(self._bursts(data))

    def line(self, lines: list[str]) -> int:
        """Instructions for each of these lines, in turn: what many of them cost more than a few."""
        few, many = (b"".join(lines[i % len(lines)].encode() for i in range(count)) for count in (2, 12))
        return (min(self._bursts(many)) - min(self._bursts(few))) // 10

    def _bursts(self, data: bytes) -> list[int]:
        """Costs of loops that read ``data``, all of it and nothing else, and had nothing to say."""
        costs: list[int] = []
        for _ in range(MAX_ATTEMPTS):
            self._node.port.receive_at_once(data)
            costs += [loop.cost for loop in self.loops(0.05) if loop.read == len(data) and loop.written == 0]
            if len(costs) >= REPEATS:
                return costs
        raise NodeError(f"no loop of the hub took just these {len(data)} bytes: {data!r}")

    def _profiles(self) -> Iterable[Path]:
        return self._directory.glob("profile.*")

    def _remove_profiles(self) -> None:
        for profile in self._profiles():
            profile.unlink()


def _read(profile: Path) -> Loop | None:
    """None for a profile that is not of one loop."""
    text = profile.read_text()
    label = re.search(r"Client Request: loop (\d+) (\d+)", text)
    return label and Loop(int(re.search(r"^totals: (\d+)", text, re.MULTILINE)[1]), int(label[1]), int(label[2]))


def _is_pushable(command: Command) -> bool:
    return "R" in command.access and command.subscribable


def _burst(command: Command) -> bytes:
    """As many lines as one loop takes, with different values each time."""
    return _fill([_line(command, choose) for choose in (_low, _high)])


def _fill(lines: list[bytes]) -> bytes:
    data = b""
    while len(data) + len(line := lines[data.count(b"=") % 2]) <= BYTES_PER_LOOP:
        data += line
    return data


def _line(command: Command, value: Callable[[Field], int | str]) -> bytes:
    fields = [field for field in command.fields if not field.since_head]
    texts = [f'"{value(field)}"' if field.type == "str" else str(value(field)) for field in fields]
    return encode(f"\n+{command.answer_name}={','.join(texts)}\n")


def _low(field: Field) -> int | str:
    return "" if field.type == "str" else max(field.range[0], 0)


def _high(field: Field) -> int | str:
    if field.type == "str":
        return "x" * 8
    return min(field.range[1], 255 if field.type == "u32" and not field.unit else 999_999)
