"""Programs that not every machine has; tools/debian-packages.txt names their packages."""

from __future__ import annotations

import os
import shutil

import pytest


def require(*programs: str) -> str:
    """The path of the first of ``programs`` that is there. Without any the test is skipped; in CI it fails, because
    `make test` has installed them."""
    for program in programs:
        if path := shutil.which(program):
            return path
    refuse = pytest.fail if os.environ.get("CI") else pytest.skip
    raise refuse.Exception(f"{programs[0]} is missing, see tools/debian-packages.txt")
