"""Every board's code can be generated; CI on a machine with internet compiles it for real."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.build import node

BOARDS = sorted(path for path in Path(__file__).parent.glob("*.yaml") if path.name != "common.yaml")


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.stem)
def test_code_for_the_board_is_generated(board: Path) -> None:
    with node.locked(board) as directory:
        sources = node.generate(board, directory)
    main_cpp = (sources.build_path / "src/main.cpp").read_text()
    assert "esp32evse::Esp32Evse" in main_cpp
    assert (sources.build_path / "src/esphome/components/esp32evse/esp32evse.cpp").is_file()
