"""`evse-host proxy`, `record` and `replay` as processes, between simulated chargers, clients and a real node."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from evse_host.errors import PortError
from evse_host.line.client import Evse
from evse_host.recordings.checker import check
from evse_host.recordings.recording import parse
from evse_host.simulator.server import PtyPort
from tests.host.commands import Command, run


@pytest.fixture
def link(tmp_path) -> str:
    return str(tmp_path / "companion")


@pytest.fixture
def start_proxy(tmp_path, link):
    """``start_proxy(charger's path, options...)``: ready when it returns, with the URL for clients in ``url``."""
    started = []

    def start(path: str, *options: str) -> Command:
        command = Command("--port", path, "proxy", "--link", link, "--listen", "0", *options)
        started.append(command)
        line = command.wait_for("clients socket://", err=True)
        command.url = line.partition("clients ")[2].split(",")[0]
        return command

    yield start
    for command in started:
        command.__exit__()


def connect(url: str) -> socket.socket:
    host, port = url.removeprefix("socket://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def read_until(client: socket.socket, wanted: bytes) -> bytes:
    data = b""
    while wanted not in data:
        piece = client.recv(4096)
        assert piece, f"closed after {data!r}"
        data += piece
    return data


def read_recording(path: Path):
    return parse(path.read_text("utf-8").splitlines(), str(path))


# --- bytes ------------------------------------------------------------------------------------------------------------


def read_exactly(fd: int, count: int) -> bytes:
    data = b""
    while len(data) < count:
        assert select.select([fd], [], [], 10)[0], f"only {len(data)} of {count} bytes came"
        data += os.read(fd, count - len(data))
    return data


def test_a_proxy_stands_between_two_serial_ports():
    charger, companion = PtyPort(None), PtyPort(None)
    for port in (charger, companion):
        os.set_blocking(port.fd, True)
    try:
        with Command("--port", charger.path, "proxy", "--companion", companion.path) as proxy:
            proxy.wait_for("companion", err=True)
            os.write(companion.fd, b"AT+STATE?\n")
            assert read_exactly(charger.fd, 10) == b"AT+STATE?\n"
            answer = b"\n+STATE=4\n\nOK\n"
            os.write(charger.fd, answer)
            assert read_exactly(companion.fd, len(answer)) == answer
            proxy.wait_for("answer: state C2")
            assert proxy.end() == 130
    finally:
        charger.close()
        companion.close()


# --- several clients --------------------------------------------------------------------------------------------------


def test_clients_of_the_tool_share_a_charger(start_charger, start_proxy, link, tmp_path):
    charger = start_charger()
    file = tmp_path / "session.rec"
    proxy = start_proxy(charger.path, "--record", str(file))
    with Evse.open(link) as companion, Evse.open(proxy.url) as one, Evse.open(proxy.url) as two:
        for ampere in (60, 70, 80):
            assert one.set("CHCUR", ampere) == (ampere,)
            assert two.get("CHCUR") == (ampere,) and companion.get("CHCUR") == (ampere,)
            assert companion.set("ENABLE", ampere % 20 // 10) == (ampere % 20 // 10,)
    proxy.wait_for("write charging_current 8 A")
    assert proxy.end() == 130 and "Traceback" not in "\n".join(proxy.err)
    assert charger.call(lambda charger: charger.journal.violations) == []
    assert charger.call(lambda charger: charger.journal.writes("CHCUR")) == [f"AT+CHCUR={a}" for a in (60, 70, 80)]
    assert check(read_recording(file)) == []
    assert run("replay", "--check", str(file)).code == 0


def test_several_read_while_one_writes(start_charger, start_proxy):
    proxy = start_proxy(start_charger().path)
    with connect(proxy.url) as writer, connect(proxy.url) as one, connect(proxy.url) as two:
        writer.sendall(b"AT+CH")
        writer.sendall(b"CUR?\nAT+VER?\n")
        assert read_until(writer, b'VER="v2.2.0-dev"\n\nOK\n').count(b"OK") == 2
        for reader in (one, two):
            data = read_until(reader, b'VER="v2.2.0-dev"\n\nOK\n')
            assert data == b'\n+CHCUR=320\n\nOK\n\n+VER="v2.2.0-dev"\n\nOK\n'


def test_a_client_that_vanishes_leaves_nothing_behind(start_charger, start_proxy):
    charger = start_charger()
    proxy = start_proxy(charger.path)
    with connect(proxy.url) as other:
        with connect(proxy.url) as client:
            client.sendall(b'AT+SUB="+STATE",300\n')
            read_until(client, b"+STATE=0\n")
            client.sendall(b"AT+ENABLE=0")
        charger.wait_for(lambda charger: not charger.subscriptions)
        other.sendall(b"AT+ENABLE?\n")
        read_until(other, b"+ENABLE=1\n\nOK\n")
    assert charger.call(lambda charger: charger.journal.writes()) == []


def test_clients_subscriptions_end_with_the_proxy(start_charger, start_proxy):
    charger = start_charger()
    proxy = start_proxy(charger.path)
    with connect(proxy.url) as client:
        client.sendall(b'AT+SUB="+STATE",300\n')
        read_until(client, b"+STATE=0\n")
        assert proxy.end(signal.SIGTERM) == 130
    charger.wait_for(lambda charger: not charger.subscriptions)


# --- ends -------------------------------------------------------------------------------------------------------------


def test_a_reader_that_has_enough(start_charger, link):
    """`evse-host proxy | head -1`"""
    charger = start_charger()
    shell = f'"{sys.executable}" -m evse_host.cli --port "{charger.path}" proxy --link "{link}" | head -n 1'
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root / "host_tools")}
    with subprocess.Popen(["bash", "-c", shell], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=environment) as process:  # fmt: skip
        while "companion" not in process.stderr.readline():
            pass
        with contextlib.suppress(PortError), Evse.open(link, timeout=2) as evse:
            evse.get("STATE")  # the proxy may be gone before it is answered
        out, err = process.communicate(timeout=20)
    assert out.count("\n") == 1 and err == ""


def test_a_charger_that_is_unplugged(start_charger, start_proxy):
    charger = PtyPort(None)
    proxy = start_proxy(charger.path)
    charger.close()
    assert proxy.process.wait(20) == 3
    proxy.wait_for("lost", err=True)
    assert len(proxy.err) == 2 and "Traceback" not in proxy.err[1]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("proxy", "--listen", "99999"), 2, "--listen 99999: no TCP port, 0 to 65535 are allowed"),
        (("proxy", "--companion", "/dev/a", "--link", "/tmp/b"), 2, "choose one"),
        (("proxy", "--companion", "/dev/nothing"), 3, "port /dev/nothing: no such file"),
        (("replay", "/nowhere.rec"), 2, "/nowhere.rec: no such file"),
        (("record", "/nowhere/x.rec"), 2, "/nowhere/x.rec: no such file"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(arguments, code, message):
    ran = run("--port", "/dev/nothing", *arguments)
    assert ran.code == code and message in ran.err and ran.out == "" and ran.err.count("\n") == 1


def test_a_proxy_that_cannot_start_leaves_no_link(link):
    assert run("--port", "/dev/nothing", "proxy", "--link", link).code == 3
    assert not Path(link).is_symlink()


# --- record and replay ------------------------------------------------------------------------------------------------


def test_a_recorded_charger_can_be_played(start_charger, tmp_path):
    charger = start_charger()
    charger.call(lambda charger: charger.set("CHCUR", 130))
    file = tmp_path / "charger.rec"
    ran = run("--port", charger.path, "record", str(file), "STATE", "--period", "300", "--seconds", "2")
    assert ran.code == 0 and "lines are in" in ran.err
    assert charger.call(lambda charger: (charger.subscriptions, charger.journal.writes())) == ([], [])
    assert check(read_recording(file)) == []
    assert sum(entry.text == "+STATE=0" for entry in read_recording(file)) >= 3, "pushes are there too"
    begun, ended = (
        next(entry.seconds for entry in read_recording(file) if entry.text.startswith(command))
        for command in ("AT+SUB=", "AT+UNSUB=")
    )
    assert ended - begun >= 2, "the time that is spent with questions does not count"
    assert run("--port", charger.path, "record", str(file)).code == 2, "nothing is overwritten"
    with Command("replay", str(file), "--tcp", "0") as replay:
        with Evse.open(replay.wait_for("socket://")) as evse:
            assert evse.get("CHCUR") == (130,) and evse.get("STATE") == (0,)
            evse.raw("AT+CHCUR=100")
        replay.wait_for("not recorded, answered ERROR: AT+CHCUR=100", err=True)
        assert replay.end() == 130


def test_deviations_are_reported_with_their_lines(tmp_path):
    file = tmp_path / "bad.rec"
    file.write_text("# evse-host recording 1\n0.000000 > AT+EN=1\\n\n0.010000 < \\nOK\\n\n0.020000 < \\nOK\\n\n")
    ran = run("replay", "--check", str(file))
    assert ran.code == 1
    assert ran.out.splitlines() == [
        f"{file}:2: client: EN: short for ENABLE; a lost byte makes it another command",
        f"{file}:4: charger: OK without a command",
        f"{file}: 3 lines, 2 deviations",
    ]


# --- the component's node ---------------------------------------------------------------------------------------------


def test_the_node_works_through_the_proxy(full_node_program, start_charger, start_node, start_proxy, link, tmp_path):
    """Reads, a write and a restart, while a client of the tool shares the charger."""
    charger = start_charger()
    file = tmp_path / "node.rec"
    proxy = start_proxy(charger.path, "--record", str(file))
    node = start_node(full_node_program, link)
    node.wait_for("binary_sensor.Connected", True, timeout=30)
    node.wait_for("Firmware version", "v2.2.0-dev", timeout=30)
    with Evse.open(proxy.url) as evse:
        assert evse.set("CHCUR", 110) == (110,)
        node.wait_for("number.Charging current", 11.0, timeout=30)
        node.command("number.Charging current", 10.0)
        charger.wait_for(lambda charger: charger.value("CHCUR") == (100,))
        assert evse.get("CHCUR") == (100,)
        charger.call(lambda charger: charger.car.plug())
        node.wait_for("text_sensor.State", "C2", timeout=30)
        restarts = node.value("sensor.Restarts")
        node.command("button.Restart")
        node.wait_for("sensor.Restarts", restarts + 1, timeout=30)
        assert evse.get("STATE")
    assert proxy.end() == 130
    assert charger.call(lambda charger: charger.journal.violations) == []
    assert charger.call(lambda charger: charger.journal.commands).count("AT+RST") == 1
    deviations = check(read_recording(file))
    assert [deviation for deviation in deviations if deviation.side == "client"] == []
