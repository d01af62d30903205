"""How fast the host tool is, with room for a busy computer; `python -m tools host-bench` prints the exact figures.

Every figure is measured once: what fails here is at least twice as slow as it should be.
"""

from __future__ import annotations

import time

import pytest

from tools.measure import host_bench


@pytest.mark.parametrize("word", ["--help", "ports"])
def test_start_up_takes_less_than_300_ms_of_a_processor(word: str) -> None:
    """It waits for nothing, so that on a quiet computer this is the whole time."""
    assert host_bench.processor_seconds(word) < 0.3


def test_one_get_adds_less_than_50_ms_to_the_wire() -> None:
    assert host_bench.get_adds(runs=5) < 0.05


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
    assert host_bench.speed(200)["speed_bare"] > 0.5


def test_the_proxy_adds_less_than_2_ms() -> None:
    """Bytes of any value, both ways, each unchanged, while the proxy shows and records them. Where the computer is so
    busy that any program in its place waits for its turn, that time is not the proxy's; it needs up to three turns."""
    for way, (proxy, relay) in host_bench.proxy_adds(300).items():
        print(f"{way} the charger: {proxy}, the least program {relay}")
        assert proxy.median < 2 and proxy.p95 < 2 + 3 * relay.p95, (way, proxy, relay)
