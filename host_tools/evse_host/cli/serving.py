"""What commands that pose as a charger share: where a client finds them."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import PortError, UsageError

if TYPE_CHECKING:
    from ..recordings.playback import Miss, Player


Function = TypeVar("Function", bound=Callable[..., Any])


def where_options(function: Function) -> Function:
    """`--link` and `--tcp`: a pseudo terminal, if neither is given."""
    function = click.option("--tcp", metavar="[HOST:]PORT", help="A TCP port instead of a pseudo terminal; 0: any.")(
        function
    )
    return click.option("--link", help="Symbolic link to the pseudo terminal, such as /tmp/evse.")(function)


def parse_address(text: str, option: str = "--tcp") -> tuple[str, int]:
    """`[HOST:]PORT`; without a host only this computer is served. Raises UsageError."""
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdecimal() or int(port[:6]) > 65535:
        raise UsageError(f"{option} {text}: no TCP port, 0 to 65535 are allowed")
    return host.strip("[]") or "127.0.0.1", int(port)


@contextlib.contextmanager
def port_errors(where: str) -> Iterator[None]:
    """What the operating system refuses, as a PortError."""
    try:
        yield
    except FileExistsError as error:
        raise PortError(str(error)) from None
    except OSError as error:
        raise PortError(f"{where}: {(error.strerror or str(error)).lower()}") from None


def simulator_server() -> ModuleType:
    """The module with pseudo terminals. Raises PortError where the system has none."""
    try:
        from ..simulator import server
    except ImportError:
        raise PortError(f"{sys.platform}: pseudo terminals and simulated chargers need Linux or macOS") from None
    return server


def open_where(link: str | None, tcp: str | None) -> tuple[Any, str]:
    """A port of the simulator, and the name under which a client finds it."""
    server = simulator_server()
    if tcp is not None:
        if link:
            raise UsageError("--link and --tcp: choose one")
        host, number = parse_address(tcp)
        with port_errors(f"--tcp {tcp}"):
            port = server.TcpPort(host, number)
        return port, f"socket://{port.host}:{port.port}"
    with port_errors(f"--link {link}" if link else "pseudo terminal"):
        port = server.PtyPort(link)
    return port, port.path


def end_on_termination() -> None:
    """SIGTERM ends like Ctrl-C, so that links go away."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def play(player: Player, port: Any, on_miss: Callable[[Miss], None]) -> None:
    """Lets a player be the charger on a port, for ever; ``on_miss`` is told every command that was not recorded."""
    wake_read, wake_write = os.pipe()
    try:
        while True:
            wait = min(max(player.deadline - time.monotonic(), 0.0), 0.5)
            data, _ = port.poll(wait, wake_read)
            player.receive(data, time.monotonic())
            port.write(player.advance(time.monotonic()))
            while player.misses:
                on_miss(player.misses.pop(0))
    finally:
        port.close()
        os.close(wake_read)
        os.close(wake_write)
