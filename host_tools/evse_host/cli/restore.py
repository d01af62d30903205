"""`evse-host restore FILE`"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import EvseError, MismatchError, RefusedError, UsageError
from .session import Session

if TYPE_CHECKING:
    from ..files.backup import Backup, Change
    from ..line.client import Evse


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show what differs, write nothing.")
@click.pass_obj
def command(session: Session, file: Path, yes: bool, dry_run: bool) -> None:
    """Bring a charger's settings back to those of a backup FILE: shows what differs, asks, writes just that, verifies.

    It can be interrupted and run again. Succeeds only if the charger shows every setting of the file: exit code 5 if it
    lacks or refuses some, 6 if it shows something else. Serial settings are never written.
    """
    from ..files.backup import compare, parse_backup, read_charger

    wanted = parse_backup(_read(file))
    with session.open() as evse:
        present = read_charger(evse)
        changes, lacking = compare(wanted, present)
        _show_difference(session, wanted, present, changes, lacking)
        written: list[str] = []
        refused: list[str] = []
        if changes and not dry_run and (yes or _agreed(len(changes))):
            written, refused = _write(evse, changes)
            _verify(evse, wanted, refused)
    if session.as_json:
        shown = [change.plain for change in changes]
        session.show({"changes": shown, "lacking": lacking, "written": written, "refused": refused}, "")
    if refused or lacking:
        raise RefusedError(f"not restored: {', '.join(refused + lacking)}; this charger refuses or lacks it")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}: is not UTF-8 text") from None


def _show_difference(
    session: Session, wanted: Backup, present: Backup, changes: list[Change], lacking: list[str]
) -> None:
    from ..wire.codec import printable

    def say(text: str) -> None:
        click.echo(text, err=session.as_json)

    saved, here = wanted.charger.get("device_name"), present.charger.get("device_name")
    if saved not in (None, here):
        say(printable(f'note: the backup is of a "{saved}", this is a "{here}"'))
    for change in changes:
        for line in change.lines:
            say(line)
        if change.keeps_password:
            say("note: the charger keeps its Wi-Fi password; if the other network has another one, add it to the file")
    for name in lacking:
        say(f"{name}: this charger does not have it, left out")
    if not changes:
        say("nothing to write: the charger shows all of it" if not lacking else "nothing else to write")


def _agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("restore: there is nobody to ask; give --yes to write, or --dry-run")
    if click.confirm(f"Write {_settings(count)}?", err=True):
        return True
    raise EvseError("nothing was written")


def _settings(count: int) -> str:
    return f"{count} setting{'s' if count > 1 else ''}"


def _write(evse: Evse, changes: list[Change]) -> tuple[list[str], list[str]]:
    from ..files.backup import apply

    written: list[str] = []
    refused: list[str] = []
    with _interruptible(written, len(changes)):
        for change, error in apply(evse, changes):
            name = change.command.name
            if error is None:
                written.append(name)
            elif isinstance(error, RefusedError):
                refused.append(name)
            click.echo(str(error) if error else f"{name}: written, and the charger shows it", err=True)
    return written, refused


@contextlib.contextmanager
def _interruptible(written: list[str], count: int) -> Iterator[None]:
    """Says how far it came."""
    try:
        yield
    except (EvseError, KeyboardInterrupt) as error:
        hint = f"{len(written)} of {_settings(count)} are written; run it again to go on"
        if isinstance(error, EvseError):
            raise type(error)(f"{error}; {hint}") from None
        click.echo(f"\n{hint}", err=True)
        raise


def _verify(evse: Evse, wanted: Backup, refused: list[str]) -> None:
    """A last look at everything: one setting may have moved another."""
    from ..files.backup import compare, read_charger

    changes, _ = compare(wanted, read_charger(evse))
    lines = [line for change in changes if change.command.name not in refused for line in change.differences]
    if lines:
        raise MismatchError(f"after the restore the charger shows something else: {'; '.join(lines)}")
