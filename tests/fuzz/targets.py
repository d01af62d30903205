"""Builds the fuzzers, one program for each fuzz_*.cpp, with clang's libFuzzer and both sanitizers.

Everything that they know about the charger's commands is written from the catalog. `python -m tools fuzz` runs them.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from components.esp32evse import codegen
from components.esp32evse.catalog import COMMANDS, Command
from tools.build import kept, node

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COMPONENT = Path(os.environ.get("EVSE_COMPONENT", ROOT / "components" / "esp32evse"))
CACHE = ROOT / ".cache" / "fuzz"
LOAD_MANAGER = ROOT / "components" / "esp32evse_load_manager"
#: What each one runs of its component.
SOURCES = {
    "values": ("at_value.cpp",),
    "client": (
        *("at_client.cpp", "at_client_lines.cpp", "at_value.cpp", "attempt.cpp", "kept.cpp", "link.cpp"),
        *("pauses.cpp", "schedule.cpp", "wishes.cpp"),
    ),
    "law": (
        *(
            "law.cpp",
            "law_demand.cpp",
            "law_why.cpp",
            "sharing.cpp",
            "circuit.cpp",
            "meter_sense.cpp",
            "own_current.cpp",
            "phases.cpp",
            "breaker.cpp",
            "surplus.cpp",
            "capacity.cpp",
        ),
        "reason.cpp",
    ),
}
NODE = "publish"  # runs all of it, in a node that ESPHome has generated
TARGETS = (*SOURCES, NODE)
COMPILER = "clang++-19"
FLAGS = (
    "-std=gnu++20", "-O2", "-g1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
)  # fmt: skip
WARNINGS = ("-Wall", "-Wextra", "-Werror")
#: New paths through the component lead the fuzzer, not those through the harness; but values calls inline functions.
COVERAGE = ("-fsanitize=fuzzer-no-link", "-fno-sanitize-coverage=trace-cmp")  # the dictionary knows the words
COVERED_HARNESSES = ("values",)

#: What the client is given: the hub never has a row of the commands that it must not send.
ROWS = tuple(c for c in COMMANDS if c.access != "W" and c.name not in ("SERIAL0", "SERIAL1", "CMD"))

NODE_CONFIG = """
esphome:
  name: fuzz
host:
logger:
  level: NONE
external_components:
  - source: {type: local, path: COMPONENTS}
packages:
  entities: !include ROOT/example_configs/packages/full.yaml
uart:
  port: /tmp/evse-fuzz
  baud_rate: 115200
  rx_buffer_size: 1024
esp32evse:
  id: evse
"""


class BuildError(Exception):
    """A fuzzer does not compile; the message is the compiler's."""


# --- from the catalog -------------------------------------------------------------------------------------------------


def sample(command: Command, second: bool) -> str:
    """A value as the charger shows it; `second` is another one."""
    fields = []
    for item in command.fields:
        if item.type == "str":
            fields.append('""' if item.access == "W" else '"Zo\xc3\xab, \\\\ 2"' if second else '"one"')
        else:
            low, high = item.range
            fields.append(str(high if second else low))
    return ",".join(fields)


def _row(command: Command) -> str:
    traits = " | ".join(f"esphome::esp32evse::{trait}" for trait in codegen._traits(command)) or "0"
    low, high = command.fields[0].range if command.fields and command.fields[0].type != "str" else (0, 0)
    hides = any(item.access == "W" for item in command.fields)
    access = ", ".join(str(letter in command.access).lower() for letter in "RWX")
    refresh = f"esphome::esp32evse::Refresh::{command.refresh.upper()}"
    samples = ", ".join(_literal(sample(command, second)) for second in (False, True))
    return (
        f'{{"{command.name}", "{command.answer_name}", "{codegen._signature(command)}", {refresh}, {traits}, {access}, '
        f"{command.verify}, {str(hides).lower()}, {max(low, 0)}u, {min(high, 2**32 - 1)}u, {{{samples}}}}},"
    )


def _literal(text: str) -> str:
    """A C string."""
    data = text.encode("latin-1")
    return '"' + "".join(chr(b) if 0x20 <= b < 0x7F and b not in b'"\\' else f"\\{b:03o}" for b in data) + '"'


def rows() -> str:
    """The entries of ROWS in rows.h."""
    return "".join(f"{_row(command)}\n" for command in ROWS)


def dictionary() -> str:
    """libFuzzer's words: names, forms, values and results, and what lies at the edges of the number types."""
    words = {"OK\n", "ERROR\n", "\nRDY\n\0", "~\n", "AT", "ATE0", "ATE1", "\n\n", "\r\n", '"', '\\"', "\\\\", "\\n"}
    for command in COMMANDS:
        words |= {command.name, f"+{command.answer_name}=", f"AT+{command.name}", sample(command, True)}
        words |= {f"\n+{command.answer_name}={sample(command, second)}\n" for second in (False, True)}
        words |= {str(edge) for item in command.fields if item.type != "str" for edge in item.range}
    return "".join(f"{_word(word)}\n" for word in sorted(words - {""}))


def _word(text: str) -> str:
    data = text.encode("latin-1")
    return '"' + "".join(chr(b) if 0x20 <= b < 0x7F and b not in b'"\\' else f"\\x{b:02x}" for b in data) + '"'


# --- building ---------------------------------------------------------------------------------------------------------


def build(target: str) -> Path:
    """The fuzzer for the present sources, with its dictionary beside it as `dictionary`; compiled only if something
    has changed. Raises BuildError."""
    if shutil.which(COMPILER) is None:
        raise BuildError(f"{COMPILER} is missing: sudo apt-get install clang-19 libclang-rt-19-dev")
    components = [path for place in (COMPONENT, LOAD_MANAGER) for path in (*place.glob("*.h"), *place.glob("*.cpp"))]
    sources = sorted([*components, *HERE.glob("*.h"), *HERE.glob("../support/*.h"), HERE / f"fuzz_{target}.cpp"])
    words = (FLAGS, rows(), dictionary())
    return kept.build(CACHE / "build" / target, sources, words, lambda directory: _make(target, directory)) / target


def _make(target: str, directory: Path) -> None:
    (directory / "rows.inc").write_text(rows())
    (directory / "dictionary").write_text(dictionary())
    objects = _node_objects(directory) if target == NODE else _objects(target, directory)
    _run(COMPILER, *FLAGS, "-fsanitize=fuzzer", *objects, "-o", directory / target)


def _objects(target: str, directory: Path) -> list[Path]:
    objects = []
    component = LOAD_MANAGER if target == "law" else COMPONENT
    for source in (HERE / f"fuzz_{target}.cpp", *(component / name for name in SOURCES[target])):
        covered = COVERAGE if source.parent != HERE or target in COVERED_HARNESSES else ()
        objects.append(directory / f"{source.stem}.o")
        includes = [f"-I{path}" for path in (directory, component, component.parent, HERE)]
        _run(COMPILER, *FLAGS, *WARNINGS, *covered, *includes, "-c", source, "-o", objects[-1])
    return objects


def _node_objects(directory: Path) -> list[Path]:
    """Of a node with every entity but without network. The component and the harness, which includes the node's
    main.cpp, are compiled for fuzzing; the rest of ESPHome by g++, which understands all of it."""
    text = NODE_CONFIG.replace("COMPONENTS", str(COMPONENT.parent)).replace("ROOT", str(ROOT))
    config = node.write_config("fuzz", text)
    try:
        with node.locked(config) as place:
            sources = node.generate(config, place)
            out = node.compile_sources(sources, "fuzz", "g++", "-O1 -w -Dmain=esphome_main")
            rest = [path for path in sorted((out / "obj").rglob("*.o")) if path.name != "main.cpp.o"]
            source_directory = sources.build_path / "src"
            component = source_directory / "esphome/components/esp32evse"
            options = (*sources.flags, *FLAGS, "-w", f"-I{HERE}", f"-I{source_directory}")
            objects = [directory / "fuzz_publish.o"]
            _run(COMPILER, *options, "-c", HERE / "fuzz_publish.cpp", "-o", objects[0])
            for path in sorted(component.glob("*.cpp")):
                objects.append(directory / f"{path.stem}.o")
                _run(COMPILER, *options, *COVERAGE, "-c", path, "-o", objects[-1])
            return [*objects, *(path for path in rest if path.parent.name != component.name)]
    except node.BuildError as error:
        raise BuildError(str(error)) from error


def _run(*command: str | Path) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise BuildError(result.stderr[:4000])


# --- corpus -----------------------------------------------------------------------------------------------------------


def corpus_file(target: str) -> Path:
    """The kept inputs of a target: base64, one a line."""
    return HERE / "corpus" / f"{target}.txt"


def read_corpus(target: str) -> list[bytes]:
    path = corpus_file(target)
    return [base64.b64decode(line) for line in path.read_text().split()] if path.is_file() else []


def write_corpus(target: str, inputs: Iterable[bytes]) -> None:
    lines = sorted((base64.b64encode(data).decode() for data in inputs if data), key=lambda line: (len(line), line))
    corpus_file(target).parent.mkdir(exist_ok=True)
    corpus_file(target).write_text("".join(f"{line}\n" for line in lines))
