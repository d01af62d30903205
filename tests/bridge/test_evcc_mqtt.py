"""EVCC over MQTT: its mapping at a real Mosquitto, with the bridge for Home Assistant and a simulated charger."""

from __future__ import annotations

import time

import pytest

from evse_host.bridge.mqtt import HomeAssistantBridge
from evse_host.bridge.mqtt_link import Broker
from evse_host.simulator import Car, Charger, PtyServer

from .evcc_support import EXAMPLES, Evcc, EvccError, answers, needs_jq
from .mqtt_support import Client, Mosquitto, needs_mosquitto
from .rest_support import orders, value
from .support import wait_until

pytestmark = [needs_jq, needs_mosquitto]

OURS = (EXAMPLES / "mqtt.yaml").read_text()


class Plugin:
    """EVCC's MQTT plugin: the newest message, if it is not older than the timeout. ``later`` (s): as if so much time
    had passed."""

    def __init__(self, client: Client) -> None:
        self._client, self.later, self.publish = client, 0.0, client.publish

    def get(self, topic: str, timeout: float) -> str:
        heard = self._client.on(topic)
        if not heard or time.monotonic() + self.later - heard[-1].at > timeout:
            raise EvccError("outdated")
        return heard[-1].payload


@pytest.fixture
def server():
    with PtyServer(Charger(car=Car(phases=1)), time_scale=4) as running:
        yield running


@pytest.fixture
def plugin(tmp_path):
    with Mosquitto(tmp_path) as broker, Client(broker) as client:
        running = Plugin(client)
        running.uri = broker.uri
        yield running


@pytest.fixture
def bridge(charger, plugin):
    running = HomeAssistantBridge(charger, Broker.parse(plugin.uri, "", ""), interval=1)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def evcc(plugin, bridge):
    with Evcc(OURS, mqtt=plugin) as running:
        wait_until(lambda: answers(running.status), "the state is at the broker")
        yield running


def test_evcc_leads_a_whole_session(server, evcc):
    assert (evcc.status(), evcc.enabled(), evcc.power()) == ("A", True, 0)
    evcc.enable(False)
    wait_until(lambda: not evcc.enabled())
    evcc.max_current_millis(7.5)
    server.wait_for(lambda charger: charger.value("CHCUR") == (75,))
    server.call(lambda charger: charger.car.plug())
    wait_until(lambda: evcc.status() == "B", "the car is seen")
    evcc.enable(True)
    wait_until(lambda: evcc.status() == "C", "the car charges")
    wait_until(lambda: evcc.power() == pytest.approx(1725, rel=0.05), "the car follows")
    evcc.max_current(10)
    wait_until(lambda: evcc.power() == pytest.approx(2300, rel=0.05), "the car follows")
    assert evcc.energy() == pytest.approx(value(server, "EMETERTOTCONSUM")[0] / 1000, abs=0.1)
    evcc.max_current(0)
    evcc.max_current_millis(33.3)
    evcc.enable(False)
    wait_until(lambda: evcc.status() == "B" and evcc.power() == 0, "the car stops")
    assert value(server, "CHCUR") == (100,)
    assert orders(server) == ["ENABLE=0", "CHCUR=75", "ENABLE=1", "CHCUR=100", "ENABLE=0"]


def test_a_silent_charger_is_an_error_until_it_is_back(server, evcc):
    server.inject(lambda faults: faults.cable_out())
    wait_until(lambda: not answers(evcc.status), "the state is unknown")
    for ask in (evcc.enabled, evcc.power):
        with pytest.raises(EvccError, match="'<nil>'"):
            ask()
    with pytest.raises(EvccError, match=r"invalid status: \?"):
        evcc.status()
    server.inject(lambda faults: faults.cable_in())
    wait_until(lambda: answers(evcc.status), "the charger is back")


def test_a_bridge_that_is_gone_is_an_error(evcc, bridge, plugin):
    bridge.stop()
    plugin.later = 31.0
    for ask in (evcc.status, evcc.enabled, evcc.power):
        with pytest.raises(EvccError):
            ask()
