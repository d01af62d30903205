"""The pages about Modbus and LoRaWAN say what is there. That the register table is current is tested with all pages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from evse_host.bridge.registers import REGISTERS, Code
from evse_host.bridge.rest import ERRORS

from .lorawan_support import VECTORS, converter

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "bridges"
PAGES = {name: (FOLDER / name).read_text(encoding="utf-8") for name in ("modbus.md", "lorawan.md")}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", PAGES[name])
    assert [link for link in links if not (FOLDER / link).exists()] == []


def test_every_register_has_its_row():
    rows = re.findall(r"^\| (\d+)(?: to (\d+))? \| \S+ \| (\S+) \|", PAGES["modbus.md"], re.MULTILINE)
    assert [(int(first), access) for first, _, access in rows] == [
        (register.address, register.access or "-") for register in REGISTERS
    ]
    assert [int(last or first) - int(first) + 1 for first, last, _ in rows] == [one.words for one in REGISTERS]


def test_every_exception_has_its_row():
    assert set(re.findall(r"^\| (\d+) (?:illegal|server|gateway)", PAGES["modbus.md"], re.MULTILINE)) == {
        str(code.value) for code in Code
    }


def test_the_example_of_an_uplink():
    (block,) = re.findall(r"^```json\n(.*?)^```$", PAGES["lorawan.md"], re.MULTILINE | re.DOTALL)
    assert json.loads(block).keys() == VECTORS[0]["data"].keys()
    assert all(f"`{name}`" in PAGES["lorawan.md"] for name in ERRORS)


def test_the_page_cuts_where_the_converter_cuts():
    poll = converter().polls[1]
    assert f"`{poll.request.hex(' ').upper()}`, cut at bytes 4 to 5 and 14 to 17" in re.sub(
        r"\s+", " ", PAGES["lorawan.md"]
    )
    assert poll.cuts == ((4, 5), (14, 17))
