"""`python -m tools`: everything in the workshop that can be called is listed, and says what it does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import __main__ as tools
from tools.build.node import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
#: What lists them, a step of a build, and the judge that the fuzzer calls.
INTERNAL = {"tools.__main__", "tools.build.generate", "tools.soak.oracle.client"}


def run(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "tools", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_every_module_that_can_be_called_is_a_command() -> None:
    modules = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "tools").rglob("*.py")}
    callable_ = {module for path, module in modules.items() if "def main(" in path.read_text(encoding="utf-8")}
    assert set(tools.MODULE.values()) == callable_ - INTERNAL


def test_without_a_command_all_are_listed_with_a_line_each() -> None:
    lines = run().stdout.splitlines()
    for name, module in tools.MODULE.items():
        assert any(re.fullmatch(rf"  {name} +{re.escape(tools.summary(module))}", line) for line in lines), name


@pytest.mark.parametrize("name", tools.MODULE)
def test_a_line_fits_on_a_screen(name: str) -> None:
    assert 20 < len(tools.summary(tools.MODULE[name])) <= 120


@pytest.mark.parametrize("name", ["demo", "fault_matrix"])
def test_a_command_is_called_by_its_name_with_either_dash(name: str) -> None:
    assert run(name, "--help").stdout.startswith(f"usage: python -m tools {name.replace('_', '-')}")


def test_a_command_that_is_not_there_is_refused_with_those_that_are() -> None:
    result = run("demos")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("no command 'demos'; there are: node, ")


def test_make_calls_only_commands_that_are_there() -> None:
    called = re.findall(r"\$\(RUN\) tools ([a-z-]+)", MAKEFILE)
    assert called and set(called) <= set(tools.MODULE)


def test_pages_name_only_commands_that_are_there() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.yml")]
    text = "".join(Path(page).read_text(encoding="utf-8") for page in pages)
    assert set(re.findall(r"python -m tools[ .]([a-z-]+)", text)) <= set(tools.MODULE)
