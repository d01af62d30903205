"""Compiles the components as for an ESP32, with -Wall -Wextra -Werror, on a machine without an ESP32 toolchain.

    python -m tools esp32-warnings [CONFIG.yaml ...]      exits with 1 when the compiler complains

No host compiler warns of what an ESP32's does: there uint32_t is unsigned long, char is unsigned and time_t has 64
bits, as with Debian's arm-none-eabi-g++. tools/build/esp32_stubs has the few ESP-IDF headers that ESPHome's core
includes.
Only our files are held to the warnings: ESPHome's headers count as the system's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from evse_host import catalog
from tools.build import node
from tools.measure import footprint, manager_footprint

COMPONENTS = ("esp32evse", "esp32evse_load_manager")
STUBS = node.ROOT / "tools/build/esp32_stubs"
COMPILER = "arm-none-eabi-g++"
FLAGS = (
    "-mcpu=cortex-m0plus", "-mthumb", "-std=gnu++20", "-Os", "-fno-exceptions",
    "-DUSE_ESP32", "-DUSE_ESP32_FRAMEWORK_ESP_IDF", "-DUSE_ESP32_VARIANT_ESP32C3", "-DUSE_ESP_IDF", "-D_GNU_SOURCE",
    "-DESPHOME_LOG_LEVEL=ESPHOME_LOG_LEVEL_VERY_VERBOSE",  # every log line is compiled, and its format checked
    "-Wall", "-Wextra", "-Werror",
)  # fmt: skip
#: What every source includes by itself; compiled once for all of them.
COMMON = "".join(f'#include "esphome/core/{name}.h"\n' for name in ("component", "helpers", "log"))

CLOCK = {
    "wifi": {"ssid": "warnings", "password": "warnings"},
    "time": [{"platform": "sntp", "id": "node_time"}],
    "esp32evse": {"time_id": "node_time", "keep_settings": True},
}


def config(rows: tuple[catalog.Entity, ...], options: dict | None = None) -> str:
    """An ESP32 node with these entities and further ``options``."""
    board = {
        "esp32": {"board": "esp32-c3-devkitm-1", "framework": {"type": "esp-idf"}},
        "uart": {"tx_pin": "GPIO4", "rx_pin": "GPIO5", "baud_rate": catalog.BAUD_RATE, "rx_buffer_size": 1024},
    }
    host = json.loads(footprint.config(rows))
    keys = {**host, **board, **(options or {})}
    return json.dumps({key: value for key, value in keys.items() if key not in ("host", "api")}, indent=1)


def manager_config(name: str) -> str:
    """An ESP32 node with one of the load manager's subjects."""
    keys = json.loads(manager_footprint.config(manager_footprint.SUBJECTS[name]))
    keys["time"] = [{"platform": "sntp", "id": "node_clock"}]
    own = ("sensor", "binary_sensor", "time", "esp32evse_load_manager")
    wifi = {"wifi": CLOCK["wifi"]}
    return config((), {key: keys[key] for key in own} | wifi)


def default_configs() -> list[Path]:
    """Everything there is, nothing, and each platform alone, whose code must not need another platform."""
    texts = {"all": config(catalog.ENTITIES, CLOCK), "none": config(())}
    texts |= {platform: config(catalog.entities(platform)) for platform in catalog.PLATFORMS}
    texts |= {f"manager-{name}": manager_config(name) for name in manager_footprint.SUBJECTS}
    return [node.write_config(f"warnings-{name}", text) for name, text in texts.items()]


def check(yaml: Path) -> list[str]:
    """What the compiler says about each of our files as part of ``yaml``, an ESP32 node; empty if it is content."""
    node.need_compiler(COMPILER, "gcc-arm-none-eabi libnewlib-dev libstdc++-arm-none-eabi-newlib")
    with node.locked(yaml) as directory:
        sources = node.generate(yaml, directory)
        ours = _our_tree(directory / "warnings", sources.build_path / "src")
        includes = ("-I", ours, "-isystem", sources.build_path / "src", "-isystem", STUBS)
        common = directory / "common.h"
        node.write_if_changed(common, COMMON)
        if complaint := _compile(*includes, "-x", "c++-header", common, "-o", directory / "common.h.gch"):
            return [complaint]
        check_only = (*includes, "-include", common, "-fsyntax-only")
        return [text for source in sorted(ours.rglob("*.cpp")) if (text := _compile(*check_only, source))]


def _our_tree(directory: Path, sources: Path) -> Path:
    """A directory with the node's files of ours as `esphome/components/...`, and a source that includes all headers."""
    headers = []
    for name in COMPONENTS:
        target = directory / "esphome/components" / name
        target.mkdir(parents=True, exist_ok=True)
        for old in target.iterdir():
            old.unlink()
        if not (sources / "esphome/components" / name).is_dir():
            continue  # not in this node
        component = node.ROOT / "components" / name
        for path in component.glob("*.[ch]*"):
            (target / path.name).symlink_to(path)
        headers += [f'#include "esphome/components/{name}/{path.name}"' for path in sorted(component.glob("*.h"))]
    (directory / "headers.cpp").write_text("\n".join(headers) + "\n")
    return directory


def _compile(*options: str | Path) -> str:
    command = [COMPILER, *FLAGS, *options]
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    return result.stderr if result.returncode else ""


def main() -> int:
    parser = argparse.ArgumentParser(description="Compile the component as for an ESP32 with all warnings as errors.")
    parser.add_argument(
        "configs", type=Path, nargs="*", help="esp32 configurations; default: all entities, none, each platform"
    )
    configs = parser.parse_args().configs or default_configs()
    try:
        complaints = [f"{path.stem}:\n{text}" for path in configs for text in check(path)]
    except node.BuildError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(complaints) or "no warnings")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
