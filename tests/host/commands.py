"""The installed command `evse-host` as a person runs it: to its end (``run``) or in the background (``Command``)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tools.build.node import MORTAL

COMMAND = Path(sys.executable).with_name("evse-host")
TIMEOUT_S = 120
WAIT_S = 60.0


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def environment(**more: str) -> dict[str, str]:
    """Without what the person who runs the tests may have set."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("EVSE_")}
    return clean | {"PYTHONUTF8": "1", "COLUMNS": "100"} | more


def run(*arguments: str, **options) -> Ran:
    """Runs `evse-host` to its end; never a traceback."""
    options.setdefault("env", environment())
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, **options)
    assert "Traceback" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


def start(*arguments: str, **options) -> subprocess.Popen:
    """Starts `evse-host` with its outputs in pipes; use it in a ``with``."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([*MORTAL, COMMAND, *arguments], text=True, errors="replace", env=environment(), **streams)


class Command:
    """`evse-host ARGUMENTS` in the background, its output read as it comes. A context manager."""

    def __init__(self, *arguments: str, stdin: bool = False) -> None:
        self.out: list[str] = []
        self.err: list[str] = []
        self._changed = threading.Condition()
        self.process = start(*arguments, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL)
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream, lines: list[str]) -> None:
        for line in stream:
            with self._changed:
                lines.append(line.rstrip("\n"))
                self._changed.notify_all()

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def order(self, text: str) -> None:
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def wait_for(self, text: str, err: bool = False) -> str:
        """The first line with ``text``; TimeoutError without one."""
        lines, deadline = self.err if err else self.out, time.monotonic() + WAIT_S
        with self._changed:
            while not (found := [line for line in lines if text in line]):
                if time.monotonic() >= deadline:
                    raise TimeoutError(f"no {text!r} in {self.out[-20:]} and {self.err[-20:]}")
                self._changed.wait(0.1)
        return found[0]

    def end(self, signal_: int = signal.SIGINT) -> int:
        """The exit code after a signal; negative if the signal killed it."""
        self.process.send_signal(signal_)
        code = self.process.wait(WAIT_S)
        for reader in self._readers:
            reader.join(5)
        return code
