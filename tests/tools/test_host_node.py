"""Small rules of the node's API client, and of the stand-ins that its program is built with."""

from __future__ import annotations

import struct

import pytest
from aioesphomeapi import Event, SensorInfo, SensorState, SwitchInfo, SwitchState, TextSensorState

from tools.build import offline_platformio
from tools.run import api, host_node


@pytest.mark.parametrize("decimal", [0.0, 230.1, 16_777_215.0, 16_777_218.0, 33_554_436.0, -40.25, 1e-3])
def test_float_of_the_api_reads_as_it_was_written(decimal: float) -> None:
    (single,) = struct.unpack("f", struct.pack("f", decimal))
    assert api.state_value(SensorState(state=single)) == decimal


def test_a_state_that_is_unknown_is_none() -> None:
    assert api.state_value(SensorState(state=float("nan"))) is None
    assert api.state_value(SensorState(missing_state=True)) is None
    assert api.state_value(TextSensorState(missing_state=True)) is None
    assert api.state_value(Event(event_type="started")) == "started"


def test_entities_of_one_name_are_told_apart() -> None:
    client = host_node.ApiClient(port=1)
    client.entities = [
        SensorInfo(name="Energy", key=5),
        SwitchInfo(name="Energy", key=5),
        SensorInfo(name="Power", key=6),
    ]
    assert client.find("Power").key == 6
    assert isinstance(client.find("switch.Energy"), SwitchInfo)
    with pytest.raises(api.NodeError, match=r"'Energy' is ambiguous: sensor\.Energy, switch\.Energy"):
        client.find("Energy")
    with pytest.raises(api.NodeError, match=r"no entity 'Enrgy'; there are: sensor\.Energy"):
        client.find("Enrgy")
    assert api.entity_key(SwitchState(key=5)) == api.entity_key(client.find("switch.Energy"))
    client.close()


def test_stand_ins_are_for_esphome_before_2026_10() -> None:
    assert offline_platformio.needed("2026.6.5")
    assert offline_platformio.needed("2026.9.0b1")
    assert not offline_platformio.needed("2026.10.0")
    assert not offline_platformio.needed("2027.1.0-dev")
