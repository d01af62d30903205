"""`evse-host ports`"""

from __future__ import annotations

from dataclasses import asdict

import click

from .session import Session


@click.command("ports")
@click.pass_obj
def command(session: Session) -> None:
    """List serial ports, those that may be a charger first. Opens none of them."""
    from ..line.transport import list_ports

    ports = list_ports()
    lines = []
    for port in ports:
        lines.append(
            f"{port.device}  {port.description or '-'}{f'  <- {port.guess}: maybe a charger' * bool(port.guess)}"
        )
        if port.by_id:
            lines.append(f"    always the same name: {port.by_id}")
    session.show([asdict(port) for port in ports], "\n".join(lines) or "no serial ports; is the adapter plugged in?")
