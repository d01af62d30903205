"""The component stays within its budgets and free of an ESP32 compiler's warnings."""

from __future__ import annotations

import pytest

from tests.support import compilers
from tools import footprint, warnings


def test_flash_and_ram_are_within_the_budgets(capsys: pytest.CaptureFixture) -> None:
    compilers.require(footprint.COMPILER)
    footprints = footprint.measure_budgeted()
    with capsys.disabled():  # the numbers belong into every test run
        print()
        print("\n".join(map(footprint.report, footprints)))
    assert [line for measured in footprints for line in measured.exceeded()] == []


@pytest.mark.parametrize("config", warnings.default_configs(), ids=lambda path: path.stem)
def test_esp32_compiler_does_not_warn(config) -> None:
    compilers.require(warnings.COMPILER)
    assert "\n".join(warnings.check(config)) == ""
