"""`evse-host restart`"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from ..catalog import CHARGING_STATES, STATES
from ..errors import EvseError, NoAnswerError, UsageError
from .session import Session

if TYPE_CHECKING:
    from ..line.client import Evse

READY_TIMEOUT_S = 20  # five seconds of service, two of silence, and patience


@click.command("restart")
@click.option("--no-wait", is_flag=True, help="Do not wait until the charger is back.")
@click.option("--yes", is_flag=True, help="Do not ask, even while a car charges.")
@click.pass_obj
def command(session: Session, no_wait: bool, yes: bool) -> None:
    """Restart the charger and wait until it is back, about 8 s. Asks while a car wants to charge.

    A restart sets ENABLE and AVAILABLE to 1, the current and the limits to their defaults, and ends the session: a car
    that wants to charge meanwhile brings the charger into a fault for a minute.
    """
    with session.open() as evse:
        (enabled,), (state,) = evse.get("ENABLE"), evse.get("STATE")
        if STATES[state][0] in "CD" and not yes:
            _ask(STATES[state])
        if not enabled:
            click.echo("evse-host: charging is paused now; after the restart it is allowed again", err=True)
        evse.run("RST")
        click.echo("evse-host: restarts: five seconds of service, then about two of silence", err=True)
        seconds = 0.0 if no_wait else _wait(evse)
    text = "restarts in 5 s" if no_wait else f"back after {seconds:.1f} s"
    session.show({"restarted": not no_wait, "seconds": None if no_wait else round(seconds, 1)}, text)


def _ask(state: str) -> None:
    what = "charges" if state in CHARGING_STATES else "wants to charge"
    text = f"A car {what} (state {state}): a restart ends its session, and it goes on after a fault of a minute"
    if not sys.stdin.isatty():
        raise UsageError(f"restart: {text[0].lower()}{text[1:]}; give --yes if you mean it")
    if not click.confirm(f"{text}. Restart?", err=True):
        raise EvseError("not restarted")


def _wait(evse: Evse) -> float:
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
