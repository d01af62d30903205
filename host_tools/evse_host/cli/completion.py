"""`evse-host completion bash|zsh|fish`, and what is completed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..settings import Setting

SHELLS = ("bash", "zsh", "fish")
#: Set by the shell when it asks for completions.
VARIABLE = "_EVSE_HOST_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what a shell needs to complete commands, options, names of values and ports with the Tab key.

    \b
    bash: echo 'eval "$(evse-host completion bash)"' >> ~/.bashrc
    zsh:  echo 'eval "$(evse-host completion zsh)"' >> ~/.zshrc
    fish: evse-host completion fish > ~/.config/fish/completions/evse-host.fish
    """
    from click.shell_completion import get_completion_class

    completion = get_completion_class(shell)
    assert completion  # the choice above
    click.echo(completion(ctx.find_root().command, {}, "evse-host", VARIABLE).source())


def answer(group: click.Group, instruction: str) -> int:
    """What a shell is to offer; ``instruction`` is what it put into VARIABLE."""
    from click.shell_completion import shell_complete

    return shell_complete(group, {}, "evse-host", VARIABLE, instruction)


def readable_names(_ctx: click.Context, _argument: click.Parameter, begun: str) -> list[str]:
    return _names(begun, lambda setting: setting.readable)


def watchable_names(_ctx: click.Context, _argument: click.Parameter, begun: str) -> list[str]:
    return _names(begun, lambda setting: setting.readable and setting.command.subscribable)


def writable_names(_ctx: click.Context, _argument: click.Parameter, begun: str) -> list[str]:
    return _names(begun, lambda setting: setting.writable)


def values(ctx: click.Context, _argument: click.Parameter, begun: str) -> list[str]:
    """Of the setting that stands before it: on and off, or the names of its options."""
    from ..catalog import FIRMWARE_TIMEZONES
    from ..settings import SETTINGS

    setting = SETTINGS.get(ctx.params.get("name") or "")
    if setting is None:
        return []
    words = ("on", "off") if setting.is_flag else setting.options
    words = FIRMWARE_TIMEZONES if setting.command.name == "TZ" else words
    return [word for word in words if word.startswith(begun)]


def _names(begun: str, fits: Callable[[Setting], bool]) -> list[str]:
    """Names as in Home Assistant; those of the AT protocol when capitals are typed."""
    from ..settings import SETTINGS

    names = [name for name, setting in SETTINGS.items() if fits(setting) and name.startswith(begun)]
    return [name for name in names if begun or name.islower()]
