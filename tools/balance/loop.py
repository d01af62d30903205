"""Builds the closed loop (loop.cpp and the law of the component) and runs it over a day."""

from __future__ import annotations

import ctypes
import os
import subprocess
from array import array
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tools.build import kept

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COMPONENTS = Path(os.environ.get("EVSE_COMPONENTS", ROOT / "components"))  # elsewhere for experiments
LAW = COMPONENTS / "esp32evse_load_manager"
LAW_SOURCES = (
    "phases", "law", "law_demand", "law_why", "sharing", "circuit", "meter_sense", "own_current", "breaker", "surplus",
    "capacity", "reason",
)  # fmt: skip
CACHE = ROOT / ".cache" / "balance"
LIBRARY = "loop.so"
# What was broken on purpose may leave a variable unused.
WARNINGS = ["-w"] if "EVSE_COMPONENTS" in os.environ else ["-Wall", "-Wextra", "-Werror"]
FLAGS = ["-std=gnu++20", "-O2", *WARNINGS, "-shared", "-fPIC"]

#: In the order of loop.cpp.
LAWS = ("law", "nothing", "integrator", "subtraction", "thermal")
OFF, FAST, SOLAR, MIN_SOLAR, MANUAL = range(5)


class _Car(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_double) for name in ("dead", "up", "down", "start_delay", "most", "least_start")),
        ("second_phase", ctypes.c_double),
        *((name, ctypes.c_int32) for name in ("phases", "all_phases", "patience")),
    ]


class _Charging(ctypes.Structure):
    _fields_ = [("car", _Car), ("arrives", ctypes.c_int32), ("leaves", ctypes.c_int32)]


class _Meter(ctypes.Structure):
    _fields_ = [("period", ctypes.c_int32), ("delay", ctypes.c_int32)]


class _Installation(ctypes.Structure):
    _fields_ = [
        ("limit", ctypes.c_double),
        ("most", ctypes.c_double),
        ("capacity", ctypes.c_double),
        ("chargers", ctypes.c_int32),
        ("phases", ctypes.c_int32 * 4),
        ("mode", ctypes.c_int32),
        ("meter_delay", ctypes.c_double),
        ("min_current", ctypes.c_double),
        ("late", ctypes.c_int32),
    ]


class _Figures(ctypes.Structure):
    _fields_ = [
        *(
            (name, ctypes.c_double)
            for name in ("above", "above_113", "heat", "heat_sum", "energy", "grid_energy", "writes")
        ),
        ("openings", ctypes.c_int32),
        ("quarters_above", ctypes.c_int32),
    ]


@dataclass(frozen=True)
class Car:
    """See CarModel in world.h. Phases are bits, L1 is 1."""

    dead: float = 2
    up: float = 1
    down: float = 4
    start_delay: float = 10
    most: float = 16
    least_start: float = 6
    second_phase: float = 0
    phases: int = 0b111
    all_phases: int = 0
    patience: int = 0
    arrives: int = 0
    leaves: int = 1 << 30


QUICK = Car(dead=1, up=2, down=16, start_delay=5)
TYPICAL = Car()
SLOW = Car(dead=4, up=0.6, down=4, start_delay=20)


@dataclass(frozen=True)
class Scenario:
    """`amperes`: three phases a second. `delay`: s, real and as configured. `late`: s that what the chargers of other
    nodes say and hear is late, 0: all are this node's."""

    amperes: array
    limit: float = 25
    cars: tuple[Car, ...] = (TYPICAL,)
    period: int = 1
    delay: int = 1
    mode: int = FAST
    capacity: float = 0
    most: float = 16
    min_current: float = 6
    late: int = 0

    @property
    def seconds(self) -> int:
        return len(self.amperes) // 3


@dataclass
class Run:
    """What a law made of a scenario: figures as in loop.cpp, and every second's values."""

    above: float
    above_113: float
    heat: float
    heat_sum: float
    energy: float
    grid_energy: float
    writes: float
    openings: int
    quarters_above: int
    mains: array = field(repr=False)
    offers: array = field(repr=False)
    own: array = field(repr=False)


@cache
def library() -> ctypes.CDLL:
    """The loop for the present sources, compiled if they have changed."""
    sources = [*sorted(HERE.glob("*.cpp")), *(LAW / f"{name}.cpp" for name in LAW_SOURCES)]
    headers = [*sorted(HERE.glob("*.h")), *sorted(LAW.glob("*.h")), COMPONENTS / "esp32evse" / "configured.h"]

    def make(directory: Path) -> None:
        subprocess.run(["g++", *FLAGS, "-I", COMPONENTS, *sources, "-o", directory / LIBRARY], check=True)

    return ctypes.CDLL(str(kept.build(CACHE, [*sources, *headers], FLAGS, make) / LIBRARY))


def run(law: str, scenario: Scenario) -> Run:
    """One of LAWS over the whole scenario."""
    chargers = len(scenario.cars)
    installation = _Installation(scenario.limit, scenario.most, scenario.capacity, chargers)
    installation.mode = scenario.mode
    installation.meter_delay = scenario.delay
    installation.min_current = scenario.min_current
    installation.late = scenario.late
    chargings = (_Charging * chargers)()
    for index, car in enumerate(scenario.cars):
        installation.phases[index] = car.all_phases or 0b111
        model = {name: getattr(car, name) for name, _ in _Car._fields_}
        chargings[index] = _Charging(_Car(**model), car.arrives, car.leaves)
    figures = _Figures()
    seconds = scenario.seconds
    traces = [array("f", bytes(4 * seconds * width)) for width in (3, chargers, chargers)]
    pointers = [(ctypes.c_float * len(trace)).from_buffer(trace) for trace in (scenario.amperes, *traces)]
    library().balance_run(
        LAWS.index(law),
        ctypes.byref(installation),
        ctypes.byref(_Meter(scenario.period, scenario.delay)),
        chargings,
        pointers[0],
        seconds,
        ctypes.byref(figures),
        *pointers[1:],
    )
    return Run(
        **{name: getattr(figures, name) for name, _ in _Figures._fields_},
        mains=traces[0],
        offers=traces[1],
        own=traces[2],
    )
