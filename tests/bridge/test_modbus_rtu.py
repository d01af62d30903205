"""Modbus RTU on a bus of two pseudo terminals, seen by pymodbus's client and byte by byte, at a simulated charger."""

from __future__ import annotations

import pytest

from evse_host.bridge import modbus
from evse_host.bridge.modbus import ModbusRtu
from evse_host.bridge.modbus_frames import RtuRequests
from evse_host.bridge.registers import Code
from evse_host.errors import PortError

from .modbus_support import Bus, Wire, code, frame, read_request, rtu_client, words, write_request
from .support import wait_until

READ_CURRENT = read_request(106, 1)
CURRENT = frame(1, 3, 2, 320 >> 8, 320 & 255)


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """No write of a busy computer is given up."""
    monkeypatch.setattr(modbus, "ANSWER_S", 60.0)


@pytest.fixture
def bus(tmp_path):
    line = Bus(tmp_path)
    yield line
    line.close()


@pytest.fixture
def bridge(charger, bus):
    running = ModbusRtu({1: charger}, str(bus.link))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def wire(bridge, bus):
    master = Wire(bus)
    yield master
    master.close()


def model(server, name: str):
    return server.call(lambda charger: charger.value(name))


def test_a_client_of_others_reads_and_writes_over_the_bus(server, bridge, bus):
    with rtu_client(bus) as client:
        wait_until(lambda: words(client, 100, 1) == [0x4332])
        assert words(client, 103, 4) == [1, 1, 0, 320]
        assert code(client.write_register(106, 125, device_id=1)) == 0
        assert code(client.write_registers(107, [1, 5], device_id=1)) == 0
        assert code(client.read_holding_registers(112, device_id=1)) == Code.ILLEGAL_ADDRESS
        assert code(client.write_register(106, 631, device_id=1)) == Code.ILLEGAL_VALUE
        assert code(client.read_coils(100, device_id=1)) == Code.ILLEGAL_FUNCTION
    assert (model(server, "CHCUR"), model(server, "CONSUMLIM")) == ((125,), (65_541,))


def test_the_bytes_on_the_wire_are_those_of_the_standard(wire):
    """These checksums do not come from the code under test."""
    assert wire.ask(bytes.fromhex("01 03 00 6A 00 01 A4 16"), 7) == bytes.fromhex("01 03 02 01 40 B8 24")
    assert wire.ask(bytes.fromhex("01 03 00 70 00 01 85 D1"), 5) == bytes.fromhex("01 83 02 C0 F1")


def test_a_request_that_comes_byte_by_byte_is_answered(wire):
    for byte in READ_CURRENT:
        wire.send(bytes([byte]))
    assert wire.hear(7) == CURRENT


# What must not be answered is followed by a request that is: the next bytes must be its answer.
UNANSWERED = {
    "noise": bytes(range(256)),
    "noise like the head of a request": b"\x01\x03\x00",
    "noise like the head of a long request": b"\x01\x10\x00\x6a\x00\x7b\xf6",
    "half a request": READ_CURRENT[:5],
    "a wrong checksum": READ_CURRENT[:-1] + b"\x00",
    "a write with a wrong checksum": write_request(106, 100)[:-1] + b"\x00",
    "another unit": write_request(106, 100, unit=2),
    "a broadcast": write_request(106, 100, unit=0),
    "another unit's answer": frame(2, 3, 4, 1, 3, 0, 100),
    "another unit's long request": frame(2, 16, 0, 106, 0, 1, 2, 0, 100),
    "an exception of the same unit number": frame(1, 0x83, 2),
}


@pytest.mark.parametrize("before", UNANSWERED.values(), ids=UNANSWERED.keys())
def test_what_is_for_nobody_is_not_answered_and_hides_nothing(server, wire, before):
    assert RtuRequests({1}).feed(before) is None
    wire.send(before)
    wire.send(READ_CURRENT)
    assert wire.hear(7) == CURRENT
    wire.send(before + READ_CURRENT)
    assert wire.hear(7) == CURRENT
    assert model(server, "CHCUR") == (320,)


def test_noise_behind_a_request_costs_no_answer(wire):
    assert wire.ask(READ_CURRENT + b"\x00", 7) == CURRENT
    assert wire.ask(READ_CURRENT, 7) == CURRENT


def test_of_requests_that_come_together_the_last_is_answered(server, wire):
    wire.send(write_request(106, 100) + READ_CURRENT)
    assert wire.hear(7) == CURRENT
    assert model(server, "CHCUR") == (320,)


def test_an_unknown_function_in_its_own_frame(wire):
    assert wire.ask(frame(1, 43, 14, 1, 0), 5) == frame(1, 43 | 0x80, 1)


def test_a_silent_charger_is_an_exception_until_it_is_back(server, charger, wire):
    server.inject(lambda faults: faults.cable_out())
    wait_until(lambda: not charger.snapshot.online)
    assert wire.ask(READ_CURRENT, 5) == frame(1, 0x83, 11)
    server.inject(lambda faults: faults.calm())
    wait_until(lambda: charger.snapshot.online)
    assert wire.ask(READ_CURRENT, 7) == CURRENT


def test_a_master_that_asks_again_gets_one_answer(server, charger, wire, monkeypatch):
    """While a write is executed the master gives up and sends another request: the old answer would be taken for the
    new one's."""
    real = charger.set

    def set_after_another_request(*arguments):
        wire.send(READ_CURRENT)
        return real(*arguments)

    monkeypatch.setattr(charger, "set", set_after_another_request)
    wire.send(write_request(106, 100))
    assert wire.hear(7) == frame(1, 3, 2, 0, 100)
    monkeypatch.undo()
    assert wire.ask(READ_CURRENT, 7) == frame(1, 3, 2, 0, 100)


def test_an_adapter_that_goes_and_comes_back(bus, bridge, wire, caplog):
    assert wire.ask(READ_CURRENT, 7) == CURRENT
    caplog.set_level("INFO")
    bus.unplug()
    wait_until(lambda: f"port {bus.link}: lost" in caplog.text)
    bus.plug()
    wait_until(lambda: f"port {bus.link} is back" in caplog.text)
    assert wire.ask(READ_CURRENT, 7) == CURRENT
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == len({record.message for record in warnings}), "no line twice"


def test_a_port_that_is_not_there(charger, tmp_path):
    with pytest.raises(PortError, match="no such file or directory"):
        ModbusRtu({1: charger}, str(tmp_path / "none")).start()


def test_a_port_that_another_program_has(charger, bus, bridge):
    with pytest.raises(PortError, match="another program has it open"):
        ModbusRtu({1: charger}, str(bus.link)).start()


def test_stop_frees_the_port(charger, bus, bridge, wire):
    bridge.stop()
    again = ModbusRtu({1: charger}, str(bus.link))
    again.start()
    assert wire.ask(READ_CURRENT, 7) == CURRENT
    again.stop()


def test_two_units_on_one_bus(server, charger, bus):
    bridge = ModbusRtu({3: charger, 5: charger}, str(bus.link))
    bridge.start()
    wire = Wire(bus)
    for unit in (3, 5):
        assert wire.ask(read_request(106, 1, unit), 7) == frame(unit, 3, 2, 1, 64)
    wire.close()
    bridge.stop()
