"""The demo's own rules: what it shows, what may be missing, which port it takes."""

from __future__ import annotations

import socket
from typing import ClassVar

import pytest
from aioesphomeapi import BinarySensorInfo, ButtonInfo, EventInfo, NumberInfo, SensorInfo, SwitchInfo, TextSensorInfo
from rich.console import Console

from evse_host import catalog
from tools.run import demo
from tools.run.api import NodeError
from tools.run.host_node import free_port

POWER = SensorInfo(name="Power", unit_of_measurement="W", accuracy_decimals=0)
VOLTAGE = SensorInfo(name="Voltage", unit_of_measurement="V", accuracy_decimals=1)


@pytest.mark.parametrize(
    ("entity", "value", "text"),
    [
        (POWER, 3680.0, "3680 W"),
        (VOLTAGE, 230.04, "230.0 V"),
        (POWER, None, "unknown"),
        (NumberInfo(unit_of_measurement="A"), 10.5, "10.5 A"),
        (BinarySensorInfo(), True, "on"),
        (BinarySensorInfo(), False, "off"),
        (TextSensorInfo(), "C2", "C2"),
        (EventInfo(), None, "none yet"),
        (ButtonInfo(), None, "(press)"),
    ],
)
def test_values_are_shown_with_their_units(entity, value, text: str) -> None:
    assert demo.show(entity, value) == text


def test_busy_port_is_refused_when_asked_for_and_replaced_when_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        busy = server.getsockname()[1]
        with pytest.raises(NodeError, match=f"--api-port {busy} cannot be used: Address already in use"):
            demo.pick_port(busy)
        monkeypatch.setattr(demo, "API_PORT", busy)
        assert demo.pick_port(None) not in (busy, 0)


def test_free_port_is_taken() -> None:
    port = free_port()
    assert demo.pick_port(port) == port


def test_missing_serial_port_is_named() -> None:
    with pytest.raises(NodeError, match="--port /dev/none: no such serial port"), demo.charger_port("/dev/none"):
        pytest.fail("there is no such port")


def test_few_entities_may_stay_unknown() -> None:
    optional = {row.key for row in catalog.ENTITIES if demo.may_stay_unknown(row)}
    temperatures = {"temperature", "temperature_high", "temperature_low"}
    assert optional == {"last_session_duration", "last_session_energy", "wifi_rssi"} | temperatures


class Screen:
    """A node with every entity, seen on a terminal of a given size."""

    KINDS: ClassVar = {"sensor": SensorInfo, "binary_sensor": BinarySensorInfo, "text_sensor": TextSensorInfo,
             "number": NumberInfo, "switch": SwitchInfo}  # fmt: skip

    def __init__(self, width: int, height: int) -> None:
        self.entities = [
            self.KINDS[row.platform](name=row.name) for row in catalog.ENTITIES if row.platform in self.KINDS
        ]
        self.console = Console(width=width, height=height, force_terminal=True, color_system=None)

    def value(self, _entity) -> str:
        return "a value"

    def lines(self) -> list[str]:
        hint = demo.other_terminal("socket://127.0.0.1:43210")
        rendered = self.console.render_lines(demo.live(self, self.console, hint))
        return ["".join(part.text for part in line).rstrip() for line in rendered]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 30), (100, 24), (132, 43), (60, 20)])
def test_the_picture_fits_the_terminal_and_keeps_the_hint(width: int, height: int) -> None:
    lines = Screen(width, height).lines()
    assert len(lines) <= height and max(map(len, lines)) <= width
    assert lines[-1].strip() == "evse-host doctor"
    assert any("Charge status" in line for line in lines) and any("Power" in line for line in lines)
    assert any(line.startswith("and ") and " more: a larger terminal" in line for line in lines)


def test_a_large_terminal_shows_everything() -> None:
    screen = Screen(240, 70)
    text = "\n".join(screen.lines())
    assert all(entity.name[:20] in text for entity in screen.entities)
    assert "a larger terminal" not in text
