"""`python -m evse_host.simulator --link /tmp/evse`: a simulated charger to try things on, until Ctrl-C."""

import argparse
import contextlib
import signal
import sys
import time

from ..catalog import BAUD_RATE
from .board import FIRMWARES
from .car import Car
from .charger import Charger
from .server import PtyServer, Server, TcpServer
from .story import scenes, weather

CARS = {
    "none": Car(),
    "plugged": Car(plugged=True),
    "full": Car(plugged=True, wants_charge=False),
}


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evse_host.simulator", description=__doc__)
    parser.add_argument("--link", help="symbolic link to the pseudo terminal, e.g. /tmp/evse")
    parser.add_argument("--tcp", metavar="[HOST:]PORT", help="listen on TCP instead of a pseudo terminal; 0: any port")
    parser.add_argument("--firmware", choices=FIRMWARES, default="head")
    parser.add_argument("--car", choices=CARS, default="none", help="plugged: wants energy, full: does not")
    parser.add_argument("--demo", action="store_true", help="a car comes, charges, pauses and leaves, again and again")
    parser.add_argument("--boot", action="store_true", help="switch the charger on now instead of an hour ago")
    parser.add_argument("--baud", type=int, default=BAUD_RATE, help="true speed of the line, 0: no limit")
    parser.add_argument("--time-scale", type=float, default=1.0, help="seconds of the charger per real second")
    arguments = parser.parse_args(argv)
    if arguments.time_scale <= 0:
        parser.error("--time-scale must be above 0")
    if arguments.baud < 0:
        parser.error("--baud must be 0 or more")
    return arguments


def _server(arguments: argparse.Namespace) -> PtyServer | TcpServer:
    charger = Charger(arguments.firmware, running=not arguments.boot, car=CARS[arguments.car])
    pace = {"baud_rate": arguments.baud or None, "time_scale": arguments.time_scale}
    if arguments.tcp is None:
        return PtyServer(charger, arguments.link, **pace)
    host, _, port = arguments.tcp.rpartition(":")
    return TcpServer(charger, host or "127.0.0.1", int(port), **pace)


def _tell_story(server: Server) -> None:
    for moment, text, action in scenes(server.now):
        while server.now < moment:
            server.call(weather)
            time.sleep(0.5)
        print(text, flush=True)
        server.call(action)


def main(argv: list[str] | None = None) -> int:
    arguments = _arguments(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the link goes away with us
    with contextlib.suppress(KeyboardInterrupt), _server(arguments) as server:
        print(server.url if isinstance(server, TcpServer) else server.path, flush=True)
        if arguments.demo:
            _tell_story(server)
        while True:
            time.sleep(3600)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
