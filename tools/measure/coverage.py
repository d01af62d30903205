"""Which lines no test runs: of the component in a real node, by gcov, and of the host tool.

    python -m tools coverage [--only component|host] [--json] [TEST ...]

The component is built with gcov's counters and lives through tests/e2e; the host tool through its own tests and those
of the bridges. TEST: other tests to run instead. Tests that fail are told, and the figures are printed all the same.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from tools.build import node
from tools.measure.results import Table, show
from tools.run import child

COMPONENT = "src/esphome/components/esp32evse/"
COUNTERS = f"*/coverage/obj/{COMPONENT}*.gcda"
OUT = node.CACHE / "coverage"
AT_ONCE = ["-n", "auto", "--dist", "loadfile"]
TESTS = {"component": ["tests/e2e"], "host": ["tests/host", "tests/bridge", "tests/simulator"]}
HOST_SETTINGS = f"""
[run]
branch = true
parallel = true
patch = subprocess
source = {node.ROOT}/host_tools/evse_host
data_file = {OUT}/host
"""

Row = tuple[str, int, int]  # file, lines that can run, lines that were


def component(tests: list[str]) -> list[Row]:
    for counters in (node.CACHE / "nodes").glob(COUNTERS):
        counters.unlink()
    _run(["-m", "pytest", "-q", *AT_ONCE, *tests], {"EVSE_VARIANT": "coverage", "EVSE_ORDERLY_END": "1"})
    return read_counters()


def read_counters() -> list[Row]:
    """Of all programs together: a line was run if one of them has run it."""
    lines: dict[str, dict[int, bool]] = defaultdict(dict)
    for counters in (node.CACHE / "nodes").glob(COUNTERS):
        command = ["gcov", "--json-format", "--stdout", counters.name]
        output = subprocess.run(command, cwd=counters.parent, capture_output=True, check=True).stdout
        for file in json.loads(output)["files"]:
            if COMPONENT in file["file"]:
                known = lines[Path(file["file"]).name]
                for line in file["lines"]:
                    number = line["line_number"]
                    known[number] = known.get(number, False) or line["count"] > 0
    return sorted((name, len(known), sum(known.values())) for name, known in lines.items())


def host(tests: list[str]) -> list[Row]:
    settings = OUT / "host.ini"
    settings.write_text(HOST_SETTINGS)
    for old in OUT.glob("host.*.*"):
        old.unlink()
    _run(["-m", "coverage", "run", f"--rcfile={settings}", "-m", "pytest", "-q", *AT_ONCE, *tests], {})
    _run(["-m", "coverage", "combine", f"--rcfile={settings}", "-q"], {}, check=True)
    summary = OUT / "host.json"
    _run(["-m", "coverage", "json", f"--rcfile={settings}", "-q", "-o", str(summary)], {}, check=True)
    files = json.loads(summary.read_text())["files"]
    home = node.ROOT / "host_tools/evse_host"
    return sorted(
        (_relative(name, home), file["summary"]["num_statements"], file["summary"]["covered_lines"])
        for name, file in files.items()
    )


def _relative(name: str, home: Path) -> str:
    return os.path.relpath(node.ROOT / name, home)


def _run(arguments: list[str], variables: dict[str, str], check: bool = False) -> None:
    done = child.run([sys.executable, *arguments], cwd=node.ROOT, env={**os.environ, **variables}, stdout=sys.stderr)
    if check:
        done.check_returncode()


def table(title: str, rows: list[Row]) -> Table:
    rows = [*rows, ("all", sum(row[1] for row in rows), sum(row[2] for row in rows))]
    cells = [[name, str(lines), str(lines - ran), f"{ran / max(lines, 1):.1%}"] for name, lines, ran in rows]
    return Table(["file", "lines", "never run", "covered"], cells, title)


PARTS: dict[str, Callable[[list[str]], list[Row]]] = {"component": component, "host": host}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tests", nargs="*", metavar="TEST", help="run instead of the usual ones")
    parser.add_argument("--only", choices=PARTS, help="this part")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    chosen = [arguments.only] if arguments.only else list(PARTS)
    found = {}
    for name in chosen:
        found[name] = PARTS[name](arguments.tests or TESTS[name])
        if not arguments.json:
            print(show(table(name, found[name])), flush=True)
    if arguments.json:
        print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
