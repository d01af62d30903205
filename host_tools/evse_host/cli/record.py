"""`evse-host record FILE [NAME...]`"""

from __future__ import annotations

import datetime
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from ..errors import EvseError, UsageError
from ..recordings.recording import Entry, Recorder, format_entry, format_header, note
from ..secrecy import hide
from ..settings import lookup
from .completion import watchable_names
from .session import Session

if TYPE_CHECKING:
    from ..line.client import Evse

PERIOD_MS = (100, 60_000)
SLICE_S = 0.25


class RecordingFile:
    """Writes a recording as it happens; every line is out at once. A context manager."""

    def __init__(self, path: str, about: str, force: bool = False) -> None:
        """``-`` is standard output. Raises UsageError: the file is there already, or cannot be written."""
        self._recorder = Recorder()
        self.lines = 0
        self._file = _open(path, force)
        self._start = time.perf_counter_ns()
        moment = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self._write(format_header(moment, about))

    @property
    def now_us(self) -> int:
        return (time.perf_counter_ns() - self._start) // 1000

    def __call__(self, direction: str, data: bytes) -> None:
        """Takes `>` or `<` and bytes, now."""
        self.feed(direction, data, time.perf_counter_ns())

    def feed(self, direction: str, data: bytes, moment_ns: int) -> None:
        """Likewise, at a moment of ``time.perf_counter_ns``."""
        self._add(self._recorder.feed(direction, data, max(moment_ns - self._start, 0) // 1000))

    def tick(self) -> None:
        """Call it now and then: unfinished lines are written after a second."""
        self._add(self._recorder.advance(self.now_us))

    def note(self, text: str) -> None:
        self._add([note(text, self.now_us)])

    def __enter__(self) -> RecordingFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._add(self._recorder.finish())
        if self._file is not sys.stdout:
            self._file.close()

    def _add(self, entries: list[Entry]) -> None:
        if entries:
            self.lines += len(entries)
            self._write("".join(format_entry(entry) + "\n" for entry in entries))

    def _write(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()


def _open(path: str, force: bool) -> TextIO:
    if path == "-":
        return sys.stdout
    try:
        return Path(path).open("w" if force else "x", encoding="utf-8", newline="\n")
    except FileExistsError:
        raise UsageError(f"{path}: is there already; name another file, or give --force to replace it") from None
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}") from None


@click.command("record")
@click.argument("file")
@click.argument("names", nargs=-1, shell_complete=watchable_names)
@click.option("--period", type=click.IntRange(*PERIOD_MS), default=1000, help="Of the subscriptions, in ms; 1000.")
@click.option("--seconds", type=click.FloatRange(0.1), help="How long to wait for pushes; otherwise until Ctrl-C.")
@click.option("--ask/--no-ask", default=True, help="First read every value once, or not.")
@click.option("--force", is_flag=True, help="Replace FILE.")
@click.pass_obj
def command(
    session: Session, file: str, names: tuple[str, ...], period: int, seconds: float | None, ask: bool, force: bool
) -> None:
    """Write a session with the charger to FILE (`-`: standard output): every value once, then what it pushes of NAMES.

    Nothing of the charger is changed. Passwords are left out. To record somebody else's session use `proxy --record`.
    """
    from ..line.client import Evse
    from ..line.transport import find_port
    from ..wire.protocol import SYNC_TIMEOUT_S

    settings = list(dict.fromkeys(lookup(name).command.name for name in names))
    port = find_port(session.port)
    about = f"evse-host record, {hide(port)}, {session.baud_rate} baud"
    timeout = session.timeout or SYNC_TIMEOUT_S
    recording = RecordingFile(file, about, force)
    try:
        with Evse.open(port, session.baud_rate, timeout, recording) as evse:
            _say_what(file, settings, seconds, ask)
            _run(evse, recording, settings, period, seconds, ask)
    except EvseError as error:
        recording.note(str(error))
        raise
    finally:
        recording.close()
        say(f"{recording.lines} lines are in {file}")


def _say_what(file: str, settings: list[str], seconds: float | None, ask: bool) -> None:
    what = [*["every value once"] * ask, *settings]
    until = f"for {seconds:g} s" if seconds else "until Ctrl-C"
    say(f"records to {file}: {', '.join(what) or 'nothing, without NAMES'}, {until}")


def say(text: str) -> None:
    """For the person, beside what is recorded."""
    click.echo(f"evse-host: {text}", err=True)


def _run(evse: Evse, recording: RecordingFile, names: list[str], period: int, seconds: float | None, ask: bool) -> None:
    if ask:
        evse.get_all()
    for name in names:
        evse.subscribe(name, period)
    end = time.monotonic() + seconds if seconds else float("inf")
    while time.monotonic() < end:
        for _ in evse.events(min(SLICE_S, max(end - time.monotonic(), 0.0))):
            recording.tick()
            if time.monotonic() >= end:
                break
        recording.tick()
