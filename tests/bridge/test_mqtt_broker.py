"""The bridge to Home Assistant at a real Mosquitto and a simulated charger."""

from __future__ import annotations

import json
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from evse_host.bridge import home_assistant, mqtt_link
from evse_host.bridge import home_assistant_discovery as discovery
from evse_host.bridge.mqtt import HomeAssistantBridge
from evse_host.bridge.mqtt_link import Broker
from evse_host.simulator import Charger

from . import home_assistant_model as model
from .mqtt_support import Client, Mosquitto, needs_mosquitto
from .support import end_of, wait_until

pytestmark = needs_mosquitto

LOGGER = "evse.charger.mqtt"
ENTITIES = len(discovery.ENTITIES)
#: What changes by itself while a car charges.
MOVING = ("TEMP", "EMETERPOWER", "EMETERCONSUM", "EMETERTOTCONSUM", "EMETERSESTIME", "EMETERCHTIME")


@pytest.fixture
def still(server, charger) -> None:
    """Nothing changes at the charger by itself, and its owner knows what it holds."""

    def hold(model: Charger) -> dict[str, tuple]:
        held = {name: model.value(name) for name in MOVING}
        for name, values in held.items():
            model.override(name, *values)
        return held

    held = server.call(hold)
    wait_until(lambda: held.items() <= charger.snapshot.values.items())


@pytest.fixture
def start(charger, caplog) -> Iterator[Callable[..., HomeAssistantBridge]]:
    """``start(uri, **options)`` starts a bridge, stopped at the end."""
    caplog.set_level(logging.INFO, "evse")
    with ExitStack() as running:

        def begin(uri: str, username: str = "", password: str = "", **options) -> HomeAssistantBridge:
            options.setdefault("interval", 3600)
            bridge = HomeAssistantBridge(charger, Broker.parse(uri, username, password), **options)
            bridge.start()
            running.callback(bridge.stop)
            return bridge

        yield begin


@pytest.fixture
def bridge(start, broker, client) -> HomeAssistantBridge:
    """Connected, and has said all."""
    running = start(broker.uri)
    client.wait("evse/availability", lambda heard: heard.payload == "online")
    return running


@pytest.fixture
def lines(caplog) -> Callable[[str], list[str]]:
    """``lines("lost")``: the log's lines with that text."""
    return lambda text: [record.getMessage() for record in caplog.records if text in record.getMessage()]


# --- what is at the broker --------------------------------------------------------------------------------------------


def test_all_is_retained_for_who_comes_later(bridge, broker):
    with Client(broker) as later:
        availability = later.wait("evse/availability")
        state = later.wait("evse/state")
        wait_until(lambda: len([h for h in later.heard if h.topic.startswith("homeassistant/")]) == ENTITIES)
    assert (availability.payload, availability.retained, state.retained) == ("online", True, True)
    assert state.json["state"] == "C2" and state.json["charging"] is True
    for heard in later.heard:
        if heard.topic.startswith("homeassistant/"):
            assert heard.retained
            domain, config = model.check(heard.topic, heard.payload)
            model.shown(domain, config, state.payload)


def test_discovery_comes_before_the_state_and_availability_last(bridge, client):
    topics = list(dict.fromkeys(heard.topic for heard in client.heard))
    assert topics[-2:] == ["evse/state", "evse/availability"] and len(topics) == ENTITIES + 2


def test_a_change_is_there_long_before_the_interval(bridge, client, server):
    """Within half a second, says `python -m tools host-bench`."""
    for ampere in (10, 18):
        server.call(lambda model, wire=ampere * 10: model.set("CHCUR", wire))
        client.wait_state(current=float(ampere))


def test_nothing_is_sent_twice_but_after_the_interval(still, start, broker, client):
    begin = time.monotonic()
    start(broker.uri, interval=1.0, identifier="SLOW")
    wait_until(lambda: len(client.on("slow/state")) >= 4)
    told = client.on("slow/state")
    assert told[-1].at - begin >= len(told) - 1.1, "however late one arrives"
    assert len({heard.payload for heard in told}) == 1
    assert len(client.on("slow/availability")) == 1


def test_a_last_will_that_comes_late_does_not_last(start, broker, client, monkeypatch):
    """Of the connection before, which the broker gives up only now."""
    monkeypatch.setattr(home_assistant, "AVAILABILITY_S", 1.0)
    start(broker.uri, interval=1.0)
    client.wait("evse/availability", lambda heard: heard.payload == "online")
    before = len(client.heard)
    client.publish("evse/availability", "offline", retain=True)
    client.wait("evse/availability", lambda heard: heard.payload == "offline", after=before)
    assert client.wait("evse/availability", lambda heard: heard.payload == "online", after=before)


def test_a_changed_maximum_changes_the_slider(bridge, client, server):
    """To what Home Assistant can show: the charger still holds 32 A when its maximum is 20."""
    before = len(client.heard)
    server.call(lambda model: (model.set("CHCUR", 160), model.set("MAXCHCUR", 20)))
    config = client.wait("homeassistant/number/evse/charging_current_limit/config", after=before)
    assert config.json["max"] == 20
    before = len(client.heard)
    server.call(lambda model: (model.set("MAXCHCUR", 32), model.set("CHCUR", 320), model.set("MAXCHCUR", 10)))
    client.wait_state(current=32.0, after=before)
    heard = client.wait(config.topic, after=before)
    model.shown("number", heard.json, client.on("evse/state")[-1].payload)
    assert {h.topic for h in client.heard[before:] if h.topic.startswith("homeassistant/")} == {config.topic}


def test_without_discovery_nothing_is_said_to_home_assistant(start, broker, client):
    start(broker.uri, discovery=False)
    client.wait("evse/availability", lambda heard: heard.payload == "online")
    client.publish("homeassistant/status", "online")
    wait_until(lambda: len(client.on("evse/availability")) == 2)
    assert [h.topic for h in client.heard if h.topic.startswith("homeassistant/")] == ["homeassistant/status"]


def test_home_assistant_is_told_all_again_when_it_starts(bridge, client):
    before = len(client.heard)
    client.publish("homeassistant/status", "offline")
    client.publish("homeassistant/status", "online")
    client.wait("evse/availability", after=before)
    topics = [heard.topic for heard in client.heard[before:]]
    assert len([topic for topic in topics if topic.endswith("/config")]) == ENTITIES and "evse/state" in topics


# --- commands ---------------------------------------------------------------------------------------------------------


def test_home_assistant_switches_charging_off_and_on(bridge, client, server):
    client.publish("evse/enabled/set", "OFF")
    client.wait_state(enabled=False, charging=False)
    assert server.call(lambda model: model.value("ENABLE")) == (0,)
    before = len(client.heard)
    client.publish("evse/enabled/set", "ON")
    client.wait_state(enabled=True, after=before)


def test_home_assistant_sets_the_current(bridge, client, server):
    client.publish("evse/current/set", "10.5")
    client.wait_state(current=10.5)
    assert server.call(lambda model: model.value("CHCUR")) == (105,)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ("40", "evse/current/set: charging current 40.0 A is out of range, 6 to 32 A"),
        ("5.9", "evse/current/set: charging current 5.9 A is out of range, 6 to 32 A"),
        ("lots", "evse/current/set: charging current 'lots' is not a number of A"),
        (b"\xff\x00\xfe" * 30, "is not a number of A"),
        ("9" * 100_000, "is not a number of A"),
    ],
)
def test_a_rejected_current_lets_the_slider_jump_back(still, bridge, client, server, lines, payload, words):
    before, written = len(client.heard), server.call(lambda model: list(model.journal.commands))
    client.publish("evse/current/set", payload)
    assert client.wait_state(after=before).json["current"] == 32
    assert len(lines(words)) == 1 and max(map(len, lines("evse/current/set"))) < 200
    new = server.call(lambda model: list(model.journal.commands))[len(written) :]
    assert not any("CHCUR=" in command for command in new)
    client.publish("evse/current/set", "16")  # it lives on
    client.wait_state(current=16.0)


@pytest.mark.parametrize("topic", ["evse/enabled/set", "evse/current/set", "evse/consumption_limit/set"])
@pytest.mark.parametrize("payload", ["", " ", "\n"])
def test_a_deleted_message_asks_for_nothing(still, bridge, client, server, lines, topic, payload):
    """An empty payload is how a retained message is deleted."""
    client.publish(topic, payload, retain=True)
    client.publish("evse/current/set", "11")
    client.wait_state(current=11.0, enabled=True)
    written = [c for c in server.call(lambda model: list(model.journal.commands)) if "=" in c and "SUB" not in c]
    assert written == ["AT+CHCUR=110"] and not lines(f"{topic}: ")


@pytest.mark.parametrize("payload", ["on\n", " on", "ON\r\n", "true ", "\t1"])
def test_white_space_around_on_does_not_switch_off(still, bridge, client, server, payload):
    client.publish("evse/enabled/set", "off")
    client.wait_state(enabled=False)
    before = len(client.heard)
    client.publish("evse/enabled/set", payload)
    client.wait_state(enabled=True, after=before)


@pytest.mark.parametrize("payload", ["yes", "2", "{}", b"\xff", "on off"])
def test_what_is_neither_on_nor_off_is_refused_and_said(still, bridge, client, server, lines, payload):
    before = len(client.heard)
    client.publish("evse/enabled/set", payload)
    assert client.wait_state(after=before).json["enabled"] is True
    assert len(lines("is neither on nor off: on, 1, true, off, 0, false are allowed")) == 1
    assert not any("ENABLE=" in command for command in server.call(lambda model: list(model.journal.commands)))


def test_what_people_ask_for_is_there_and_can_be_set(bridge, client, server):
    for topic, payload, state, name, wire in (
        ("consumption_limit", "30000", {"consumption_limit": 30_000}, "CONSUMLIM", 30_000),
        ("charging_time_limit", "7200", {"charging_time_limit": 7200}, "CHTIMELIM", 7200),
        ("under_power_limit", "1400", {"under_power_limit": 1400}, "UNDERPOWERLIM", 1400),
        ("available", "OFF", {"available": False}, "AVAILABLE", 0),
    ):
        client.publish(f"evse/{topic}/set", payload)
        client.wait_state(**state)
        assert server.call(lambda model, name=name: model.value(name)) == (wire,)


def test_a_current_of_half_a_tenth_is_rounded_up(bridge, client):
    client.publish("evse/current/set", "8.25")
    client.wait_state(current=8.3)


def test_discovery_and_birth_follow_the_prefix_that_was_chosen(start, broker, client):
    start(broker.uri, prefix="my/ha")
    client.wait("my/ha/sensor/evse/power/config")
    client.wait("evse/availability", lambda heard: heard.payload == "online")
    before = len(client.heard)
    client.publish("my/ha/status", "online")
    client.wait("my/ha/sensor/evse/power/config", after=before)
    assert not [heard for heard in client.heard if heard.topic.startswith("homeassistant/")]


def test_a_current_that_the_charger_refuses(still, bridge, client, server, lines):
    """Somebody has lowered the maximum this moment."""
    server.call(lambda model: model.override("MAXCHCUR", 32))
    server.call(lambda model: (model.set("CHCUR", 100), model.set("MAXCHCUR", 13)))
    client.wait_state(current=10.0)
    before = len(client.heard)
    client.publish("evse/current/set", "20")
    wait_until(lambda: lines("evse/current/set: CHCUR: the charger refuses 200"))
    assert client.wait_state(after=before).json["current"] == 10


def test_a_retained_command_of_the_past_is_not_carried_out(broker, client, start, server, lines):
    client.publish("evse/enabled/set", "OFF", retain=True)
    client.publish("evse/current/set", "8", retain=True)
    client.wait("evse/current/set")
    start(broker.uri)
    client.wait("evse/availability", lambda heard: heard.payload == "online")
    client.publish("evse/current/set", "12", retain=True)  # arrives while the bridge is there
    client.wait_state(current=12.0)
    assert server.call(lambda model: model.value("ENABLE")) == (1,)
    assert len(lines("of the past, ignored")) == 2


def test_two_writers_at_once_end_with_one_truth(bridge, client, charger, server):
    for round_ in range(5):
        client.publish("evse/current/set", f"{10 + round_}")
        charger.set("CHCUR", 200 + round_)
    wait_until(lambda: len([c for c in server.call(lambda m: m.journal.commands) if "CHCUR=" in c]) == 10)
    (last,) = wait_until(lambda: server.call(lambda model: model.value("CHCUR")))
    wait_until(lambda: client.on("evse/state")[-1].json["current"] == last / 10)
    written = [c for c in server.call(lambda m: m.journal.commands) if "CHCUR=" in c]
    assert sorted(written) == sorted(
        [f"AT+CHCUR={(10 + n) * 10}" for n in range(5)] + [f"AT+CHCUR={200 + n}" for n in range(5)]
    )


# --- faults -----------------------------------------------------------------------------------------------------------


def test_a_silent_charger_is_offline_and_takes_no_command(bridge, client, server, lines):
    server.inject(lambda faults: faults.cable_out())
    client.wait("evse/availability", lambda heard: heard.payload == "offline")
    state = client.wait_state(state="?").json
    assert set(state.values()) == {"?", None}
    client.publish("evse/enabled/set", "OFF")
    wait_until(lambda: lines("evse/enabled/set: charger is offline"))
    before = len(client.heard)
    server.inject(lambda faults: faults.cable_in())
    client.wait("evse/availability", lambda heard: heard.payload == "online", after=before)
    client.wait_state(state="C2", enabled=True, after=before)
    assert not any("ENABLE=" in command for command in server.call(lambda model: model.journal.commands))


def test_a_charger_that_restarts(bridge, client, server):
    client.publish("evse/enabled/set", "OFF")
    client.wait_state(enabled=False)
    before = len(client.heard)
    server.inject(lambda faults: faults.reboot())
    client.wait_state(enabled=True, after=before)
    server.call(lambda model: model.set("CHCUR", 90))
    client.wait_state(current=9.0, after=before)


def test_a_broker_that_was_away_hears_what_is_so_now(bridge, broker, client, server, lines):
    broker.stop()
    wait_until(lambda: lines("is lost: it closed the connection"))
    wait_until(lambda: lines("cannot be used: connection refused; trying again"))
    server.call(lambda model: model.set("CHCUR", 110))
    before = len(client.heard)
    broker.start()
    client.wait_state(current=11.0, after=before)
    client.wait("evse/availability", lambda heard: heard.payload == "online", after=before)
    wait_until(lambda: sum(h.topic.endswith("/config") for h in client.heard[before:]) >= ENTITIES)
    assert len(lines("connected to broker")) == 1 and len(lines("trying again")) == 1
    client.publish("evse/current/set", "12")
    client.wait_state(current=12.0, after=before)


def test_a_broker_that_is_not_there_yet(broker, start, lines):
    broker.stop()
    start(broker.uri)
    wait_until(lambda: lines("cannot be used: connection refused; trying again"))
    broker.start()
    with Client(broker) as client:
        client.wait("evse/availability", lambda heard: heard.payload == "online")


def test_the_end_says_offline(bridge, client):
    before = len(client.heard)
    bridge.stop()
    assert client.wait("evse/availability", after=before).payload == "offline"
    assert not bridge.is_connected


def test_stopping_waits_for_nobody(start, lines):
    bridge = start("mqtt://192.0.2.1:1883")  # an address where nobody answers
    before = time.monotonic()
    bridge.stop()
    assert time.monotonic() - before < 10, "the system gives up after minutes"


def test_a_wrong_password_is_said_once_and_tried_again(tmp_path, start, lines, monkeypatch):
    monkeypatch.setattr(mqtt_link, "BACK_OFF_S", (0.05,))
    with Mosquitto(tmp_path, users={"evse": "right", "test": "test"}) as broker:
        start(broker.uri, username="evse", password="wrong-secret")
        log = tmp_path / "mosquitto.log"
        wait_until(lambda: log.read_text().count("not authorised") >= 5)
        assert len(lines("cannot be used: not authorized: wrong user name or password?; trying again")) == 1
        assert not lines("connected") and not lines("wrong-secret")


def test_the_right_password_opens_the_door(tmp_path, start):
    with (
        Mosquitto(tmp_path, users={"evse": "right", "test": "test"}) as broker,
        Client(broker, "test", "test") as client,
    ):
        start(broker.uri, username="evse", password="right")
        client.wait("evse/availability", lambda heard: heard.payload == "online")


def test_the_back_off_grows(start, broker, monkeypatch):
    """Each connection that fails is followed by a longer wait; one that held starts anew."""
    waits = []
    bridge = start(broker.uri)
    wait_until(lambda: bridge.is_connected)
    broker.stop()
    monkeypatch.setattr(mqtt_link, "BACK_OFF_S", _Noted(waits))
    wait_until(lambda: len(waits) >= 6)
    assert waits[:6] == sorted(waits[:6]) and waits[5] > waits[0]


class _Noted(tuple):
    """Waits of a back-off, as short as can be, and which of them were asked for."""

    def __new__(cls, asked: list[int]):
        new = super().__new__(cls, (0.01,) * 7)
        new.asked = asked
        return new

    def __getitem__(self, index):
        self.asked.append(index)
        return super().__getitem__(index)


def test_a_frozen_broker_is_not_said_to_have_closed_the_connection(start, broker, client, lines, monkeypatch):
    monkeypatch.setattr(mqtt_link, "KEEP_ALIVE_S", 1)
    bridge = start(broker.uri)
    wait_until(lambda: bridge.is_connected)
    broker._process.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: lines("is lost: it did not answer for"))
    finally:
        broker._process.send_signal(signal.SIGCONT)
    assert not lines("is lost: it closed the connection") and not lines("another client")


PLUGIN = next(Path("/usr/lib").glob("**/mosquitto_dynamic_security.so"), None)


def test_a_broker_that_talks_nonsense_is_not_said_to_have_closed_the_connection(start, lines):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(15)
        start(f"mqtt://127.0.0.1:{listener.getsockname()[1]}")
        with listener.accept()[0] as line:
            line.settimeout(10)
            line.recv(1000)
            line.sendall(CONNACK + b"\xf0\x00")
            wait_until(lambda: lines("is lost: it sent what is no MQTT, so we closed the connection"))
    assert not lines("it closed the connection")


@pytest.mark.skipif(PLUGIN is None, reason="needs Mosquitto's dynamic security plugin")
def test_a_subscription_that_the_broker_refuses_is_said(tmp_path, start, lines):
    """By 0x80 in its SUBACK. Everybody may hear # and evse/current/set, and nothing else."""
    allowed = [{"acltype": "subscribeLiteral", "topic": topic, "allow": True} for topic in ("#", "evse/current/set")]
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({
        "defaultACLAccess": {"publishClientSend": True, "publishClientReceive": True, "subscribe": False,
                             "unsubscribe": True},
        "clients": [], "groups": [{"groupname": "all", "roles": [{"rolename": "few"}]}], "anonymousGroup": "all",
        "roles": [{"rolename": "few", "acls": allowed}],
    }))  # fmt: skip
    with (
        Mosquitto(tmp_path, tls=f"plugin {PLUGIN}\nplugin_opt_config_file {rules}") as broker,
        Client(broker) as client,
    ):
        start(broker.uri)
        wait_until(lambda: lines("refuses the subscription of homeassistant/status"))
        refused = "refuses the subscription of evse/enabled/set: what is sent there is not heard"
        assert len(lines(refused)) == 1
        assert not lines("refuses the subscription of evse/current/set")
        client.publish("evse/current/set", "9")
        client.wait_state(current=9.0)
        broker.stop()
        seen = len(client.heard)
        broker.start()
        client.wait_state(current=9.0, after=seen)
        assert len(lines(refused)) == 1, "said once"


def test_two_bridges_with_one_identifier_are_noticed(start, broker, client, lines):
    start(broker.uri)
    client.wait("evse/availability", lambda heard: heard.payload == "online")
    start(broker.uri)
    wait_until(lambda: lines("is another client with our name there?"))


def test_noise_at_the_broker_ends_nothing(bridge, client):
    for topic in ("evse/enabled/set", "evse/current/set", "homeassistant/status"):
        for payload in (b"", b"\x00", b"\xff" * 1000, b"{" * 5000, "ü".encode()):
            client.publish(topic, payload)
    client.publish("evse/enabled/set", "on")
    before = len(client.heard)
    client.publish("evse/current/set", "7")
    client.wait_state(current=7.0, enabled=True, after=before)


CONNACK = b"\x20\x02\x00\x00"
GARBAGE = {
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a cut answer": b"\x20\x01\x00",
    "an endless length": b"\x20\xff\xff\xff\xff\xff",
    "a message with a topic longer than itself": CONNACK + b"\x30\x03\xff\xffa",
    "a message without a topic": CONNACK + b"\x30\x00",
    "a topic that is no UTF-8": CONNACK + b"\x30\x04\x00\x02\xff\xfe",
    "an answer that nobody asked for": CONNACK + b"\x90\x01\x00",
}


def test_a_broker_that_talks_nonsense_is_tried_again(start, monkeypatch, lines):
    monkeypatch.setattr(mqtt_link, "BACK_OFF_S", (0.01,))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(15)
        bridge = start(f"mqtt://127.0.0.1:{listener.getsockname()[1]}")
        for nonsense in GARBAGE.values():
            line, _ = listener.accept()  # it came again
            line.settimeout(10)
            with line:
                line.recv(1000)
                end_of(line, nonsense)
        listener.accept()[0].close()
        bridge.stop()
    assert not lines("should not happen")
