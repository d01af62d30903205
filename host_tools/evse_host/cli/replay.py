"""`evse-host replay FILE`"""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import UsageError
from ..recordings.checker import Deviation, check
from ..recordings.playback import Miss, Player
from ..recordings.recording import NOTE, Entry, parse
from ..wire.codec import printable
from .serving import end_on_termination, open_where, play, where_options
from .session import Session


@click.command("replay")
@click.argument("file")
@click.option(
    "--check", "checking", is_flag=True, help="Judge the session by the protocol; exit code 1 if it deviates."
)
@where_options
@click.option("--speed", type=click.FloatRange(0.01, 1000), default=1.0, help="Recorded seconds per second; 1.")
@click.pass_obj
def command(session: Session, file: str, checking: bool, link: str | None, tcp: str | None, speed: float) -> int | None:
    """Be the charger of a recording for a client on a pseudo terminal or TCP, until Ctrl-C; or --check it.

    A client gets what the charger answered to the same command at about that time of the session, and ERROR to what
    was never recorded. Pushes come at their times after the client's first byte.
    """
    entries = _read(file)
    if checking:
        return _check(session, file, entries)
    port, where = open_where(link, tcp)
    end_on_termination()
    click.echo(where)
    play(Player(entries, speed), port, _tell_miss)
    return None


def _read(file: str) -> list[Entry]:
    try:
        text = Path(file).read_text("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{file}: no recording, not UTF-8") from None
    except OSError as error:
        raise UsageError(f"{file}: {(error.strerror or str(error)).lower()}") from None
    return parse(text.split("\n"), file)


def _tell_miss(miss: Miss) -> None:
    click.echo(f"not recorded, answered ERROR: {printable(miss.command)}", err=True)


def _check(session: Session, file: str, entries: list[Entry]) -> int:
    found = check(entries)
    lines = sum(entry.direction != NOTE for entry in entries)
    summary = f"{file}: {lines} lines, {len(found) or 'no'} deviation{'' if len(found) == 1 else 's'}"
    data = {"file": file, "lines": lines, "deviations": [_plain(deviation) for deviation in found]}
    session.show(data, "\n".join([*(_line(file, deviation) for deviation in found), summary]))
    return 1 if found else 0


def _line(file: str, deviation: Deviation) -> str:
    return f"{file}:{deviation.line}: {deviation.side}: {deviation.text}"


def _plain(deviation: Deviation) -> dict[str, object]:
    return {
        "line": deviation.line, "seconds": deviation.time_us / 1e6, "side": deviation.side, "text": deviation.text,
    }  # fmt: skip
