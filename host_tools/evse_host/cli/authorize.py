"""`evse-host authorize`"""

from __future__ import annotations

import click

from ..catalog import STATES
from .session import Session


@click.command("authorize")
@click.pass_obj
def command(session: Session) -> None:
    """Grant authorization for 60 s: to the vehicle that waits, or to the next one."""
    with session.open() as evse:
        waiting = evse.get("PENDAUTH")[0] and STATES[evse.get("STATE")[0]] != "E"  # there it means nothing
        evse.run("AUTH")
    who = "the waiting vehicle may charge" if waiting else "the next vehicle may charge if it comes within 60 s"
    session.show({"authorized": True, "vehicle_waiting": bool(waiting)}, f"authorized: {who}")
