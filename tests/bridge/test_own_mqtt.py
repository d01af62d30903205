"""ESPHome's own MQTT at a real Mosquitto: what a silent charger has said must not stay at the broker as true."""

from __future__ import annotations

import pytest

from evse_host.simulator import Car, Charger, PtyServer
from tools.build import node as nodes
from tools.run.host_node import Node

from . import companion_components
from .mqtt_support import Client, Mosquitto, needs_mosquitto

pytestmark = needs_mosquitto

CONFIG = nodes.ROOT / "tests/bridge/own_mqtt.yaml"
#: Of each platform one, and what the charger below says.
SHOWN = {
    "node/binary_sensor/vehicle_connected/state": "ON",
    "node/switch/charging_enabled/state": "ON",
    "node/select/meter/state": "current_voltage",
    "node/sensor/state/state": "C2",
    "node/number/charging_current/state": "32.000000",
    "node/text/host_name/state": "evse",
}
UNKNOWN = {
    "node/binary_sensor/vehicle_connected/state": "None",  # Home Assistant's word
    "node/switch/charging_enabled/state": "None",
    "node/select/meter/state": "None",
    "node/sensor/state/state": "",
    "node/sensor/power/state": "nan",
    "node/number/charging_current/state": "nan",
    "node/text/host_name/state": "",
}


@pytest.fixture(scope="module")
def server():
    with PtyServer(Charger(car=Car(plugged=True))) as running:
        yield running


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Mosquitto(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="module")
def client(broker):
    with Client(broker) as running:
        yield running


@pytest.fixture(scope="module")
def node(server, broker, client, tmp_path_factory):
    companion_components.lay_out()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVSE_MQTT_PORT", str(broker.port))
        with Node(nodes.build(CONFIG), server.path, tmp_path_factory.mktemp("node")) as running:
            yield running


def wait(client, wanted: dict[str, str], after: int) -> None:
    for topic, payload in wanted.items():
        client.wait(topic, lambda heard, payload=payload: heard.payload == payload, after=after)


def test_unknown_is_told_and_what_comes_back_too(node, server, client):
    wait(client, SHOWN, 0)
    seen = len(client.heard)
    server.inject(lambda faults: faults.cable_out())
    wait(client, UNKNOWN, seen)
    seen = len(client.heard)
    server.inject(lambda faults: faults.cable_in())
    wait(client, SHOWN, seen)


def test_a_broker_that_was_away_learns_what_is_unknown(node, server, broker, client):
    broker.stop()
    server.inject(lambda faults: faults.cable_out())
    node.wait_for_log("Disconnected|Lost client connection")
    node.wait_for("binary_sensor.Vehicle connected", None)
    seen = len(client.heard)
    broker.start()
    wait(client, UNKNOWN, seen)
    server.inject(lambda faults: faults.cable_in())
    wait(client, SHOWN, seen)


def test_a_broker_that_returns_while_a_wish_is_pending_learns_that_it_was_taken_back(node, server, broker, client):
    """It is shown the wish, which waits for the charger's flash: ESPHome takes it for the state."""
    topic = "node/select/meter/state"
    node.command("select.Meter", "current")
    wait(client, {topic: "current"}, 0)
    broker.stop()
    node.wait_for_log("Disconnected|Lost client connection", start=len(node.log))
    node.command("select.Meter", "dummy")
    seen = len(client.heard)
    broker.start()
    client.wait(topic, lambda heard: heard.payload == "dummy", after=seen)
    seen = len(client.heard)
    node.command("select.Meter", "current")
    wait(client, {topic: "current"}, seen)
    assert server.call(lambda charger: charger.value("EMETERMODE")) == (1,)
