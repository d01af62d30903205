"""Everything that can go wrong between node and charger, alone and in mixtures, checked against the charger's truth.

    python -m tools fault-matrix                      every fault in brief, and 20 mixtures: a minute or two
    python -m tools fault-matrix --long --jobs 2      every fault at length, and 500 mixtures of 200 writes each
    python -m tools fault-matrix --fault mixed --runs 1 --seed 7 --verbose

The last line repeats one run exactly and shows it: the same seed is the same run. Exit code 0: nothing was found.
"""

from __future__ import annotations

import argparse
import ctypes
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tools.build import node
from tools.measure import results
from tools.measure.results import Result, Table
from tools.run import clocked_node
from tools.soak.fault_matrix.faults import FAULT, FAULTS
from tools.soak.fault_matrix.run import LONG, MIXED, SHORT, Length, Report, Run

CONFIG = node.ROOT / "tools/run/demo.yaml"
ALONE_RUNS = {"short": 1, "long": 5}
MIXED_RUNS = {"short": 20, "long": 500}
LENGTHS = {"short": SHORT, "long": LONG}
EXPLAINED = 50  # runs
PR_SET_PDEATHSIG = 1  # of <sys/prctl.h>
AROUND_S = (6.0, 0.5)  # what --verbose shows before and after a finding
TEXT = (
    "The real node, its charger simulated byte for byte at 115200 baud, both on one clock. Every "
    "run: {writes} random writes through the API, a car that comes and goes, another party that changes settings, and "
    "the fault: {alone} times alone, {low} to {high} faults in a mixture. `held`: the charger had the value; `newer "
    "wish`: another one for the same value came first; `refused`: the node said that the charger did not take it; "
    "`recovered`: from the end of the last fault until every entity showed for good what the charger had held within "
    "the last 5 s. What must hold is in tools/soak/fault_matrix/oracle.py."
)
COLUMNS = ["fault", "runs", "writes", "held", "newer wish", "refused", "recovered: median", "maximum", "findings"]

Job = tuple[str, int]


def play(program: Path, job: Job, length: Length) -> Report:
    return Run(*job, length).play(program)


def jobs(arguments: argparse.Namespace, form: str) -> list[Job]:
    """(fault, seed) of every run."""
    names = arguments.fault or [*FAULT, MIXED]
    runs = {name: (MIXED_RUNS if name == MIXED else ALONE_RUNS)[form] for name in names}
    if arguments.runs is not None:
        runs |= {name: arguments.runs for name in names if name == MIXED or arguments.fault}
    return [(name, arguments.seed + number) for name in names for number in range(runs[name])]


def end_with_parent() -> None:
    """Even if that is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def play_all(program: Path, work: list[Job], length: Length, processes: int) -> Iterator[Report]:
    with ProcessPoolExecutor(processes, initializer=end_with_parent) as pool:
        futures = [pool.submit(play, program, job, length) for job in work]
        try:
            for number, future in enumerate(futures, 1):
                report = future.result()
                found = f", {len(report.findings)} findings" if report.findings else ""
                results.report(f"{number}/{len(work)} {report.fault} {report.seed}{found}")
                yield report
        finally:
            pool.shutdown(cancel_futures=True)


def tables(reports: list[Report]) -> list[Table]:
    return [_matrix(reports), *_findings(reports)]


def _matrix(reports: list[Report]) -> Table:
    by_fault: dict[str, list[Report]] = defaultdict(list)
    for report in reports:
        by_fault[report.fault].append(report)
    rows = [_row(name, of_fault) for name, of_fault in by_fault.items()]
    return Table(COLUMNS, [*rows, _row("all", reports)])


def _row(name: str, reports: list[Report]) -> list[str]:
    fates = sum((report.fates for report in reports), Counter())
    times = [report.recovered for report in reports]
    held = fates["held"] + fates["run"]
    counts = (len(reports), fates.total(), held, fates["superseded"], fates["refused"])
    findings = sum(len(report.findings) for report in reports)
    return [name, *map(str, counts), f"{statistics.median(times):.1f} s", f"{max(times):.1f} s", str(findings)]


def _findings(reports: list[Report]) -> list[Table]:
    found = Counter((finding.kind, finding.what) for report in reports for finding in report.findings)
    if not found:
        return []
    rows = [[kind, what, str(count)] for (kind, what), count in found.most_common()]
    return [Table(["finding", "of", "runs"], rows, "What was found")]


def missed(reports: list[Report]) -> list[str]:
    """One line for each rule that was broken."""
    kinds: dict[str, set[Job]] = defaultdict(set)
    for report in reports:
        for finding in report.findings:
            kinds[finding.kind].add((report.fault, report.seed))
    return [f"{kind}: in {len(where)} of {len(reports)} runs" for kind, where in kinds.items()]


def explain(report: Report, form: str) -> Iterator[str]:
    """What a run has found, and how to see it again."""
    yield f'python -m tools fault-matrix --{form} --fault "{report.fault}" --runs 1 --seed {report.seed} --verbose'
    yield from (f"    {finding}" for finding in report.findings)


def show_run(program: Path, job: Job, length: Length) -> Report:
    """Plays one run, tells its story, and everything around each finding."""
    run = Run(*job, length)
    report = run.play(program)
    for moment, text in sorted(run.story):
        print(f"{moment:9.3f} {text}")
    for finding in report.findings:
        print(f"\n=== {finding}")
        print("\n".join(run.transcript(finding.time - AROUND_S[0], finding.time + AROUND_S[1])))
    return report


def as_result(reports: list[Report], length: Length, arguments: argparse.Namespace, seconds: float) -> Result:
    low, high = length.mixed
    text = TEXT.format(writes=length.writes, alone=length.alone, low=low, high=high)
    command = " ".join(["python -m tools fault-matrix", *_options(arguments)])
    return Result(
        name="faults", order=1, title="Faults", command=command, text=text, tables=tables(reports),
        seconds=round(seconds, 1), seed=arguments.seed, missed=missed(reports),
    )  # fmt: skip


def _options(arguments: argparse.Namespace) -> list[str]:
    """What the same runs are called with."""
    options = ["--long" if arguments.long else "--short", f"--seed {arguments.seed}"]
    options += [f'--fault "{name}"' for name in arguments.fault or ()]
    return options + ([f"--runs {arguments.runs}"] if arguments.runs is not None else [])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="faults:\n" + "\n".join(f"  {fault.name:20} {fault.doc}" for fault in FAULTS),
    )  # fmt: skip
    results.add_options(
        parser, short="brief runs, the default", long="runs of 200 writes, 500 mixtures", seed="of the first run"
    )
    names = [*FAULT, MIXED]
    parser.add_argument("--fault", action="append", choices=names, metavar="NAME", help="only this one, or several")
    parser.add_argument("--runs", type=int, metavar="N", help="how many mixtures, or runs of each --fault")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at the same time (1)")
    parser.add_argument("--variant", choices=("plain", "sanitized"), default="plain", help="how the node is built")
    parser.add_argument("--program", type=Path, help="a node that is built already, instead of tools/run/demo.yaml")
    parser.add_argument("--verbose", action="store_true", help="tell each run, and show the bytes around each finding")
    return parser.parse_args()


def main() -> int:
    arguments = parse()
    form = "long" if arguments.long else "short"
    length, work, started = LENGTHS[form], jobs(arguments, form), time.monotonic()
    clocked_node.build()
    with tempfile.TemporaryDirectory(prefix="evse-faults-") as home:
        program = arguments.program or node.build(CONFIG, arguments.variant, Path(home) / "node")
        if arguments.verbose:
            reports = [show_run(program, job, length) for job in work]
        else:
            reports = list(play_all(program, work, length, arguments.jobs))
    result = as_result(reports, length, arguments, time.monotonic() - started)
    for report in [report for report in reports if report.findings][:EXPLAINED]:
        for line in explain(report, form):
            results.report(line)
    return results.tell(result, arguments.save, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
