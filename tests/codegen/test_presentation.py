"""How entities look in Home Assistant: it accepts what the catalog says, and the user's word counts before that.

That it arrives there is tests/e2e/test_presentation.py's.
"""

from __future__ import annotations

import pytest

from evse_host import catalog
from tests.codegen import nodes
from tests.codegen.nodes import entity, node

MEASUREMENT = frozenset({"", "measurement"})
COUNTER = frozenset({"", "total", "total_increasing"})

#: Home Assistant's rules for sensors (homeassistant/components/sensor/const.py), of the device classes used here:
#: device class -> units and state classes. Without a state class there are no long-term statistics.
SENSOR_RULES = {
    "power": ({"mW", "W", "kW", "MW"}, MEASUREMENT),
    "energy": ({"mWh", "Wh", "kWh", "MWh"}, COUNTER),
    "voltage": ({"µV", "mV", "V", "kV"}, MEASUREMENT),
    "current": ({"mA", "A"}, MEASUREMENT),
    "temperature": ({"°C", "°F", "K"}, MEASUREMENT),
    "duration": ({"µs", "ms", "s", "min", "h", "d"}, MEASUREMENT | COUNTER),
    "signal_strength": ({"dB", "dBm"}, MEASUREMENT),
    "data_size": ({"B", "kB", "MB", "KiB", "MiB"}, MEASUREMENT | COUNTER),
}

#: Device classes of the other platforms; numbers have the units of sensors.
DEVICE_CLASSES = {
    "binary_sensor": {"", "battery_charging", "connectivity", "plug", "problem", "running"},
    "text_sensor": {"", "timestamp"},
    "button": {"", "restart"},
    "number": {"", "current", "duration", "energy", "power", "voltage"},
    "switch": {""},
    "select": {""},
    "text": {""},
    "event": {""},
}

READ_ONLY = ("sensor", "binary_sensor", "text_sensor", "event")


def validated(row: catalog.Entity, options: str = "") -> dict:
    return nodes.config(node(entity(row.platform, row.key, options)))[row.platform][0][row.key]


@pytest.mark.parametrize("row", catalog.entities("number"), ids=lambda row: row.key)
def test_user_presents_it_in_another_way(row: catalog.Entity) -> None:
    shown = validated(row, "unit_of_measurement: x, icon: 'mdi:test', entity_category: diagnostic, mode: SLIDER")
    assert shown["unit_of_measurement"] == "x"
    assert shown["icon"] == "mdi:test"
    assert shown["entity_category"] == "diagnostic"
    assert str(shown["mode"]) == "SLIDER"


def test_home_assistant_accepts_every_sensor() -> None:
    for row in catalog.entities("sensor"):
        if not row.device_class:
            assert not row.unit, row.name  # a bare number: phases, counters
            assert row.state_class in MEASUREMENT | COUNTER, row.name
            continue
        units, state_classes = SENSOR_RULES[row.device_class]
        assert row.unit in units, row.name
        assert row.state_class in state_classes, row.name


def test_home_assistant_accepts_every_number() -> None:
    for row in catalog.entities("number"):
        assert row.unit in SENSOR_RULES[row.device_class][0], row.name


def test_home_assistant_knows_every_device_class() -> None:
    for row in catalog.ENTITIES:
        if row.platform != "sensor":
            assert row.device_class in DEVICE_CLASSES[row.platform], row.name
            assert not row.state_class, row.name


def test_home_assistant_accepts_every_category() -> None:
    """It refuses what only shows something as `config`."""
    for row in catalog.ENTITIES:
        allowed = ("", "diagnostic") if row.platform in READ_ONLY else ("", "diagnostic", "config")
        assert row.category in allowed, row.name


def test_energy_dashboard_takes_the_energy_sensors() -> None:
    """It takes device class energy with a state class that counts."""
    offered = {row.key for row in catalog.entities("sensor") if row.device_class == "energy" and row.state_class}
    assert offered == {"energy_consumption", "total_energy_consumption"}


def test_every_entity_has_an_icon() -> None:
    """Its own, or the one of its device class."""
    for row in catalog.ENTITIES:
        assert row.icon.startswith("mdi:") if row.icon else row.device_class, row.name


def test_precision_shows_what_the_wire_has() -> None:
    """Hundredths of a degree, but no milliamperes and millivolts: the meter does not measure them."""
    for row in catalog.entities("sensor"):
        assert row.accuracy == {"A": 1, "V": 1, "°C": 2}.get(row.unit, 0), row.name


def test_names_differ_on_each_platform() -> None:
    for platform in catalog.PLATFORMS:
        names = [row.name for row in catalog.entities(platform)]
        assert len(names) == len(set(names))
