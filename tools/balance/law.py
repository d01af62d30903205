"""The load manager's law of the component, call by call, for tests: see law.h for what the calls mean."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from tools.balance import loop

NO_PARENT = 0xFF
ALL = 0b111
REASONS = [
    "NONE",
    "STARTING",
    "WAITING_FOR_LEADER",
    "OFF",
    "PAUSED_BY_YOU",
    "PAUSED_ELSEWHERE",
    "CHARGER_SILENT",
    "CHARGER_HOLDS",
    "YOUR_TIME_LIMIT",
    "LEASE_REFUSED",
    "NO_VEHICLE",
    "WATCHING",
    "METER_SILENT",
    "METER_BLIND",
    "METER_BACKWARDS",
    "METER_FROZEN",
    "LEADER_SILENT",
    "LEADERS_SHARE",
    "CIRCUIT_LIMIT",
    "KEPT_FOR_SILENT",
    "UNBALANCE",
    "DIMMED",
    "CAPACITY",
    "WAITING_FOR_SUN",
    "STARTS_SOON",
    "FOLLOWS_SUN",
    "STOPS_SOON",
    "ENOUGH_STARTS",
    "OTHER_FIRST",
    "PAUSE_LASTS",
    "SET_ELSEWHERE",
    "DISOBEYED",
    "CAR_TAKES_LESS",
    "CAR_TAKES_NOTHING",
    "YOUR_LIMIT",
    "RISING",
    "CHARGER_MAXIMUM",
]
NEXT = ("NOTHING", "WAITS_FOR_ROOM", "STARTS", "TRIES", "RISES", "PAUSES", "CONTESTED", "ELSEWHERE")
_FLOATS = ctypes.c_float * 3


class _Order(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_uint8) for name in ("valid", "run", "reason", "circuit", "phase", "next")),
        ("seconds", ctypes.c_uint16),
        ("ampere", ctypes.c_float),
        ("available", ctypes.c_float),
    ]


@dataclass(frozen=True)
class Order:
    valid: bool
    run: bool
    ampere: float
    reason: str
    circuit: int
    phase: int
    seconds: int
    next: str
    available: float
    text: str


class Law:
    """Times in s."""

    def __init__(self, min_off=120, dimming=0.0, unbalance=0.0, start=30.0, stop=240.0, grid=0.0, boot=0.0) -> None:
        self._c = loop.library()
        self._c.law_new.restype = ctypes.c_void_p
        self._c.law_house.restype = ctypes.c_float
        self._law = ctypes.c_void_p(self._c.law_new())
        self.now = boot
        self._call("configure", int(min_off * 1000), *map(ctypes.c_float, (dimming, unbalance, start, stop, grid)))

    def __del__(self) -> None:
        self._c.law_delete(self._law)

    def _call(self, name: str, *arguments):
        return getattr(self._c, f"law_{name}")(self._law, *arguments)

    @property
    def _ms(self) -> int:
        return round(self.now * 1000) & 0xFFFFFFFF

    def circuit(self, limit=25.0, margin=0.5, fallback=0.0, timeout=15, delay=1, parent=NO_PARENT) -> None:
        floats = map(ctypes.c_float, (limit, margin, fallback))
        self._call("add_circuit", *floats, timeout * 1000, delay * 1000, ALL, parent, self._ms)

    def charger(self, minimum=6.0, phases=ALL, circuit=0, priority=1) -> None:
        self._call("add_charger", ctypes.c_float(minimum), phases, circuit, priority)

    def follower(self, worst_case: float, minimum=6.0, phases=ALL, circuit=0, priority=1) -> None:
        self._call("add_follower", ctypes.c_float(minimum), phases, circuit, priority, ctypes.c_float(worst_case))

    def led(self, limit: float, worst_case: float, timeout=15) -> None:
        """A circuit whose room a leader gives."""
        self._call("add_led", ctypes.c_float(limit), ctypes.c_float(worst_case), timeout * 1000, self._ms)

    def share(self, ampere: float, circuit=0) -> None:
        self._call("on_share", circuit, ctypes.c_float(ampere), self._ms)

    def limit(self, ampere: float, circuit=0) -> None:
        self._call("set_limit", circuit, ctypes.c_float(ampere))

    def adopt(self, charger: int, running: bool, ampere: float) -> None:
        self._call("adopt", charger, running, ctypes.c_float(ampere))

    def mode(self, charger: int, mode: int) -> None:
        self._call("set_mode", charger, mode)

    def dimmed(self, dimmed: bool) -> None:
        self._call("set_dimmed", dimmed)

    def capacity(self, watt: float) -> None:
        self._call("set_capacity", ctypes.c_float(watt))

    def view(
        self, charger=0, online=True, vehicle=True, enabled=True, wish=63.0, maximum=16.0, holds=False,
        time_is_up=False, lease_is_up=False, contested=False,
    ) -> None:  # fmt: skip
        amperes = map(ctypes.c_float, (wish, maximum))
        self._call("set_view", charger, online, vehicle, enabled, *amperes, holds, time_is_up, lease_is_up, contested)

    def own(self, *ampere: float, charger=0) -> None:
        self._call("on_own", charger, _FLOATS(*ampere), self._ms)

    def sample(self, *ampere: float, circuit=0, updated=ALL) -> None:
        self._call("on_sample", circuit, _FLOATS(*ampere), self._ms, updated)

    def step(self, epoch=0) -> None:
        self._call("step", self._ms, epoch)

    def order(self, charger=0) -> Order:
        flat = _Order()
        self._call("order", charger, ctypes.byref(flat))
        text = ctypes.create_string_buffer(96)
        self._c.law_describe(flat.reason, flat.phase, flat.seconds, flat.next, b"Main fuse", text)
        return Order(
            bool(flat.valid), bool(flat.run), flat.ampere, REASONS[flat.reason], flat.circuit, flat.phase, flat.seconds,
            NEXT[flat.next], flat.available, text.value.decode(),
        )  # fmt: skip

    def house(self, phase: int, circuit=0) -> float:
        return self._call("house", circuit, phase)


def lease(current: int, charging_time: int, person: int = 0, length: int = 120) -> int:
    """CHTIMELIM in s that the lease wants."""
    return loop.library().lease_wanted(length, current, charging_time, person)
