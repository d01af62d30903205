"""`evse-host get NAME...`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from ..settings import SETTINGS, Setting, lookup
from .completion import readable_names
from .session import Session

if TYPE_CHECKING:
    from ..wire.codec import Fields


@click.command("get")
@click.argument("names", nargs=-1, shell_complete=readable_names)
@click.option("--all", "everything", is_flag=True, help="Every value that the charger has.")
@click.option("--list", "listing", is_flag=True, help="The names there are; asks no charger.")
@click.option("--force", is_flag=True, help="Also what can crash the charger (SERIAL0, SERIAL1).")
@click.pass_obj
def command(session: Session, names: tuple[str, ...], everything: bool, listing: bool, force: bool) -> None:
    """Read values: names as in Home Assistant (charging_current), or AT names (CHCUR) in wire units."""
    if listing:
        _list(session)
        return
    settings = [lookup(name) for name in names]
    for setting in settings:
        if not setting.readable:
            raise UsageError(f"{setting.name}: cannot be read")
    if not settings and not everything:
        raise UsageError("get: name a value, or give --all or --list")
    with session.open() as evse:
        rows = evse.get_all() if everything else {}
        for setting in settings:
            if setting.command.name not in rows:
                rows[setting.command.name] = evse.get_rows(setting.command.name, force)
    if everything:
        settings += [setting for setting in SETTINGS.values() if setting.entity and setting.command.name in rows]
    settings = list(dict.fromkeys(settings))
    session.show({s.name: s.value(rows[s.command.name]) for s in settings}, _table(settings, rows))


def _table(settings: list[Setting], rows: dict[str, list[Fields]]) -> str:
    width = max(len(setting.name) for setting in settings)
    return "\n".join(f"{setting.name:{width}}  {setting.text(rows[setting.command.name])}" for setting in settings)


def _list(session: Session) -> None:
    settings = [setting for setting in SETTINGS.values() if setting.readable]
    data = [
        {"name": s.name, "unit": s.unit, "writable": s.writable, "description": s.doc, "command": s.command.name}
        for s in settings
    ]
    width = max(len(setting.name) for setting in settings)
    lines = (f"{s.name:{width}}  {s.unit or '-':8} {'rw' if s.writable else 'r '}  {s.doc}" for s in settings)
    session.show(data, "\n".join(lines))
