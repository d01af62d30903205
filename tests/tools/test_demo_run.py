"""The demo as a newcomer runs it, on a simulated charger."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tools import node
from tools.host_node import free_port


def start(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "tools.demo", *arguments], cwd=node.ROOT, text=True,
        env={**os.environ, "PYTHONPATH": f"{node.ROOT}:{node.ROOT}/host_tools"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.usefixtures("full_node_program")
def test_once_prints_a_complete_picture() -> None:
    port = free_port()
    output, errors = (demo := start("--once", "--api-port", str(port))).communicate(timeout=120)
    assert (demo.returncode, errors) == (0, "")
    assert f"port {port}" in output
    shown = dict(line.strip().split("  ", 1) for line in output.splitlines() if line.startswith("  "))
    values = {name: value.strip() for name, value in shown.items()}
    assert values["Status"] == "Charging"
    assert values["Charging current"] == "32 A"
    assert values["Voltage L1"].endswith(" V")
    assert values["Last session energy"] == "unknown"


@pytest.mark.usefixtures("full_node_program")
@pytest.mark.parametrize(("ending", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_end_leaves_nothing_behind(ending: signal.Signals, code: int) -> None:
    port = free_port()
    with start("--api-port", str(port)) as demo:
        try:
            for line in demo.stdout:
                if line.startswith("EVENT"):
                    break
            socket.create_connection(("127.0.0.1", port), 5).close()
            demo.send_signal(ending)
            demo.communicate(timeout=30)
        finally:
            demo.kill()
    assert demo.returncode == code
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)


def test_missing_charger_is_named(full_node_program: Path) -> None:
    assert full_node_program.is_file()
    _, errors = (demo := start("--once", "--port", "/dev/none")).communicate(timeout=120)
    assert demo.returncode == 1
    assert errors == "--port /dev/none: no such serial port\n"
