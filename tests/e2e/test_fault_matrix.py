"""Every fault in brief, alone and in mixtures; `python -m tools.fault_matrix --help` for more of it, and to see a run.

A run takes about a second: node and charger share a clock that does not wait.
"""

from __future__ import annotations

import pytest

from tools import host_clock
from tools.fault_matrix.__main__ import explain
from tools.fault_matrix.faults import FAULT
from tools.fault_matrix.run import MIXED, SHORT, Run

MIXTURES = range(1, 21)


@pytest.fixture(scope="session", autouse=True)
def clock():
    host_clock.build()


def check(program, fault: str, seed: int) -> None:
    report = Run(fault, seed, SHORT).play(program)
    assert not report.violations, "\n".join(explain(report, "short"))
    assert report.fates.total() >= SHORT.writes and report.fates["held"] > SHORT.writes / 4


@pytest.mark.parametrize("fault", FAULT)
def test_fault(full_node_program, fault):
    check(full_node_program, fault, seed=1)


@pytest.mark.parametrize("seed", MIXTURES)
def test_mixture(full_node_program, seed):
    check(full_node_program, MIXED, seed)


def test_sanitized(sanitized_node_program):
    """The hardest mixture for the parser, on the node that stops at the first wrong memory access."""
    check(sanitized_node_program, "noise", seed=2)
