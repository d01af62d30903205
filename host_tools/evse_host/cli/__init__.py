"""The command `evse-host`. Each subcommand is a module of this package, imported when it is called."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import sys
from typing import Any

import click

from ..errors import EvseError
from ..secrecy import hide_in
from .completion import VARIABLE, answer
from .group import GLOBAL_OPTIONS, LazyGroup, option_hint
from .session import Session

#: Subcommand -> (module, what `--help` says). In the order of `--help`.
COMMANDS: dict[str, tuple[str, str]] = {
    "ports": ("ports", "List serial ports, and which may be a charger."),
    "info": ("info", "One page about the charger."),
    "get": ("get", "Read values."),
    "set": ("set", "Write a value and see that the charger shows it."),
    "watch": ("watch", "Values as they change."),
    "authorize": ("authorize", "Let the waiting vehicle charge."),
    "restart": ("restart", "Restart the charger."),
    "wifi": ("wifi", "The charger's Wi-Fi: scan, connect, static."),
    "time": ("time", "The charger's clock: show, sync."),
    "raw": ("raw", "Send one AT command as it is."),
    "shell": ("shell", "Type AT commands, with completion, history and help."),
    "doctor": ("doctor", "Find out what is wrong with the connection, and what to do."),
    "record": ("record", "Write a session to a text file."),
    "replay": ("replay", "Be the charger of a recording, or check one against the protocol."),
    "proxy": ("proxy", "Stand between charger and companion, show what they say, share the charger over TCP."),
    "bridge": ("bridge", "Serve the charger to Home Assistant or ThingsBoard over MQTT, or to OCPP."),
    "serve": ("serve", "Serve the charger's REST API, for EVCC and scripts, and a web page."),
    "gateway": ("gateway", "Serve any number of chargers through all bridges at once."),
    "modbus": ("modbus", "Serve the charger's Modbus registers, RTU or TCP."),
    "simulate": ("simulate", "Start simulated chargers, with a car to play."),
    "generate": ("generate", "Make an ESPHome configuration with what this charger supports."),
    "backup": ("backup", "Save the charger's settings as YAML."),
    "restore": ("restore", "Bring the charger's settings back to a backup."),
    "completion": ("completion", "Let bash, zsh or fish complete what is typed."),
}


@click.group(
    cls=LazyGroup, modules=COMMANDS, package=__name__, params=list(GLOBAL_OPTIONS),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)  # fmt: skip
@click.version_option(package_name="evse-host", prog_name="evse-host")
@click.pass_context
def group(ctx: click.Context, /, **options: Any) -> None:
    """Talk to an ESP32-EVSE charger over its AT interface. These options may stand behind the command, too.

    Exit codes: 0 done, 1 failed, 2 wrong usage or value, 3 no port, 4 no answer, 5 refused, 6 the charger shows
    something else after a write, 130 Ctrl-C.
    """
    ctx.obj = Session(**options)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and ends the process with its exit code."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Like ``main``, but returns the exit code."""
    _tolerate_any_text()
    _end_tidily_on_signals()
    if VARIABLE in os.environ:
        return answer(group, os.environ[VARIABLE])
    try:
        with group.make_context("evse-host", list(sys.argv[1:] if arguments is None else arguments)) as context:
            result = group.invoke(context)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as end:  # --help, --version
        return end.exit_code
    except EvseError as error:
        return _fail(str(error), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help())
        return 0
    except click.ClickException as error:
        return _fail(_in_our_words(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:
        return _stop_output()
    except OSError as error:  # a full disk, for example
        _stop_output()
        return _fail(f"{error.filename or 'output'}: {error.strerror}", 1)


def _in_our_words(error: click.ClickException) -> str:
    """What click says, with what helps; without an argument too many, for people type passwords there, behind a
    network's or a user's name."""
    message, context = error.format_message(), getattr(error, "ctx", None)
    if isinstance(error, click.NoSuchOption) and context is not None:
        return f"{error.option_name}: no such option; {option_hint(context, error.option_name)}"
    if message == "Missing command." and context is not None:
        return f"a command is missing; see {context.command_path} --help"
    many = re.match(r"Got unexpected extra arguments? \(", message)
    return f"{many[0][:-2]}; not repeated here, for it may be a secret. See --help" if many else message


def _fail(message: str, code: int) -> int:
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        print(f"evse-host: {hide_in(' '.join(message.split()))}", file=sys.stderr)
    return code


def _stop_output() -> int:
    """Whoever read our output has enough, or no room: no complaint about that, not even at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _end_tidily_on_signals() -> None:
    """A closed terminal or a service manager ends us as Ctrl-C does: the charger is left as it was."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, _frame: sys.exit(128 + number))


def _tolerate_any_text() -> None:
    """Network names need not be UTF-8, and terminals need not know every character."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
