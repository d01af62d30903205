"""`evse-host raw 'AT+...'`"""

from __future__ import annotations

import click

from ..errors import RefusedError
from .session import Session


@click.command("raw")
@click.argument("line")
@click.option("--force", is_flag=True, help="Also what can hang or crash the charger.")
@click.pass_obj
def command(session: Session, line: str, force: bool) -> None:
    """Send one AT command as it is and print the lines of its answer, e.g. `raw 'AT+CHIP=?'`."""
    from ..shell.shell import split_answer
    from ..wire.codec import name_of, printable, redact

    with session.open() as evse:
        _, ok = evse.raw(line, force)
        answer = evse.last_answer
        lines, _ = split_answer(line, answer) if answer else ([], [])  # without what is pushed meanwhile
    lines = list(map(redact, lines))  # one may be an echo
    session.show({"lines": lines, "ok": ok}, "\n".join([*map(printable, lines), "OK" if ok else "ERROR"]))
    if not ok:
        raise RefusedError(f"{name_of(line)}: the charger said ERROR")
