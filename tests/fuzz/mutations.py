"""Breaks the C++ on purpose, as tests/native/mutations.py lists it, and sees which places the fuzzers find.

    python -m tests.fuzz.mutations [WORD ...]      only those whose description contains a word; half a minute each

The kept inputs and SECONDS of fuzzing for each. Not every mutation can be found: the watch knows the contract, not what
is merely slower or shown later. Prints them all, exits with 1 if one no longer fits the code.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.fuzz import targets
from tests.native.mutations import CHARGING, FRAMER, MUTATIONS, VALUE, Mutation
from tools.soak import fuzz

SECONDS = 15


def found(mutation: Mutation) -> str:
    """What the fuzzer says of a component with this mutation, or why there is nothing to say."""
    target = "values" if mutation.file in (VALUE, FRAMER) else "client"
    original = targets.COMPONENT
    with tempfile.TemporaryDirectory() as directory:
        component = Path(shutil.copytree(original, Path(directory, "component")))
        path = component / mutation.file
        text = path.read_text()
        if text.count(mutation.old) != 1:
            return "does not fit the code any more"
        path.write_text(text.replace(mutation.old, mutation.new))
        targets.COMPONENT, cache = component, targets.CACHE
        targets.CACHE = Path(directory, "cache")
        try:
            return fuzz.fuzz(target, f"-max_total_time={SECONDS}", seed=1).cause or "survives"
        except targets.BuildError as error:
            return f"does not compile: {error}"[:300]
        finally:
            targets.COMPONENT, targets.CACHE = original, cache


def main() -> int:
    words = sys.argv[1:]
    fits = True
    for mutation in MUTATIONS:
        if mutation.file == CHARGING or (words and not any(word in mutation.what for word in words)):
            continue
        answer = found(mutation)
        fits &= answer != "does not fit the code any more"
        print(f"{mutation.what}: {answer}", flush=True)
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
