"""Fixtures for tests with a real node: its program, built once, and factories for what it is connected to.

def test_power(full_node_program, start_charger, start_node):
    charger = start_charger()
    node = start_node(full_node_program, charger.path)
    node.wait_for("Power", 3680)
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from evse_host.catalog import BAUD_RATE
from evse_host.simulator import Charger, PtyServer
from tools.build import node
from tools.run.host_node import Node

VARIANT = os.environ.get("EVSE_VARIANT", "plain")  # `python -m tools coverage` builds nodes that count
FULL_NODE = node.ROOT / "tools/run/demo.yaml"

# What a shell starts in the background ignores Ctrl-C, and so would every program that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Whoever ends a run ends what it has started: fixtures do it.
signal.signal(signal.SIGTERM, signal.default_int_handler)

# Hypothesis keeps its examples where every other cache is.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(node.CACHE / "hypothesis"))
# The same examples everywhere, and a busy computer is no defect; `--hypothesis-profile random` looks for new ones.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("random", deadline=None, print_blob=True)
settings.load_profile("same")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two for each core, for many tests wait for chargers and brokers while others build."""
    return min(2 * (os.cpu_count() or 1), 6)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with few tests have the long ones, and come first: no core is idle at the end."""
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: tests[item.path])


@pytest.fixture(autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What programs remember is of one test: all simulated chargers have the same address."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state" / os.urandom(4).hex()))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)


@pytest.fixture(scope="session")
def full_node_program() -> Path:
    """The full example."""
    return node.build(FULL_NODE, VARIANT)


@pytest.fixture(scope="session")
def sanitized_node_program() -> Path:
    """The full example that stops at the first wrong memory access or undefined behaviour."""
    return node.build(FULL_NODE, "sanitized")


@pytest.fixture
def start_charger() -> Iterator[Callable[..., PtyServer]]:
    """Starts a simulated charger on a pseudo terminal: ``start_charger(charger=Charger(), **PtyServer's options)``.

    Its line is as slow as a real one unless ``baud_rate=None`` is given.
    """
    with ExitStack() as running:

        def start(charger: Charger | None = None, **options) -> PtyServer:
            options.setdefault("baud_rate", BAUD_RATE)
            return running.enter_context(PtyServer(charger or Charger(), **options))

        yield start


@pytest.fixture
def start_node(tmp_path: Path) -> Iterator[Callable[..., Node]]:
    """Starts a program on a serial port: ``start_node(program, uart)``; each has a home and an API port of its own.

    The test fails if a node stopped by itself, be it only at its end.
    """
    homes = (tmp_path / f"node-{number}" for number in range(100))
    with ExitStack() as running:

        def start(program: Path, uart: str | Path) -> Node:
            return running.enter_context(Node(program, uart, next(homes)))

        yield start
