"""The demo as a newcomer runs it, on a simulated charger."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tools.build import node
from tools.run.host_node import free_port


def start(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "tools", "demo", *arguments], cwd=node.ROOT, text=True,
        env={**os.environ, "PYTHONPATH": f"{node.ROOT}:{node.ROOT}/host_tools"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.usefixtures("full_node_program")
def test_once_prints_a_complete_picture() -> None:
    port = free_port()
    output, errors = (demo := start("--once", "--api-port", str(port))).communicate(timeout=120)
    assert (demo.returncode, errors) == (0, "")
    assert f"port {port}" in output
    shown = [line.strip().partition("  ") for line in output.splitlines() if line.startswith("  ")]
    values = {name: value.strip() for name, _, value in shown}
    assert values["Charge status"] == "Charging"
    assert values["Charging current"] == "32 A"
    assert values["Voltage L1"].endswith(" V")
    assert values["Last session energy"] == "unknown"
    assert all(values.values())


@pytest.mark.usefixtures("full_node_program")
@pytest.mark.parametrize(("ending", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_end_leaves_nothing_behind(ending: signal.Signals, code: int) -> None:
    port = free_port()
    with start("--api-port", str(port)) as demo:
        try:
            shared = wait_for(demo, r"EVSE_PORT=socket://127\.0\.0\.1:(\d+)")
            for used in (port, int(shared[1])):
                socket.create_connection(("127.0.0.1", used), 5).close()
            demo.send_signal(ending)
            demo.communicate(timeout=30)
        finally:
            demo.kill()
    assert demo.returncode == code
    for used in (port, int(shared[1])):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", used), 5)


@pytest.mark.usefixtures("full_node_program")
def test_another_terminal_shares_the_charger() -> None:
    """The very lines that the demo prints."""
    with start("--api-port", str(free_port())) as demo:
        try:
            setting = wait_for(demo, r"^  (export EVSE_PORT=.*)$")[1]
            names = [wait_for(demo, rf"^  (evse-host {name})$")[1] for name in ("info", "watch", "shell", "doctor")]
            names[1] += " state --duration 0.5"
            done = subprocess.run(
                ["bash", "-ec", "\n".join([setting, *names, "evse-host set charging_current 16"])],
                input="AT+STATE?\n", capture_output=True, text=True, timeout=120,
            )  # fmt: skip
            assert (done.returncode, done.stderr) == (0, "")
            wait_for(demo, "^number.Charging current: 16 A$")
        finally:
            demo.terminate()
            demo.communicate(timeout=30)
    assert re.search(r"^  Status +charging$", done.stdout, re.MULTILINE)
    assert re.search(r"state +C2$", done.stdout, re.MULTILINE)
    assert "+STATE=4                state C2" in done.stdout
    assert "All is well" in done.stdout


@pytest.mark.usefixtures("full_node_program")
def test_a_reader_that_has_enough_ends_it_quietly() -> None:
    with start("--api-port", str(free_port())) as demo:
        try:
            wait_for(demo, "^What changes:$")
            demo.stdout.close()
            demo.wait(timeout=60)
            assert (demo.returncode, demo.stderr.read()) == (0, "")
        finally:
            demo.kill()


def wait_for(demo: subprocess.Popen, pattern: str) -> re.Match:
    """The next line of the demo that holds ``pattern``."""
    for line in demo.stdout:
        if found := re.search(pattern, line):
            return found
    raise AssertionError(f"the demo ended without {pattern!r}: {demo.stderr.read()}")


def test_missing_charger_is_named(full_node_program: Path) -> None:
    assert full_node_program.is_file()
    _, errors = (demo := start("--once", "--port", "/dev/none")).communicate(timeout=120)
    assert demo.returncode == 1
    assert errors == "--port /dev/none: no such serial port\n"
