"""Host nodes compiled and linked as 32-bit RISC-V code, the ESP32-C3's instruction set, and what a linker map says.

Debian's cross compiler makes the objects; they are linked without what nobody calls. That comes within about 2 % of the
flash and exactly to the RAM of a real ESP32-C3 image.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tools.build import node

COMPILER = "riscv64-linux-gnu-g++"
FLAGS = (
    "-march=rv32imac_zicsr_zifencei -mabi=ilp32 -fno-pic -Os -ffunction-sections -fdata-sections -fno-rtti -w "
    "-fno-threadsafe-statics -fno-asynchronous-unwind-tables -fno-jump-tables -fno-tree-switch-conversion "
    "-DSYS_futex=422"  # 32-bit RISC-V has only the futex with 64-bit time
)
LINKER = (
    "riscv64-linux-gnu-ld", "-m", "elf32lriscv", "--gc-sections", "--defsym=__dso_handle=0", "-e", "_Z5setupv",
    "-u", "_Z4loopv", "--unresolved-symbols=ignore-all", "--no-warn-rwx-segments",
)  # fmt: skip
FLASH = (".text", ".rodata", ".srodata", ".data", ".sdata")
RAM = (".data", ".sdata", ".bss", ".sbss")


@dataclass(frozen=True)
class Section:
    """A section of an object file that is in the linked program; ``size`` in bytes."""

    name: str
    object: str
    size: int

    def among(self, kinds: tuple[str, ...]) -> bool:
        return self.name.startswith(kinds)

    @property
    def in_component(self) -> bool:
        return "/components/esp32evse/" in self.object

    @property
    def made_for_component(self) -> bool:
        """A table or an object of the component in the generated main.cpp."""
        return self.object.endswith("/main.cpp.o") and "esp32evse" in self.name


@dataclass(frozen=True)
class Objects:
    """A node's object files, and the main.cpp that ESPHome has generated for it."""

    directory: Path
    files: tuple[str, ...]
    main_cpp: str


def compile_node(yaml: Path) -> Objects:
    """Raises node.BuildError."""
    node.need_compiler(COMPILER, "g++-riscv64-linux-gnu")
    with node.locked(yaml) as directory:
        sources = node.generate(yaml, directory)
        stubs = sources.directory / "rv32/include"
        # glibc's headers ask for a list of missing functions for each ABI; Debian has none for this one.
        node.write_if_changed(stubs / "gnu/stubs-ilp32.h", "")
        out = node.compile_sources(sources, "rv32", COMPILER, f"{FLAGS} -isystem {stubs}")
        main_cpp = (sources.build_path / "src/main.cpp").read_text()
    return Objects(out, tuple(sorted(str(path) for path in out.rglob("*.o"))), main_cpp)


def link(directory: Path, name: str, files: Iterable[object]) -> list[Section]:
    """Link objects and libraries to ``directory/name``; returns what is in it. Raises node.BuildError."""
    map_file = directory / f"{name}.map"
    command = [*LINKER, "-Map", str(map_file), "-o", str(directory / name), *map(str, files)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise node.BuildError(result.stderr)
    return read_map(map_file.read_text())


def read_map(map_text: str) -> list[Section]:
    """The sections of a linker map; a long name stands alone on the line before its size."""
    sections = []
    name = ""
    memory_map = map_text.partition("Linker script and memory map")[2]
    for line in memory_map.splitlines():
        match = re.match(r"^ (\.\S+)?(?:\s+0x[0-9a-f]+\s+0x([0-9a-f]+) (\S+\.o\)?))?$", line)
        if not match:
            continue
        name = match[1] or name
        if match[3]:
            sections.append(Section(name, match[3], int(match[2], 16)))
    return sections
