"""`evse-host set NAME VALUE`"""

from __future__ import annotations

import contextlib

import click

from ..errors import EvseError, UsageError
from ..settings import Setting, lookup
from . import completion
from .session import Session


@click.command("set", context_settings={"ignore_unknown_options": True})  # a negative number is no option
@click.argument("name", shell_complete=completion.writable_names)
@click.argument("values", nargs=-1, required=True, shell_complete=completion.values)
@click.option("--force", is_flag=True, help="Also what can crash the charger (SERIAL0, SERIAL1).")
@click.pass_obj
def command(session: Session, name: str, values: tuple[str, ...], force: bool) -> None:
    """Write a value, read it back, and succeed only if the charger shows it.

    Names as in Home Assistant take its units (`set charging_current 16`, `set enable off`), AT names those of the wire
    (`set CHCUR 160`, `set TIME now`).
    """
    setting = lookup(name)
    try:
        fields = setting.parse(list(values))
    except UsageError as error:
        raise UsageError(f"{error}{_on_this_charger(session, setting)}") from None
    with session.open() as evse:
        rows = [evse.set(setting.command.name, *fields, force=force)]
    session.show({setting.name: setting.value(rows)}, f"{setting.name}  {setting.text(rows)}")


def _on_this_charger(session: Session, setting: Setting) -> str:
    """What else bounds a charging current, if the charger can be asked."""
    if setting.command.name in ("CHCUR", "DEFCHCUR"):
        with contextlib.suppress(EvseError), session.open() as evse:
            return f"; at most {evse.get('MAXCHCUR')[0]} A on this charger"
    return ""
