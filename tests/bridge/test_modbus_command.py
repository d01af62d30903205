"""`evse-host modbus` as a person or a service runs it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest

from evse_host.installation import how_to_add
from tests.host.commands import Command, run

from .modbus_support import Bus, Wire, frame, read_request, tcp_client, words
from .support import wait_until


def place(command: Command) -> str:
    """Where it says that it serves."""
    return wait_until(lambda: next((m[1] for m in re.finditer(r"Modbus \w+ on (\S+)", "\n".join(command.err))), ""))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_tcp_until_it_is_ended(server, number, code):
    with Command("--port", server.path, "modbus", "--tcp", "0", "--unit", "9") as command:
        port = int(place(command).removeprefix("127.0.0.1:"))
        with tcp_client(port) as client:
            wait_until(lambda: not client.read_holding_registers(106, device_id=9).isError())
            assert words(client, 106, 1, unit=9) == [320]
            wait_until(lambda: server.call(lambda model: len(model.subscriptions)) > 10)
            assert command.end(number) == code
    assert server.call(lambda model: model.subscriptions) == []
    assert not any("Traceback" in line for line in command.err)


def test_a_master_on_the_bus_is_answered_by_its_frames(server, tmp_path):
    bus = Bus(tmp_path)
    with Command("--port", server.path, "modbus", "--rtu", str(bus.link), "--baud", "19200") as command:
        assert place(command) == f"{bus.link},"
        wait_until(lambda: any("online" in line for line in command.err))
        wire = Wire(bus)
        assert wire.ask(read_request(106, 1), 7) == frame(1, 3, 2, 1, 64)
        wire.close()
        assert command.end(signal.SIGTERM) == 0
    bus.close()


def test_print_shows_every_register_and_writes_nothing(server):
    wait_until(lambda: server.call(lambda model: model.value("STATE")) == (4,))
    ran = run("--port", server.path, "modbus", "--print")
    lines = ran.out.splitlines()
    assert (ran.code, ran.err) == (0, "")
    assert lines[0].startswith("100  C2       IEC 61851 state") and lines[5].startswith(
        "106  320      Charging current;"
    )
    shown = run("--port", server.path, "--json", "modbus", "--print").json
    assert (shown["100"], shown["106"], shown["405"]) == ("C2", 320, server.call(lambda model: model.value("VER"))[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--tcp or --rtu: choose one"),
        (["--tcp", "0", "--rtu", "/dev/null"], "--tcp or --rtu: choose one"),
        (["--tcp", "here:there"], "--tcp here:there: no TCP port, 0 to 65535 are allowed"),
        (["--tcp", "0", "--unit", "248"], "Invalid value for '--unit': 248 is not in the range 1<=x<=247."),
    ],
)
def test_wrong_options_end_it_in_one_line(options, message):
    ran = run("--port", "/dev/null", "modbus", *options)
    assert (ran.code, ran.err) == (2, f"evse-host: {message}\n")


def test_an_address_that_is_taken(server, charger):
    with Command("--port", "/dev/null", "modbus", "--tcp", "0") as first:
        taken = place(first)
        ran = run("--port", "/dev/null", "modbus", "--tcp", taken)
        assert ran.code == 3
        assert ran.err.endswith(f"evse-host: Modbus TCP {taken}: address already in use\n")


def test_a_missing_package_is_one_line():
    hidden = "import sys; sys.modules['pymodbus'] = None; from evse_host.cli import main; main()"
    arguments = ["--port", "/dev/null", "modbus", "--tcp", "0"]
    ran = subprocess.run([sys.executable, "-c", hidden, *arguments], capture_output=True, text=True, timeout=60)
    expected = f"evse-host: the Modbus bridge needs more packages: {how_to_add('modbus')}\n"
    assert (ran.returncode, ran.stderr) == (2, expected)
