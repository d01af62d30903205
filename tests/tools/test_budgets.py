"""The component stays within its budgets and free of an ESP32 compiler's esp32_warnings."""

from __future__ import annotations

import pytest

from tests.support import programs
from tools.build import esp32_warnings
from tools.measure import footprint, manager_footprint, rv32


def test_flash_and_ram_are_within_the_budgets(capsys: pytest.CaptureFixture) -> None:
    programs.require(rv32.COMPILER)
    footprints = footprint.measure_subjects(footprint.BUDGETS)
    with capsys.disabled():  # the numbers belong into every test run
        print()
        print("\n".join(map(footprint.report, footprints)))
    assert [line for measured in footprints for line in measured.exceeded()] == []


@pytest.mark.parametrize("name", manager_footprint.BUDGETS)
def test_the_load_manager_is_within_its_budgets(name: str) -> None:
    programs.require(rv32.COMPILER)
    assert manager_footprint.measure(name).exceeded() == []


@pytest.mark.parametrize("config", esp32_warnings.default_configs(), ids=lambda path: path.stem)
def test_esp32_compiler_does_not_warn(config) -> None:
    programs.require(esp32_warnings.COMPILER)
    assert "\n".join(esp32_warnings.check(config)) == ""
