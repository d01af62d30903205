"""Runs the examples of docs/host-tool.md on a simulated charger and writes beneath each command what it prints.

    python -m tools host-docs            run all, write what has changed
    python -m tools host-docs --check    write nothing; name what has changed and exit with 1

An example is a ```console block of the page; its commands begin with `$ ` and run in one shell, each block with a
charger of its own on which a car charges. Times and dates differ from run to run: that is no difference, and the page
keeps what it has.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evse_host.catalog import BAUD_RATE
from evse_host.simulator import Charger, PtyServer
from evse_host.simulator.car import Car

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "host-tool.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIMEOUT_S = 120
AT_ONCE = 3  # examples; most of them wait for a charger
CHARGING_S = 30.0  # how long the car has been charging when an example begins
MARK = "--- the next command ---"

#: What may differ from run to run.
MOVING = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "DATE"),
    (re.compile(r"^ *\d+\.\d{3,6}(?= [<>!] )", re.MULTILINE), "TIME"),
    (re.compile(r'(?<=UPTIME=)\d+|(?<=_time": )\d+'), "TIME"),
    (re.compile(r"^ok +(round trip|pushes|bytes) .*$", re.MULTILINE), "MEASURED"),
    (re.compile(r"\d+(\.\d+)?(?= ?(ms|us|µs|s)\b)"), "TIME"),
    (re.compile(r"/dev/pts/\d+|(?<=127\.0\.0\.1:)\d+"), "PORT"),
    (re.compile(r" +|-{3,}|─+"), " "),  # columns as wide as their numbers
)

#: The computer of the page: one adapter, and a port of the mainboard.
PORTS = """
from serial.tools import list_ports, list_ports_common

def comports(include_links=False):
    adapter = list_ports_common.ListPortInfo("/dev/ttyUSB0")
    adapter.vid, adapter.pid, adapter.description = 0x10C4, 0xEA60, "CP2102N USB to UART Bridge Controller"
    return [adapter, list_ports_common.ListPortInfo("/dev/ttyS0")]

list_ports.comports = comports
"""


class ExampleError(Exception):
    """An example did not end, or its shell failed."""


def normal(text: str) -> str:
    """The text with what moves replaced by what it is."""
    for pattern, word in MOVING:
        text = pattern.sub(word, text)
    return text


def commands(block: str) -> list[str]:
    """The commands of an example; one that ends with a backslash goes on in the next line."""
    found = re.findall(r"^\$ ((?:.*\\\n)*.*)$", block, re.MULTILINE)
    if not found:
        raise ExampleError(f"an example without a command: {block!r}")
    return found


def run_block(block: str) -> str:
    """The block with what its commands print now."""
    lines = commands(block)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, _charger() as server:
        folder = Path(name).resolve()
        home = folder / "home"
        output = _run(lines, home, _environment(folder, home, server.path))
        for path, shown in ((home, "/home/you"), (ROOT, "/home/you/esp32evse")):
            output = output.replace(str(path), shown)
    printed = [text.strip("\n") for text in output.split(MARK)[1:]]
    parts = (f"$ {line}\n{text}\n" if text else f"$ {line}\n" for line, text in zip(lines, printed, strict=True))
    return "".join(parts)


def _charger() -> PtyServer:
    charger = Charger(car=Car(plugged=True), epoch=time.time() - CHARGING_S - 42)
    charger.advance_to(CHARGING_S)
    charger.override("EMETERCONSUM", 82)
    charger.override("EMETERTOTCONSUM", 1_234_649)
    return PtyServer(charger, baud_rate=BAUD_RATE)


def _environment(folder: Path, home: Path, port: str) -> dict[str, str]:
    """A computer on which evse-host is installed and finds the charger by EVSE_PORT."""
    programs = folder / "bin"
    for directory in (home, programs):
        directory.mkdir()
    (programs / "sitecustomize.py").write_text(PORTS)
    tool = programs / "evse-host"
    tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m evse_host.cli "$@"\n')
    tool.chmod(0o755)
    return {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT / 'host_tools'}:{programs}",
        "HOME": str(home),
        "EVSE_PORT": port,
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "COLUMNS": "110",
        "TZ": "UTC",
    }


def _run(lines: list[str], home: Path, environment: dict[str, str]) -> str:
    script = "\n".join(f"echo '{MARK}'\n{line}" for line in lines)
    try:
        return shell(script, home, environment, TIMEOUT_S)[1]
    except subprocess.TimeoutExpired:
        raise ExampleError(f"the example did not end within {TIMEOUT_S} s: {lines}") from None


def shell(script: str, home: Path, environment: dict[str, str], timeout: float) -> tuple[int, str]:
    """Runs lines of shell; nothing that they began outlives them. Returns the exit code and what was printed.

    :raises subprocess.TimeoutExpired: they did not end within ``timeout`` seconds
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(
            ["bash", "-c", script], cwd=home, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            status = process.wait(timeout)
        finally:
            _end_group(process.pid)
            process.wait()
        output.seek(0)
        return status, output.read()


def _end_group(group: int) -> None:
    """What the example has left in the background."""
    try:
        os.killpg(group, signal.SIGTERM)
    except ProcessLookupError:
        return


def update(page: str) -> str:
    """The page with every example run again, some at once; one that differs only in what moves stays as it is."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        blocks = pool.map(run_block, BLOCK.findall(page))

    def again(match: re.Match) -> str:
        block = next(blocks)
        return match[0] if normal(block) == normal(match[1]) else f"```console\n{block}```"

    return BLOCK.sub(again, page)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Run the examples of docs/host-tool.md.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing, exit with 1 when an example is not current"
    )
    check = parser.parse_args(arguments).check
    before = PAGE.read_text(encoding="utf-8")
    try:
        after = update(before)
    except ExampleError as error:
        print(f"{PAGE.name}: {error}", file=sys.stderr)
        return 1
    if before == after:
        return 0
    if not check:
        PAGE.write_text(after, encoding="utf-8")
        print(f"wrote {PAGE.name}")
        return 0
    print(
        "".join(difflib.unified_diff(before.splitlines(True), after.splitlines(True), "page", "now")), file=sys.stderr
    )
    print(f"{PAGE.name} is not current: run python -m tools host-docs", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
