"""The component's pure C++ parts as a program, see harness.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.native.harness import Program


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    """A running program, compiled at most once; the test fails if a sanitizer stopped it."""
    with Program() as running:
        yield running
