"""What commands share that serve the charger to other systems, until they are ended."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import NoAnswerError, UsageError
from ..files.secret_file import first_line, read_secret
from ..installation import how_to_add
from ..secrecy import hide_in
from .session import Session

if TYPE_CHECKING:
    from ..bridge.charger import SharedCharger
    from ..bridge.silence import Fallback
    from ..bridge.snapshot import Snapshot

ONLINE_TIMEOUT_S = 15.0

Function = TypeVar("Function", bound=Callable[..., Any])


def needs(extra: str, what: str) -> UsageError:
    """The one line for a package that is not installed."""
    return UsageError(f"{what} needs more packages: {how_to_add(extra)}")


def secret(file: str | None, variable: str, option: str = "--password-file") -> str:
    """The first line of the file that ``option`` names, or the variable, or nothing. Raises UsageError."""
    if not file:
        return first_line(os.environ.get(variable, ""))
    try:
        return read_secret(Path(file))
    except UsageError as error:
        raise UsageError(f"{option}: {error}") from None


def state_dir_option(function: Function) -> Function:
    """`--state-dir`: where the lifetime energy outlives this program; in ``Session.state_dir``."""

    def keep(ctx: click.Context, _: click.Parameter, folder: str | None) -> None:
        ctx.ensure_object(Session).state_dir = Path(folder) if folder else None

    return click.option(
        "--state-dir", metavar="DIR", envvar="EVSE_STATE_DIR", expose_value=False, callback=keep,
        type=click.Path(file_okay=False),
        help="Where the lifetime energy is remembered; systemd's STATE_DIRECTORY, or $XDG_STATE_HOME/evse-host, if not "
        "given.",
    )(function)  # fmt: skip


def silence_options(function: Function) -> Function:
    """`--silent-after`, `--when-silent`: in the ``Session``, for ``fallback``."""

    def keep(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
        setattr(ctx.ensure_object(Session), str(parameter.name), value)

    for option in (
        click.option("--when-silent", metavar="pause|A", expose_value=False, callback=keep,
                     help="Then pause, or give so many A at most; it is off if not given."),
        click.option("--silent-after", type=float, metavar="SECONDS", expose_value=False, callback=keep,
                     help="After so long without a word from who controls the charger through this: --when-silent."),
    ):  # fmt: skip
        function = option(function)
    return function


def fallback(session: Session) -> Fallback | None:
    """What to do when the controller is silent; None: nothing. Raises UsageError."""
    from ..bridge.silence import Fallback

    return Fallback.parse(session.silent_after, session.when_silent)


class _DiscreetFormatter(logging.Formatter):
    """Tracebacks, too, show no password of an address."""

    def format(self, record: logging.LogRecord) -> str:
        return hide_in(super().format(record))


def log_to_stderr(verbose: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_DiscreetFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("evse")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)


def shared_charger(session: Session) -> SharedCharger:
    """The owner of the charger's port, not started."""
    from ..bridge.charger import SharedCharger
    from ..bridge.energy_file import default_state_dir

    return SharedCharger(session.open, state_dir=session.state_dir or default_state_dir())


def wait_online(charger: SharedCharger) -> None:
    """Raises NoAnswerError."""
    online = threading.Event()
    forget = charger.listen(lambda snapshot: online.set() if snapshot.online else None)
    try:
        if not charger.snapshot.online and not online.wait(ONLINE_TIMEOUT_S):
            raise NoAnswerError(charger.error)
    finally:
        forget()


def snapshot_now(session: Session) -> Snapshot:
    """What the charger shows now. Raises NoAnswerError."""
    charger = shared_charger(session)
    charger.start()
    try:
        wait_online(charger)
        return charger.snapshot
    finally:
        charger.stop()


def run_bridge(session: Session, make: Callable[[SharedCharger], Any]) -> int:
    """``make(charger)`` gives what has start() and stop(), or several. Runs until Ctrl-C, or SIGTERM, which is no
    failure."""
    from ..bridge.ending import Ending

    log_to_stderr(session.verbose)
    ended = Ending()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    charger = shared_charger(session)
    made = make(charger)
    with ExitStack() as running:
        charger.start()
        running.callback(charger.stop)
        for bridge in made if isinstance(made, Sequence) else [made]:
            bridge.start()
            running.callback(bridge.stop)
        ended.wait()
    return 0


def run_connected(session: Session, make: Callable[[SharedCharger], Any], who: str) -> int:
    """As ``run_bridge``, for a bridge that knows whether ``who`` controls the charger through it is there."""
    from ..bridge.watchdog import watch_connection

    then = fallback(session)

    def both(charger: SharedCharger) -> Any:
        bridge = make(charger)
        return [bridge, watch_connection(bridge, charger, then, who)] if then else bridge

    return run_bridge(session, both)
