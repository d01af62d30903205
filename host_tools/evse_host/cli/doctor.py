"""`evse-host doctor`"""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator

import click

from ..doctor import EXCHANGES, LISTEN_S, Doctor, Finding, Status
from ..errors import NoAnswerError, PortError
from .session import Session, WireTrace, print_json

COLORS = {Status.OK: "green", Status.NOTE: "cyan", Status.WARNING: "yellow", Status.PROBLEM: "red"}
INDENT = 21


@click.command("doctor")
@click.option("--exchanges", type=click.IntRange(0, 100_000), default=EXCHANGES, show_default=True,
              help="How many for round trip and error rate.")  # fmt: skip
@click.option("--listen", type=click.FloatRange(0, 600), default=LISTEN_S, show_default=True,
              help="Seconds to listen before anything is sent; switch the charger off and on meanwhile.")  # fmt: skip
@click.pass_obj
def command(session: Session, exchanges: int, listen: float) -> int:
    """Find out step by step what is wrong between this computer and the charger, and what to do.

    Writes no setting. Exit code 0: nothing to repair, 1: something to repair, 3: the port, 4: no answer.
    """
    findings = []
    for finding in _findings(session, exchanges, listen):
        findings.append(finding)
        if not session.as_json:
            click.echo(render(finding, _width()))
    if session.as_json:
        print_json({"healthy": exit_code(findings) == 0, "findings": [_plain(finding) for finding in findings]})
    else:
        click.echo(summary(findings))
    return exit_code(findings)


def _findings(session: Session, exchanges: int, listen: float) -> Iterator[Finding]:
    from ..transport import find_port, open_port

    try:
        name = find_port(session.port)
        transport = open_port(name, session.baud_rate)
    except PortError as error:
        yield port_trouble(error)
        return
    with transport:
        yield Finding("port", Status.OK, f"{name} is there, permitted, and free", data={"port": name})
        line = TracedLine(transport) if session.verbose else transport
        doctor = Doctor(
            line, session.baud_rate, listen=listen, exchanges=exchanges, network=name.startswith("socket://")
        )
        try:
            try:
                yield from doctor.examine()
            finally:
                doctor.leave()
        except PortError as error:
            yield port_trouble(error)


def port_trouble(error: PortError) -> Finding:
    """A PortError says, behind the port's name, what was seen and then what to do."""
    name, text = re.match(r"(port \S+: )?(.*)", str(error)).groups("")
    seen, _, remedy = text.partition("; " if text.startswith("lost") else ": ")
    return Finding("port", Status.PROBLEM, name + seen, "this computer cannot reach the charger", remedy)


class TracedLine:
    """A transport that shows the wire on stderr."""

    def __init__(self, transport) -> None:
        self._transport, self._trace = transport, WireTrace()

    def read(self, timeout: float) -> bytes:
        data = self._transport.read(timeout)
        if data:
            self._trace("<", data)
        return data

    def write(self, data: bytes) -> None:
        self._trace(">", data)
        self._transport.write(data)

    def __getattr__(self, name: str):
        return getattr(self._transport, name)


# --- what is shown ----------------------------------------------------------------------------------------------------


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


def _width() -> int | None:
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return None
    return min(shutil.get_terminal_size().columns, 120)


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


def _plain(finding: Finding) -> dict:
    return {
        "step": finding.step, "status": finding.status.value, "seen": finding.seen, "means": finding.means,
        "do": finding.do, "data": finding.data,
    }  # fmt: skip
