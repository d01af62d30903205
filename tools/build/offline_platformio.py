"""Stand-ins for the two packages that ESPHome's `host` platform takes from PlatformIO's registry.

ESPHome before 2026.10 builds a host node with PlatformIO, which downloads `platform-native` and `tool-scons` first. A
host node needs neither: the compiler is the machine's own and SCons comes from PyPI. With these stand-ins in its core
directory PlatformIO finds both installed and asks no network.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from esphome import const

# PlatformIO runs this with SCons. Only what a host node uses: build a program from all sources.
BUILDER = """\
import os
import shutil

from SCons.Script import AlwaysBuild, Default, DefaultEnvironment

env = DefaultEnvironment()
ccache = "ccache " if shutil.which("ccache") else ""
cxx = os.environ.get("CXX", "g++")
env.Replace(CC=ccache + os.environ.get("CC", "gcc"), CXX=ccache + cxx, LINK=cxx)
program = env.BuildProgram()
AlwaysBuild(env.Alias("nobuild", program))
Default([program])
"""

SCONS = """\
import sys

sys.dont_write_bytecode = True
from SCons.Script import main

main()
"""

NEVER = 4102444800  # the year 2100: no update checks


def needed(version: str = const.__version__) -> bool:
    """Whether this ESPHome builds host nodes with PlatformIO; 2026.10 and later do without."""
    year, month = map(int, re.match(r"(\d+)\.(\d+)", version).groups())
    return (year, month) < (2026, 10)


def install(core_dir: Path) -> None:
    """Lay out the stand-ins in PlatformIO's ``core_dir``; does nothing where they are already or not needed."""
    if not needed():
        return
    from platformio.dependencies import get_core_dependencies

    scons_version = get_core_dependencies()["tool-scons"].lstrip("~^=<>")
    native = core_dir / "platforms/native"
    scons = core_dir / "packages/tool-scons"
    _package(native, "platform", "1.2.1", {"frameworks": {}, "packages": {}})
    _write(native / "builder/main.py", BUILDER)
    _package(scons, "tool", scons_version, {"system": "*"})
    _write(scons / "scons.py", SCONS)
    # ESPHome 2026.7 to 2026.9 clear packages without this mark of the Python that they were installed for.
    python = {"schema_version": "0", "python_version": f"{sys.version_info.major}.{sys.version_info.minor}"}
    _write(core_dir / ".esphome.pio.stamp.json", json.dumps(python))
    state = {
        "settings": {"enable_telemetry": False, "check_platformio_interval": 36500},
        "last_check": {"platformio_upgrade": NEVER, "prune_system": NEVER},
    }
    if not (core_dir / "appstate.json").is_file():  # PlatformIO rewrites it
        _write(core_dir / "appstate.json", json.dumps(state))


def _package(directory: Path, kind: str, version: str, extra: dict) -> None:
    """The manifest and the mark of an installed package; the directory has the package's name."""
    name = directory.name
    manifest = "platform.json" if kind == "platform" else "package.json"
    description = {"name": name, "version": version, "title": name, "description": "offline stand-in", **extra}
    spec = {"owner": "platformio", "id": None, "name": name, "requirements": None, "uri": None}
    _write(directory / manifest, json.dumps(description))
    _write(directory / ".piopm", json.dumps({"type": kind, "name": name, "version": version, "spec": spec}))


def _write(path: Path, text: str) -> None:
    if path.is_file() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
