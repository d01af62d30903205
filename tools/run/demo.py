"""The full example as an ESPHome node on this computer, with a simulated charger or a real one, shown live.

    python -m tools demo [--once] [--picture FILE.svg] [--house] [--port /dev/ttyUSB0] [--api-port 6053]

Shows every entity as Home Assistant would see it, until Ctrl-C; `--once` prints one complete picture and exits with 0,
or with 1 and a line that names what is missing. `evse-host proxy` stands between node and charger, so that other
terminals can use the charger at the same time. `--house` puts the charger behind a small main fuse with a meter, some
sun and a hob, and lets the load manager share it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from aioesphomeapi import EntityInfo
from rich.console import CONSOLE_SVG_FORMAT, Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from evse_host import catalog
from evse_host.simulator import Car, Charger, PtyServer, story
from tools.build import node
from tools.run.api import PLATFORM_OF, WITHOUT_STATE, Change, NodeError, label
from tools.run.host_node import Node, free_port

CONFIG = node.ROOT / "tools/run/demo.yaml"
HOUSE_CONFIG = node.ROOT / "tools/run/demo_house.yaml"
API_PORT = 6053  # where Home Assistant expects a node
COMPLETE_TIMEOUT = 45.0  # s; a real charger is read at 115200 baud, one command after the other
CHARGING_AFTER = 20.0  # s until a plugged car takes its full current
COLUMN_WIDTH = 56
NARROW_WIDTH = 40
#: What a person looks for first, where there is no room for everything.
FIRST = (
    ("text_sensor", "status"), ("text_sensor", "state"), ("sensor", "emeter_power"), ("number", "charging_current"),
    ("sensor", "energy_consumption"), ("sensor", "total_energy_consumption"), ("sensor", "emeter_session_time"),
    ("switch", "enable"), ("sensor", "current_l1"), ("sensor", "current_l2"), ("sensor", "current_l3"),
    ("sensor", "voltage_l1"), ("binary_sensor", "vehicle_connected"), ("binary_sensor", "fault"),
    ("binary_sensor", "connected"), ("sensor", "temperature"),
)  # fmt: skip
#: Without the fonts that rich takes from another site.
SVG_FORMAT = re.sub(r" *@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
CONNECTED = catalog.ENTITY["binary_sensor", "connected"]

Row = tuple[str, str]


def show(entity: EntityInfo, value: object) -> str:
    """The value as a person reads it, with its unit."""
    platform = PLATFORM_OF[type(entity)]
    if platform == "button":
        return "(press)"
    if value is None:
        return "none yet" if platform == "event" else "unknown"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        digits = getattr(entity, "accuracy_decimals", None)
        number = f"{value:.7g}" if digits is None else f"{value:.{digits}f}"
        return f"{number} {entity.unit_of_measurement}".rstrip()
    return str(value) or "(empty)"


def rows(view: Node) -> list[Row]:
    """A heading (with no value) for each kind of entity, and each entity under its kind, in catalog order."""
    platforms = [platform for platform in catalog.PLATFORMS if any(_of(view, platform))]
    lines: list[Row] = []
    for platform in platforms:
        lines.append((platform.replace("_", " ").upper(), ""))
        lines += [(f"  {entity.name}", show(entity, view.value(entity))) for entity in _of(view, platform)]
    return lines


def _of(view: Node, platform: str) -> Iterator[EntityInfo]:
    return (entity for entity in view.entities if PLATFORM_OF[type(entity)] == platform)


def picture(lines: list[Row], width: int, column: int = COLUMN_WIDTH) -> Table:
    """All lines in as many columns as fit into ``width`` characters."""
    columns = columns_of(width, column)
    height = -(-len(lines) // columns)
    table = Table(box=None, show_header=False, padding=(0, 1), expand=False)
    for _ in range(columns):
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=column // 2 + 2)
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=column // 2 - 6)
    padded = lines + [("", "")] * (columns * height - len(lines))
    for index in range(height):
        table.add_row(*(text for line in padded[index::height] for text in styled(line)))
    return table


def styled(line: Row) -> Row:
    name, value = (text.replace("[", r"\[") for text in line)
    if name and not value:
        return f"[bold cyan]{name}[/]", ""
    return name, f"[dim]{value}[/]" if value == "unknown" else f"[bold]{value}[/]"


def print_picture(view: Node) -> None:
    for name, value in rows(view):
        print(f"{name:<38}{value}".rstrip(), flush=True)


def missing(view: Node) -> list[str]:
    """The entities that should have a value by now and have none."""
    optional = {f"{row.platform}.{row.name}" for row in catalog.ENTITIES if may_stay_unknown(row)}
    return [
        name
        for entity in view.entities
        if (name := label(entity)) not in optional
        and PLATFORM_OF[type(entity)] not in WITHOUT_STATE
        and view.value(entity) is None
    ]


def may_stay_unknown(row: catalog.Entity) -> bool:
    """Rows without a value in normal operation: no sensor, no Wi-Fi, no session finished yet."""
    return row.convert == "gated" or row.key.startswith("last_session")


def once(view: Node, is_real: bool) -> int:
    complete = view.wait_until(lambda: view.value(CONNECTED) and not missing(view), COMPLETE_TIMEOUT)
    print_picture(view)
    if complete:
        return 0
    connected = view.value(CONNECTED)
    lack = ", ".join(missing(view)) if connected else "the charger does not answer"
    print(f"Still missing after {COMPLETE_TIMEOUT:.0f} s: {lack}", file=sys.stderr)
    return 0 if is_real and connected else 1  # not every real board and firmware has everything


def save_picture(view: Node, file: Path) -> int:
    """The live view of a terminal, as a drawing for the README."""
    if not view.wait_until(lambda: view.value(CONNECTED) and not missing(view), COMPLETE_TIMEOUT):
        print(f"Still missing after {COMPLETE_TIMEOUT:.0f} s: {', '.join(missing(view))}", file=sys.stderr)
        return 1
    console = Console(record=True, width=2 * NARROW_WIDTH, height=24, file=io.StringIO(), force_terminal=True)
    console.print(live(view, console, "In another terminal, at the same charger: evse-host info, watch, shell, doctor"))
    console.save_svg(str(file), title="make demo", code_format=SVG_FORMAT)
    print(f"wrote {file}")
    return 0


def follow(view: Node, console: Console, hint: str) -> int:
    """The picture refreshed in place on a terminal, else once and then a line for each change."""
    if console.is_terminal:
        with Live(console=console, get_renderable=lambda: live(view, console, hint), refresh_per_second=4):
            view.process.wait()
    else:
        view.wait_until(lambda: not missing(view), COMPLETE_TIMEOUT)
        _print_changes(view, hint)
    print(f"The node stopped by itself; {view.process.log_tail()}", file=sys.stderr)
    return 1


def live(view: Node, console: Console, hint: str) -> Group:
    """Everything if the terminal has room for it, else what matters most; the hint is always below it."""
    below = Text(f"\n{hint}")
    room = console.height - len(console.render_lines(below)) - 1
    lines = rows(view)
    if -(-len(lines) // columns_of(console.width)) <= room:
        return Group(picture(lines, console.width), below)
    chosen = first_rows(view, max(room - 1, 1) * columns_of(console.width, NARROW_WIDTH))
    rest = Text(f"and {len(view.entities) - len(chosen)} more: a larger terminal, or ARGS=--once", "dim")
    return Group(picture(chosen, console.width, NARROW_WIDTH), rest, below)


def first_rows(view: Node, count: int) -> list[Row]:
    """As many entities as fit, those first that a person looks for first."""
    wanted = [f"{platform}.{catalog.ENTITY[platform, key].name}" for platform, key in FIRST]
    known = {label(entity): entity for entity in view.entities}
    order = [known[name] for name in wanted if name in known]
    order += [entity for name, entity in known.items() if name not in wanted and view.value(entity) is not None]
    return [(entity.name, show(entity, view.value(entity))) for entity in order[:count]]


def columns_of(width: int, column: int = COLUMN_WIDTH) -> int:
    return max(1, width // column)


def _print_changes(view: Node, hint: str) -> None:
    changes: queue.Queue[Change] = queue.Queue()
    view.on_change = changes.put
    print_picture(view)
    print(f"\n{hint}\n\nWhat changes:", flush=True)
    while view.process.running:
        with contextlib.suppress(queue.Empty):
            change = changes.get(timeout=1)
            print(f"{label(change.entity)}: {show(change.entity, change.value)}", flush=True)


def pick_port(wanted: int | None) -> int:
    """The API port: the wanted one (NodeError if it is busy), else the usual one, else any free one."""
    port = wanted or API_PORT
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            if wanted:
                raise NodeError(f"--api-port {port} cannot be used: {error.strerror}; choose a free port") from None
            return free_port()
    return port


def lan_address() -> str:
    """This computer's address as others on its network see it; nothing is sent to find out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return probe.getsockname()[0]


@contextlib.contextmanager
def charger_port(real: str | None) -> Iterator[str]:
    """The serial port of the real charger, or that of a simulated one on which a car is charging."""
    if real:
        if not Path(real).exists():
            raise NodeError(f"--port {real}: no such serial port")
        yield real
        return
    charger = Charger(car=Car(plugged=True))
    charger.advance_to(CHARGING_AFTER)
    with PtyServer(charger, baud_rate=catalog.BAUD_RATE) as server, story_of(server):
        yield server.path


@contextlib.contextmanager
def shared(charger: str) -> Iterator[tuple[str, str]]:
    """`evse-host proxy` at a serial port: the port for the node, and the URL of the charger for everybody else."""
    link = node.CACHE / "demo" / f"charger-{free_port()}"
    link.parent.mkdir(parents=True, exist_ok=True)
    command = ["--port", charger, "proxy", "--quiet", "--link", str(link), "--listen", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "evse_host.cli", *command], stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as proxy:  # fmt: skip
        try:
            first = proxy.stderr.readline()
            url = re.search(r"socket://\S+", first)
            if not url:
                raise NodeError(first.strip())
            threading.Thread(target=shutil.copyfileobj, args=(proxy.stderr, sys.stderr), daemon=True).start()
            yield str(link), url[0]
        finally:
            proxy.terminate()


def other_terminal(url: str) -> str:
    """What to type there."""
    programs = Path(sys.executable).parent
    return "\n".join([
        "The same charger in another terminal, through a proxy:",
        f'  export EVSE_PORT={url} PATH="{programs}:$PATH"',
        *(f"  evse-host {name}" for name in ("info", "watch", "shell", "doctor")),
    ])  # fmt: skip


@contextlib.contextmanager
def story_of(server: PtyServer) -> Iterator[None]:
    """Lets the simulated car come and go meanwhile."""
    over = threading.Event()

    def tell() -> None:
        for moment, _, action in story.scenes(server.now):
            while server.now < moment:
                server.call(story.weather)
                if over.wait(0.5):
                    return
            server.call(action)

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def run(arguments: argparse.Namespace) -> int:
    api_port = pick_port(arguments.api_port)
    print("Building the node; the first time takes about a minute ...", flush=True)
    program = node.build(HOUSE_CONFIG if arguments.house else CONFIG)
    with (
        charger_port(arguments.port) as charger,
        shared(charger) as (uart, url),
        Node(program, uart, node.CACHE / "demo", api_port) as view,
    ):
        print(f"Charger: {'' if arguments.port else 'simulated, '}{charger}")
        print(f"Home Assistant: Settings, Devices, Add integration, ESPHome: host {lan_address()}, port {api_port}")
        if arguments.once:
            return once(view, bool(arguments.port))
        if arguments.picture:
            return save_picture(view, arguments.picture)
        return follow(view, Console(), other_terminal(url))


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the full example on this computer and show its entities.")
    parser.add_argument("--once", action="store_true", help="print one complete picture and exit")
    parser.add_argument("--picture", type=Path, metavar="FILE.svg", help="draw one live view for a page and exit")
    parser.add_argument("--house", action="store_true", help="with a house, its meter, sun and a hob: load management")
    parser.add_argument("--port", help="serial port of a real charger; default: a simulated charger")
    parser.add_argument("--api-port", type=int, help=f"port of the ESPHome API; default {API_PORT}, or a free one")
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _frame: sys.exit(128 + number))
    try:
        return run(parser.parse_args())
    except (node.BuildError, NodeError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print()
        return 0
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
