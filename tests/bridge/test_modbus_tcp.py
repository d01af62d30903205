"""Modbus TCP, seen by pymodbus's client and by raw connections, at a simulated charger."""

from __future__ import annotations

import logging
import socket
import threading
import time
from concurrent.futures import Future

import pytest

from evse_host.bridge import modbus
from evse_host.bridge.modbus import ModbusTcp
from evse_host.bridge.registers import REGISTERS, Code
from evse_host.errors import PortError
from evse_host.simulator import Car, Charger, PtyServer

from .modbus_support import RawTcp, code, tcp_client, tcp_frame, words
from .support import lower_the_maximum_unseen, wait_until


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """No write of a busy computer is given up."""
    monkeypatch.setattr(modbus, "ANSWER_S", 60.0)


@pytest.fixture
def bridge(charger):
    running = ModbusTcp({1: charger}, "127.0.0.1", 0)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def client(bridge):
    with tcp_client(bridge.port) as connected:
        yield connected


@pytest.fixture
def raw(bridge):
    connection = RawTcp(bridge.port)
    yield connection
    connection.close()


def model(server, name: str):
    return server.call(lambda charger: charger.value(name))


# --- reading ----------------------------------------------------------------------------------------------------------


#: What runs by itself, held.
HELD = {
    "EMETERPOWER": (4_321,),
    "EMETERVOLTAGE": (230_100, 231_000, 229_000),
    "EMETERCURRENT": (16_000, 15_900, 2**32 - 1),
    "EMETERSESTIME": (70_001,),
    "EMETERCHTIME": (70_000,),
    "EMETERCONSUM": (4_000_000_000,),
    "UPTIME": (2**31 + 5,),
}


def test_every_register_shows_what_the_charger_has(server, charger, client):
    for name, values in HELD.items():
        server.call(lambda model, name=name, values=values: model.override(name, *values))
    wait_until(lambda: HELD.items() <= charger.snapshot.values.items() and charger.snapshot.state == "C2")
    for register in REGISTERS:
        if register.access and register.access != "W":
            got = b"".join(word.to_bytes(2, "big") for word in words(client, register.address, register.words))
            want = model(server, register.command)[register.index]
            if register.command == "STATE":
                assert got.rstrip(b"\0") == b"C2"
            elif isinstance(want, str):
                assert got.rstrip(b"\0").decode() == want
            else:
                assert int.from_bytes(got, "big", signed=register.type == "i16") == want, register


@pytest.mark.parametrize("address", [99, 112, 113, 219, 301, 314, 421])
def test_an_address_that_is_none_is_exception_2(client, address):
    assert code(client.read_holding_registers(address, device_id=1)) == Code.ILLEGAL_ADDRESS


def test_function_4_reads_the_same(client):
    """Many masters read what only shows with it; the companion answers both."""
    assert client.read_input_registers(100, count=13 - 1, device_id=1).registers == words(client, 100, 12)
    assert client.read_input_registers(405, count=16, device_id=1).registers == words(client, 405, 16)
    for address in (99, 112, 301):
        assert code(client.read_input_registers(address, device_id=1)) == Code.ILLEGAL_ADDRESS


@pytest.mark.parametrize(
    ("address", "sent", "name", "value"),
    [
        (300, [1], "SOCKETOUTLET", 1),
        (303, [1], "REQAUTH", 1),
        (304, [16], "MAXCHCUR", 16),
        (305, [105], "DEFCHCUR", 105),
        (306, [0, 12_000], "DEFCONSUMLIM", 12_000),
        (308, [0, 7_200], "DEFCHTIMELIM", 7_200),
        (310, [65_535], "DEFUNDERPOWERLIM", 65_535),
        (315, [1], "EMETERMODE", 1),
        (316, [240], "EMETERACVOLTAGE", 240),
        (317, [0], "EMETERTHREEPHASE", 0),
    ],
)
def test_settings_are_written_once_and_not_again(server, client, address, sent, name, value):
    """The charger keeps them in flash: a master that writes in circles must not wear it out."""
    for _ in range(3):
        assert code(client.write_registers(address, sent, device_id=1)) == 0
    assert model(server, name) == (value,)
    assert server.call(lambda charger: charger.journal.writes(name)) == [f"AT+{name}={value}"]
    assert words(client, address, len(sent)) == sent


def test_a_function_that_is_not_served_is_exception_1(client):
    assert code(client.write_coil(103, True, device_id=1)) == Code.ILLEGAL_FUNCTION
    assert code(client.mask_write_register(address=106, device_id=1)) == Code.ILLEGAL_FUNCTION
    assert (
        code(client.readwrite_registers(read_address=100, read_count=1, write_address=106, values=[60], device_id=1))
        == Code.ILLEGAL_FUNCTION
    )


@pytest.mark.parametrize("unit", [0, 2, 255])
def test_units_that_are_not_there(client, unit):
    assert code(client.read_holding_registers(100, device_id=unit)) == Code.NO_SUCH_UNIT


# --- writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "sent", "name", "value"),
    [
        (103, [0], "ENABLE", 0),
        (104, [0], "AVAILABLE", 0),
        (106, [125], "CHCUR", 125),
        (107, [1, 5], "CONSUMLIM", 65_541),
        (109, [0xFFFF, 0xFFFF], "CHTIMELIM", 2**32 - 1),
        (111, [65_535], "UNDERPOWERLIM", 65_535),
    ],
)
def test_a_write_is_answered_when_the_charger_shows_it(server, client, address, sent, name, value):
    assert code(client.write_registers(address, sent, device_id=1)) == 0
    assert model(server, name) == (value,)
    assert words(client, address, len(sent)) == sent


def test_a_single_write_is_echoed(server, client):
    answer = client.write_register(106, 125, device_id=1)
    assert (answer.function_code, answer.address, answer.registers) == (6, 106, [125])
    assert model(server, "CHCUR") == (125,)


def test_several_settings_in_one_request(server, client):
    answer = client.write_registers(106, [100, 0, 20_000, 0, 3_600, 1_500], device_id=1)
    assert (code(answer), answer.address, answer.count) == (0, 106, 6)
    assert [model(server, name)[0] for name in ("CHCUR", "CONSUMLIM", "CHTIMELIM", "UNDERPOWERLIM")] == [
        100, 20_000, 3_600, 1_500,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("address", "sent", "expected"),
    [(106, [59], 3), (106, [321], 3), (103, [2], 3), (107, [5], 3), (108, [5], 3), (112, [2], 3), (421, [0], 3),
     (304, [64], 3), (105, [1], 2), (301, [1], 2), (413, [1], 2), (103, [0, 0, 0], 2)],
)  # fmt: skip
def test_a_write_that_is_not_allowed_changes_nothing(server, client, address, sent, expected):
    before = server.call(lambda model: dict(model.flash)), model(server, "CHCUR"), model(server, "ENABLE")
    assert code(client.write_registers(address, sent, device_id=1)) == expected
    assert (server.call(lambda model: dict(model.flash)), model(server, "CHCUR"), model(server, "ENABLE")) == before


def test_a_refused_write_is_exception_4(server, charger, client, caplog):
    """The installation's maximum has just been lowered, and the snapshot does not know it yet."""
    server.inject(lambda faults: faults.change_setting("CHCUR", 80))
    lower_the_maximum_unseen(server, 10)
    assert code(client.write_register(106, 200, device_id=1)) == Code.DEVICE_FAILURE
    assert model(server, "CHCUR") == (80,)
    assert "register 106: CHCUR: the charger refuses 200" in caplog.text
    wait_until(lambda: charger.snapshot.maximum_current == 10)
    assert code(client.write_register(106, 200, device_id=1)) == Code.ILLEGAL_VALUE


def test_a_client_authorizes_a_waiting_car(share):
    charger = Charger(car=Car(plugged=True), running=True)
    charger.flash["REQAUTH"] = 1
    with PtyServer(charger) as server:
        bridge = ModbusTcp({1: share(server)}, "127.0.0.1", 0)
        bridge.start()
        with tcp_client(bridge.port) as client:
            wait_until(lambda: words(client, 105, 1) == [1])
            assert code(client.write_register(112, 1, device_id=1)) == 0
            wait_until(lambda: words(client, 105, 1) == [0])
        bridge.stop()


def test_a_client_restarts_the_charger(server, client):
    assert code(client.write_register(421, 1, device_id=1)) == 0
    server.wait_for(lambda charger: not charger.ready, 20)


# --- faults -----------------------------------------------------------------------------------------------------------


def test_a_silent_charger_is_exception_11_and_comes_back(server, charger, client, caplog):
    caplog.set_level(logging.INFO)
    server.inject(lambda faults: faults.cable_out())
    assert code(client.write_register(106, 100, device_id=1)) in (Code.NO_ANSWER, Code.DEVICE_BUSY)
    wait_until(lambda: not charger.snapshot.online)
    for _ in range(5):
        assert code(client.read_holding_registers(100, device_id=1)) == Code.NO_ANSWER
    assert caplog.text.count("unit 1: the charger is offline") == 1, "told once"
    server.inject(lambda faults: faults.calm())
    wait_until(lambda: code(client.read_holding_registers(100, device_id=1)) == 0)
    assert model(server, "CHCUR") == (320,), "what failed is not done later"


def test_a_write_behind_a_long_job_is_given_up_and_never_done(server, charger, client, monkeypatch):
    monkeypatch.setattr(modbus, "ANSWER_S", 0.2)
    go = threading.Event()
    blocked = charger.submit(lambda _: go.wait(10))
    assert code(client.write_register(106, 100, device_id=1)) == Code.DEVICE_BUSY
    go.set()
    assert blocked.result(20)
    charger.submit(lambda _: None).result(20)
    assert model(server, "CHCUR") == (320,)


def test_a_late_answer_is_exception_11(charger, client, monkeypatch, caplog):
    running = Future()
    running.set_running_or_notify_cancel()
    monkeypatch.setattr(modbus, "ANSWER_S", 0.05)
    monkeypatch.setattr(charger, "set", lambda *_: running)
    assert code(client.write_register(106, 100, device_id=1)) == Code.NO_ANSWER
    assert "no answer to CHCUR within 0.05 s, nobody knows whether it was done" in caplog.text


def test_a_restart_of_the_charger(server, client):
    server.inject(lambda faults: faults.change_setting("CHCUR", 100))
    wait_until(lambda: words(client, 106, 1) == [100])
    server.inject(lambda faults: faults.reboot())
    answer = wait_until(
        lambda: (
            (a := client.read_holding_registers(400, count=2, device_id=1))
            and code(a) == 0
            and a.registers[1] < 60
            and a
        ),
        timeout=30,
    )
    assert answer.registers[0] == 0
    wait_until(lambda: words(client, 106, 1) == [320])


def test_of_two_masters_at_once_the_last_word_holds(server, bridge):
    """Every write is confirmed, and the last word is what the charger has."""
    errors: list = []

    def write(value: int) -> None:
        with tcp_client(bridge.port) as client:
            errors.extend(code(client.write_register(106, value + step, device_id=1)) for step in range(8))

    writers = [threading.Thread(target=write, args=(value,)) for value in (100, 200)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    assert errors == [0] * 16
    assert model(server, "CHCUR")[0] in (107, 207)
    with tcp_client(bridge.port) as client:
        assert words(client, 106, 1) == list(model(server, "CHCUR"))


def test_requests_without_waiting_are_answered_in_order(server, raw):
    raw.send(
        tcp_frame(7, 1, [6, 0, 106, 0, 100])
        + tcp_frame(8, 1, [3, 0, 106, 0, 1])
        + tcp_frame(9, 1, [6, 0, 106, 0, 90])
        + tcp_frame(10, 1, [3, 0, 106, 0, 1])[:-3]
    )
    assert raw.answer() == (7, 1, bytes([6, 0, 106, 0, 100]))
    assert raw.answer() == (8, 1, bytes([3, 2, 0, 100]))
    assert raw.answer() == (9, 1, bytes([6, 0, 106, 0, 90]))
    raw.send(tcp_frame(10, 1, [3, 0, 106, 0, 1])[-3:])
    assert raw.answer() == (10, 1, bytes([3, 2, 0, 90]))
    assert model(server, "CHCUR") == (90,)


@pytest.mark.parametrize(
    ("pdu", "exception"),
    [
        ([3, 0, 100, 0, 0], 3),
        ([3, 0, 100, 0, 126], 3),
        ([3, 0, 100, 0], 3),
        ([3, 0, 100, 0, 1, 0], 3),
        ([3], 3),
        ([6, 0, 106, 0], 3),
        ([16, 0, 106, 0, 1, 4, 0, 100], 3),
        ([16, 0, 106, 0, 2, 2, 0, 100], 3),
        ([16, 0, 106, 0, 0, 0], 3),
        ([16, 0, 106, 0, 1, 2, 0], 3),
        ([16, 0, 106, 0, 1, 2, 0, 100, 0], 3),
        ([43, 14, 1, 0], 1),
        ([8, 0, 4, 0, 0], 1),
        ([0], 1),
        ([127, 1], 1),
    ],
)
def test_a_malformed_request_is_refused_and_changes_nothing(server, raw, pdu, exception):
    raw.send(tcp_frame(1, 1, pdu))
    assert raw.answer() == (1, 1, bytes([pdu[0] | 0x80, exception]))
    assert model(server, "CHCUR") == (320,)


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", tcp_frame(1, 1, [3, 0, 100, 0, 1], protocol=1), bytes(7)])
def test_who_speaks_something_else_is_put_off(raw, client, caplog, data):
    raw.send(data)
    with pytest.raises(EOFError):
        raw.answer()
    assert "127.0.0.1: this is no Modbus TCP" in caplog.text
    assert words(client, 106, 1) == [320]


# --- the server -------------------------------------------------------------------------------------------------------


def test_several_chargers_are_several_units(server, charger, share):
    with PtyServer(Charger()) as other:
        bridge = ModbusTcp({1: charger, 7: share(other, "second")}, "127.0.0.1", 0)
        bridge.start()
        with tcp_client(bridge.port) as client:
            assert words(client, 100, 1, unit=1) == [0x4332]
            assert words(client, 100, 1, unit=7) == [0x4100]
            assert code(client.write_register(106, 70, device_id=7)) == 0
        bridge.stop()
        assert (model(server, "CHCUR"), model(other, "CHCUR")) == ((320,), (70,))


def test_a_port_that_is_taken(charger, bridge):
    with pytest.raises(PortError, match=rf"^Modbus TCP 127.0.0.1:{bridge.port}: address already in use$"):
        ModbusTcp({1: charger}, "127.0.0.1", bridge.port).start()


def test_the_server_goes_and_comes_back_at_its_port(charger, bridge, client):
    port = bridge.port
    bridge.stop()
    client.close()
    again = ModbusTcp({1: charger}, "127.0.0.1", port)
    again.start()
    with tcp_client(port) as new:
        assert words(new, 106, 1) == [320]
    again.stop()


def test_the_end_of_the_server_ends_its_connections(bridge, raw):
    raw.send(tcp_frame(1, 1, [3, 0, 106, 0, 1]))
    raw.answer()
    bridge.stop()
    with pytest.raises(EOFError):
        raw.answer()


def test_too_many_masters_are_turned_away(bridge, monkeypatch, caplog):
    monkeypatch.setattr(modbus, "MAX_MASTERS", 2)
    ask = tcp_frame(1, 1, [3, 0, 106, 0, 1])
    first, second = RawTcp(bridge.port), RawTcp(bridge.port)
    for connection in (first, second):
        connection.send(ask)
        connection.answer()
    third = RawTcp(bridge.port)
    with pytest.raises((EOFError, ConnectionResetError)):
        third.answer()
    assert "127.0.0.1 is turned away: 2 masters are connected already" in caplog.text
    first.close()
    deadline = time.monotonic() + 10
    while True:
        fourth = RawTcp(bridge.port)
        try:
            fourth.send(ask)
            fourth.answer()
            break
        except (EOFError, ConnectionError):
            assert time.monotonic() < deadline
        finally:
            fourth.close()
    for connection in (second, third):
        connection.close()


def test_a_master_that_is_idle_gives_way(bridge, monkeypatch, caplog):
    """A PLC that was switched off without a word must not lock out the next for two hours."""
    monkeypatch.setattr(modbus, "MAX_MASTERS", 2)
    monkeypatch.setattr(modbus, "IDLE_S", 0.3)
    ask = tcp_frame(1, 1, [3, 0, 106, 0, 1])
    silent, half = RawTcp(bridge.port), RawTcp(bridge.port)
    half.send(ask[:5])
    with caplog.at_level(logging.INFO):
        third = wait_until(lambda: _served(bridge.port, ask), "a third is served")
    with pytest.raises((EOFError, ConnectionResetError)):
        silent.answer()
    assert "a master that was idle for more than 0.3 s gives way" in caplog.text
    third.send(ask)
    assert third.answer()[0] == 1
    for connection in (silent, half, third):
        connection.close()


def _served(port: int, ask: bytes) -> RawTcp | None:
    connection = RawTcp(port)
    try:
        connection.send(ask)
        connection.answer()
    except (EOFError, ConnectionError):
        connection.close()
        return None
    return connection


def test_a_dead_connection_is_noticed_by_the_system(bridge, raw):
    raw.send(tcp_frame(1, 1, [3, 0, 106, 0, 1]))
    raw.answer()
    (connection,) = bridge._server._connections
    options = {name: connection.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in modbus.KEEP_ALIVE}
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1 and options == modbus.KEEP_ALIVE


def test_a_refusal_is_told_once_and_again_when_it_comes_back(client, caplog):
    for _ in range(3):
        assert code(client.write_register(106, 999, device_id=1)) == Code.ILLEGAL_VALUE
    assert caplog.text.count("unit 1: register 106: CHCUR: 999 is out of range, 60 to 630 A/10 are allowed") == 1
    assert code(client.write_register(106, 100, device_id=1)) == 0
    assert code(client.write_register(106, 999, device_id=1)) == Code.ILLEGAL_VALUE
    assert caplog.text.count("999 is out of range") == 2
    assert {record.name for record in caplog.records if "999" in record.message} == {"evse.charger.modbus"}
