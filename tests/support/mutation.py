"""A place at which the C++ is broken on purpose. The lists lie beside the tests that must notice: `mutations.py`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COMPONENTS = Path(__file__).resolve().parents[2] / "components"


class MisfitError(Exception):
    """The mutation does not fit the code any more."""


@dataclass(frozen=True)
class Mutation:
    """`old`, which stands exactly once in `file`, becomes `new`."""

    what: str
    file: str
    old: str
    new: str


@contextmanager
def broken(component: str, mutation: Mutation | None) -> Iterator[Path]:
    """A folder with a copy of ``component`` that has the mutation, or none. Raises MisfitError."""
    with tempfile.TemporaryDirectory(prefix="evse-mutation-") as folder:
        copy = Path(shutil.copytree(COMPONENTS / component, Path(folder, component)))
        if mutation:
            path = copy / mutation.file
            text = path.read_text()
            if text.count(mutation.old) != 1 or mutation.new == mutation.old:
                raise MisfitError(f"does not fit the code any more: {text.count(mutation.old)} times {mutation.old!r}")
            path.write_text(text.replace(mutation.old, mutation.new))
        yield Path(folder)
