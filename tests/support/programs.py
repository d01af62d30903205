"""Programs that not every machine has; tools/debian-packages.txt names their packages."""

from __future__ import annotations

import os
import shutil

import pytest


def find(*programs: str) -> str | None:
    """The path of the first of ``programs`` that is there."""
    return next(filter(None, map(shutil.which, programs)), None)


def require(*programs: str) -> str:
    """The path of the first of ``programs`` that is there. Without any the test is skipped; in CI it fails, because
    `make test` has installed them."""
    if path := find(*programs):
        return path
    refuse = pytest.fail if os.environ.get("CI") else pytest.skip
    raise refuse.Exception(f"{programs[0]} is missing, see tools/debian-packages.txt")
