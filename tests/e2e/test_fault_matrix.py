"""Every fault in brief, alone and in mixtures; `python -m tools fault-matrix --help` for more of it, and to see a run.

A run takes about a second: node and charger share a clock that does not wait.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest

from tools.run import clocked_node
from tools.soak.fault_matrix.__main__ import explain, play
from tools.soak.fault_matrix.faults import FAULT
from tools.soak.fault_matrix.run import MIXED, SHORT, Report

JOBS = [*((fault, 1) for fault in FAULT), *((MIXED, seed) for seed in range(1, 21))]


@pytest.fixture(scope="session", autouse=True)
def clock():
    clocked_node.build()


@pytest.fixture(scope="module")
def playing(full_node_program, request):
    """What all tests that were asked for will find, two at a time."""
    wanted = {item.callspec.params["job"] for item in request.session.items if item.originalname == "test_run"}
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        yield {job: pool.submit(play, full_node_program, job, SHORT) for job in JOBS if job in wanted}
        pool.shutdown(cancel_futures=True)


def check(report: Report) -> None:
    assert not report.violations, "\n".join(explain(report, "short"))
    assert report.fates.total() >= SHORT.writes and report.fates["held"] > SHORT.writes / 4


@pytest.mark.parametrize("job", JOBS, ids=lambda job: f"{job[0]}-{job[1]}")
def test_run(playing, job):
    check(playing[job].result())


def test_sanitized(sanitized_node_program):
    """The hardest mixture for the parser, on the node that stops at the first wrong memory access."""
    check(play(sanitized_node_program, ("noise", 2), SHORT))
