"""The places at which the code is broken on purpose are still there; `python -m tools mutations` breaks them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools.soak import mutations


@pytest.mark.parametrize("component", [component for component, _ in mutations.LISTS.values()])
def test_each_mutation_fits_the_code(component: str, tmp_path: Path) -> None:
    source = mutations.COMPONENTS / component
    for mutation in mutations.read(component):
        shutil.copy2(source / mutation.file, tmp_path)
        mutation.apply(tmp_path)
