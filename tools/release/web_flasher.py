"""The page that flashes a ready-made companion from the browser: lays it out, with its manifest, for given binaries.

    python -m tools web-flasher BINARIES OUT --version 0.2.0

BINARIES holds one `<board>.factory.bin` for each file of example_configs/factory, as `esphome compile` makes it; OUT
gets the page, the manifest that ESP Web Tools reads, and the binaries. Refuses what cannot be flashed: a board without
its binary, a binary without an image's first byte, or one for another chip.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/flash/index.html"
IMAGE_MAGIC = 0xE9  # first byte of an image, as Espressif's image format has it
MINIMUM_BYTES = 100_000
VERSION = re.compile(r"\d+\.\d+\.\d+(?:[-.+]\w+)*")


class ReleaseError(Exception):
    """What is wrong with a release; the message names the file."""


@dataclass(frozen=True)
class Board:
    """A file of example_configs/factory; ``chip_id`` and ``offset``, of the image in its binary, are Espressif's."""

    name: str
    chip_family: str
    chip_id: int
    offset: int


BOARDS = (
    Board("esp32", "ESP32", 0x00, 0x1000),
    Board("esp32-c3", "ESP32-C3", 0x05, 0x0),
    Board("esp32-s3", "ESP32-S3", 0x09, 0x0),
)


def manifest(version: str) -> dict:
    """What ESP Web Tools reads. A factory binary begins at address 0 on every chip."""
    if not VERSION.fullmatch(version):
        raise ReleaseError(f"--version must be like 0.2.0, not {version}")
    return {
        "name": "esp32evse companion",
        "version": version,
        "home_assistant_domain": "esphome",
        "new_install_prompt_erase": True,
        "new_install_improv_wait_time": 15,
        "builds": [
            {"chipFamily": board.chip_family, "parts": [{"path": f"{board.name}.factory.bin", "offset": 0}]}
            for board in BOARDS
        ],
    }


def check(board: Board, binary: Path) -> None:
    if not binary.is_file():
        raise ReleaseError(f"{binary} is missing: esphome compile example_configs/factory/{board.name}.yaml makes it")
    content = binary.read_bytes()
    if len(content) < MINIMUM_BYTES:
        raise ReleaseError(f"{binary} has {len(content)} bytes, a whole firmware at least {MINIMUM_BYTES}")
    header = content[board.offset : board.offset + 14]
    if header[0] != IMAGE_MAGIC:
        raise ReleaseError(f"{binary} has no image at {board.offset:#x}: it must be the factory binary")
    if (chip_id := int.from_bytes(header[12:14], "little")) != board.chip_id:
        raise ReleaseError(f"{binary} is for chip {chip_id:#x}, not for an {board.chip_family} ({board.chip_id:#x})")


def lay_out(binaries: Path, out: Path, version: str) -> None:
    """Checks all binaries first, then writes; raises ReleaseError."""
    content = manifest(version)
    for board in BOARDS:
        check(board, binaries / f"{board.name}.factory.bin")
    out.mkdir(parents=True, exist_ok=True)
    for board in BOARDS:
        shutil.copy(binaries / f"{board.name}.factory.bin", out)
    shutil.copy(PAGE, out / "index.html")
    (out / "manifest.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description="Lay out the page that flashes a companion from the browser.")
    parser.add_argument("binaries", type=Path, help="folder with <board>.factory.bin of every board")
    parser.add_argument("out", type=Path, help="folder that gets page, manifest and binaries")
    parser.add_argument("--version", required=True, help="the release, such as 0.2.0")
    arguments = parser.parse_args()
    try:
        lay_out(arguments.binaries, arguments.out, arguments.version)
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{arguments.out}: page, manifest and {len(BOARDS)} binaries of {arguments.version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
