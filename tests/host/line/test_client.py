"""Ports that are missing, busy, forbidden or gone, with pyserial replaced; the library's own rules; names, units."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import termios
import time
from types import SimpleNamespace

import pytest
import serial

from evse_host import settings
from evse_host.catalog import COMMAND, ENTITIES
from evse_host.errors import NoAnswerError, PortError, RefusedError, UsageError
from evse_host.line import client, transport
from evse_host.line.client import Evse
from evse_host.line.transport import Transport, find_port, list_ports, open_port
from evse_host.settings import lookup
from evse_host.simulator import Board, Car, Charger, TcpServer

# --- ports, with pytest-mock ------------------------------------------------------------------------------------------


@pytest.fixture
def port(mocker):
    """What ``serial_for_url`` gives."""
    fake = mocker.MagicMock(spec=serial.Serial)
    mocker.patch("serial.serial_for_url", return_value=fake)
    return fake


def test_opening_is_exclusive_and_never_touches_dtr_and_rts(port, mocker) -> None:
    dtr, rts = mocker.PropertyMock(), mocker.PropertyMock()
    type(port).dtr, type(port).rts = dtr, rts
    with open_port("/dev/ttyUSB0"):
        assert port.exclusive is True and port.baudrate == 115200
    port.open.assert_called_once_with()
    port.close.assert_called_once_with()
    dtr.assert_not_called()
    rts.assert_not_called()


def test_the_modem_lines_of_a_real_port_are_left_alone(start_charger, mocker) -> None:
    """Not even set to what they are: that is one after the other."""
    ioctl = mocker.patch("serial.serialposix.fcntl.ioctl", wraps=fcntl.ioctl)
    with open_port(start_charger().path):
        pass
    modem = (termios.TIOCMBIS, termios.TIOCMBIC, termios.TIOCMSET)
    assert [call.args for call in ioctl.call_args_list if call.args[1] in modem] == []
    with serial.serial_for_url(start_charger().path):
        assert any(call.args[1] in modem for call in ioctl.call_args_list), "pyserial by itself does"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (serial.SerialException("Could not configure port: (25, 'Inappropriate ioctl')"), "this is no serial port"),
        (serial.SerialException(errno.ENOENT, "no such file"), "no such file or directory: is it plugged in?"),
        (serial.SerialException(errno.EACCES, "permission denied"), "permission denied: not permitted; on Linux: sudo"),
        (serial.SerialException(errno.EBUSY, "busy"), "device or resource busy: another program has it open"),
        (serial.SerialException("Could not exclusively lock port: [Errno 11]"), "another program has it open"),
        (serial.SerialException("Could not open port socket: [Errno 111] Connection refused"), "nobody listens there"),
        (ValueError("invalid URL, protocol 'foo' not known"), "invalid URL, protocol 'foo' not known"),
    ],
)
def test_a_port_that_cannot_be_opened_is_one_line_with_a_remedy(port, error: Exception, words: str) -> None:
    port.open.side_effect = error
    with pytest.raises(PortError) as caught:
        open_port("/dev/ttyUSB7")
    assert str(caught.value).startswith("port /dev/ttyUSB7: ") and words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("action", ["read", "write", "flush_input"])
def test_a_port_that_goes_away(port, action: str) -> None:
    gone = serial.SerialException("device reports readiness to read but returned no data (device disconnected?)")
    port.read.side_effect = port.write.side_effect = port.reset_input_buffer.side_effect = gone
    transport_ = Transport(port, "COM3")
    arguments = {"read": (0.01,), "write": (b"~\n",), "flush_input": ()}[action]
    with pytest.raises(PortError, match=r"port COM3: lost \(device reports readiness"):
        getattr(transport_, action)(*arguments)


def test_an_adapter_that_is_pulled_out_before_the_first_byte() -> None:
    master, slave = os.openpty()
    with open_port(os.ttyname(slave)) as transport_:
        os.close(slave)
        os.close(master)
        with pytest.raises(PortError, match="lost"):
            transport_.flush_input()


def test_an_adapter_that_is_pulled_out_while_it_is_opened(port) -> None:
    port.open.side_effect = termios.error(errno.EIO, "Input/output error")
    with pytest.raises(PortError, match="Input/output error"):
        open_port("/dev/ttyUSB0")


def test_read_gives_everything_that_is_there(port, mocker) -> None:
    port.read.side_effect = [b"\n", b"+STATE=0\n"]
    type(port).in_waiting = mocker.PropertyMock(side_effect=[9, 0])
    assert Transport(port, "x").read(1) == b"\n+STATE=0\n"


def test_what_was_said_to_others_is_no_answer() -> None:
    """Of several clients of a proxy one is idle: what the charger said meanwhile, a whole sync too, lies unread."""
    unread = b'\nERROR\n\n+VER="x"\n\nOK\n\n+UPTIME=3600\n\nOK\n\n+CHCUR=70\n\nOK\n'
    with TcpServer(Charger()) as server, Evse.open(server.url) as evse:
        line = evse._transport._port._socket
        server.inject(lambda faults: faults.to_client_now(unread))
        deadline = time.monotonic() + 10
        while not select.select([line], [], [], 0.1)[0] or len(line.recv(1000, socket.MSG_PEEK)) < len(unread):
            assert time.monotonic() < deadline
        assert evse.get("CHCUR") == (320,)
        assert evse.set("CHCUR", 100) == (100,) and evse.get("STATE") == (0,)
    assert server.charger.journal.commands.count("AT+CHCUR?") == 2 and evse._protocol.resyncs == 1


def info(device: str, vid: int | None = None, pid: int | None = None, description: str = "n/a"):
    return SimpleNamespace(device=device, vid=vid, pid=pid, description=description)


def test_the_likely_ports_come_first(mocker) -> None:
    mocker.patch.object(
        transport.serial_ports,
        "comports",
        return_value=[info("/dev/ttyS0"), info("COM7", 0x10C4, 0xEA60, "CP2102"), info("/dev/ttyUSB1", 0x9999, 1)],
    )
    ports = list_ports()
    assert [(p.device, bool(p.guess)) for p in ports] == [
        ("COM7", True),
        ("/dev/ttyS0", False),
        ("/dev/ttyUSB1", False),
    ]
    assert find_port() == "COM7"


@pytest.mark.parametrize(
    ("ports", "words"),
    [([info("/dev/ttyS0")], "no charger found"), ([info("A", 0x403, 1), info("B", 0x1A86, 2)], r"several .*\(A, B\)")],
)
def test_no_port_is_guessed_at_random(mocker, monkeypatch, ports: list, words: str) -> None:
    monkeypatch.delenv("EVSE_PORT", raising=False)
    mocker.patch.object(transport.serial_ports, "comports", return_value=ports)
    with pytest.raises(PortError, match=words):
        find_port()
    monkeypatch.setenv("EVSE_PORT", "COM9")
    assert find_port() == "COM9" and find_port("COM1") == "COM1"


# --- the typed client -------------------------------------------------------------------------------------------------


def test_one_value_and_all_values_are_read(start_charger) -> None:
    server = start_charger(Charger("v2.1.1"))
    with Evse.open(server.path) as evse:
        assert evse.get("CHCUR") == (320,)
        assert evse.get_rows("SERIALS") == [(1, "UART via USB"), (1, "UART"), (2, "RS485")]
        values = evse.get_all()
        assert evse.commands() >= {"CHCUR", "STATE"} and "TZ" not in evse.commands()
        with pytest.raises(RefusedError, match="TZ: the charger refuses to show it: only newer firmware has it"):
            evse.get("TZ")
        for name in ("NOSUCH", "AUTH", "SUB"):
            with pytest.raises(UsageError):
                evse.get(name)
    assert "TZ" not in values and "SERIAL0" not in values and len(values) > 50
    assert server.charger.journal.violations == []


def test_reads_survive_a_bad_answer_and_a_wrong_error(start_charger) -> None:
    server = start_charger()
    with Evse.open(server.path) as evse:
        server.inject(lambda faults: faults.cut_line())
        assert evse.get("CHCUR") == (320,)
        server.inject(lambda faults: faults.error_after_apply("CHCUR"))
        assert evse.get("CHCUR") == (320,)
        server.inject(lambda faults: faults.missing_answer("CHCUR"))
        assert evse.get("CHCUR") == (320,)


def test_a_write_that_a_restart_swallowed_is_verified_before_it_is_sent_again(start_charger) -> None:
    server = start_charger()
    with Evse.open(server.path) as evse:
        evse.get("CHCUR")
        server.inject(lambda faults: faults.late_answer(20, "CHCUR"))
        server.call(lambda model: setattr(model, "_restart_at", model.now + 0.2))
        assert evse.set("CHCUR", 100) == (100,)
    commands = server.charger.journal.commands
    assert [line for line in commands if "CHCUR" in line][1:] == [
        "AT+CHCUR=100",
        "AT+CHCUR?",
        "AT+CHCUR?",
        "AT+CHCUR=100",
        "AT+CHCUR?",
    ]
    assert server.charger.journal.violations == []


def test_a_board_that_lacks_something_refuses(start_charger) -> None:
    server = start_charger(Charger(board=Board(proximity=False, emeter=1)))
    with Evse.open(server.path) as evse:
        for name, value in (("SOCKETOUTLET", 1), ("EMETERMODE", 2)):
            with pytest.raises(RefusedError, match=f"{name}: the charger refuses {value}"):
                evse.set(name, value)
        with pytest.raises(RefusedError, match="SERIAL0: reading it can crash"):
            evse.set("SERIAL0", 1, 115200, 8, 1, 0)
        for name in ("SERIALS", "AUXINPUTS", "SERIAL0"):
            with pytest.raises(RefusedError):
                evse.subscribe(name, 1000)
        with pytest.raises(UsageError, match="period 99 ms is out of range"):
            evse.subscribe("STATE", 99)
        with pytest.raises(UsageError, match="period 42949672 ms"):
            evse.subscribe("STATE", 42_949_672)


def test_events_are_pushes_and_the_subscriptions_end_with_the_client(start_charger) -> None:
    server = start_charger(Charger(car=Car(plugged=True)))
    with Evse.open(server.path) as evse:
        evse.subscribe("STATE", 100)
        evse.subscribe("CHCUR", 100)
        seen = []
        for event in evse.events(10):
            seen.append(event)
            if event.name == "STATE" and event.fields == (4,):
                break
        assert {event.name for event in seen} == {"STATE", "CHCUR"}
        assert evse.get("CHCUR") == (320,)
    server.wait_for(lambda model: not model.subscriptions)


def test_a_dead_charger_does_not_hold_up_the_end(start_charger) -> None:
    server = start_charger()
    evse = Evse.open(server.path)
    for name in ("STATE", "CHCUR", "ENABLE"):
        evse.subscribe(name, 1000)
    server.inject(lambda faults: faults.cable_out())
    start = time.monotonic()
    evse.close()
    assert time.monotonic() - start < 20, "not a minute for each"


def test_lost_subscriptions_are_renewed(start_charger) -> None:
    server = start_charger()
    with Evse.open(server.path) as evse:
        evse.subscribe("STATE", 100)
        next(evse.events(5))
        server.inject(lambda faults: faults.lose_subscriptions())
        server.wait_for(lambda model: not model.subscriptions)
        seen = [event for _ in range(100) if not server.charger.subscriptions for event in evse.events(0.1)]
        assert server.charger.subscriptions, seen


def test_what_raw_commands_switched_on_is_off_at_the_end_whatever_answers_were_lost(start_charger, monkeypatch) -> None:
    monkeypatch.setattr(client, "SLOW_TIMEOUT_S", 0.5)
    server = start_charger()
    with Evse.open(server.path) as evse:
        for line in ('AT+SU="+CHCUR",60000', "ATE1"):
            evse.get("STATE")  # in step: the next answer is that of the line
            server.inject(lambda faults: faults.missing_answer())
            with pytest.raises(NoAnswerError, match="executed or not"):
                evse.raw(line)
        evse.raw('AT+SUB="+AUTH",60000')  # pushes nothing, and is there all the same
        evse.raw('AT+SUB="+STATE",60000')
        assert {entry.name for entry in server.charger.subscriptions} == {"+CHCUR", "+AUTH", "+STATE"}
        assert evse.subscriptions == {"CHCUR", "AUTH", "STATE"}
    assert server.charger.subscriptions == [] and server.charger.echo is False


def test_raw_subscriptions_that_the_charger_refused_are_forgotten(start_charger) -> None:
    server = start_charger(Charger("v2.1.1"))
    with Evse.open(server.path) as evse:
        evse.raw('AT+SUB="+STATE",60000')
        for refused in ('AT+SUB="+TZ",1000', 'AT+SUB="+TEMP",1000,junk', 'AT+SUB="+STATE",1000,junk'):
            assert evse.raw(refused)[1] is False
        assert evse.subscriptions == {"STATE"}
        for name in ("CHCUR", "UPTIME"):
            evse.raw(f'AT+SUB="+{name}",60000')
        evse.raw('AT+UNSUB="+CHCUR"')
        assert evse.subscriptions == {"STATE", "UPTIME"}
        evse.raw('AT+UNSUB=""')
        assert evse.subscriptions == set()
        sent = len(server.charger.journal.entries)
    assert len(server.charger.journal.entries) == sent, "nothing to put right"


def test_a_forced_subscription_is_never_renewed(start_charger) -> None:
    """Nobody forced it a second time."""
    server = start_charger()
    with Evse.open(server.path) as evse:
        evse.raw('AT+SUB="+AUTH",100')
        evse.raw('AT+SUB="+STATE",100')
        server.inject(lambda faults: faults.lose_subscriptions())
        server.wait_for(lambda model: not model.subscriptions)
        for _ in range(100):
            if server.charger.subscriptions:
                break
            list(evse.events(0.1))
        assert [entry.name for entry in server.charger.subscriptions] == ["+STATE"]


# --- names and units --------------------------------------------------------------------------------------------------


def test_every_entity_with_a_command_has_a_name() -> None:
    keys = {e.key for e in ENTITIES if e.command and e.platform not in ("button", "event")}
    assert keys <= set(settings.SETTINGS)
    for name in ("CHCUR", "STATE", "TEMP", "SERIALS"):
        assert lookup(name).entity is None
    assert lookup("state").entity and lookup("State").entity and lookup("AT+CHCUR?").name == "CHCUR"


@pytest.mark.parametrize(
    ("name", "rows", "value", "text"),
    [
        ("charging_current", [(165,)], 16.5, "16.5 A"),
        ("voltage_l1", [(229_998, 0, 0)], 229.998, "229.998 V"),
        ("temperature_low", [(2, 3150, -575)], -5.75, "-5.75 °C"),
        ("temperature_low", [(0, 0, 0)], None, "unknown"),
        ("wifi_rssi", [(0, 0)], None, "unknown"),
        ("state", [(4,)], "C2", "C2"),
        ("STATE", [(4,)], 4, "4 (C2)"),
        ("state", [(9,)], 9, "9"),
        ("rcm_triggered_fault", [(16,)], True, "on"),
        ("ERROR", [(16 | 256,)], 272, "272 (Residual current, unknown (0x100))"),
        ("consumption_limit", [(0,)], 0.0, "no limit"),
        ("consumption_limit", [(7500,)], 7.5, "7.5 kWh"),
        ("charging_time_limit", [(5400,)], 1.5, "1.5 h"),
        ("device_time", [(1_767_225_600,)], "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("device_time", [(2**64 - 1,)], str(2**64 - 1), str(2**64 - 1)),
        ("wifi_sta_ssid", [(1, "\x9b2J\udcff", "")], "\x9b2J\udcff", "\\x9b2J\\xff"),
        ("serial_ports", [(1, "UART"), (2, "RS485")], "1 UART, 2 RS485", "1 UART, 2 RS485"),
        ("wifi_static_dns", [(0, "a", "b", "c")], None, "unknown"),
        ("total_energy_consumption", [(2**53 + 1,)], 2**53 + 1, "9,007,199,254,741 kWh"),
    ],
)  # fmt: skip
def test_values_are_shown_for_people(name: str, rows: list, value, text: str) -> None:
    assert lookup(name).value(rows) == value
    assert lookup(name).text(rows) == text


def test_every_step_of_a_number_is_exact() -> None:
    for entity in (e for e in ENTITIES if e.platform == "number"):
        setting, low, high = lookup(entity.key), entity.minimum, entity.maximum
        count = round((high - low) / entity.step)
        for step in {0, 1, count // 3, count}:
            number = round(low + step * entity.step, 3)
            (wire,) = setting.parse([f"{number:g}"])
            assert wire == round(number * entity.multiplier)
            assert setting.value([(wire,)]) == number
            column = COMMAND[entity.command].fields[0]
            assert column.range[0] <= wire <= column.range[1]


def test_a_typo_is_answered_with_names() -> None:
    with pytest.raises(UsageError, match="chargng_current: no such value; did you mean charging_current"):
        lookup("chargng_current")
    with pytest.raises(UsageError, match="get --list"):
        lookup("")


def test_the_lock_of_a_real_port_is_released(start_charger) -> None:
    server = start_charger()
    for _ in range(3):
        with Evse.open(server.path) as evse:
            assert evse.get("STATE") == (0,)
            with pytest.raises(PortError, match="another program has it open"):
                Evse.open(os.fspath(server.path))
