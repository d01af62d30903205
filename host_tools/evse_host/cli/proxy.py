"""`evse-host proxy`"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Callable

import click

from ..errors import EvseError, UsageError
from ..line.arbitration import COMPANION
from ..line.relay import Listener, PtySide, Relay, SerialSide
from ..line.transport import find_port, open_port
from ..recordings.recording import TO_CHARGER, Entry, Recorder
from ..secrecy import hide
from ..wire.annotation import Annotator
from ..wire.codec import printable
from .record import RecordingFile
from .serving import end_on_termination, parse_address, port_errors, simulator_server
from .session import Session, print_json

BACKLOG = 10_000  # pieces that a slow terminal may be behind
TICK_S = 0.5
SWITCH_S = 0.0002  # Python's 5 ms would let the view hold up bytes
TEXT_WIDTH = 36


@click.command("proxy")
@click.option("--companion", help="Serial port of the companion.")
@click.option("--link", help="Or a pseudo terminal for a program here, under this symbolic link, such as /tmp/evse.")
@click.option("--listen", metavar="[HOST:]PORT", help="TCP clients (socket://HOST:PORT); 0: any free port.")
@click.option("--record", "file", help="Write the session to this file.")
@click.option("--force", is_flag=True, help="Replace that file.")
@click.option("--quiet", is_flag=True, help="Show nothing.")
@click.pass_obj
def command(
    session: Session, companion: str | None, link: str | None, listen: str | None, file: str | None, force: bool,
    quiet: bool,
) -> None:  # fmt: skip
    """Stand between the charger and its companion, show what they say, and let TCP clients share the charger.

    Bytes between the two pass unchanged. Clients may all read; one at a time writes: a client's line waits until the
    charger has answered the one before, and its result goes to that client alone. Until Ctrl-C.
    """
    if companion and link:
        raise UsageError("--companion and --link: choose one")
    address = parse_address(listen, "--listen") if listen is not None else None
    charger = find_port(session.port)
    end_on_termination()
    sys.setswitchinterval(SWITCH_S)
    with contextlib.ExitStack() as opened:
        transport = opened.enter_context(open_port(charger, session.baud_rate))
        listener = _listener(address)
        recording = None
        if file:
            about = f"evse-host proxy, {hide(charger)}, {session.baud_rate} baud"
            recording = opened.enter_context(RecordingFile(file, about, force))
        side, where = _companion_side(session, companion, link, listen)  # last: a link must not outlive an error
        view = opened.enter_context(View(session.as_json, quiet, recording))
        relay = Relay(SerialSide(transport), side, listener, view)
        view.on_failure = relay.stop
        _announce(charger, where, listener)
        with relay:
            try:
                relay.run()
            except EvseError as error:
                view.note(str(error))
                raise
    if view.failure:
        raise view.failure


def _listener(address: tuple[str, int] | None) -> Listener | None:
    if address is None:
        return None
    with port_errors(f"--listen {address[0]}:{address[1]}"):
        return Listener(address)


def _companion_side(
    session: Session, companion: str | None, link: str | None, listen: str | None
) -> tuple[SerialSide | PtySide | None, str]:
    """The companion's side and its name; none if only TCP clients are served."""
    if companion:
        return SerialSide(open_port(companion, session.baud_rate)), companion
    if listen is not None and not link:
        return None, ""
    server = simulator_server()
    with port_errors(f"--link {link}" if link else "pseudo terminal"):
        port = server.PtyPort(link)
    return PtySide(port), port.path


def _announce(charger: str, where: str, listener: Listener | None) -> None:
    places = [f"charger {hide(charger)}"] + ([f"companion {where}"] if where else [])
    if listener:
        places.append(f"clients socket://{listener.host}:{listener.port}")
    click.echo(", ".join(places), err=True)


class View:
    """Shows and records what passes, in a thread of its own: a slow terminal or disk never holds up a byte."""

    def __init__(self, as_json: bool, quiet: bool, recording: RecordingFile | None) -> None:
        self._as_json, self._quiet, self._recording = as_json, quiet, recording
        self._queue: queue.Queue[tuple[str, str, bytes, int]] = queue.Queue(BACKLOG)
        self._start = time.perf_counter_ns()
        self._recorder, self._annotator, self._writer = Recorder(), Annotator(), COMPANION
        self._lost = 0
        self._ending = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.failure: Exception | None = None
        self.on_failure: Callable[[], None] = lambda: None

    def __call__(self, direction: str, who: str, data: bytes, moment_ns: int) -> None:
        try:
            self._queue.put_nowait((direction, who, data, moment_ns))
        except queue.Full:
            self._lost += len(data)

    def note(self, text: str) -> None:
        if self._recording:
            self._recording.note(text)

    def __enter__(self) -> View:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        self._thread.join(2)

    def _work(self) -> None:
        try:
            while not (self._ending and self._queue.empty()):
                self._take()
        except (OSError, ValueError) as error:
            self.failure = error
            self.on_failure()

    def _take(self) -> None:
        try:
            direction, who, data, moment_ns = self._queue.get(timeout=TICK_S if not self._ending else 0.01)
        except queue.Empty:
            if self._recording:
                self._recording.tick()
            self._show(self._recorder.advance((time.perf_counter_ns() - self._start) // 1000), self._writer)
            return
        if self._recording:
            self._recording.feed(direction, data, moment_ns)
        entries = self._recorder.feed(direction, data, max(moment_ns - self._start, 0) // 1000)
        self._writer = who if direction == TO_CHARGER else self._writer
        self._show(entries, self._writer)
        if self._lost:
            lost, self._lost = self._lost, 0
            print(f"evse-host: {lost} bytes passed but were not shown, the output is too slow", file=sys.stderr)

    def _show(self, entries: list[Entry], writer: str) -> None:
        if self._quiet:
            return
        for entry in entries:
            if entry.text:
                self._show_entry(entry, writer if entry.direction == TO_CHARGER else "charger")

    def _show_entry(self, entry: Entry, who: str) -> None:
        downward = entry.direction == TO_CHARGER
        if downward:
            meaning = self._annotator.to_charger(entry.text)
        else:
            meaning = self._annotator.from_charger(entry.data.strip(b"\r\n\0"))
        if self._as_json:
            print_json({"seconds": entry.seconds, "direction": entry.direction, "who": who, "text": entry.text,
                        "meaning": meaning})  # fmt: skip
            return
        sender = f"[{who}] " if downward and who != COMPANION else ""
        line = f"{entry.seconds:10.3f} {entry.direction} {printable(entry.text):{TEXT_WIDTH}} {sender}{meaning}"
        click.secho(line.rstrip(), fg=_colour(entry, meaning))


def _colour(entry: Entry, meaning: str) -> str | None:
    if meaning.startswith(("refused", "damaged", "a result")) or "DANGER" in meaning:
        return "red"
    return "cyan" if entry.direction == TO_CHARGER else None
