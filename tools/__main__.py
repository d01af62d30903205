"""Every command of this project's workshop.

    python -m tools                      lists them
    python -m tools COMMAND --help       tells what one takes

A command is a module with a ``main() -> int``; what it does says the first line of its docstring.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import signal
import sys
from pathlib import Path

COMMANDS = {
    "build": {
        "node": "tools.build.node",
        "esp32-warnings": "tools.build.esp32_warnings",
        "newest-esphome": "tools.build.newest_esphome",
    },
    "run": {
        "demo": "tools.run.demo",
        "first-hour": "tools.run.first_hour",
    },
    "measure": {
        "latency": "tools.measure.latency",
        "balance": "tools.balance.report",
        "cost": "tools.measure.cost",
        "footprint": "tools.measure.footprint",
        "manager-footprint": "tools.measure.manager_footprint",
        "host-bench": "tools.measure.host_bench",
        "gateway-bench": "tools.measure.gateway_bench",
        "ocpp-bench": "tools.measure.ocpp_bench",
        "coverage": "tools.measure.coverage",
    },
    "soak": {
        "fault-matrix": "tools.soak.fault_matrix.__main__",
        "long-life": "tools.soak.long_life.__main__",
        "fuzz": "tools.soak.fuzz",
        "security": "tools.soak.security",
        "mutations": "tools.soak.mutations",
        "ocpp-cuts": "tools.soak.ocpp_cuts",
        "unsteady": "tools.soak.unsteady",
    },
    "release": {
        "web-flasher": "tools.release.web_flasher",
    },
    "docs": {
        "docs": "tools.docs.pages",
        "host-docs": "tools.docs.host_pages",
    },
}  # fmt: skip
MODULE = {name: module for commands in COMMANDS.values() for name, module in commands.items()}


def summary(module: str) -> str:
    """The first line of the module's docstring, without importing the module."""
    source = Path(importlib.util.find_spec(module).origin).read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(source)).partition("\n")[0]


def overview() -> str:
    lines = ["usage: python -m tools COMMAND [--help] [OPTION ...]"]
    for room, commands in COMMANDS.items():
        lines += ["", room, *(f"  {name:18}{summary(module)}" for name, module in commands.items())]
    return "\n".join(lines)


def main() -> int:
    command, *arguments = sys.argv[1:] or ["--help"]
    name = command.replace("_", "-")
    if name in ("-h", "--help"):
        print(overview())
        return 0
    if name not in MODULE:
        print(f"no command {command!r}; there are: {', '.join(MODULE)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what it has started ends with it
    sys.argv = [f"python -m tools {name}", *arguments]
    return importlib.import_module(MODULE[name]).main()


if __name__ == "__main__":
    sys.exit(main())
