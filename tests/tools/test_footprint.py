"""Reading of the linker's map, on a map whose sums are known."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import pytest

from tests.support import programs
from tools.measure import c_library, footprint, rv32

MAP = """\
Discarded input sections

 .text.unused   0x00000000       0x64 obj/src/esphome/components/esp32evse/at_client.cpp.o

Linker script and memory map

 .text.read     0x00010000       0x20 obj/src/esphome/components/esp32evse/at_client.cpp.o
 .text._ZN7esphome9esp32evse9Esp32Evse4loopEv
                0x00010020       0x10 obj/src/esphome/components/esp32evse/esp32evse.cpp.o
 *fill*         0x00010030        0x2
 .text._Z5setupv
                0x00010032       0x40 obj/src/main.cpp.o
 .rodata._ZL14esp32evse_rows
                0x00010080        0x8 obj/src/main.cpp.o
 .rodata.other  0x00010088        0x4 obj/src/main.cpp.o
 .data.counter  0x00020000        0x4 obj/src/esphome/components/esp32evse/esp32evse.cpp.o
 .bss._ZL33esp32evse__esp32evse_id__pstorage
                0x00020010      0x100 obj/src/main.cpp.o
 .bss._ZL24esp32evse__power__pstorage
                0x00020110       0x60 obj/src/main.cpp.o
 .bss.wifi      0x00020170       0x50 obj/src/esphome/components/wifi/wifi.cpp.o
"""
MAIN_CPP = """
static const esp32evse::CommandRow esp32evse_id__rows[] = {
  {"UPTIME", "I", esp32evse::Refresh::POLL},
  {"AUXOUTPUTS\\0AUXOUPUTS", "I", esp32evse::Refresh::ONCE},
};
static const char *const other[] = {"not ours"};
  App.register_component_(esp32evse_id, 7);
  App.register_sensor(power, "Power", 1, 2);
"""


@pytest.fixture
def measured() -> footprint.Footprint:
    return footprint.sum_up("all", rv32.read_map(MAP), MAIN_CPP)


def test_flash_is_the_linked_code_and_the_tables(measured: footprint.Footprint) -> None:
    assert (measured.code, measured.tables) == (0x20 + 0x10 + 4, 8)
    assert measured.flash == 0x3C


def test_ram_of_hub_and_entities_are_apart(measured: footprint.Footprint) -> None:
    assert (measured.ram, measured.entities_ram, measured.entities) == (0x100 + 4, 0x60, 1)


def test_strings_of_the_tables_are_counted_once(measured: footprint.Footprint) -> None:
    assert measured.strings == len("UPTIME") + 1 + len("I") + 1 + len("AUXOUTPUTS") + 1 + len("AUXOUPUTS") + 1


def test_rest_of_the_program_is_told_too(measured: footprint.Footprint) -> None:
    assert (measured.setup, measured.everything) == (0x40, 0x20 + 0x10 + 0x40 + 8 + 4 + 4)


def test_exceeded_budget_is_named(measured: footprint.Footprint) -> None:
    code, ram = footprint.BUDGETS["all"]["code"], footprint.BUDGETS["all"]["ram"]
    assert replace(measured, code=code, ram=ram).exceeded() == []
    assert replace(measured, code=code + 1).exceeded() == [f"all: code {code + 1} B is above the budget of {code} B"]
    assert replace(measured, ram=ram + 1).exceeded() == [f"all: ram {ram + 1} B is above the budget of {ram} B"]


def test_two_hubs_have_every_entity_under_names_of_their_own() -> None:
    one, two = (json.loads(footprint.SUBJECTS[name]) for name in ("all", "two"))
    assert [hub["id"] for hub in two["esp32evse"]] == ["esp32evse_1", "esp32evse_2"]
    first, second = two["sensor"]
    assert first["esp32evse_id"] != second["esp32evse_id"]
    assert first.keys() == second.keys() == one["sensor"][0].keys() | {"esp32evse_id"}
    assert (first["emeter_power"]["name"], second["emeter_power"]["name"]) == ("Power 1", "Power 2")


BEFORE = """\
Linker script and memory map

 .text.strcmp   0x00010000       0x18 /usr/lib/picolibc/libc.a(strcmp.S.o)
"""
AFTER = f"""{BEFORE}
 .text.memcmp   0x00010018       0x26 /usr/lib/picolibc/libc.a(libc_string_memcmp.c.o)
 .text.strftime
                0x00010040      0x400 /usr/lib/picolibc/libc.a(libc_time_strftime.c.o)
 .rodata.names  0x00010440       0x40 /usr/lib/picolibc/libc.a(libc_time_strftime.c.o)
 .bss.zone      0x00020000        0x8 /usr/lib/picolibc/libc.a(libc_time_tzvars.c.o)
 .text.ours     0x00010480        0x8 obj/src/esphome/components/esp32evse/publish.cpp.o
"""


def test_library_counts_what_the_node_has_not_already_and_the_chip_has_not_in_rom(
    measured: footprint.Footprint,
) -> None:
    added = c_library.added(rv32.read_map(BEFORE), rv32.read_map(AFTER))
    assert added == {"libc_time_strftime.c.o": 0x440}
    assert replace(measured, name="other", library=added).exceeded() == [
        "other: brings libc_time_strftime.c.o of the C library, 1088 B"
    ]


def test_component_that_formats_a_time_is_found(tmp_path) -> None:
    """A component of one call, to see that the real linker tells it."""
    programs.require(rv32.COMPILER)
    if not c_library.is_installed():
        pytest.skip(f"{c_library.PACKAGE} is not installed")
    source = tmp_path / "time.cpp"
    source.write_text(
        "#include <ctime>\n"
        "void setup() {}\nvoid loop() {}\n"
        'size_t shown(char *text) { tm time{}; return strftime(text, 20, "%F", &time); }\n'
    )
    compiled = tmp_path / "time.o"
    stubs = tmp_path / "gnu"
    stubs.mkdir()
    (stubs / "stubs-ilp32.h").touch()
    command = [rv32.COMPILER, *rv32.FLAGS.split(), "-isystem", tmp_path, "-c", source, "-o", compiled]
    subprocess.run(command, check=True)
    libraries = [c_library.PICOLIBC / "libc.a", c_library.PICOLIBC / "libm.a"]
    before = rv32.link(tmp_path, "before", [compiled, *libraries])
    after = rv32.link(tmp_path, "after", ["--undefined=_Z5shownPc", compiled, *libraries])
    added = c_library.added(before, after)
    assert added["libc_time_strftime.c.o"] > 500
