"""Running commands of the host tool for tests: started, waited for, ended by their process id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 20.0


class Command:
    """`evse-host ARGUMENTS` in a process of its own, its output read as it comes. A context manager."""

    def __init__(self, *arguments: str, stdin: bool = False) -> None:
        self.out: list[str] = []
        self.err: list[str] = []
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "evse_host.cli", *arguments], text=True, errors="replace",
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT / "host_tools")},
        )  # fmt: skip
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


def run(*arguments: str) -> tuple[int, str, str]:
    """Runs a command to its end: exit code, output, errors."""
    with Command(*arguments) as command:
        code = command.process.wait(WAIT_S)
        for reader in command._readers:
            reader.join(5)
        return code, "\n".join(command.out), "\n".join(command.err)
