"""Programs with children of their own, such as pytest: who interrupts us interrupts them all, and they may tidy up."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def _interruptions_waiting() -> Iterator[list[int]]:
    """For the main thread: who is interrupted while a child starts would not know that it has one."""
    waiting: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: waiting.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield waiting
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def run(command: list, **options: Any) -> subprocess.CompletedProcess:
    """As subprocess.run, which kills its child at once and leaves the child's children alone."""
    options.setdefault("stdin", subprocess.DEVNULL)  # it is in the background of a terminal
    with _interruptions_waiting() as waiting:
        process = subprocess.Popen(list(map(str, command)), process_group=0, **options)
    with process:
        try:
            for number in waiting:
                signal.raise_signal(number)
            output, errors = process.communicate()
        except BaseException:
            for patience_s in (60, None):  # a shell that forks at this moment loses the first one
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=patience_s)  # what it says at its end must not hold it up
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)
