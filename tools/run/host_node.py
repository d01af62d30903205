"""A host node at work: its process, and a client of its ESPHome API with a synchronous face.

    with Node(program, uart="/tmp/evse-demo", directory=tmp_path) as node:
        node.command("Charging current", 10)
        node.wait_for("Charging current", 10)

The program must be built with tools/run/runtime.yaml, which lets it take its API port and its serial port from the
environment. Times are in seconds; nothing here waits without a limit.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from tools.run.api import WAIT_TIMEOUT, Change, Client, NodeError

ORDERLY_EXIT = (0, -signal.SIGTERM)


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class HostProcess:
    """A running node program; ``directory`` is its home, with its preferences and its log."""

    def __init__(self, program: Path, uart: str | Path, directory: Path, api_port: int = 0) -> None:
        self.program = program
        self.uart = str(uart)
        self.directory = directory
        self.api_port = api_port or free_port()
        self.log: list[str] = []
        self._lines = threading.Condition()
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        settings = {
            "HOME": str(self.directory),
            "ESPHOME_PREFDIR": str(self.directory / ".esphome/prefs"),
            "EVSE_API_PORT": str(self.api_port),
            "EVSE_UART": self.uart,
            "EVSE_ENDS_WITH_PARENT": "1",
            "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=1",  # ESPHome frees nothing at its end
            "UBSAN_OPTIONS": "print_stacktrace=1",
        }
        self._process = subprocess.Popen(
            [str(self.program)], env={**os.environ, **settings}, cwd=self.directory, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            restore_signals=False,  # a client that is gone must not end the node: Python ignores SIGPIPE
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read_log, args=(self._process,), daemon=True)
        self._reader.start()

    def stop(self) -> None:
        """End the process if it runs."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)

    @property
    def exit_code(self) -> int | None:
        """Negative for the signal that ended the process; None while it runs."""
        return self._process.poll()

    def wait(self) -> int:
        """Wait for the process to end by itself."""
        return self._process.wait()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def cpu_s(self) -> float:
        """The processor's time that the running process has taken, whatever else the computer does."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait_for_log(self, pattern: str, timeout: float = WAIT_TIMEOUT, start: int = 0) -> str:
        """The first log line from line ``start`` on that ``pattern`` is found in; raises TimeoutError without one."""
        deadline = time.monotonic() + timeout
        with self._lines:
            while True:
                for line in self.log[start:]:
                    if re.search(pattern, line):
                        return line
                start = len(self.log)
                if not self._lines.wait(max(0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    raise TimeoutError(f"no log line like {pattern!r} within {timeout} s; {self.log_tail()}")

    def log_tail(self, count: int = 15) -> str:
        return "log ends with:\n  " + "\n  ".join(self.log[-count:])

    def _read_log(self, process: subprocess.Popen) -> None:
        with (self.directory / "node.log").open("a") as file:
            for line in process.stdout:
                text = re.sub(r"\x1b\[[0-9;]*m", "", line.rstrip("\n"))
                file.write(text + "\n")
                with self._lines:
                    self.log.append(text)
                    self._lines.notify_all()
        with self._lines:
            self._lines.notify_all()


class ApiClient(Client):
    """A client in real time, callable from any thread; times are of time.monotonic()."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        super().__init__(port, host)
        self._arrived = threading.Condition()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    @property
    def time(self) -> float:
        return time.monotonic()

    def wait_until(self, condition: Callable[[], bool], timeout: float = WAIT_TIMEOUT) -> bool:
        with self._arrived:
            return self._arrived.wait_for(condition, timeout)

    def close(self) -> None:
        if self._loop.is_closed():
            return
        self.disconnect()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _take(self, change: Change) -> None:
        with self._arrived:
            super()._take(change)
            self._arrived.notify_all()

    def _call(self, coroutine: Coroutine, timeout: float) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)


class Node(ApiClient):
    """A running node and a client that is connected to it."""

    def __init__(self, program: Path, uart: str | Path, directory: Path, api_port: int = 0) -> None:
        self.process = HostProcess(program, uart, directory, api_port)
        super().__init__(self.process.api_port)

    def __enter__(self) -> Node:
        self.process.start()
        try:
            self.connect()
        except NodeError as error:
            self.close()
            raise NodeError(f"{error}; {self.process.log_tail()}") from None
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, error_type: object, *_: object) -> None:
        died = not self.process.running
        self.close()
        if error_type is None and (died or self.process.exit_code not in ORDERLY_EXIT):
            raise NodeError(f"the node stopped with code {self.process.exit_code}; {self.process.log_tail(60)}")

    def close(self) -> None:
        try:
            super().close()
        finally:
            self.process.stop()

    @property
    def log(self) -> list[str]:
        return self.process.log

    def wait_for(self, reference: Any, wanted: Any, timeout: float = WAIT_TIMEOUT) -> Any:
        try:
            return super().wait_for(reference, wanted, timeout)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {self.process.log_tail()}") from None

    def wait_for_log(self, pattern: str, timeout: float = WAIT_TIMEOUT, start: int = 0) -> str:
        return self.process.wait_for_log(pattern, timeout, start)
