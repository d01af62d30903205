"""The tests on a computer that hesitates: finds those that hold by luck only.

    python -m tools unsteady --seed 7 tests/bridge/test_rest.py -k pause

All arguments but ``--seed`` go to pytest, whose plugin this is. Every thread rests now and then, mostly when it has
just woken up, and programs that tests have started are stopped for a while. A test that fails only here waits for
something else than what it asserts, or the product does.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from tools.run import child

SEED = "EVSE_UNSTEADY_SEED"
MEAN_BETWEEN_S = 0.4  # of one thread
REST_S = 0.3  # at most
STOP_EVERY_S = 0.7
STOP_S = 1.0  # at most


class Rests:
    """Rests of all threads, as a profile function of Python's."""

    def __init__(self, seed: str) -> None:
        self._dice = random.Random(seed)
        self._next = threading.local()

    def __call__(self, _frame: FrameType, _event: str, _argument: object) -> None:
        now = time.monotonic()
        due = getattr(self._next, "at", None)
        if due is None or now >= due:
            if due is not None:
                time.sleep(self._dice.uniform(0, REST_S))
            self._next.at = time.monotonic() + self._dice.expovariate(1 / MEAN_BETWEEN_S)


def descendants(pid: int) -> list[int]:
    """Those that run: a test may have stopped some."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state not in "TZ":
                children.setdefault(int(parent), []).append(int(folder.name))
    found, waiting = [], [pid]
    while waiting:
        found += (more := children.get(waiting.pop(), []))
        waiting += more
    return found


def stop_programs(seed: str, ended: threading.Event) -> None:
    """One after the other, for a while."""
    dice = random.Random(seed)
    while not ended.wait(dice.uniform(0, 2 * STOP_EVERY_S)):
        if programs := descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(program := dice.choice(programs), signal.SIGSTOP)
                ended.wait(dice.uniform(0, STOP_S))
                os.kill(program, signal.SIGCONT)


@pytest.fixture(scope="session", autouse=True)
def hesitation() -> Iterator[None]:
    seed = f"{os.environ[SEED]} {os.environ.get('PYTEST_XDIST_WORKER', '')}"
    ended = threading.Event()
    stopper = threading.Thread(target=stop_programs, args=(seed, ended), daemon=True)
    stopper.start()
    rests = Rests(seed)
    threading.setprofile(rests)
    sys.setprofile(rests)
    yield
    sys.setprofile(None)
    threading.setprofile(None)
    ended.set()
    stopper.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    options, rest = parser.parse_known_args()
    command = [sys.executable, "-m", "pytest", "-p", "tools.soak.unsteady", *rest]
    return child.run(command, env={**os.environ, SEED: str(options.seed)}).returncode
