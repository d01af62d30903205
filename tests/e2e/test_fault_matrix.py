"""Every fault in brief, alone and in mixtures; `python -m tools fault-matrix --help` for more of it, and to see a run.

A run takes less than a second: node and charger share a clock that does not wait.
"""

from __future__ import annotations

import pytest

from tools.soak.fault_matrix.__main__ import explain, play
from tools.soak.fault_matrix.faults import FAULT
from tools.soak.fault_matrix.run import MIXED, SHORT, Report

JOBS = [*((fault, 1) for fault in FAULT), *((MIXED, seed) for seed in range(1, 21))]


def check(report: Report) -> None:
    assert not report.findings, "\n".join(explain(report, "short"))
    assert report.fates.total() >= SHORT.writes and report.fates["held"] > SHORT.writes / 4


@pytest.mark.parametrize("job", JOBS, ids=lambda job: f"{job[0]}-{job[1]}")
def test_a_mixture_of_faults_leaves_no_wrong_value_and_no_lost_wish(full_node_program, job):
    check(play(full_node_program, job, SHORT))


def test_the_hardest_noise_makes_no_wrong_memory_access(sanitized_node_program):
    """The hardest mixture for the parser, on the node that stops at the first wrong memory access."""
    check(play(sanitized_node_program, ("noise", 2), SHORT))
