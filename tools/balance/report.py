"""The load manager's law against others on simulated days: tables, plots, and what it must reach.

    python -m tools balance                six days of each kind, some minutes
    python -m tools balance --short        one day of each kind with our law, under a minute: for CI
    python -m tools balance --seeds 50-59  other days
    python -m tools balance --seeds 1-60 --groups   what is bounded, with our law: mean and worst group of six days
    python -m tools balance --save         ... and write docs/load-management.md with all its tables and plots

Exits with 1 when our law misses a bound of ``BOUNDS``: they are what is reached on these days, not what is wished.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tools.balance import scenarios
from tools.balance.scenarios import CASES, Case, Row

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs/load-management/balance.json"
COLUMNS = {
    "above": "s above In",
    "above_113": "s above 1.13 In",
    "heat": "breaker",
    "energy": "energy %",
    "solar": "solar %",
    "grid_share": "grid %",
    "openings": "openings/day",
    "writes": "writes/h",
    "quarters": "quarters above",
}
GROUP = 6
DIGITS = {"heat": 3, "energy": 1, "solar": 1, "grid_share": 1, "openings": 1}


@dataclass(frozen=True)
class Bound:
    """`figure` of our law in the cases whose name begins with `case` is at most (or at least) `value`."""

    case: str
    figure: str
    value: float
    at_least: bool = False

    def holds(self, row: Row) -> bool:
        value = getattr(row, self.figure)
        return value >= self.value if self.at_least else value <= self.value

    def __str__(self) -> str:
        return f"{COLUMNS[self.figure]} {'>=' if self.at_least else '<='} {self.value:g}"


BOUNDS = (
    *(Bound(f"hard day, 25 A, {car} car", "above_113", 110) for car in ("quick", "typical", "slow")),
    *(Bound(f"hard day, 25 A, {car} car", "openings", 4) for car in ("quick", "typical", "slow")),
    *(Bound(f"hard day, 25 A, {car} car", "energy", 94, at_least=True) for car in ("quick", "typical", "slow")),
    Bound("hard day, 20 A, typical car", "heat", 0.02),
    Bound("hard day, 25 A, meter 10 s old", "above_113", 150),
    Bound("hard day, 25 A, meter 10 s old", "openings", 4),
    Bound("sun, 3-phase car", "solar", 97, at_least=True),
    Bound("sun, 3-phase car", "grid_share", 5),
    Bound("sun, 3-phase car", "openings", 3),
    Bound("quarters", "energy", 95, at_least=True),
    Bound("quarters", "openings", 20),
    Bound("quarters", "quarters", 0.5),
)


def number(figure: str, value: float) -> str:
    return f"{value:.{DIGITS.get(figure, 0)}f}"


def run_all(seeds: list[int], only_ours: bool, say) -> dict[str, dict[str, Row]]:
    """case -> law -> figures."""
    results: dict[str, dict[str, Row]] = {}
    for case in CASES:
        started = time.monotonic()
        laws = ("law",) if only_ours else case.laws
        results[case.name] = {law: scenarios.compare(case, law, seeds) for law in laws}
        say(f"{case.name}: {time.monotonic() - started:.1f} s")
    return results


def run_several(seeds: list[int]) -> dict[str, dict[str, Row]]:
    """One to four cars at one fuse of 32 A, by law."""
    return {
        str(count): {law: scenarios.compare_several(count, law, seeds) for law in ("nothing", "law")}
        for count in (1, 2, 3, 4)
    }


def missed(results: dict[str, dict[str, Row]]) -> list[str]:
    return [
        f"{case}: {bound}, but it is {number(bound.figure, getattr(laws['law'], bound.figure))}"
        for case, laws in results.items()
        for bound in BOUNDS
        if case.startswith(bound.case) and not bound.holds(laws["law"])
    ]


def show(case: Case, laws: dict[str, Row], console: Console) -> None:
    table = Table(title=case.name, title_justify="left", box=None)
    for heading in ("", *COLUMNS.values()):
        table.add_column(heading, justify="right" if heading else "left")
    for law, row in laws.items():
        table.add_row(law, *(number(figure, getattr(row, figure)) for figure in COLUMNS))
    console.print(table)


def show_groups(seeds: list[int], console: Console) -> None:
    """What is bounded: one group of days may be better or worse than all."""
    table = Table("case", "our law", "mean", f"worst group of {GROUP}", box=None)
    for case in CASES:
        bounds = [bound for bound in BOUNDS if case.name.startswith(bound.case)]
        groups = [seeds[first : first + GROUP] for first in range(0, len(seeds), GROUP)] if bounds else []
        rows = [scenarios.compare(case, "law", group) for group in groups]
        for figure in dict.fromkeys(bound.figure for bound in bounds):
            values = [getattr(row, figure) for row in rows]
            worst = min(values) if any(bound.at_least for bound in bounds if bound.figure == figure) else max(values)
            digits = max(DIGITS.get(figure, 0), 2)
            figures = (f"{value:.{digits}f}" for value in (statistics.fmean(values), worst))
            table.add_row(case.name, COLUMNS[figure], *figures)
    console.print(table)


def save(results: dict[str, dict[str, Row]], several: dict[str, dict[str, Row]], seeds: list[int]) -> None:
    from tools.balance import plots
    from tools.docs import pages

    data = {
        "seeds": seeds,
        "cases": {case: {law: asdict(row) for law, row in laws.items()} for case, laws in results.items()},
        "several": {count: {law: asdict(row) for law, row in laws.items()} for count, laws in several.items()},
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    plots.draw(RESULTS.parent)
    pages.main([])


def parse_seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    try:
        return list(range(int(first), int(last or first) + 1))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number or a range such as 1-3") from None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="example: python -m tools balance --seeds 50-59 --json"
    )
    parser.add_argument("--short", action="store_true", help="one day of each kind, our law only")
    parser.add_argument("--seeds", type=parse_seeds, default=[1, 2, 3, 4, 5, 6], help="days, such as 1-6 (the default)")
    parser.add_argument("--groups", action="store_true", help="our law only: mean and worst of groups of six seeds")
    parser.add_argument("--save", action="store_true", help="write docs/load-management.md, its figures and plots")
    parser.add_argument("--json", action="store_true", help="print the figures for machines")
    options = parser.parse_args(arguments)
    seeds = options.seeds[:1] if options.short else options.seeds
    if options.groups:
        show_groups(options.seeds, Console(width=150))
        return 0
    progress = Console(stderr=True)
    results = run_all(seeds, options.short, progress.print)
    if options.json:
        print(json.dumps({case: {law: asdict(row) for law, row in laws.items()} for case, laws in results.items()}))
    else:
        for case in CASES:
            show(case, results[case.name], Console(width=150))
    if options.save:
        save(results, run_several(seeds), seeds)
    failures = missed(results)
    for failure in failures:
        print(f"missed: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
