"""What the measurements found: one JSON file each in docs/reliability, from which `make docs` writes
docs/reliability.md. No figure there is written by hand.

A measuring command takes the options of ``add_options``, says on its way what it does with ``report``, and ends with
``tell``: it prints, and saves if it is called with --save.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reliability"


@dataclass(frozen=True)
class Table:
    """A table of a result; cells are text, as the command prints them."""

    columns: list[str]
    rows: list[list[str]]
    title: str = ""


@dataclass(frozen=True)
class Result:
    """One measurement. ``name`` is that of its file, ``order`` its place on the page, ``command`` how to
    repeat it, ``text`` a sentence or two about how it was measured, ``missed`` the targets that were not reached."""

    name: str
    order: int
    title: str
    command: str
    text: str
    tables: list[Table]
    seconds: float
    seed: int | None = None
    missed: list[str] = field(default_factory=list)
    date: str = ""
    versions: dict[str, str] = field(default_factory=dict)


def add_options(parser: argparse.ArgumentParser, *, short: str, long: str = "", seed: str = "") -> None:
    """--short, --long, --seed, --save and --json; each text says what it means, without one there is no such option."""
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--short", action="store_true", help=short)
    if long:
        extent.add_argument("--long", action="store_true", help=long)
    if seed:
        parser.add_argument("--seed", type=int, default=1, metavar="N", help=f"{seed} (default 1)")
    parser.add_argument("--save", action="store_true", help="write the result to docs/reliability")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def report(line: str) -> None:
    """What happens now, on stderr."""
    print(line, file=sys.stderr, flush=True)


def versions() -> dict[str, str]:
    """What was measured, and with what."""
    return {
        "commit": _output("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
        "ESPHome": version("esphome"),
        "Python": platform.python_version(),
        "g++": _output("g++", "-dumpfullversion"),
        "machine": f"{platform.machine()}, {platform.system()}",
    }


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def save(result: Result) -> Path:
    """Writes docs/reliability/NAME.json with today's date and the versions."""
    today = datetime.now(UTC).date().isoformat()
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{result.name}.json"
    content = asdict(result) | {"date": today, "versions": versions()}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def load() -> list[Result]:
    """Every saved result, in the order of the page."""
    return sorted(map(_read, FOLDER.glob("*.json")), key=lambda result: result.order)


def _read(path: Path) -> Result:
    content = json.loads(path.read_text(encoding="utf-8"))
    tables = [Table(**table) for table in content.pop("tables")]
    return Result(tables=tables, **content)


def show(table: Table) -> str:
    """The table as text for a terminal."""
    rows = [table.columns, *table.rows]
    widths = [max(len(row[at]) for row in rows) for at in range(len(table.columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([table.title, *lines] if table.title else lines)


def tell(result: Result, to_file: bool, as_json: bool) -> int:
    """Prints a result, saves it if wanted, and returns the exit code: 1 if a target was missed."""
    if to_file:
        save(result)
    print(json.dumps(asdict(result)) if as_json else "\n\n".join(map(show, result.tables)))
    for line in result.missed:
        report(f"missed: {line}")
    return 1 if result.missed else 0
