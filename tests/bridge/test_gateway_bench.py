"""The bench of the gateway, in small: it starts everything, measures, and keeps what it measured."""

from __future__ import annotations

import pytest

from tools.measure import gateway_bench
from tools.measure.running_gateway import END, Times

from .mqtt_support import needs_mosquitto


@pytest.fixture(scope="module")
def figures():
    return gateway_bench.measure(2, 1.0, 3)


@needs_mosquitto
def test_the_bench_measures_each_way_of_a_value(figures):
    # In a second on a busy computer it may not have had a tick of the processor.
    assert figures.chargers == 2 and 0 <= figures.processor < 100 and figures.memory > 10
    for times in (figures.change_to_broker, figures.change_to_rest, figures.change_to_modbus, figures.write_by_rest):
        assert 0 < times.median <= times.p95 <= times.worst < 5000


@needs_mosquitto
def test_figures_are_written_into_the_page_by_the_command_only(figures, tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{gateway_bench.BEGIN}\nold\n{END}\nbehind\n")
    monkeypatch.setattr(gateway_bench, "PAGE", page)
    gateway_bench.save(figures)
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nbehind\n") and "old" not in text
    assert f"{figures.change_to_broker.median:.0f} ms, 95 %" in text
    gateway_bench.save(figures)
    assert page.read_text() == text


def test_times_are_summed_up_by_median_and_worst():
    assert Times.of([0.001 * number for number in range(1, 101)]) == Times(50.0, 95.0, 100.0)
