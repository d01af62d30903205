"""Every fuzzer for a while, with the inputs that are kept; and a broken component, which they must find broken.

A minute for all of them together and about as long again to compile. So many executions from one seed are the same run
on every computer; `python -m tools fuzz` looks for what is new.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.fuzz import targets
from tests.support.programs import require
from tools.soak import fuzz

#: The part of the branches that is reached at least, or the fuzzer knocks at a closed door.
REACHED = {"values": 0.45, "client": 0.5, "publish": 0.17, "law": 0.4}
#: Executions of 10 to 15 s on a quiet computer.
RUNS = {"values": 1_500_000, "client": 15_000, "publish": 400_000, "law": 250_000}


@pytest.fixture(autouse=True)
def clang() -> None:
    require(targets.COMPILER)


@pytest.mark.parametrize("target", targets.TARGETS)
def test_the_fuzzer_finds_nothing_and_comes_far(target: str) -> None:
    kept = targets.read_corpus(target)
    outcome = fuzz.fuzz(target, f"-runs={RUNS[target]}", seed=1)
    assert outcome.cause == "", f"python -m tools fuzz {target} --replay {outcome.finding}"
    assert outcome.runs > len(kept) > 0
    assert outcome.covered > outcome.edges * REACHED[target]


@pytest.mark.parametrize(
    ("target", "file", "old", "new", "cause"),
    [
        ("client", "link.h", "SETTLE_MS = 1200", "SETTLE_MS = 900", "FINDING: sent within 1 s of RDY"),
        ("values", "at_value.cpp", "(*text != '\\0' && *text != ',')", "false", "FINDING: taken, but it is no value"),
    ],
)
def test_a_broken_component_is_found(
    target: str, file: str, old: str, new: str, cause: str, tmp_path: Path, monkeypatch, capsys
) -> None:
    component = Path(shutil.copytree(targets.COMPONENT, tmp_path / "component"))
    text = (component / file).read_text()
    assert text.count(old) == 1
    (component / file).write_text(text.replace(old, new))
    monkeypatch.setattr(targets, "COMPONENT", component)
    monkeypatch.setattr(targets, "CACHE", tmp_path / "cache")
    assert fuzz.main([target, "--seconds", "30"]) == 1
    output = capsys.readouterr().out
    assert cause in output
    assert f"--replay {tmp_path}/cache/findings/{target}-crash-" in output


def test_what_is_kept_is_small() -> None:
    assert sum(targets.corpus_file(target).stat().st_size for target in targets.TARGETS) < 1_000_000
