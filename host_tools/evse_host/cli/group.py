"""How all commands of `evse-host` behave: global options are taken behind a command too, and a mistyped name gets its
likes."""

from __future__ import annotations

import difflib
import importlib
from typing import Any

import click

from .session import Session


def complete_ports(_ctx: click.Context, _option: click.Parameter, begun: str) -> list[str]:
    from ..line.transport import list_ports

    return [port.device for port in list_ports() if port.device.startswith(begun)]


#: Fields of ``Session``, taken before and behind every command.
GLOBAL_OPTIONS = (
    click.Option(["--port"], envvar="EVSE_PORT", shell_complete=complete_ports, help="Device, by-id name or URL "
                 "(socket://host:port, rfc2217://host:port); without it EVSE_PORT, or the only charger."),
    click.Option(["--baud"], type=click.IntRange(300, 4_000_000), help="Baud rate, 115200 if not given."),
    click.Option(["--json", "as_json"], is_flag=True, help="Machine-readable output."),
    click.Option(["--verbose", "-v"], is_flag=True, help="Show what goes over the wire, on stderr."),
    click.Option(["--timeout"], type=click.FloatRange(0.1, 3600), help="Seconds until a silent charger is given up, 5 "
                 "if not given."),
)  # fmt: skip


class CommandGroup(click.Group):
    """Says what may have been meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            close = self.likes(ctx, name)
            hint = f"did you mean {' or '.join(close)}?" if close else f"`{ctx.command_path} --help` lists all"
            raise click.UsageError(f"{name}: no such command; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def likes(self, ctx: click.Context, name: str) -> list[str]:
        """Commands that are written alike, or speak of it in their line of help."""
        texts = self.help_lines(ctx)
        close = difflib.get_close_matches(name.lower(), texts, 3, 0.6)
        return close or [each for each, text in texts.items() if len(name) > 2 and name.lower() in text.lower()][:3]

    def help_lines(self, ctx: click.Context) -> dict[str, str]:
        return {name: command.get_short_help_str() for name, command in self.commands.items()}


class LazyGroup(CommandGroup):
    """Imports a subcommand only when it is called. ``modules``: name -> (module, line of help)."""

    def __init__(self, modules: dict[str, tuple[str, str]], package: str, **options: Any) -> None:
        super().__init__(**options)
        self._modules, self._package = modules, package

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._modules)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self._modules:
            return None
        command = importlib.import_module(f"{self._package}.{self._modules[name][0]}").command
        return accept_global_options(command)

    def help_lines(self, ctx: click.Context) -> dict[str, str]:
        return {name: text for name, (_, text) in self._modules.items()}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.help_lines(ctx).items()))


def option_hint(ctx: click.Context, name: str) -> str:
    """Options of the command that are written like ``name``; the dashes, which all have, make none alike."""
    known = {opt.lstrip("-"): opt for param in ctx.command.params for opt in param.opts if opt.startswith("--")}
    close = difflib.get_close_matches(name.lstrip("-").lower(), known, 2, 0.6)
    return f"did you mean {' or '.join(map(known.__getitem__, close))}?" if close else f"see {ctx.command_path} --help"


def accept_global_options(command: click.Command) -> click.Command:
    """Lets a command, and those beneath it, take the global options that it does not use for itself."""
    own = {option for parameter in command.params for option in parameter.opts}
    command.params += [_behind(option) for option in GLOBAL_OPTIONS if not own & set(option.opts)]
    if isinstance(command, click.Group):
        for each in command.commands.values():
            accept_global_options(each)
    return command


def _behind(option: click.Option) -> click.Option:
    return click.Option(
        [str(option.name), *option.opts], type=option.type, is_flag=option.is_flag, default=None, hidden=True,
        expose_value=False, callback=_remember, shell_complete=option._custom_shell_complete,
    )  # fmt: skip


def _remember(ctx: click.Context, option: click.Parameter, value: object) -> None:
    session = ctx.find_object(Session)
    if value is not None and session is not None:
        setattr(session, str(option.name), value)
