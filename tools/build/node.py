"""Builds ESPHome nodes for this computer (`host:` platform), offline and incrementally.

    python -m tools node CONFIG.yaml [--variant plain|esphome|sanitized|m32]     prints the path of the program

`esphome` is what `esphome compile` makes. The other variants compile the same generated sources by ourselves, in a
fraction of the time: what nearly every source includes is compiled once before (a precompiled header), and of ESPHome's
own sources many at once (a unity build).
Everything lies under .cache/nodes/, one directory for each configuration file, locked while it is built: two processes
that want the same program wait for each other, and the second finds it ready.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path

from tools.build import offline_platformio

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
OURS = {path.name for path in (ROOT / "components").iterdir()}

DEBUGGABLE = "-O1 -g -fno-omit-frame-pointer"
# Flags of compiler and linker for each variant that is not ESPHome's own build, beside those that ESPHome asks for.
VARIANTS = {
    "plain": "",
    "sanitized": f"{DEBUGGABLE} -fsanitize=address,undefined -fno-sanitize-recover=all",
    "coverage": f"{DEBUGGABLE} --coverage",
    # An ESP32's sizes: plain -m32 differs from it in char, time_t and the alignment of 64-bit values.
    "m32": f"{DEBUGGABLE} -m32 -msse2 -mfpmath=sse -malign-double -funsigned-char"
    " -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -isystem /usr/include/x86_64-linux-gnu",
}


#: In front of a command: it ends with whoever has started it, even if that is killed.
MORTAL = ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()

#: What nearly every source of a node includes.
COMMON = "".join(f'#include "esphome/core/{name}.h"\n' for name in ("application", "automation", "helpers", "log"))


class BuildError(Exception):
    """A build failed; the message ends with the last lines of its output."""


@dataclass(frozen=True)
class Generated:
    """The sources that ESPHome generated for one configuration.

    ``directory`` is the configuration's place under .cache/nodes/, ``build_path`` ESPHome's own directory in it (the
    sources are in ``build_path/src``) and ``flags`` the compiler flags that ESPHome asks for.
    """

    name: str
    directory: Path
    build_path: Path
    flags: tuple[str, ...]


def build(yaml: Path, variant: str = "plain", out: Path | None = None) -> Path:
    """Build the host node ``yaml`` and return its program's path, or ``out`` with a copy of it there.

    Raises BuildError for an invalid configuration, code that does not compile, or a missing compiler.
    """
    with locked(yaml) as directory:
        by = _build_by_esphome if variant == "esphome" else partial(_build_variant, variant=variant)
        program = by(yaml, directory)
        if out is None:
            return program
        out.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy2(program, out))


def write_config(name: str, text: str) -> Path:
    """Write the configuration ``text`` under .cache/configs/ and return its path, the same one for the same text.

    For configurations made by a program. Paths in the text must be absolute.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    path = CACHE / "configs" / f"{name}-{digest}.yaml"
    write_if_changed(path, text)
    return path


def generate(yaml: Path, directory: Path) -> Generated:
    """Let ESPHome generate the sources of ``yaml``, for any platform; call it with the lock of ``locked`` held."""
    note = directory / "generated.json"
    run([sys.executable, "-m", "tools.build.generate", yaml.resolve(), note], directory / "generate.log", directory)
    facts = json.loads(note.read_text())
    return Generated(facts["name"], directory, Path(facts["build_path"]), tuple(facts["flags"]))


@contextmanager
def locked(yaml: Path) -> Iterator[Path]:
    """Hold the lock of this configuration's directory under .cache/nodes/, and give the directory."""
    if not yaml.is_file():
        raise BuildError(f"{yaml}: no such configuration")
    digest = hashlib.sha256(str(yaml.resolve()).encode()).hexdigest()[:8]
    directory = CACHE / "nodes" / f"{yaml.stem}-{digest}"
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield directory


def _build_by_esphome(yaml: Path, directory: Path) -> Path:
    need_compiler("g++", "g++")
    offline_platformio.install(CACHE / "platformio")
    log = directory / "esphome.log"
    run([sys.executable, "-m", "esphome", "compile", yaml.resolve()], log, directory)
    storage = json.loads((directory / f"esphome/storage/{yaml.name}.json").read_text())
    program = Path(storage["firmware_bin_path"])
    if storage["core_platform"] != "host":
        raise BuildError(f"{yaml}: only a configuration with `host:` makes a program for this computer")
    return program


def _build_variant(yaml: Path, directory: Path, variant: str) -> Path:
    need_compiler("g++", "g++")
    sources = generate(yaml, directory)
    flags = VARIANTS[variant]
    return compile_sources(sources, variant, "g++", f"{flags} -pthread", link=f"g++ {flags} -pthread")


def compile_sources(sources: Generated, variant: str, compiler: str, flags: str, link: str = "") -> Path:
    """Compile all generated sources with ninja into ``directory/variant``; objects lie there under obj/, those of our
    components and of main.cpp under obj/src/.

    With ``link``, the command of the linker, links them and returns the program, else returns the directory.
    """
    out = sources.directory / variant
    write_if_changed(out / "common.h", COMMON)
    units = _units(sources.build_path, out)
    for old in (out / "obj").rglob("*.o"):
        if str(old.relative_to(out / "obj")).removesuffix(".o") not in units:
            old.unlink()
    write_if_changed(out / "build.ninja", _ninja_file(units, sources, out, compiler, flags, link))
    manifest = os.path.relpath(out / "build.ninja", sources.build_path)
    run([ninja(), "-C", sources.build_path, "-f", manifest], out / "ninja.log", sources.directory)
    return out / "program" if link else out


def _units(build_path: Path, out: Path) -> dict[str, Path]:
    """What is compiled, by the name of its object: our sources, C and the generated main.cpp as they are, of ESPHome's
    own many at once, which takes a fourth of the time.

    A unit takes one source of each directory: those of one directory share a namespace, and define the same names.
    """
    of_esphome: dict[Path, list[Path]] = {}
    units = {}
    for source in sorted((build_path / "src").rglob("*.c*")):
        relative = source.relative_to(build_path)
        if source.suffix == ".cpp" and source.parent.name not in OURS and source.parent != build_path / "src":
            of_esphome.setdefault(source.parent, []).append(source)
        elif source.suffix in (".c", ".cpp"):
            units[str(relative)] = relative
    for number, together in enumerate(zip_longest(*of_esphome.values())):
        path = out / f"esphome_{number}.cpp"
        write_if_changed(path, _unit([source for source in together if source], build_path / "src"))
        units[path.name] = Path(os.path.relpath(path, build_path))
    return units


def _unit(sources: list[Path], include_path: Path) -> str:
    """``TAG``, which nearly all of them define for themselves, gets a number."""
    lines = []
    for number, source in enumerate(sources):
        include = f'#include "{source.relative_to(include_path)}"'
        defines = re.search(r"\bTAG(\[\])? = ", source.read_text())
        lines += [f"#define TAG TAG_{number}", include, "#undef TAG"] if defines else [include]
    return "".join(f"{line}\n" for line in lines)


def _ninja_file(units: dict[str, Path], sources: Generated, out: Path, compiler: str, flags: str, link: str) -> str:
    """Paths are relative to ESPHome's build directory."""
    to_out = os.path.relpath(out, sources.build_path)
    common = f"{to_out}/common.h"
    compile_command = f"{compiler} -Isrc {' '.join(sources.flags)} -std=gnu++20 {flags}"
    lines = [
        f"builddir = {to_out}",
        "rule common",
        f"  command = {compile_command} -MMD -MF $out.d -x c++-header $in -o $out",
        "  depfile = $out.d",
        "  deps = gcc",
        f"build {common}.gch: common {common}",
        "rule cxx",
        f"  command = {compile_command} -include {common} -MMD -MF $out.d -c $in -o $out",
        "  depfile = $out.d",
        "  deps = gcc",
        "rule link",
        f"  command = {link} -o $out.new @$out.rsp && mv $out.new $out",  # other tests may be starting the old one
        "  rspfile = $out.rsp",
        "  rspfile_content = $in",
    ]
    objects = []
    for name, unit in units.items():
        objects.append(f"{to_out}/obj/{name}.o")
        lines.append(f"build {objects[-1]}: cxx {unit} | {common}.gch")
    target = f"{to_out}/program: link" if link else "all: phony"
    lines.append(f"build {target} {' '.join(objects)}")
    return "\n".join(lines) + "\n"


def environment(data_dir: Path) -> dict[str, str]:
    """The environment of every build: all caches in the checkout, the tools of this Python's environment first."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "ESPHOME_DATA_DIR": str(data_dir / "esphome"),
        "PLATFORMIO_CORE_DIR": str(CACHE / "platformio"),
        "CCACHE_DIR": str(CACHE / "ccache"),
        "CCACHE_BASEDIR": str(ROOT),
        "CCACHE_NOHASHDIR": "1",
        "PYTHONHASHSEED": "0",  # ESPHome writes some keys in the order of a set: the same sources for the same YAML
    }


def run(command: list, log: Path, data_dir: Path) -> None:
    """Run one step of a build with its output in ``log``; raises BuildError with its last lines if it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        result = subprocess.run(
            [*MORTAL, *map(str, command)], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env=environment(data_dir), check=False,
        )  # fmt: skip
    if result.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
        raise BuildError(f"{' '.join(map(str, command))} failed:\n{tail}")


def need_compiler(program: str, package: str) -> None:
    """Raise a BuildError that names Debian's ``package`` unless ``program`` can be run."""
    if shutil.which(program) is None:
        raise BuildError(f"{program} is missing: sudo apt-get install {package}")


def ninja() -> str:
    """The ninja of this Python's environment, or the machine's."""
    return shutil.which("ninja", path=environment(CACHE)["PATH"]) or "ninja"


def write_if_changed(path: Path, text: str) -> None:
    """Write a file only if its text differs, so that nothing is rebuilt for it."""
    if path.is_file() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def main() -> int:
    parser = argparse.ArgumentParser(description="Build an ESPHome node for this computer, print its program's path.")
    parser.add_argument("config", type=Path, help="ESPHome configuration with `host:`")
    parser.add_argument("--variant", choices=("esphome", *VARIANTS), default="plain")
    parser.add_argument("--out", type=Path, help="copy the program there")
    arguments = parser.parse_args()
    try:
        print(build(arguments.config, arguments.variant, arguments.out))
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
