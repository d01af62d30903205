"""How fast the host tool is; `python -m tools.host_bench` prints the figures. Other work on the computer disturbs them,
so the best of some attempts counts."""

from __future__ import annotations

import time
from collections.abc import Callable

from tools import host_bench


def best(measure: Callable[[], float], good_enough: float, attempts: int = 5) -> float:
    """The smallest of some measurements, no more than needed."""
    results = []
    while len(results) < attempts and not (results and min(results) < good_enough):
        results.append(measure())
    return min(results)


def test_help_and_ports_start_within_300_ms() -> None:
    assert best(lambda: host_bench.start_up("--help", runs=1), 0.3) < 0.3
    assert best(lambda: host_bench.start_up("ports", runs=1), 0.3) < 0.3


def test_one_get_adds_less_than_50_ms_to_the_wire() -> None:
    assert best(lambda: host_bench.get_adds(runs=1), 0.05) < 0.05


def test_many_values_need_one_exchange_each_and_hardly_any_time_of_the_computer() -> None:
    """What the tool computes between two exchanges is what it is slower than the line."""
    wire = host_bench.Wire()
    with host_bench.simulator() as port, host_bench.Evse.open(port, trace=wire) as evse:
        evse.get("STATE")
        wire.commands = wire.sent = wire.received = 0
        start = time.process_time()
        for name in host_bench.VALUES[:50]:
            evse.get(name)
        busy = time.process_time() - start
    assert wire.commands == len(host_bench.VALUES[:50])
    assert busy < 0.2 * wire.seconds  # most of it while bytes are still on their way


def test_many_values_come_at_the_speed_of_the_line() -> None:
    def slowness() -> float:
        return 1 / max(host_bench.speed(100)["speed"], host_bench.speed(100)["speed_bare"])

    assert best(slowness, 1 / 0.95) < 1 / 0.9
