"""Tries every hostile text, line and name of tests/security, and counts them.

    python -m tools security [--short | --long] [--seed N] [--save] [--json]

The same tests run in CI; here hypothesis makes up more texts. Exit code 1 if one gets through.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest

from tools.measure import results

TESTS = results.ROOT / "tests" / "security"
EXAMPLES = {"short": 100, "long": 2000}  # texts that hypothesis makes up for one test

TEXT = (
    "Cases are texts, lines, names and configurations of a table, each on its way into a real node, a command, a file "
    "or a terminal; made up are those of hypothesis. A finding is one that is neither exactly one well-formed command "
    "nor a clear refusal, a password that is shown, a name that is more than data, or something that is open to the "
    "network. The threats and what meets them: [security.md](security.md)."
)


@dataclass
class Count:
    """``cases`` and ``random`` tests of one file, ``failed`` of both."""

    cases: int = 0
    random: int = 0
    failed: int = 0


class Counter:
    """A plugin of pytest."""

    def __init__(self) -> None:
        self.counts: dict[str, Count] = defaultdict(Count)
        self.failures: list[str] = []
        self.start = time.monotonic()

    def pytest_runtest_logreport(self, report) -> None:
        count = self.counts[Path(report.fspath).name]
        if report.when == "call" and not report.skipped:
            if "hypothesis" in report.keywords:
                count.random += 1
            else:
                count.cases += 1
        if report.failed:
            count.failed += 1
            self.failures.append(report.nodeid)
            print(f"{time.monotonic() - self.start:5.0f} s  failed: {report.nodeid}", file=sys.stderr)

    def pytest_runtest_logstart(self, nodeid: str, location) -> None:
        if Path(location[0]).name not in self.counts:
            print(f"{time.monotonic() - self.start:5.0f} s  {location[0]}", file=sys.stderr)


def title(file: str) -> str:
    """The first sentence of a test's own description."""
    text = (TESTS / file).read_text(encoding="utf-8").split('"""')[1]
    return re.split(r"[.:;,](?= |$)", " ".join(text.split()))[0]


def measure(extent: str, seed: int) -> Counter:
    hypothesis.settings.register_profile("counted", max_examples=EXAMPLES[extent], deadline=None)
    counter = Counter()
    output = io.StringIO()
    options = ["-q", "--hypothesis-profile=counted", f"--hypothesis-seed={seed}"]
    with contextlib.redirect_stdout(output):
        code = pytest.main([*options, str(TESTS)], plugins=[counter])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        counter.failures.append(output.getvalue()[-500:])
    if counter.failures:
        print(output.getvalue(), file=sys.stderr)
    return counter


def result(counter: Counter, extent: str, seed: int, seconds: float) -> results.Result:
    rows = [
        [title(file), str(count.cases), f"{count.random * EXAMPLES[extent]}", "0", str(count.failed)]
        for file, count in sorted(counter.counts.items())
    ]
    total = Count(*map(sum, zip(*((c.cases, c.random, c.failed) for c in counter.counts.values()), strict=True)))
    rows.append(["all", str(total.cases), f"{total.random * EXAMPLES[extent]}", "0", str(total.failed)])
    table = results.Table(["what", "cases", "made up (at most)", "target: findings", "measured: findings"], rows)
    command = f"python -m tools security --{extent} --seed {seed}"
    return results.Result("security", 5, "Security", command, TEXT, [table], seconds, seed, counter.failures)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    results.add_options(
        parser, short="as CI does, some minutes", long="20 times as many random texts, the default",
        seed="of what hypothesis makes up",
    )  # fmt: skip
    arguments = parser.parse_args()
    chosen = "short" if arguments.short else "long"
    start = time.monotonic()
    found = result(measure(chosen, arguments.seed), chosen, arguments.seed, time.monotonic() - start)
    return results.tell(found, arguments.save, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
