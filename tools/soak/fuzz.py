"""Fuzzes the component's C++ with libFuzzer, address and undefined-behaviour sanitizer: see tests/fuzz/fuzz_*.cpp.

    python -m tools fuzz                       a minute, shared by all targets
    python -m tools fuzz client --seconds 600  one target, ten minutes
    python -m tools fuzz --long                more than ten million executions
    python -m tools fuzz client --replay FILE  tells what happens in one input
    python -m tools fuzz --merge               keeps in tests/fuzz/corpus what reaches something new, and only that

Exits with 1 when something was found; the input that shows it is kept and its path printed. Found inputs grow under
.cache/fuzz/; --merge is what brings them into the repository. Needs clang (tools/debian-packages.txt).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.fuzz import targets
from tools.build import node
from tools.measure.results import Result, Table, save, show

#: Executions of the long form: slow targets get fewer.
LONG_RUNS = {"values": 8_200_000, "client": 1_000_000, "publish": 1_600_000, "law": 2_000_000}
SHORT_SECONDS = 60
TARGET_RUNS = 10_000_000
MAX_INPUT_BYTES = 512
REPORT_S = 15  # between two lines of progress

_STATUS = re.compile(rb"cov: (\d+) ft: (\d+) corp: (\d+)")
_EDGES = re.compile(rb"\((\d+) inline 8-bit counters\)")
_RUNS = re.compile(rb"stat::number_of_executed_units: (\d+)")
_ARTIFACT = re.compile(rb"Test unit written to (\S+)")
_CAUSE = re.compile(rb"FINDING: .*|runtime error: .*|ERROR: AddressSanitizer: .*|ERROR: libFuzzer: .*")


@dataclass(frozen=True)
class Outcome:
    """What fuzzing one target has shown. ``covered`` of ``edges`` branches of the code under test were reached;
    ``finding`` is the input that breaks it and ``cause`` why, both empty if nothing was found."""

    target: str
    runs: int
    seconds: float
    covered: int
    edges: int
    features: int
    inputs: int
    finding: str = ""
    cause: str = ""


def fuzz(target: str, limit: str, seed: int, report: Callable[[str], None] = lambda line: None) -> Outcome:
    """Runs one target until ``limit``, a libFuzzer option (`-runs=N` or `-max_total_time=S`), or the first finding.

    Raises targets.BuildError, also when clang is missing.
    """
    program = targets.build(target)
    found = targets.CACHE / "found" / target
    found.mkdir(parents=True, exist_ok=True)
    findings = targets.CACHE / "findings"
    findings.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as seeds:
        _unpack(target, Path(seeds))
        command = [
            program, f"-dict={program.parent / 'dictionary'}", f"-max_len={MAX_INPUT_BYTES}", "-timeout=20",
            f"-seed={seed}", f"-artifact_prefix={findings}/{target}-", "-print_final_stats=1", limit, found, seeds,
        ]  # fmt: skip
        start = time.monotonic()
        output = _run(command, lambda line: report(f"{target}: {line}"))
    cause, artifact = _CAUSE.search(output), _ARTIFACT.search(output)
    status = _STATUS.findall(output)
    covered, features, inputs = map(int, status[-1]) if status else (0, 0, 0)
    runs = _RUNS.search(output)
    if runs is None and cause is None:
        raise targets.BuildError(f"{program} does not run:\n{output[-2000:].decode(errors='replace')}")
    return Outcome(
        target, int(runs[1]) if runs else 0, round(time.monotonic() - start, 1), covered,
        sum(map(int, _EDGES.findall(output)[:1])), features, inputs,
        artifact[1].decode() if artifact else "", cause[0].decode(errors="replace") if cause else "",
    )  # fmt: skip


def _unpack(target: str, directory: Path) -> None:
    for number, data in enumerate(targets.read_corpus(target)):
        (directory / f"{number:05}").write_bytes(data)


def _run(command: list, report: Callable[[str], None]) -> bytes:
    """The program's whole output; every now and then a line of it is reported."""
    lines, next_report = [], time.monotonic() + REPORT_S
    command = [*node.MORTAL, *command]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_environment()) as process:
        try:
            for line in process.stdout:
                lines.append(line)
                if time.monotonic() > next_report and _STATUS.search(line):
                    next_report += REPORT_S
                    report(line.partition(b" L: ")[0].decode(errors="replace").strip())
        except BaseException:
            process.kill()
            raise
    return b"".join(lines)


def merge(target: str) -> int:
    """Reduces the kept and the found inputs to the fewest that reach as much, keeps these; returns their number."""
    program = targets.build(target)
    found = targets.CACHE / "found" / target
    with tempfile.TemporaryDirectory() as seeds, tempfile.TemporaryDirectory() as kept:
        _unpack(target, Path(seeds))
        sources = [path for path in (Path(seeds), found) if path.is_dir()]
        command = [program, "-merge=1", f"-max_len={MAX_INPUT_BYTES}", kept, *sources]
        subprocess.run(command, capture_output=True, env=_environment(), check=True)
        inputs = [path.read_bytes() for path in Path(kept).iterdir()]
    targets.write_corpus(target, inputs)
    shutil.rmtree(found, ignore_errors=True)
    return len(inputs)


def replay(target: str, path: Path) -> int:
    """Tells on stderr what happens in one input; returns the program's exit code."""
    environment = {**_environment(), "EVSE_STORY": "1", "ASAN_OPTIONS": "allow_addr2line=1"}
    return subprocess.run([targets.build(target), path], env=environment, check=False).returncode


def _environment() -> dict[str, str]:
    """A node keeps its preferences in the home directory; the client's target asks the oracle."""
    home = targets.CACHE / "home"
    home.mkdir(parents=True, exist_ok=True)
    judge = f"cd {shlex.quote(str(node.ROOT))} && exec {shlex.quote(sys.executable)} -m tools.soak.oracle.client"
    return {**os.environ, "HOME": str(home), "EVSE_JUDGE": judge}


def table(outcomes: list[Outcome]) -> Table:
    columns = ["target", "executions", "per second", "branches reached", "features", "inputs kept", "findings"]
    rows = [
        [
            one.target, f"{one.runs:,}", f"{one.runs / max(one.seconds, 0.1):,.0f}",
            f"{one.covered} of {one.edges}", f"{one.features:,}", f"{len(targets.read_corpus(one.target)):,}",
            one.cause or "none",
        ]
        for one in outcomes
    ]  # fmt: skip
    total = f"{sum(one.runs for one in outcomes):,}"
    return Table(columns, [*rows, ["all", total, "", "", "", "", ""]])


def result(outcomes: list[Outcome], seed: int) -> Result:
    runs = sum(one.runs for one in outcomes)
    missed = [f"{one.target}: {one.cause}" for one in outcomes if one.cause]
    if runs < TARGET_RUNS:
        missed.append(f"{runs:,} executions, {TARGET_RUNS:,} are asked for")
    text = (
        "libFuzzer with address and undefined-behaviour sanitizers. `client`: the AT client and a small charger, with "
        "requests, faults, restarts, forged lines and time between them; the oracle stops at the first thing that "
        "must never be. `values`: framer, value parser, argument formatter and the judge of raw commands against a "
        "second, simpler implementation. `publish`: the hub and every entity of the full example on arbitrary lines."
    )
    tables = [table(outcomes)]
    seconds = round(sum(one.seconds for one in outcomes), 1)
    return Result("fuzz", 2, "Fuzzing", "python -m tools fuzz --long", text, tables, seconds, seed, missed)


def run_all(chosen: list[str], long: bool, seconds: int, seed: int) -> list[Outcome]:
    def report(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def limit(target: str) -> str:
        return f"-runs={LONG_RUNS[target]}" if long else f"-max_total_time={max(1, seconds // len(chosen))}"

    return [fuzz(target, limit(target), seed, report) for target in chosen]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Fuzz the component's C++ with libFuzzer and sanitizers.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(targets.TARGETS)}; all by default")
    parser.add_argument("--seconds", type=int, default=SHORT_SECONDS, help="for all targets together (default: 60)")
    parser.add_argument("--long", action="store_true", help=f"{sum(LONG_RUNS.values()):,} executions in all")
    parser.add_argument("--seed", type=int, default=1, help="of libFuzzer's dice (default: 1)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="tell what happens in this input of the TARGET")
    parser.add_argument("--merge", action="store_true", help="reduce the inputs and keep them in tests/fuzz/corpus")
    parser.add_argument("--save", action="store_true", help="write docs/reliability/fuzz.json")
    parser.add_argument("--json", action="store_true", help="print the outcomes as JSON")
    options = parser.parse_args(arguments)
    chosen = options.targets or list(targets.TARGETS)
    if unknown := set(chosen) - set(targets.TARGETS):
        parser.error(f"TARGET must be one of {', '.join(targets.TARGETS)}, not {', '.join(sorted(unknown))}")
    if options.replay and len(options.targets) != 1:
        parser.error("--replay needs exactly one TARGET")
    try:
        return _work(options, chosen)
    except targets.BuildError as error:
        print(error, file=sys.stderr)
        return 2


def _work(options: argparse.Namespace, chosen: list[str]) -> int:
    if options.replay:
        return replay(chosen[0], options.replay)
    if options.merge:
        for target in chosen:
            print(f"{target}: {merge(target)} inputs kept")
        return 0
    outcomes = run_all(chosen, options.long, options.seconds, options.seed)
    print(json.dumps([asdict(one) for one in outcomes]) if options.json else show(table(outcomes)))
    for one in outcomes:
        if one.cause:
            print(f"{one.cause}\nTo see it: python -m tools fuzz {one.target} --replay {one.finding}")
    if options.save:
        print(f"wrote {save(result(outcomes, options.seed))}")
    return 1 if any(one.cause for one in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
