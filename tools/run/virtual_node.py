"""The full example as a node that lives in virtual time, in this process: days pass in seconds.

    charger = Charger()
    rig = Rig(VirtualNode(build(), tmp_path, clock_ms=2**32 - 60_000), Faults(charger))
    rig.run_to(120)
    rig.node.states()["sensor", "Power"]

Everything is ESPHome's and the component's own code, down to the main loop. Only the clock, the UART, the output of
the log and random numbers are replaced (virtual_node.cpp): the main loop turns every 16 ms, or every 0.3 to 0.6 ms
while the component waits for an answer, and between two turns the time jumps. Bytes arrive at 115200 baud in both
directions.
"""

from __future__ import annotations

import ctypes
import shutil
import tempfile
from pathlib import Path

from evse_host.catalog import BAUD_RATE
from evse_host.simulator import Faults
from tools.build import node

CONFIG = Path(__file__).with_name("virtual_node.yaml")
SHIM = Path(__file__).with_name("virtual_node.cpp")
REPLACED = (
    "host/core.cpp",
    "host/hal.cpp",
    "host/helpers.cpp",
    "logger/logger_host.cpp",
    "uart/uart_component_host.cpp",
    "wake/wake_host.cpp",
)
WRAPPED = ("malloc", "calloc", "realloc", "aligned_alloc", "free", "time", "getenv")
# Several nodes may live in one process: nothing may be shared between them.
FLAGS = "-O2 -fPIC -fno-gnu-unique -pthread"
LINK = "-shared -static-libstdc++ -static-libgcc -pthread -Wl,-Bsymbolic"
BYTE_S = 10 / BAUD_RATE
EPOCH = 1_781_000_000
LOOK_AHEAD_S = 0.03  # the charger is busy with its answer: nothing that reaches it meanwhile is looked at


def build() -> Path:
    """The library, compiled only as far as something has changed. Raises BuildError."""
    node.need_compiler("g++", "g++")
    with node.locked(CONFIG) as directory:
        sources = node.generate(CONFIG, directory)
        objects = node.compile_sources(sources, "virtual", "g++", FLAGS)
        shim = objects / "virtual_node.o"
        compiler = ["ccache", "g++"] if shutil.which("ccache") else ["g++"]
        include = [f"-I{sources.build_path / 'src'}", *sources.flags, "-std=gnu++20", *FLAGS.split()]
        node.run([*compiler, *include, "-c", SHIM, "-o", shim], objects / "shim.log", directory)
        parts = [path for path in sorted(objects.glob("obj/src/**/*.o")) if not _is_replaced(path)]
        library = objects / "virtual_node.so"
        wraps = [f"-Wl,--wrap={name}" for name in WRAPPED]
        node.run(["g++", *LINK.split(), *wraps, shim, *parts, "-o", library], objects / "link.log", directory)
        return library


def _is_replaced(path: Path) -> bool:
    return str(path).removesuffix(".o").endswith(REPLACED)


class VirtualNode:
    """A node that saves under ``home``. At its start its millisecond clock shows ``clock_ms``, the time of day is
    ``EPOCH``; ``seed`` varies how long the turns of its main loop take."""

    def __init__(self, library: Path, home: Path, clock_ms: int = 0, seed: int = 1) -> None:
        with tempfile.TemporaryDirectory() as directory:
            # A library is loaded once under its name, so each node has its own copy.
            self._library = ctypes.CDLL(shutil.copy(library, Path(directory) / library.name))
        self._library.node_step.restype = ctypes.c_size_t
        self._library.node_step.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64, ctypes.c_uint64]
        self._library.node_take_longest_us.restype = ctypes.c_uint64
        self._library.node_set_number.argtypes = [ctypes.c_char_p, ctypes.c_float]
        self._library.node_start.argtypes = [ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_char_p]
        self._buffer = ctypes.create_string_buffer(1 << 17)
        self._sent_at = ctypes.c_uint64()
        self.step = self._library.node_step
        self._library.node_start(clock_ms, EPOCH, seed, str(home).encode())

    def take_sent(self) -> tuple[bytes, float]:
        """What was sent, and when (s) its first byte left."""
        length = self._library.node_take_sent(self._buffer, ctypes.byref(self._sent_at))
        return ctypes.string_at(self._buffer, length), self._sent_at.value / 1e6

    def states(self) -> dict[tuple[str, str], str | None]:
        """Every entity's state as text, None if unknown, by platform and name; flags are `0` and `1`."""
        length = self._library.node_states(self._buffer, ctypes.c_size_t(len(self._buffer)))
        states = {}
        for line in ctypes.string_at(self._buffer, length).decode().splitlines():
            platform, name, value = line.split("\t")
            states[platform, name] = None if value == "?" else value
        return states

    def command(self, platform: str, name: str, value: float | bool | str = "") -> None:
        """What a person does with a number, switch, select, text or button."""
        encoded = value.encode() if isinstance(value, str) else value
        if platform == "button":
            self._library.node_press(name.encode())
        else:
            getattr(self._library, f"node_set_{platform}")(name.encode(), encoded)

    def watch(self, name: str) -> None:
        """Watches how long there is no line of the command ``name`` on the wire."""
        self._library.node_watch(name.encode())

    def take_longest(self, name: str) -> float:
        """The longest time (s) without such a line since the last call; one that lasts is counted to its end."""
        return self._library.node_take_longest_us(name.encode()) / 1e6

    def forgive(self, name: str) -> None:
        """Nothing could come until now: the time without a line of ``name`` begins anew."""
        self._library.node_forgive(name.encode())

    def take_log(self) -> list[str]:
        """New lines of the log at WARN and above, with the time in s in front."""
        length = self._library.node_take_log(self._buffer)
        return ctypes.string_at(self._buffer, length).decode(errors="replace").splitlines()

    def figures(self) -> dict[str, int]:
        """`allocations` since the start, living `blocks` and `bytes` on the heap, most bytes `unread` in the UART at
        once, `loops` of the main loop."""
        values = (ctypes.c_int64 * 5)()
        self._library.node_figures(values)
        return dict(zip(("allocations", "blocks", "bytes", "unread", "loops"), values, strict=True))


class Rig:
    """A virtual node on a charger behind ``faults``, with one virtual time in s from 0 on."""

    def __init__(self, node: VirtualNode, faults: Faults) -> None:
        self.node, self.faults, self.charger = node, faults, faults.charger
        self.now = 0.0
        self.sent: list[tuple[float, bytes]] | None = None  # set it to a list to keep what the node sends
        self._line_free = 0.0

    def run_to(self, end: float) -> None:
        """Both live on to ``end``. The node's turns and the charger's doings happen in the order of their times."""
        faults, step, now = self.faults, self.node.step, self.now
        data, begin = b"", now
        while True:
            moment = faults.next_event(now)
            until = end if moment is None or moment > end else moment
            if step(data, len(data), int(begin * 1e6), int(until * 1e6)):
                now = self._hand_over(now)
                data = b""
                continue
            if until == end and (moment is None or moment > end):
                break
            now = until
            data, begin = self._answer(until)
        self.now = end
        faults.charger.advance_to(end)

    def _hand_over(self, now: float) -> float:
        """The bytes that the node has sent reach the charger."""
        data, sent_at = self.node.take_sent()
        if self.sent is not None:
            self.sent.append((sent_at, data))
        self._line_free = max(self._line_free, sent_at) + len(data) * BYTE_S
        arrival = max(self._line_free, now, self.charger.now)
        self.faults.receive(data, arrival)
        return max(now, sent_at)

    def _answer(self, moment: float) -> tuple[bytes, float]:
        """What the charger does at ``moment``: the bytes that begin now or very soon, and when the first one does."""
        charger = self.charger
        charger.advance_to(moment)
        begin = charger.output_begins
        data = self.faults.advance(max(moment, min(charger.busy_until, moment + LOOK_AHEAD_S)))
        return data, moment if begin is None else max(begin, moment)
