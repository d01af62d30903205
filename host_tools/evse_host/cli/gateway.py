"""`evse-host gateway CONFIG`"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from .bridging import log_to_stderr, needs, state_dir_option
from .session import Session


@click.command("gateway")
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--check", is_flag=True, help="Check CONFIG, say what it would serve, and end; nothing is opened.")
@state_dir_option
@click.pass_obj
def command(session: Session, config: str, check: bool) -> int:
    """Serve any number of chargers through any bridges, as a YAML file says, until Ctrl-C or SIGTERM.

    The ports are those of the file; --port and --baud are not used.
    """
    try:
        from ..bridge import gateway, gateway_config, gateway_file
        from ..bridge.ending import Ending
        from ..bridge.energy_file import default_state_dir
    except ImportError:
        raise needs("gateway", "the gateway") from None
    try:
        state_dir = session.state_dir or default_state_dir()
        process = gateway.Gateway(gateway_file.load(config), Path(config).parent, state_dir)
    except gateway_config.ConfigError as error:
        for problem in error.problems:
            click.echo(f"evse-host: {problem}", err=True)
        return error.exit_code
    if check:
        names = list(process.chargers)
        session.show({"chargers": names, "bridges": process.lines}, "\n".join([_count(names), *process.lines]))
        return 0
    log_to_stderr(session.verbose)
    ended = Ending()
    for name in ("SIGTERM", "SIGHUP"):  # a new configuration needs a new start
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: ended.set())
    process.run(ended)
    sys.stderr.flush()
    return 0


def _count(names: list[str]) -> str:
    return f"{len(names)} charger{'s' if len(names) > 1 else ''}: {', '.join(names)}"
