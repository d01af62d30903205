"""What the component brings of the C library into a node's flash: it may need nothing that a node has not already.

Two small programs are linked with picolibc, as 32-bit RISC-V code: ESPHome's core with the logger and the UART, and the
same with the component. One call of strftime, for instance, costs more than twice the whole component.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from evse_host import catalog
from tools.build import node
from tools.measure import rv32

PICOLIBC = Path("/usr/lib/picolibc/riscv64-unknown-elf/lib/rv32imac/ilp32")
PACKAGE = "picolibc-riscv64-unknown-elf"
#: Not counted: the entrance to printf, of which the logger has the large part, and what an ESP32 has in its ROM.
FREE = ("snprintf", "memcmp", "strchr", "strncmp")

BASE = json.dumps(
    {
        "esphome": {"name": "footprint"},
        "host": {},
        "logger": {},
        "uart": {"port": "/tmp/evse", "baud_rate": catalog.BAUD_RATE, "rx_buffer_size": 1024},
    },
    indent=1,
)


def is_installed() -> bool:
    return PICOLIBC.is_dir()


def measure(subject: rv32.Objects) -> dict[str, int]:
    """Bytes of flash by the library's part, of what the component in ``subject`` adds. Raises node.BuildError."""
    if not is_installed():
        raise node.BuildError(f"{PICOLIBC} is missing: sudo apt-get install {PACKAGE}")
    base = rv32.compile_node(node.write_config("footprint-base", BASE))
    small = [path for path in base.files if not _is_of_this_computer(path)]
    component = [path for path in subject.files if "/components/esp32evse/" in path]
    libraries = [PICOLIBC / "libc.a", PICOLIBC / "libm.a"]
    before = rv32.link(base.directory, "small", [*small, *libraries])
    after = rv32.link(subject.directory, "small", [*_roots(subject), *small, *component, *libraries])
    return added(before, after)


def added(before: list[rv32.Section], after: list[rv32.Section]) -> dict[str, int]:
    """The library's parts, and their bytes, that ``after`` has and ``before`` has not."""
    had = _parts(before)
    return {part: size for part, size in _parts(after).items() if part not in had and _function(part) not in FREE}


def _parts(sections: list[rv32.Section]) -> dict[str, int]:
    parts: dict[str, int] = {}
    for section in sections:
        if section.size and section.among(rv32.FLASH) and (member := re.search(r"\.a\((.*)\)$", section.object)):
            parts[member[1]] = parts.get(member[1], 0) + section.size
    return parts


def _function(part: str) -> str:
    """libc_string_memcmp.c.o is memcmp's."""
    return part.partition(".")[0].rpartition("_")[2]


def _is_of_this_computer(path: str) -> bool:
    """A chip has others in their place."""
    return path.endswith("_host.cpp.o") or "/components/host/" in path


def _roots(subject: rv32.Objects) -> list[str]:
    """What the generated code uses of the component, as options of the linker."""
    (main,) = (path for path in subject.files if path.endswith("/main.cpp.o"))
    listing = subprocess.run(["riscv64-linux-gnu-nm", "-u", main], capture_output=True, text=True, check=True).stdout
    return [f"--undefined={symbol}" for symbol in listing.split() if "esp32evse" in symbol]
