"""What tests compile of the present sources, anew only when these have changed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

KEPT_BUILDS = 4
DONE = "done"


def build(folder: Path, sources: Iterable[Path], words: object, make: Callable[[Path], None]) -> Path:
    """The directory below ``folder`` that ``make(directory)`` has filled from ``sources`` and ``words``, such as flags.

    What ``make`` raises goes on. The newest few builds are kept: those of other branches, or of broken components.
    """
    directory = folder / _digest(sources, words)
    directory.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / DONE).is_file():
            make(directory)
            (directory / DONE).touch()
        os.utime(directory)
        for old in sorted(folder.glob("*/"), key=lambda path: path.stat().st_mtime)[:-KEPT_BUILDS]:
            shutil.rmtree(old)
    return directory


def _digest(sources: Iterable[Path], words: object) -> str:
    digest = hashlib.sha256(repr(words).encode())
    for path in sources:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
