"""`evse-host simulate`"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

from ..catalog import BAUD_RATE
from ..errors import UsageError
from .serving import end_on_termination, parse_address, port_errors, simulator_server, where_options
from .session import Session

if TYPE_CHECKING:
    from ..simulator.board import Board
    from ..simulator.orders import Order

MAX_CHARGERS = 64
CARS = ("none", "plugged", "full")
SLICE_S = 0.05
MAX_ORDER = 1000  # characters


@click.command("simulate")
@where_options
@click.option("--count", type=click.IntRange(1, MAX_CHARGERS), default=1, help="Chargers; links LINK1, LINK2 ...")
@click.option("--firmware", type=click.Choice(["head", "v2.1.1"]), default="head")
@click.option("--car", type=click.Choice(CARS), default="none", help="plugged: wants energy, full: does not.")
@click.option("--script", type=click.Path(dir_okay=False), help="Orders with their times: lines such as `20 draw 8`.")
@click.option("--demo", is_flag=True, help="A car comes, charges, pauses and leaves, again and again.")
@click.option("--time-scale", type=click.FloatRange(0.01, 1000), default=1.0, help="Charger's seconds per second; 1.")
@click.option("--line-baud", type=click.IntRange(0), default=BAUD_RATE, help="Speed of the line, 0: no limit.")
@click.option("--boot", is_flag=True, help="Switch the chargers on now instead of an hour ago.")
@click.pass_obj
def command(session: Session, /, script: str | None, count: int, demo: bool, **options: Any) -> None:
    """Start simulated chargers on a pseudo terminal or TCP; orders on standard input play the car, until Ctrl-C.

    Type `help` for the orders: plug, unplug, stop, request, draw 10, fault rcm_triggered, clear, reboot and so on;
    `2: plug` is for the second charger only.
    """
    simulator_server()
    from ..simulator import orders

    story = _read_script(script, count) if script else []
    end_on_termination()
    with contextlib.ExitStack() as running:
        servers = [running.enter_context(server) for server in _servers(count, **options)]
        session.show([_place(server) for server in servers], "\n".join(_place(server) for server in servers))
        sys.stdout.flush()
        _introduce(servers, options["firmware"], options["car"])
        start = servers[0].now
        threading.Thread(target=_listen, args=(servers, orders), daemon=True).start()
        if demo:
            threading.Thread(target=_tell_story, args=(servers,), daemon=True).start()
        for seconds, order in story:
            while servers[0].now < start + seconds:
                time.sleep(SLICE_S / 5)
            _say(f"{seconds:g} {order.text}", _obey(servers, order))
        while True:
            time.sleep(SLICE_S)


CAR_WORDS = {"none": "no car", "plugged": "a car that wants energy", "full": "a full car"}


def _introduce(servers: list[Any], firmware: str, car: str) -> None:
    """For the person, on stderr: the places alone are on stdout."""
    several = "charger" if len(servers) == 1 else f"{len(servers)} chargers"
    click.echo(
        f"evse-host: simulated {several}, firmware {firmware}, {CAR_WORDS[car]}. In another terminal: evse-host --port "
        f"{_place(servers[0])} info\nevse-host: type `plug`, `draw 10` and so on, `help` lists all orders; Ctrl-C ends",
        err=True,
    )


def _servers(
    count: int,
    link: str | None,
    tcp: str | None,
    firmware: str,
    car: str,
    time_scale: float,
    line_baud: int,
    boot: bool,
) -> Iterator[Any]:
    from ..simulator import Car, Charger, PtyServer, TcpServer

    if link and tcp is not None:
        raise UsageError("--link and --tcp: choose one")
    host, port = parse_address(tcp) if tcp is not None else ("", 0)
    pace: dict[str, Any] = {"baud_rate": line_baud or None, "time_scale": time_scale}
    for number in range(count):
        who = Car(plugged=car != "none", wants_charge=car != "full")
        own_link = f"{link}{number + 1}" if link and count > 1 else link
        own_port = port + number if port else 0
        board = _board(f"{host}:{own_port}" if own_port else own_link or f"{os.getpid()} {number}")
        charger = Charger(firmware, board, running=not boot, car=who)
        with port_errors(f"--tcp {tcp}" if tcp is not None else f"--link {link}"):
            if tcp is not None:
                yield TcpServer(charger, host, own_port, **pace)
            else:
                yield PtyServer(charger, own_link, **pace)


def _board(place: str) -> Board:
    """With addresses of its own, the same at the same place again: who remembers a charger knows it by them."""
    from ..simulator.board import Board

    mark = hashlib.sha256(str(Path(place).absolute()).encode()).digest()
    station, access_point = (f"34:85:18:{mark[0]:02x}:{mark[1]:02x}:{mark[2] & ~1 | last:02x}" for last in (0, 1))
    return Board(sta_mac=station, ap_mac=access_point)


def _place(server: Any) -> str:
    place: str = getattr(server, "url", None) or server.path
    return place


def _read_script(file: str, count: int) -> list[tuple[float, Order]]:
    from ..simulator.orders import OrderError, parse_script

    try:
        return parse_script(Path(file).read_text("utf-8").splitlines(), file, count)
    except OrderError as error:
        raise UsageError(str(error)) from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}: not UTF-8") from None
    except OSError as error:
        raise UsageError(f"{file}: {(error.strerror or str(error)).lower()}") from None


def _lines() -> Iterator[str]:
    """Of standard input, however much comes without an end."""
    while line := sys.stdin.readline(MAX_ORDER):
        if line.endswith("\n") or len(line) < MAX_ORDER:
            yield line
            continue
        print(f"an order has at most {MAX_ORDER} characters", file=sys.stderr, flush=True)
        while (rest := sys.stdin.readline(MAX_ORDER)) and not rest.endswith("\n"):
            pass


def _listen(servers: list[Any], orders: ModuleType) -> None:
    """Orders from standard input until it ends; the chargers go on."""
    with contextlib.suppress(OSError, ValueError):
        for line in _lines():
            if line.strip() == "help":
                _say(orders.help_text(), [])
            elif line.strip():
                try:
                    _say("", _obey(servers, orders.parse(line, len(servers))))
                except orders.OrderError as error:
                    print(error, file=sys.stderr, flush=True)


def _obey(servers: list[Any], order: Order) -> list[str]:
    chosen = servers if order.charger == 0 else [servers[order.charger - 1]]
    said = [server.inject(order.action) for server in chosen]
    return [f"{_place(server)}: {text}" for server, text in zip(chosen, said, strict=True) if text]


def _say(text: str, answers: list[str]) -> None:
    for line in filter(None, [text, *answers]):
        print(line, flush=True)


def _tell_story(servers: list[Any]) -> None:
    from ..simulator.story import scenes, weather

    for moment, text, action in scenes(servers[0].now):
        while servers[0].now < moment:
            for server in servers:
                server.call(weather)
            time.sleep(0.5)
        _say(text, [])
        for server in servers:
            server.call(action)
