"""The whole chain: charger, its Modbus registers on a bus, a converter that polls and cuts, both decoders."""

from __future__ import annotations

import pytest

from evse_host.bridge.lorawan import decode_uplink
from evse_host.bridge.modbus import ModbusRtu
from evse_host.catalog import STATES

from .lorawan_support import converter, decode_in_javascript, needs_node
from .modbus_support import Bus, Wire, rtu_client
from .support import wait_until


@pytest.fixture
def bus(charger, tmp_path):
    line = Bus(tmp_path)
    bridge = ModbusRtu({1: charger}, str(line.link))
    bridge.start()
    yield line
    bridge.stop()
    line.close()


@pytest.fixture
def wire(bus):
    master = Wire(bus)
    yield master
    master.close()


def shown_by(server) -> dict:
    """What the uplink must say, straight from the simulator."""
    (state,), (errors,), (enabled,), (power,), (energy,), voltages, currents, (uptime,), (count, high, _) = (
        server.call(lambda charger, name=name: charger.value(name))
        for name in ("STATE", "ERROR", "ENABLE", "EMETERPOWER", "EMETERCONSUM", "EMETERVOLTAGE", "EMETERCURRENT",
                     "UPTIME", "TEMP")
    )  # fmt: skip
    names = ["pilot_fault", "diode_short", "lock_fault", "unlock_fault", "rcm_triggered", "rcm_selftest_fault",
             "temperature_high", "temperature_fault"]  # fmt: skip
    return {
        "state": STATES[state],
        "errors": [name for bit, name in enumerate(names) if errors >> bit & 1],
        "enabled": bool(enabled),
        "power": power,
        "consumption": energy,
        "voltage": [value / 1000 for value in voltages],
        "current": [value / 1000 for value in currents],
        "uptime": uptime,
        "temperature": high / 100 if count else None,
    }


CHARGING = {"EMETERPOWER": (11_040,), "EMETERVOLTAGE": (230_100, 231_000, 229_500),
            "EMETERCURRENT": (16_000, 15_900, 15_950), "EMETERCONSUM": (12_345,), "EMETERSESTIME": (54_321,),
            "UPTIME": (86_400,), "TEMP": (1, 3_150, 2_875), "STATE": (4,)}  # fmt: skip
SCENES = {
    "charging": CHARGING,
    "no car in the cold": {"STATE": (0,), "ENABLE": (0,), "EMETERPOWER": (0,), "EMETERVOLTAGE": (0, 0, 0),
                           "EMETERCURRENT": (0, 0, 0), "EMETERCONSUM": (0,), "UPTIME": (5,),
                           "TEMP": (2, -525, -1_250)},
    "large numbers": CHARGING | {"EMETERCONSUM": (2**31 + 7,), "UPTIME": (2**32 - 1,), "EMETERPOWER": (65_535,),
                                 "EMETERVOLTAGE": (2**32 - 1, 0, 2**31), "EMETERCURRENT": (0, 2**32 - 1, 1)},
    "faults": CHARGING | {"STATE": (7,), "ERROR": (0b0101_0001,), "TEMP": (0, 0, 0)},
}  # fmt: skip


@needs_node
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_what_arrives_is_what_the_charger_has(server, charger, wire, scene):
    for name, values in scene.items():
        server.call(lambda model, name=name, values=values: model.override(name, *values))
    wait_until(lambda: scene.items() <= charger.snapshot.values.items(), "the charger shows the scene")
    payload = converter().uplink(wire.ask)
    assert len(payload) == 44
    (in_javascript,) = decode_in_javascript([payload])
    assert in_javascript == decode_uplink(payload) == {"data": shown_by(server), "warnings": [], "errors": []}


def test_the_session_time_is_not_taken_for_the_energy(server, charger, wire):
    server.call(lambda model: model.override("EMETERSESTIME", 54_321))
    server.call(lambda model: model.override("EMETERCONSUM", 12_345))
    wait_until(lambda: charger.snapshot.session_energy == 12_345 and charger.snapshot.get("EMETERSESTIME") == 54_321)
    assert decode_uplink(converter().uplink(wire.ask))["data"]["consumption"] == 12_345


def test_a_silent_charger_sends_no_values(server, charger, wire):
    server.inject(lambda faults: faults.cable_out())
    wait_until(lambda: not charger.snapshot.online)
    payload = converter().uplink(lambda request, length: wire.ask(request, 5).ljust(length, b"\0"))
    assert decode_uplink(payload) == {
        "data": None, "warnings": [], "errors": ["no state in bytes 1 and 2: the charger did not answer"],
    }  # fmt: skip


def test_pymodbus_polls_with_the_same_bytes(bus):
    """The converter's frames are those of an independent Modbus master."""
    sent: list[bytes] = []

    def note(sending: bool, data: bytes) -> bytes:
        if sending:
            sent.append(bytes(data))
        return data

    asked: list[bytes] = []
    converter().uplink(lambda request, length: asked.append(request) or bytes(length))
    with rtu_client(bus, trace_packet=note) as client:
        for address, count in ((100, 4), (200, 7), (207, 12), (400, 4)):
            assert not client.read_holding_registers(address, count=count, device_id=1).isError()
    assert asked == sent
