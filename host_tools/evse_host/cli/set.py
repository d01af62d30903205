"""`evse-host set NAME VALUE`"""

from __future__ import annotations

import click

from ..settings import lookup
from .session import Session


@click.command("set", context_settings={"ignore_unknown_options": True})  # a negative number is no option
@click.argument("name")
@click.argument("values", nargs=-1, required=True)
@click.option("--force", is_flag=True, help="Also what can crash the charger (SERIAL0, SERIAL1).")
@click.pass_obj
def command(session: Session, name: str, values: tuple[str, ...], force: bool) -> None:
    """Write a value, read it back, and succeed only if the charger shows it.

    Names as in Home Assistant take its units (`set charging_current 16`, `set enable off`), AT names those of the wire
    (`set CHCUR 160`, `set TIME now`).
    """
    setting = lookup(name)
    fields = setting.parse(list(values))
    with session.open() as evse:
        rows = [evse.set(setting.command.name, *fields, force=force)]
    session.show({setting.name: setting.value(rows)}, f"{setting.name}  {setting.text(rows)}")
