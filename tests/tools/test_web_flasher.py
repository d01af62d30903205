"""The page that flashes a companion: only what can be flashed is laid out."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.examples import configs
from tools.release import web_flasher
from tools.release.web_flasher import BOARDS, ReleaseError, lay_out

FACTORY = configs.EXAMPLES / "factory"


def binary(board: web_flasher.Board, chip_id: int | None = None) -> bytes:
    """A factory binary as Espressif's format has it: nothing up to the image, then its header."""
    header = bytes([0xE9, 4, 2, 0x20, *bytes(8)]) + (board.chip_id if chip_id is None else chip_id).to_bytes(
        2, "little"
    )
    return (bytes([0xFF]) * board.offset + header).ljust(200_000, b"\0")


@pytest.fixture
def binaries(tmp_path: Path) -> Path:
    folder = tmp_path / "binaries"
    folder.mkdir()
    for board in BOARDS:
        (folder / f"{board.name}.factory.bin").write_bytes(binary(board))
    return folder


def test_every_factory_file_is_a_board() -> None:
    assert {path.stem for path in FACTORY.glob("*.yaml")} - {"common"} == {board.name for board in BOARDS}


def test_the_flasher_has_page_manifest_and_binaries(binaries: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    lay_out(binaries, out, "0.2.0")
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["version"] == "0.2.0"
    assert [build["chipFamily"] for build in manifest["builds"]] == ["ESP32", "ESP32-C3", "ESP32-S3"]
    for build in manifest["builds"]:
        for part in build["parts"]:
            assert part["offset"] == 0
            assert (out / part["path"]).stat().st_size == 200_000
    assert 'manifest="manifest.json"' in (out / "index.html").read_text()


def spoil_missing(path: Path, board: web_flasher.Board) -> None:
    path.unlink()


def spoil_short(path: Path, board: web_flasher.Board) -> None:
    path.write_bytes(binary(board)[:5000])


def spoil_image(path: Path, board: web_flasher.Board) -> None:
    path.write_bytes(bytes(200_000))


def spoil_chip(path: Path, board: web_flasher.Board) -> None:
    path.write_bytes(binary(board, chip_id=0x0D))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(spoil_missing, "is missing"), (spoil_short, "bytes"), (spoil_image, "no image"), (spoil_chip, "is for chip 0xd")],
)
@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_what_cannot_be_flashed_is_refused(binaries: Path, tmp_path: Path, board, spoil, words: str) -> None:
    spoil(binaries / f"{board.name}.factory.bin", board)
    with pytest.raises(ReleaseError, match=words):
        lay_out(binaries, tmp_path / "out", "0.2.0")
    assert not (tmp_path / "out").exists(), "nothing is written"


@pytest.mark.parametrize("version", ["", "v0.2.0", "0.2", "latest"])
def test_a_version_that_is_none_is_refused(version: str) -> None:
    with pytest.raises(ReleaseError, match="must be like"):
        web_flasher.manifest(version)


def test_every_place_says_the_same_version() -> None:
    project = tomllib.loads((configs.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert configs.load((FACTORY / "common.yaml").read_text(encoding="utf-8"))["substitutions"]["version"] == project
    node = configs.load((configs.EXAMPLES / "packages/secured-node.yaml").read_text(encoding="utf-8"))
    assert node["esphome"]["project"]["version"] == project
    assert f"## [{project}]" in (configs.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_pins_of_page_and_docs_are_those_of_the_firmware() -> None:
    for board in BOARDS:
        pins = configs.load((FACTORY / f"{board.name}.yaml").read_text(encoding="utf-8"))["substitutions"]
        row = f"<td>{pins['tx_pin']}</td><td>{pins['rx_pin']}</td>"
        assert row in web_flasher.PAGE.read_text(encoding="utf-8")
        assert f"{pins['tx_pin']} | {pins['rx_pin']} |" in (configs.ROOT / "docs/flashing.md").read_text(
            encoding="utf-8"
        )


@pytest.mark.parametrize(
    "workflow", sorted((configs.ROOT / ".github/workflows").glob("*.yml")), ids=lambda path: path.stem
)
def test_each_workflow_is_yaml(workflow: Path) -> None:
    assert set(yaml.safe_load(workflow.read_text(encoding="utf-8"))) >= {"name", "jobs"}
