"""The companion alone as a Modbus server: a real node between the simulated charger and a real Modbus client."""

from __future__ import annotations

from pathlib import Path

import pytest
from pymodbus import ModbusException
from pymodbus.client import ModbusSerialClient

from evse_host.bridge import registers
from evse_host.bridge.registers import REGISTERS, Code
from evse_host.simulator import Car, Charger, PtyServer
from tests.examples import configs
from tools.build import node as nodes
from tools.run.host_node import Node

from .companion_support import Cable, truth
from .support import lower_the_maximum_unseen, wait_until

CONFIG = nodes.ROOT / "tests/bridge/companion_modbus.yaml"
PACKAGE = configs.EXAMPLES / "packages/modbus-server.yaml"
#: They run by themselves.
CLOCKS = ("EMETERSESTIME", "EMETERCHTIME", "EMETERCONSUM", "UPTIME")
READABLE = [register for register in REGISTERS if "R" in register.access]


class Master(ModbusSerialClient):
    def read(self, address: int, count: int = 1, unit: int = 1) -> list[int] | int:
        """The words, or the exception code."""
        answer = self.read_holding_registers(address, count=count, device_id=unit)
        return answer.exception_code if answer.isError() else answer.registers

    def write(self, address: int, *words: int) -> int:
        """0, or the exception code; 16 for many words, 06 for one."""
        if len(words) == 1:
            answer = self.write_register(address, words[0], device_id=1)
        else:
            answer = self.write_registers(address, list(words), device_id=1)
        return answer.exception_code if answer.isError() else 0

    def answers(self, unit: int = 1) -> bool:
        return isinstance(self.read_if_served(100, unit=unit), list)

    def read_if_served(self, address: int, count: int = 1, unit: int = 1) -> list[int] | int | None:
        """None without an answer."""
        try:
            return self.read(address, count, unit)
        except ModbusException:
            return None

    def wait_for(self, address: int, *words: int) -> None:
        wait_until(lambda: self.read_if_served(address, len(words)) == list(words), f"{address} is {words}")


@pytest.fixture(scope="module")
def program():
    return nodes.build(CONFIG)


@pytest.fixture(scope="module")
def server():
    with PtyServer(Charger(car=Car())) as running:
        yield running


@pytest.fixture(scope="module")
def node(program, server, tmp_path_factory):
    with Cable() as cable, pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVSE_MODBUS_UART", cable.left)
        with Node(program, server.path, tmp_path_factory.mktemp("node")) as running:
            running.cable = cable
            yield running


@pytest.fixture(scope="module")
def master(node):
    client = Master(node.cable.right, baudrate=9600, timeout=2.0, retries=0)  # a busy machine
    assert client.connect()
    wait_until(client.answers, "the node serves the registers")
    yield client
    client.close()


def expected(server, register) -> list[int]:
    return registers.words(register, truth(server))


def settings_and_runs(server) -> list[str]:
    """Every command that is more than a question or a subscription."""
    runs = [line for line in server.call(lambda charger: charger.journal.commands) if line in ("AT+AUTH", "AT+RST")]
    return runs + server.call(lambda charger: charger.journal.writes())


def writes(server, name: str) -> list[str]:
    return server.call(lambda charger: charger.journal.writes(name))


# --- the map ----------------------------------------------------------------------------------------------------------


def test_the_package_has_the_host_tools_registers():
    entries = configs.load(PACKAGE.read_text(encoding="utf-8"))["modbus_server"]["registers"]
    settings = range(300, 400)  # what stays in the charger's flash is read only on the node
    words = {
        register.address + word: "W" in register.access and register.address not in settings
        for register in REGISTERS
        for word in range(register.words)
        if register.access
    }
    assert {entry["address"]: "write_lambda" in entry for entry in entries} == words


@pytest.mark.parametrize("register", READABLE, ids=lambda register: f"{register.address}-{register.command}")
def test_every_register_shows_the_chargers_value(master, server, register):
    server.call(lambda charger: charger.car.plug())
    if register.command in CLOCKS:
        before = expected(server, register)
        wait_until(lambda: before <= master.read(register.address, register.words) <= expected(server, register))
    else:
        wait_until(lambda: master.read(register.address, register.words) == expected(server, register))


def test_each_word_can_be_read_alone(master, server):
    server.call(lambda charger: charger.set("CHTIMELIM", 0x0001_0203))
    master.wait_for(109, 0x0001, 0x0203)
    assert (master.read(109), master.read(110)) == ([0x0001], [0x0203])
    server.call(lambda charger: charger.set("CHTIMELIM", 0))
    master.wait_for(109, 0, 0)


def test_what_the_lorawan_converter_polls(master, server):
    """Four requests, and none covers a gap."""
    assert [len(master.read(*poll)) for poll in ((100, 4), (200, 7), (207, 12), (400, 4))] == [4, 7, 12, 4]


def test_temperatures_below_zero_are_signed(master, server):
    server.call(lambda charger: charger.override("TEMP", 2, -5, -1234))
    master.wait_for(402, 0x10000 - 1234, 0x10000 - 5, 2)
    server.call(lambda charger: charger.override("TEMP", 0, 0, 0))
    master.wait_for(402, 0x8000, 0x8000, 0)
    server.call(lambda charger: charger.override("TEMP"))


def test_the_smallest_steps_of_the_meter(master, server):
    for step in (1, 2):
        millivolts, milliamperes = (230_000 + step, 229_500 + step, 65_537 + step), (16_000 + step, 70_000 + step, step)
        server.call(lambda charger, volts=millivolts: charger.override("EMETERVOLTAGE", *volts))
        server.call(lambda charger, amperes=milliamperes: charger.override("EMETERCURRENT", *amperes))
        words = [word for value in (*millivolts, *milliamperes) for word in divmod(value, 0x10000)]
        master.wait_for(207, *words)
    server.call(lambda charger: (charger.override("EMETERVOLTAGE"), charger.override("EMETERCURRENT")))


def test_input_registers_are_the_same(master):
    answer = master.read_input_registers(304, count=1, device_id=1)
    assert answer.registers == master.read(304) == [32]


def test_a_fault_is_in_its_registers_until_it_is_gone(master, server):
    server.call(lambda charger: (charger.car.unplug(), charger.point.set_fault("temperature_high")))
    master.wait_for(100, ord("E") << 8, 0, 1 << 6)
    server.call(lambda charger: charger.point.clear_fault("temperature_high"))
    wait_until(lambda: master.read(101, 2) == [0, 0])


@pytest.mark.parametrize("address", [0, 99, 113, 219, 301, 302, 311, 312, 313, 314, 318, 422, 65535])
def test_what_at_cannot_reach_is_an_illegal_address(master, address):
    assert master.read(address) == Code.ILLEGAL_ADDRESS


def test_a_read_over_a_gap_is_an_illegal_address(master):
    assert master.read(300, 4) == Code.ILLEGAL_ADDRESS


def test_another_units_request_is_not_answered(master):
    assert not master.answers(unit=2)
    assert not master.answers(unit=255)
    assert master.answers()


# --- writes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "words", "command", "wire"),
    [
        (103, (0,), "ENABLE", 0),
        (103, (1,), "ENABLE", 1),
        (104, (0,), "AVAILABLE", 0),
        (104, (1,), "AVAILABLE", 1),
        (106, (105,), "CHCUR", 105),
        (106, (60,), "CHCUR", 60),
        (107, (1, 0x8001), "CONSUMLIM", 0x18001),
        (107, (0, 0), "CONSUMLIM", 0),
        (109, (0, 3601), "CHTIMELIM", 3601),
        (109, (0, 0), "CHTIMELIM", 0),
        (111, (65535,), "UNDERPOWERLIM", 65535),
        (111, (0,), "UNDERPOWERLIM", 0),
    ],
)
def test_what_a_master_writes_is_written_once_and_read_back(master, server, address, words, command, wire):
    server.call(lambda charger: charger.journal.clear())
    assert master.write(address, *words) == 0
    server.wait_for(lambda charger: charger.value(command)[0] == wire)
    assert writes(server, command) == [f"AT+{command}={wire}"]
    master.wait_for(address, *words)


def test_several_registers_in_one_write(master, server):
    assert master.write(106, 80, 0, 5000, 0, 7200) == 0
    for command, wire in (("CHCUR", 80), ("CONSUMLIM", 5000), ("CHTIMELIM", 7200)):
        server.wait_for(lambda charger, command=command, wire=wire: charger.value(command)[0] == wire)
    assert master.write(107, 0, 0, 0, 0) == 0
    master.wait_for(107, 0, 0, 0, 0)


def test_a_master_authorizes_a_waiting_car(master, server):
    server.call(lambda charger: (charger.car.unplug(), charger.set("REQAUTH", 1)))
    server.wait_for(lambda charger: charger.point.state == "A")
    server.call(lambda charger: charger.car.plug())
    master.wait_for(105, 1)
    assert master.write(112, 1) == 0
    server.wait_for(lambda charger: charger.point.state == "C2")
    server.call(lambda charger: charger.set("REQAUTH", 0))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (103, (2,)), (104, (2,)), (106, (59,)), (106, (0,)), (106, (321,)), (106, (65535,)),
        (107, (0x100, 0)), (109, (0xFFFF, 0xFFFF)), (112, (0,)), (112, (2,)), (421, (0,)), (421, (0xFFFF,)),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_refused_and_not_sent(master, server, address, words):
    """ESPHome's server knows only "device failure" for it."""
    before = master.read(100, 12)
    server.call(lambda charger: charger.journal.clear())
    assert master.write(address, *words) == Code.DEVICE_FAILURE
    assert master.write(106, 100) == 0
    server.wait_for(lambda charger: charger.journal.writes("CHCUR"))  # it may have held 10 A before
    assert settings_and_runs(server) == ["AT+CHCUR=100"]
    assert master.read(107, 5) == before[7:]


def test_half_a_limit_is_none(master, server):
    assert master.write(107, 1, 2) == 0
    master.wait_for(107, 1, 2)
    server.call(lambda charger: charger.journal.clear())
    master.write(107, 5)  # ESPHome says yes to the high word alone; nothing comes of it
    assert master.write(108, 7) == Code.DEVICE_FAILURE
    assert master.write(108, 7, 0) == Code.DEVICE_FAILURE
    assert master.write(106, 110) == 0
    server.wait_for(lambda charger: charger.value("CHCUR")[0] == 110)
    assert writes(server, "CONSUMLIM") == writes(server, "CHTIMELIM") == []
    assert master.read(107, 2) == [1, 2]


@pytest.mark.parametrize("address", [100, 105, 200, 301, 303, 304, 400, 405, 500])
def test_what_cannot_be_written_is_refused(master, server, address):
    server.call(lambda charger: charger.journal.clear())
    assert master.write(address, 1) in (Code.ILLEGAL_FUNCTION, Code.ILLEGAL_ADDRESS)  # ESPHome 2026.6, and 2026.10
    assert settings_and_runs(server) == []


def test_a_current_above_a_maximum_that_nobody_here_knows(master, server):
    """It was lowered at the charger a moment ago. What flows may be more than it allows, so the maximum is what is set.
    Nobody answers while the refused current is unknown."""
    assert master.write(106, 90) == 0
    master.wait_for(106, 90)
    server.call(lambda charger: charger.journal.clear())
    lower_the_maximum_unseen(server, 20)
    assert master.write(106, 300) == 0
    server.wait_for(lambda charger: charger.journal.writes("CHCUR")[-1:] == ["AT+CHCUR=200"])
    master.wait_for(304, 20)
    master.wait_for(106, 200)
    assert master.write(106, 201) == Code.DEVICE_FAILURE
    server.call(lambda charger: charger.set("MAXCHCUR", 32))
    master.wait_for(304, 32)


# --- faults -----------------------------------------------------------------------------------------------------------


def test_a_silent_charger_makes_a_silent_server(master, server):
    server.inject(lambda faults: faults.cable_out())
    wait_until(lambda: not master.answers(), "nobody answers")
    server.call(lambda charger: charger.set("CHCUR", 70))
    server.inject(lambda faults: faults.cable_in())
    wait_until(master.answers, "it is back")
    assert master.read(106) == [70]


def test_a_master_restarts_the_charger(master, server):
    assert master.write(106, 130) == 0
    master.wait_for(106, 130)
    server.call(lambda charger: charger.journal.clear())
    assert master.write(421, 1) == 0
    wait_until(lambda: master.answers() and master.read(106) == [320], "the charger is back, with its default")
    assert settings_and_runs(server) == ["AT+RST"]


def test_after_garbage_a_request_is_answered(master, node):
    with Path(node.cable.right).open("wb", buffering=0) as line:
        line.write(b"\x01\x03\x00\x64\xff\x00\x01\x02")
    wait_until(master.answers)


def test_nothing_dangerous_was_sent(server):
    """Last in this module: over all that happened."""
    assert server.call(lambda charger: charger.journal.violations) == []
