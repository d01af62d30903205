"""`esphome compile --only-generate`, and a note of what a build of the generated sources must know.

    python -m tools generate CONFIG.yaml NOTE.json

A process of its own, because ESPHome keeps its state in globals. The note holds the node's name, the build directory
and the compiler flags, which ESPHome writes to a different place with each of its build systems.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from esphome.__main__ import run_esphome
from esphome.core import CORE


def main(config: str, note: str) -> int:
    status = run_esphome(["esphome", "compile", "--only-generate", config])
    if status:
        return status
    facts = {"name": CORE.name, "build_path": str(CORE.build_path), "flags": sorted(CORE.build_flags)}
    Path(note).write_text(json.dumps(facts, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
