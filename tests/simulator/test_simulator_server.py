"""The simulator in real time: on a pseudo terminal, on TCP, and from the command line."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import serial

import evse_host
from evse_host.simulator import Car, Charger, Faults, PtyServer, TcpServer
from evse_host.simulator.server import PtyPort, Wire

READY = b"\n\nRDY\n\0"
PATIENCE_S = 30  # s: a busy computer answers late


def exchange(port, data=b"AT\n"):
    port.write(data)
    return port.read_until(b"OK\n")


def open_port(where):
    return serial.serial_for_url(str(where), 115200, timeout=PATIENCE_S)


def test_a_pty_with_a_link(tmp_path):
    link = tmp_path / "evse"
    with PtyServer(Charger(), link=link) as server:
        assert server.path == str(link) and link.is_symlink()
        with open_port(link) as port:
            assert exchange(port, b"AT+STATE?\n") == b"\n+STATE=0\n\nOK\n"
    assert not link.is_symlink()


def test_only_a_link_is_replaced(tmp_path):
    file = tmp_path / "precious"
    file.write_text("data")
    with pytest.raises(FileExistsError, match="precious: something else is there"):
        PtyServer(Charger(), link=file)
    assert file.read_text() == "data"
    stale = tmp_path / "evse"
    stale.symlink_to("/dev/pts/nowhere")
    with PtyServer(Charger(), link=stale), open_port(stale) as port:
        assert exchange(port) == b"\nOK\n"


def test_a_client_may_come_and_go():
    with PtyServer(Charger()) as server:
        for round_ in range(3):
            with open_port(server.path) as port:
                assert exchange(port, b"AT+STATE?\n") == b"\n+STATE=0\n\nOK\n"
            assert len(server.charger.journal.entries) == round_ + 1


def test_a_command_that_comes_with_its_client_is_answered(monkeypatch):
    """Between two looks whether somebody is there: a busy computer looks late."""
    port = PtyPort(None)
    clients = []

    def come(*_):
        clients.append(os.open(port.path, os.O_RDWR | os.O_NOCTTY))
        os.write(clients[0], b"AT\n")
        return [], [], []

    monkeypatch.setattr(select, "select", come)
    data, _ = port.poll(1.0, -1)
    monkeypatch.undo()
    port.write(b"\nOK\n")
    assert data == b"AT\n" and select.select(clients, [], [], PATIENCE_S)[0]
    assert os.read(clients[0], 10) == b"\nOK\n"
    os.close(clients[0])
    port.close()


def test_what_a_client_left_unread_is_not_for_the_next():
    """Not with pyserial, which empties its input itself."""
    with PtyServer(Charger()) as server:
        leaver = os.open(server.path, os.O_RDWR | os.O_NOCTTY)
        os.write(leaver, b"AT+CMD\n")
        server.wait_for(lambda charger: charger.journal.commands)
        assert select.select([leaver], [], [], PATIENCE_S)[0]
        os.close(leaver)
        server.wait_for(lambda _: not server._port._connected)
        newcomer = os.open(server.path, os.O_RDWR | os.O_NOCTTY)
        os.write(newcomer, b"AT\n")
        assert select.select([newcomer], [], [], PATIENCE_S)[0]
        assert os.read(newcomer, 1) == b"\n" and os.read(newcomer, 3) == b"OK\n"
        os.close(newcomer)


def test_what_was_sent_to_nobody_is_lost():
    with PtyServer(Charger(), time_scale=50) as server:
        with open_port(server.path) as port:
            exchange(port, b'AT+SUB="+UPTIME",1000\n')
        uptime = server.call(lambda charger: charger.value("UPTIME")[0])
        server.wait_for(lambda charger: charger.value("UPTIME")[0] > uptime + 20)
        with open_port(server.path) as port:
            first = port.read_until(b"\n\n")
        assert int(first.strip().partition(b"=")[2]) >= uptime + 20


def test_clients_of_a_network_port_come_and_go():
    with TcpServer(Charger(), time_scale=20) as server:
        with open_port(server.url) as port:
            assert exchange(port) == b"\nOK\n"
            server.inject(lambda faults: faults.reboot())
            assert port.read_until(READY) == READY
        with open_port(server.url) as port:
            assert exchange(port) == b"\nOK\n"


def test_a_test_can_wait_for_what_the_charger_does():
    with PtyServer(Charger(car=Car(plugged=True)), time_scale=50) as server:
        assert server.wait_for(lambda charger: charger.point.state == "C2" and charger.value("STATE")) == (4,)
        server.call(lambda charger: charger.car.unplug())
        server.wait_for(lambda charger: charger.value("STATE") == (0,))
        with pytest.raises(TimeoutError, match=r"within 0\.1 s"):
            server.wait_for(lambda charger: charger.point.state == "F", timeout=0.1)


def test_faults_are_injected_between_two_moments():
    charger = Charger()
    with PtyServer(charger, faults=Faults(charger, seed=3)) as server, open_port(server.path) as port:
        exchange(port)
        server.inject(lambda faults: faults.missing_answer())
        server.inject(lambda faults: faults.to_client_now(b"\nnoise\n"))
        assert port.read_until(b"noise\n") == b"\nnoise\n"
        assert exchange(port, b"AT\nAT+STATE?\n") == b"\n+STATE=0\n\nOK\n"


def test_a_true_baud_rate_takes_its_time():
    with PtyServer(Charger(), baud_rate=9600) as server, open_port(server.path) as port:
        exchange(port)
        start = time.monotonic()
        exchange(port, b"AT+CHIP?\n")
        assert time.monotonic() - start >= (9 + 26) * 10 / 9600


def test_a_wire_lets_bytes_through_one_by_one():
    wire = Wire(1000)  # 10 ms for a byte
    wire.put(b"abc", 5.0)
    assert wire.take(5.009) == b""
    assert wire.take(5.011) == b"a"
    wire.put(b"d", 5.012)
    assert wire.take(5.1) == b"bcd" and not wire
    fast = Wire(None)
    fast.put(b"abc", 0.0)
    assert fast.take(0.0) == b"abc"


def test_the_command_serves_a_charger_and_tells_its_demo(tmp_path):
    link = tmp_path / "evse"
    command = [sys.executable, "-m", "evse_host.simulator", "--link", str(link), "--time-scale", "20", "--demo"]
    environment = os.environ | {"PYTHONPATH": str(Path(evse_host.__file__).parents[1])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout.readline() == f"{link}\n"
        with open_port(link) as port:
            assert exchange(port) == b"\nOK\n"
        assert process.stdout.readline() == "a car is plugged in and asks for energy\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert not link.is_symlink()
