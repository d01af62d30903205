"""EVCC straight at the companion: its mapping on a real node with the real component, behind a stand-in for ESPHome's
web_server (see web_server_support.py)."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
import yaml

from evse_host.simulator import Car, Charger
from tests.examples import configs

from .evcc_support import EXAMPLES, Evcc, EvccError, answers, needs_jq
from .support import wait_until
from .web_server_support import SOURCE, WEB_SERVER, WebServer

OURS = (EXAMPLES / "companion.yaml").read_text()

NODE = """
esphome: {name: evse}
esp32: {board: esp32dev, framework: {type: esp-idf}}
external_components: [{source: {type: local, path: ../components}}]
packages:
  node: !include packages/secured-node.yaml
  link: !include packages/evse-link.yaml
  core: !include packages/evse-core.yaml
  meter: !include packages/evse-meter.yaml
web_server:
  port: 80
  auth: {username: evcc, password: "a secret"}
"""


@pytest.fixture
def charger(start_charger):
    return start_charger(Charger(car=Car(phases=1)))


@pytest.fixture
def evcc(charger, full_node_program, start_node):
    node = start_node(full_node_program, charger.path)
    with WebServer(node) as web, Evcc(OURS, lambda uri: uri.replace("http://EVSE_NODE", web.url)) as running:
        asks = (running.status, running.power, running.energy, running.currents, running.voltages)
        wait_until(lambda: all(map(answers, asks)) and running.enabled(), "the node knows the charger")
        yield running


@needs_jq
def test_evcc_leads_a_whole_session(charger, evcc):
    assert (evcc.status(), evcc.enabled(), evcc.power()) == ("A", True, 0)
    assert evcc.energy() == pytest.approx(charger.call(lambda it: it.value("EMETERTOTCONSUM")[0]) / 1000, abs=0.001)
    evcc.enable(False)
    wait_until(lambda: not evcc.enabled())
    assert charger.call(lambda it: it.value("ENABLE")) == (0,)
    evcc.max_current_millis(7.5)
    charger.wait_for(lambda it: it.value("CHCUR") == (75,))
    charger.call(lambda it: it.car.plug())
    wait_until(lambda: evcc.status() == "B", "the car is seen")
    evcc.enable(True)
    wait_until(lambda: evcc.status() == "C", "the car charges")
    evcc.max_current(6)
    charger.wait_for(lambda it: it.value("CHCUR") == (60,))
    wait_until(lambda: evcc.currents() == [6, 0, 0], "the car follows")
    wait_until(lambda: evcc.power() == pytest.approx(1380, rel=0.05))
    wait_until(lambda: evcc.voltages()[0] == pytest.approx(230, rel=0.05))
    for wrong in (0, 5, 64):
        evcc.max_current(wrong)
    evcc.max_current(10)
    charger.wait_for(lambda it: it.value("CHCUR") == (100,))
    currents = charger.call(lambda it: it.journal.writes("CHCUR"))
    assert currents == ["AT+CHCUR=75", "AT+CHCUR=60", "AT+CHCUR=100"]  # wrong ones never reach the charger


@needs_jq
def test_a_silent_charger_is_an_error_until_it_is_back(charger, evcc):
    charger.inject(lambda faults: faults.cable_out())
    wait_until(lambda: not answers(evcc.status), "the state is unknown")
    for ask in (evcc.power, evcc.energy, evcc.currents, evcc.voltages):
        with pytest.raises(EvccError, match=r"no number: '<nil>'|null"):
            ask()
    charger.inject(lambda faults: faults.cable_in())
    wait_until(lambda: answers(evcc.status) and answers(evcc.power), "the charger is back")
    assert evcc.status() == "A"


def test_the_stand_in_rests_on_what_esphome_does():
    source = WEB_SERVER.read_text()
    assert [line for line in SOURCE if line not in source] == []


def test_the_addresses_are_those_of_the_packages(tmp_path):
    """ESPHome takes the node of the page about EVCC, and each address of the mapping is one of its entities."""
    node = configs.lay_out(tmp_path) / "evcc-node.yaml"
    node.write_text(NODE)
    resolved = configs.resolved(node)
    names = {
        (domain, about["name"])
        for domain in ("sensor", "text_sensor", "switch", "number")
        for block in resolved[domain]
        for about in block.values()
        if isinstance(about, dict) and "name" in about
    }
    (charger,) = yaml.safe_load(OURS)["chargers"]
    blocks = [block for value in charger.values() for block in (value if isinstance(value, list) else [value])]
    paths = [unquote(urlsplit(block["uri"]).path).split("/") for block in blocks if isinstance(block, dict)]
    assert {(path[1], path[2]) for path in paths} <= names
    assert len(paths) == 13
