"""Programs with children of their own, such as pytest: who interrupts us interrupts them all, and they may tidy up."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import Any


def run(command: list, **options: Any) -> subprocess.CompletedProcess:
    """As subprocess.run, which kills its child at once and leaves the child's children alone."""
    options.setdefault("stdin", subprocess.DEVNULL)  # it is in the background of a terminal
    with subprocess.Popen(list(map(str, command)), process_group=0, **options) as process:
        try:
            output, errors = process.communicate()
        except BaseException:
            for patience_s in (60, None):  # a shell that forks at this moment loses the first one
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=patience_s)  # what it says at its end must not hold it up
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)
