"""Tests that need a compiler that not every machine has."""

from __future__ import annotations

import os
import shutil

import pytest


def require(program: str) -> None:
    """Skip the test without ``program``; fail it in CI, where tools/debian-packages.txt is installed."""
    if shutil.which(program) is None:
        refuse = pytest.fail if os.environ.get("CI") else pytest.skip
        refuse(f"{program} is missing, see tools/debian-packages.txt")
