"""`evse-host restart`"""

from __future__ import annotations

import time

import click

from ..errors import NoAnswerError
from .session import Session

READY_TIMEOUT_S = 20  # five seconds of service, two of silence, and patience


@click.command("restart")
@click.option("--no-wait", is_flag=True, help="Do not wait until the charger is back.")
@click.pass_obj
def command(session: Session, no_wait: bool) -> None:
    """Restart the charger and wait until it is back, about 8 s.

    A restart sets ENABLE and AVAILABLE to 1, the current and the limits to their defaults.
    """
    with session.open() as evse:
        (enabled,) = evse.get("ENABLE")
        if not enabled:
            click.echo("evse-host: charging is paused now; after the restart it is allowed again", err=True)
        evse.run("RST")
        seconds = 0.0 if no_wait else _wait(evse)
    text = "restarts in 5 s" if no_wait else f"back after {seconds:.1f} s"
    session.show({"restarted": not no_wait, "seconds": None if no_wait else round(seconds, 1)}, text)


def _wait(evse) -> float:
    from ..wire.codec import Ready

    start = time.monotonic()
    while time.monotonic() - start < READY_TIMEOUT_S:
        if any(isinstance(event, Ready) for event in evse.events(0.5)):
            evse.get("UPTIME")
            return time.monotonic() - start
    (uptime,) = evse.get("UPTIME")
    if uptime < READY_TIMEOUT_S:
        return time.monotonic() - start
    raise NoAnswerError(f"RST: the charger said OK, but has been up for {uptime} s: it did not restart")
