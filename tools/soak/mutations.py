"""Breaks the components' C++ on purpose, one place after the other, and names what no test has noticed.

    python -m tools mutations [client] [law] [--word WORD ...]     only with a word in their description; ten s each
    python -m tools mutations fuzz [--word WORD ...]               those of the client that the fuzzer finds in 15 s

The lists lie beside the code: components/*/mutations.toml. Exits with 1 if a mutation survives the tests, or no longer
fits the code. The fuzzer need not find all: it knows the contract, not what is merely slower, or shown later.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import targets
from tools.build import node
from tools.run import child
from tools.soak import fuzz

COMPONENTS = node.ROOT / "components"
#: The component that is broken, and the tests that must notice.
LISTS = {
    "client": ("esp32evse", "tests/native"),
    "law": ("esp32evse_load_manager", "tests/balance/test_law.py tests/balance/test_settles.py"),
}
FUZZ = "fuzz"
FUZZ_S = 15
OF_VALUES = ("at_value.cpp", "line_framer.h")  # the fuzzer of values finds them
NOT_FUZZED = ("cadence.cpp", "charging.cpp", "energy.cpp", "utf8.cpp")
FOUND, SURVIVES = "found", "SURVIVES"


class MisfitError(Exception):
    """The mutation does not fit the code any more."""


@dataclass(frozen=True)
class Mutation:
    """`old`, which stands exactly once in `file`, becomes `new`."""

    what: str
    file: str
    old: str
    new: str

    def apply(self, component: Path) -> None:
        """Raises MisfitError."""
        path = component / self.file
        text = path.read_text()
        if text.count(self.old) != 1 or self.new == self.old:
            raise MisfitError(f"does not fit the code any more: {text.count(self.old)} times {self.old!r}")
        path.write_text(text.replace(self.old, self.new))


def read(component: str) -> list[Mutation]:
    tables = tomllib.loads((COMPONENTS / component / "mutations.toml").read_text())
    return [Mutation(what, file, *change) for file, table in tables.items() for what, change in table.items()]


@contextmanager
def broken(component: str, mutation: Mutation | None) -> Iterator[Path]:
    """A folder with a copy of ``component`` that has the mutation, or none, beside the others. Raises MisfitError.

    Always the same one, so that ccache knows what has not changed.
    """
    folder = node.CACHE / "mutations" / component
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        copy = folder / "components" / component
        shutil.rmtree(copy.parent, ignore_errors=True)
        shutil.copytree(COMPONENTS / component, copy)
        for other in COMPONENTS.iterdir():
            if other.name != component:
                (copy.parent / other.name).symlink_to(other)
        if mutation:
            mutation.apply(copy)
        yield copy.parent


def judge(component: str, mutation: Mutation | None, tests: str) -> str:
    """`found by` and the first test that failed, or what is wrong."""
    try:
        with broken(component, mutation) as components:
            environment = {
                **os.environ, "EVSE_COMPONENTS": str(components), "EVSE_COMPONENT": str(components / component),
            }  # fmt: skip
            command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=line", *tests.split()]
            result = child.run(
                command, cwd=node.ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
    except MisfitError as error:
        return str(error)
    if result.returncode > 1 or any(error in result.stdout for error in ("BuildError", "CalledProcessError")):
        return f"does not compile, or no test ran:\n{result.stdout[-2000:]}{result.stderr[-2000:]}"
    if not result.returncode:
        return SURVIVES
    test = re.search(r"^(?:FAILED|ERROR) (\S+)", result.stdout, re.MULTILINE)
    return f"{FOUND} by {test[1] if test else tests}"


def judge_by_fuzzer(mutation: Mutation) -> str:
    """What the fuzzer says, or why there is nothing to say."""
    target = "values" if mutation.file in OF_VALUES else "client"
    original, cache, warnings = targets.COMPONENT, targets.CACHE, targets.WARNINGS
    try:
        with broken(original.name, mutation) as components:
            targets.COMPONENT, targets.CACHE = components / original.name, components / "cache"
            targets.WARNINGS = ("-w",)  # what was broken on purpose may leave a variable unused
            return fuzz.fuzz(target, f"-max_total_time={FUZZ_S}", seed=1).cause or "survives"
    except targets.BuildError as error:
        return f"does not compile: {error}"[:300]
    finally:
        targets.COMPONENT, targets.CACHE, targets.WARNINGS = original, cache, warnings


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lists", nargs="*", metavar="LIST", help="client, law or fuzz; default: client and law")
    parser.add_argument("--word", action="append", default=[], help="in the description of the mutation")
    arguments = parser.parse_args()
    problems = 0
    for name in arguments.lists or LISTS:
        if name not in (*LISTS, FUZZ):
            parser.error(f"{name}: {', '.join((*LISTS, FUZZ))} are there")
        component, tests = LISTS["client" if name == FUZZ else name]
        if name != FUZZ and judge(component, None, tests) != SURVIVES:
            sys.exit(f"{tests} fails without any mutation")
        for mutation in read(component):
            if arguments.word and not any(word in mutation.what for word in arguments.word):
                continue
            if name == FUZZ and mutation.file in NOT_FUZZED:
                continue
            answer = judge_by_fuzzer(mutation) if name == FUZZ else judge(component, mutation, tests)
            problems += name != FUZZ and not answer.startswith(FOUND)
            print(f"{mutation.what}: {answer}", flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
