"""`evse-host doctor`"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import click

from ..doctor import EXCHANGES, LISTEN_S, Doctor, Finding, Status
from ..doctor.report import exit_code, plain, render, summary
from ..errors import PortError
from ..line.transport import Transport
from ..secrecy import hide
from .session import Session, WireTrace, print_json


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
        print_json({"healthy": exit_code(findings) == 0, "findings": [plain(finding) for finding in findings]})
    else:
        click.echo(summary(findings))
    return exit_code(findings)


def _findings(session: Session, exchanges: int, listen: float) -> Iterator[Finding]:
    from ..line.transport import find_port, open_port

    try:
        name = find_port(session.port)
        transport = open_port(name, session.baud_rate)
    except PortError as error:
        yield port_trouble(error)
        return
    with transport:
        yield Finding("port", Status.OK, f"{hide(name)} is there, permitted, and free", data={"port": hide(name)})
        line = TracedLine(transport) if session.verbose else transport
        doctor = Doctor(
            line, session.baud_rate, listen=listen, exchanges=exchanges,
            network="://" in name, fixed_rate=name.startswith("socket://"),
        )  # fmt: skip
        try:
            try:
                yield from doctor.examine()
            finally:
                doctor.leave()
        except PortError as error:
            yield port_trouble(error)


def port_trouble(error: PortError) -> Finding:
    """A PortError says, behind the port's name, what was seen and then what to do."""
    found = re.match(r"(port \S+: )?(.*)", str(error))
    name, text = found.groups("") if found else ("", "")
    seen, _, remedy = text.partition("; " if text.startswith("lost") else ": ")
    return Finding("port", Status.PROBLEM, name + seen, "this computer cannot reach the charger", remedy)


class TracedLine:
    """A transport that shows the wire on stderr."""

    def __init__(self, transport: Transport) -> None:
        self._transport, self._trace = transport, WireTrace()

    def read(self, timeout: float) -> bytes:
        data = self._transport.read(timeout)
        if data:
            self._trace("<", data)
        return data

    def write(self, data: bytes) -> None:
        self._trace(">", data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _width() -> int | None:
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return None
    return min(shutil.get_terminal_size().columns, 120)
