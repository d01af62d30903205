"""`evse-host backup [FILE]`"""

from __future__ import annotations

import datetime
from pathlib import Path

import click

from ..errors import UsageError
from .session import Session


@click.command("backup")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def command(session: Session, file: Path | None) -> None:
    """Save all settings that the charger keeps, as YAML, to FILE or to the terminal. Never overwrites a file.

    Passwords cannot be read from a charger; the backup says where one is missing.
    """
    from ..files.backup import format_backup, plain, read_charger

    if file and file.exists():
        raise UsageError(f"{file}: there is a file of that name; backup overwrites none")
    with session.open() as evse:
        saved = read_charger(evse)
    text = format_backup(saved, datetime.datetime.now(datetime.UTC))
    if file is None:
        session.show(plain(saved), text.rstrip("\n"))
        return
    try:
        with file.open("x", encoding="utf-8") as output:
            output.write(text)
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror}") from None
    counted = {"file": str(file), "saved": len(saved.settings), "missing": saved.missing}
    session.show(counted, f"{len(saved.settings)} settings saved to {file}; passwords cannot be read and are not in it")
