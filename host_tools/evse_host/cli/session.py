"""What all subcommands share: the global options, the charger they ask for, and the two forms of output."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..catalog import BAUD_RATE

if TYPE_CHECKING:
    from ..line.client import Evse


@dataclass
class Session:
    """The global options; None where nothing was given. Commands take it with ``@click.pass_obj``."""

    port: str | None = None
    baud: int | None = None
    as_json: bool = False
    verbose: bool = False
    timeout: float | None = None
    state_dir: Path | None = None
    silent_after: float | None = None
    when_silent: str | None = None

    @property
    def baud_rate(self) -> int:
        return self.baud or BAUD_RATE

    def open(self) -> Evse:
        """The charger: an ``Evse``, to be used in a ``with``. Raises PortError."""
        from ..line.client import Evse
        from ..wire.protocol import SYNC_TIMEOUT_S

        trace = WireTrace() if self.verbose else None
        return Evse.open(self.port, self.baud_rate, self.timeout or SYNC_TIMEOUT_S, trace)

    def show(self, data: object, text: str) -> None:
        """``data`` as JSON, or ``text`` for a person."""
        if self.as_json:
            print_json(data)
        else:
            click.echo(text)


class WireTrace:
    """Shows the wire on stderr, line by line, without passwords."""

    def __init__(self) -> None:
        from ..recordings.recording import Recorder

        self._start = time.monotonic()
        self._recorder = Recorder()

    def __call__(self, direction: str, data: bytes) -> None:
        from ..wire.codec import printable

        moment = time.monotonic() - self._start
        for entry in self._recorder.feed(direction, data, int(moment * 1e6)):
            if entry.text:
                print(f"{moment:8.3f} {direction} {printable(entry.text)}", file=sys.stderr, flush=True)


def print_json(data: object) -> None:
    """One line, flushed: a reader at the other end of a pipe sees it at once."""
    click.echo(json.dumps(data))
