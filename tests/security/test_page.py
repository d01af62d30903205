"""docs/security.md names tests that exist, one at least for each threat; and all tests of this directory are named or
support one that is."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`")


def rows() -> list[list[str]]:
    table = PAGE.partition("\n## Threats\n")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[1:]]


def test_every_threat_is_met_and_tested() -> None:
    assert len(rows()) >= 15, "the table is read"
    for threat, met, tests in rows():
        assert threat and met
        assert _TEST.sub("", tests).strip() == "", threat
        assert _TEST.search(tests), threat


def test_every_named_test_exists() -> None:
    for file, name in _TEST.findall(PAGE):
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^def {name or 'test_'}", text, re.MULTILINE), f"{file}::{name}"


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).is_file(), target


def test_no_example_prints_the_wire() -> None:
    """What the page says about `uart: debug:`."""
    for file in sorted((ROOT / "example_configs").rglob("*.yaml")):
        assert not re.search(r"^\s+debug:", file.read_text(encoding="utf-8"), re.MULTILINE), file.name
