"""The load manager's examples generate their code, for every chip; that they are valid tests/examples shows."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.examples import configs
from tools.build import node

NAMES = [name for name in configs.NAMES if name.startswith("load_")]
#: What ESPHome wants to know of each chip.
CHIPS = {"ESP32": "board: esp32dev", "ESP32C3": "variant: ESP32C3", "ESP32S3": "variant: ESP32S3"}


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    return configs.lay_out(tmp_path_factory.mktemp("checkout"))


def generate(config) -> str:
    """The generated main.cpp."""
    command = [sys.executable, "-m", "esphome", "compile", "--only-generate", config.name]
    environment = node.environment(config.parent / ".esphome")
    run = subprocess.run(
        command, cwd=config.parent, env=environment, capture_output=True, text=True, timeout=180, check=False
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    name = configs.load(config.read_text())["esphome"]["name"]
    (source,) = (path for path in config.parent.rglob("src/main.cpp") if name in path.parts)
    return source.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_an_example_becomes_a_program(examples, name):
    assert "LoadManager" in generate(examples / name)


@pytest.mark.parametrize("chip", CHIPS)
def test_generates_for_every_chip(examples, chip):
    text = (examples / "load_dimming.yaml").read_text().replace("board: esp32dev", CHIPS[chip])
    for pin in ("GPIO23", "GPIO19", "GPIO18"):
        text = text.replace(pin, {"GPIO23": "GPIO3", "GPIO19": "GPIO4", "GPIO18": "GPIO5"}[pin])
    text = text.replace(
        "link: !include packages/evse-link.yaml",
        "link: !include {file: packages/evse-link.yaml, vars: {tx_pin: GPIO7, rx_pin: GPIO6}}",
    )
    if chip == "ESP32":  # its pins 6 to 11 are the flash's
        text = text.replace("GPIO7", "GPIO17").replace("GPIO6", "GPIO16").replace("GPIO3,", "GPIO23,")
    config = examples / f"load_chip_{chip.lower()}.yaml"
    config.write_text(text.replace("evse-dimming", f"evse-chip-{chip.lower()}"))
    assert "LoadManager" in generate(config)


def mappings(value):
    """Every mapping in a configuration, however deep."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from mappings(inner)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_meter_says_each_second_does_not_fill_the_database(name):
    """Home Assistant records each value of a sensor that has a name: 3,600 rows an hour for each phase."""
    config = configs.load((configs.EXAMPLES / name).read_text())
    meters = [each["meter"] for each in mappings(config["esp32evse_load_manager"]) if "meter" in each]
    ids = {value for meter in meters for key, value in meter.items() if key not in ("timeout", "delay")}
    shown = [each["id"] for each in mappings(config["sensor"]) if each.get("id") in ids and "name" in each]
    assert (ids or name == "load_two_nodes_second.yaml") and not shown


def test_every_way_to_a_meter_has_its_example():
    assert set(NAMES) == {
        f"load_{what}.yaml"
        for what in (
            *("dsmr", "sdm630", "home_assistant", "ct_clamps", "two_chargers", "solar", "dimming"),
            *("two_nodes_first", "two_nodes_second"),
        )
    }
