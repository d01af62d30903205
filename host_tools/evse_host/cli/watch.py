"""`evse-host watch [NAME...]`"""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

import click

from ..catalog import NEVER, SUBSCRIBE_MIN_MS
from ..errors import NoAnswerError, RefusedError, UsageError
from ..settings import SETTINGS, Setting, lookup
from ..wire.codec import Fields, Ready, Value
from .completion import watchable_names
from .session import Session, print_json

if TYPE_CHECKING:
    from ..line.client import Evse

DEFAULT = ("state", "ERROR", "enable", "charging_current", "emeter_power", "voltage_l1", "voltage_l2", "voltage_l3",
           "current_l1", "current_l2", "current_l3", "energy_consumption", "emeter_session_time",
           "total_energy_consumption", "temperature", "uptime")  # fmt: skip
STEP_S = 0.25


@click.command("watch")
@click.argument("names", nargs=-1, shell_complete=watchable_names)
@click.option("--all", "everything", is_flag=True, help="Every value that can be watched.")
@click.option("--interval", type=click.FloatRange(SUBSCRIBE_MIN_MS / 1000, 3600), default=1.0, show_default=True,
              help="Seconds between two pushes of a value.")  # fmt: skip
@click.option("--duration", type=click.FloatRange(min=0, min_open=True), help="End after so many seconds.")
@click.option("--every", is_flag=True, help="Print every push, not only changes.")
@click.option("--plain", is_flag=True, help="Lines, even on a terminal.")
@click.pass_obj
def command(
    session: Session,
    names: tuple[str, ...],
    everything: bool,
    interval: float,
    duration: float | None,
    every: bool,
    plain: bool,
) -> None:
    """Values as the charger pushes them: a live table on a terminal, lines elsewhere, JSON lines with --json.

    Ends with Ctrl-C; the charger then pushes nothing any more.
    """
    settings = _all() if everything else [lookup(name) for name in names or DEFAULT]
    for setting in settings:
        if not setting.readable or not setting.command.subscribable:
            raise UsageError(f"{setting.name}: it cannot be watched, only read")
    view = _view(session, plain, every)
    with session.open() as evse, view:
        settings = _subscribe(evse, settings, round(interval * 1000), picky=bool(names))
        view.begin(settings)
        _watch(evse, view, settings, duration)


def _all() -> list[Setting]:
    return [s for s in SETTINGS.values() if s.entity and s.command.subscribable and s.command.refresh != NEVER]


def _subscribe(evse: Evse, settings: list[Setting], period: int, picky: bool) -> list[Setting]:
    """Those that this firmware has; ``picky``: a missing one is an error."""
    missing = set()
    for name in dict.fromkeys(setting.command.name for setting in settings):
        try:
            evse.subscribe(name, period)
        except RefusedError:
            if picky:
                raise
            missing.add(name)
    return [setting for setting in settings if setting.command.name not in missing]


def _watch(evse: Evse, view: PlainView | LiveView, settings: list[Setting], duration: float | None) -> None:
    end = None if duration is None else time.monotonic() + duration
    for event in _events(evse, view, end):
        if isinstance(event, Ready):
            view.note("the charger has restarted")
        else:
            for setting in settings:
                if setting.command.name == event.name:
                    view.update(setting, [event.fields])


def _events(evse: Evse, view: PlainView | LiveView, end: float | None) -> Iterator[Value | Ready]:
    """Until ``end``; a silent charger is waited for."""
    while end is None or time.monotonic() < end:
        try:
            yield from evse.events(STEP_S if end is None else min(STEP_S, max(end - time.monotonic(), 0)))
        except NoAnswerError:
            view.note("no answer, still trying")


def _view(session: Session, plain: bool, every: bool) -> PlainView | LiveView:
    if session.as_json:
        return JsonView(every)
    if plain or not sys.stdout.isatty():
        return PlainView(every)
    return LiveView()


class PlainView:
    """One line for each change."""

    def __init__(self, every: bool) -> None:
        self._every = every
        self._last: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def begin(self, settings: list[Setting]) -> None:
        self._width = max(len(setting.name) for setting in settings)

    def update(self, setting: Setting, rows: list[Fields]) -> None:
        shown = self.shown(setting, rows)
        if self._every or self._last.get(setting.name) != shown:
            self._last[setting.name] = shown
            self.print(setting, rows)

    def shown(self, setting: Setting, rows: list[Fields]) -> Any:
        return setting.text(rows)

    def print(self, setting: Setting, rows: list[Fields]) -> None:
        click.echo(f"{_clock()}  {setting.name:{self._width}}  {setting.text(rows)}")

    def note(self, text: str) -> None:
        click.echo(f"{_clock()}  {text}", err=True)


class JsonView(PlainView):
    """One JSON object for each change."""

    def shown(self, setting: Setting, rows: list[Fields]) -> Any:
        return setting.value(rows)

    def print(self, setting: Setting, rows: list[Fields]) -> None:
        print_json({"time": _clock(), "name": setting.name, "value": setting.value(rows), "unit": setting.unit})


class LiveView:
    """A table that stays in its place."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(), auto_refresh=False, transient=False)
        self._texts: dict[str, str] = {}
        self._changed: dict[str, float] = {}
        self._settings: list[Setting] = []
        self._note = ""
        self._drawn = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._draw()
        self._live.stop()

    def begin(self, settings: list[Setting]) -> None:
        self._settings = settings
        self._draw()

    def update(self, setting: Setting, rows: list[Fields]) -> None:
        text = setting.text(rows)
        if self._texts.get(setting.name) != text:
            self._changed[setting.name] = time.monotonic()
        self._texts[setting.name] = text
        if time.monotonic() - self._drawn > 0.1:
            self._draw()

    def note(self, text: str) -> None:
        self._note = f"{_clock()}  {text}"
        self._draw()

    def _draw(self) -> None:
        from rich.table import Table
        from rich.text import Text

        self._drawn = now = time.monotonic()
        table = Table(title=self._note or None, caption="Ctrl-C ends", box=None, show_header=False)
        for setting in self._settings:
            style = "bold green" if now - self._changed.get(setting.name, 0) < 2 else ""
            table.add_row(setting.name, Text(self._texts.get(setting.name, ""), style), Text(setting.doc, "dim"))
        self._live.update(table, refresh=True)


def _clock() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="milliseconds")
