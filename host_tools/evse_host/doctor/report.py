"""How findings are shown, and what the command ends with."""

from __future__ import annotations

import textwrap
from typing import Any

import click

from ..errors import NoAnswerError, PortError
from .finding import Finding, Status

COLORS = {Status.OK: "green", Status.NOTE: "cyan", Status.WARNING: "yellow", Status.PROBLEM: "red"}
INDENT = 21


def render(finding: Finding, width: int | None = None) -> str:
    """For a person; wrapped to ``width`` if given."""
    word = f"{finding.status.value:9}"
    if width:
        word = click.style(word, fg=COLORS[finding.status], bold=finding.status is not Status.OK)
    parts = [(f"{finding.step:12}", finding.seen)]
    if finding.status is not Status.OK:
        parts += [(" " * INDENT, f"means: {finding.means}")] if finding.means else []
        parts += [(" " * INDENT, f"do: {finding.do}")] if finding.do else []
    return word + "\n".join(begin + _wrap(text, width) for begin, text in parts)


def _wrap(text: str, width: int | None) -> str:
    if not width:
        return text
    return textwrap.fill(text, max(width - INDENT, 30), break_long_words=False).replace("\n", "\n" + " " * INDENT)


def summary(findings: list[Finding]) -> str:
    bad = [finding.step for finding in findings if finding.status in (Status.WARNING, Status.PROBLEM)]
    return f"\nTo repair: {', '.join(bad)}" if bad else "\nAll is well"


def exit_code(findings: list[Finding]) -> int:
    """What the command ends with."""
    steps = {finding.step for finding in findings}
    bad = {finding.step for finding in findings if finding.status in (Status.WARNING, Status.PROBLEM)}
    if "port" in bad:
        return PortError.exit_code
    if "firmware" not in steps:
        return NoAnswerError.exit_code
    return 1 if bad else 0


def plain(finding: Finding) -> dict[str, Any]:
    return {
        "step": finding.step, "status": finding.status.value, "seen": finding.seen, "means": finding.means,
        "do": finding.do, "data": finding.data,
    }  # fmt: skip
