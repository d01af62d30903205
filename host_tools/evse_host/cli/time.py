"""`evse-host time`, `evse-host time sync`"""

from __future__ import annotations

import time

import click

from .group import CommandGroup
from .session import Session


@click.group("time", cls=CommandGroup, invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Show the charger's clock beside this computer's."""
    if ctx.invoked_subcommand is None:
        with ctx.obj.open() as evse:
            (epoch,) = evse.get("TIME")
        _show(ctx.obj, epoch)


@command.command("sync")
@click.pass_obj
def sync(session: Session) -> None:
    """Set the charger's clock to this computer's."""
    with session.open() as evse:
        (epoch,) = evse.set("TIME", int(time.time()))
    _show(session, epoch)


def _show(session: Session, epoch: int) -> None:
    from ..settings import iso_time
    from ..words import lag

    ahead = epoch - int(time.time())
    text = f"{iso_time(epoch)}  ({lag(ahead, 'this computer')})"
    session.show({"time": iso_time(epoch), "epoch": epoch, "ahead_s": ahead}, text)
