"""How fast the host tool is, whatever else the computer does; `python -m tools host-bench` prints the exact figures.

A program that has to wait for its turn is slow now and then, one that is slow by itself is slow each time: what counts
is the processor's time, or the fastest of many tries.
"""

from __future__ import annotations

import time

import pytest

from tools.measure import host_bench


@pytest.mark.parametrize("word", ["--help", "ports"])
def test_start_up_takes_less_than_300_ms_of_a_processor(word: str) -> None:
    """It waits for nothing, so that on a quiet computer this is the whole time."""
    assert min(host_bench.processor_seconds(word) for _ in range(3)) < 0.3


def test_one_get_adds_less_than_50_ms_to_the_wire() -> None:
    assert min(host_bench.get_adds()) < 0.05


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
    with host_bench.simulator() as port:
        rounds = [(host_bench.bare_loop(port, 10), host_bench.many_gets(port, 10)[0]) for _ in range(20)]
    bare, tool = (min(seconds) for seconds in zip(*rounds, strict=True))
    assert bare / tool > 0.5


def test_the_proxy_adds_less_than_2_ms() -> None:
    """Bytes of any value, both ways, each unchanged, while the proxy shows and records them."""
    for way, (proxy, relay) in host_bench.proxy_adds(300).items():
        print(f"{way} the charger: {proxy}, the least program {relay}")
        assert proxy.fastest < 2, (way, proxy, relay)
