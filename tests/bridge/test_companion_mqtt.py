"""The companion alone at a real Mosquitto: a real node with the package, ESPHome's own MQTT client over a socket."""

from __future__ import annotations

import statistics
import time
from itertools import pairwise

import pytest

from evse_host.bridge import home_assistant
from evse_host.bridge import home_assistant_discovery as discovery
from evse_host.simulator import Car, Charger, PtyServer
from tests.examples import configs
from tools.build import node as nodes
from tools.run.host_node import HostProcess, Node

from . import companion_components
from .companion_support import truth
from .mqtt_support import Client, Mosquitto, needs_mosquitto
from .support import lower_the_maximum_unseen, wait_until

pytestmark = needs_mosquitto

CONFIG = nodes.ROOT / "tests/bridge/companion_mqtt.yaml"
ID = "garage2"  # from Garage2 in the configuration
STATE, AVAILABILITY = home_assistant.state_topic(ID), home_assistant.availability_topic(ID)
ENABLED, CURRENT = home_assistant.enabled_topic(ID), home_assistant.current_topic(ID)
USER, PASSWORD = "evse", "hunter-2-of-the-test"
INTERVAL_S = 8.0  # as configured


@pytest.fixture(scope="module")
def program():
    companion_components.lay_out()
    return nodes.build(CONFIG)


@pytest.fixture(scope="module")
def server():
    """A simulated charger at which a car has been charging for a while."""
    model = Charger(car=Car(plugged=True))
    model.advance_to(30.0)
    with PtyServer(model) as running:
        yield running


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Mosquitto(tmp_path_factory.mktemp("broker"), users={USER: PASSWORD}) as running:
        yield running


@pytest.fixture(scope="module")
def client(broker):
    with Client(broker, USER, PASSWORD) as running:
        yield running


@pytest.fixture(scope="module")
def node(program, server, broker, client, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVSE_MQTT_PORT", str(broker.port))
        patch.setenv("EVSE_MQTT_PASSWORD", PASSWORD)
        with Node(program, server.path, tmp_path_factory.mktemp("node")) as running:
            client.wait(AVAILABILITY, lambda heard: heard.payload == "online")
            wait_for_its_subscription(client, running)
            client.heard[:] = [heard for heard in client.heard if heard.topic != CURRENT]
            yield running


def wait_for_its_subscription(client, node: Node) -> None:
    """ESPHome subscribes a moment after it has connected; what is sent before is lost to every client of MQTT."""
    asked = 0

    def hears_commands() -> bool:
        nonlocal asked
        client.publish(CURRENT, "is anybody there")
        asked += 1
        time.sleep(0.05)
        return any("is anybody there" in line for line in node.process.log)

    wait_until(hears_commands)
    wait_until(lambda: len(client.on(CURRENT)) == asked, "none of the questions is on its way")


@pytest.fixture
def charger(server, node, client):
    """The simulated charger in the state that most tests begin with, and the broker knows it."""
    server.call(lambda charger: (charger.set("ENABLE", 1), charger.set("MAXCHCUR", 32), charger.set("CHCUR", 160)))
    client.publish(CURRENT, "nonsense of the fixture")  # the state is sent again
    client.wait_state(STATE, after=len(client.heard), enabled=True, current=16.0)
    server.call(lambda charger: charger.journal.clear())
    return server


@pytest.fixture
def idle(charger, client):
    """Without a car: nothing changes by itself, and so nothing is sent but with the interval."""
    seen = len(client.heard)
    charger.call(lambda charger: charger.car.unplug())
    client.wait_state(STATE, after=seen, state="A", power=0)
    yield charger
    charger.call(lambda charger: charger.car.plug())
    client.wait_state(STATE, after=seen, state="C2")


def writes(server) -> list[str]:
    return server.call(lambda charger: charger.journal.writes())


def expected(server) -> dict[str, object]:
    """What the host's bridge says of the charger, as far as the charger's own script does."""
    found = home_assistant.messages(ID, truth(server), discovery=True)
    slugs = {entity.slug for entity in discovery.BASIC}
    return {
        topic: text for topic, text in found.items() if not topic.endswith("/config") or topic.split("/")[3] in slugs
    }


def expected_state(server) -> dict[str, object]:
    keys = {entity.key for entity in discovery.BASIC}
    return {key: value for key, value in home_assistant.state(truth(server)).items() if key in keys}


def last(client, topic: str):
    return client.on(topic)[-1]


def ask(client, topic: str, payload: str, **state: object) -> None:
    """Sends a command, and waits for the state that must come at once, not with the interval."""
    seen, begin = len(client.heard), time.monotonic()
    client.publish(topic, payload)
    assert client.wait_state(STATE, after=seen, **state).at - begin < INTERVAL_S / 2


# --- what is at the broker --------------------------------------------------------------------------------------------


def test_discovery_is_that_of_the_host_tool(node, client, server):
    wanted = {topic: text for topic, text in expected(server).items() if topic.endswith("/config")}
    assert len(wanted) == len(discovery.BASIC)
    for topic, text in wanted.items():
        heard = client.wait(topic)
        assert heard.json == home_assistant.json.loads(text)


def test_everything_is_retained_and_nothing_else_is_there(node, broker, client, server):
    with Client(broker, USER, PASSWORD) as newcomer:
        wait_until(lambda: len({heard.topic for heard in newcomer.heard if heard.retained}) == len(expected(server)))
    assert {heard.topic for heard in client.heard} == set(expected(server))


def test_the_state_is_that_of_the_host_tool(node, client, server):
    def same() -> dict[str, object] | None:
        wanted, shown = expected_state(server), last(client, STATE).json
        energy = wanted.pop("session_energy")  # it runs
        temperature = pytest.approx(wanted.pop("temperature"), abs=0.005)
        others = {key: value for key, value in shown.items() if key not in ("session_energy", "temperature")}
        agrees = others == wanted and shown["temperature"] == temperature
        return shown if agrees and abs(shown["session_energy"] - energy) < 50 else None

    shown = wait_until(same, "the charger's state is at the broker")
    assert shown["state"] == "C2" and shown["charging"] is True and shown["power"] > 10_000


def test_it_is_sent_again_when_nothing_changes(node, client, server):
    server.call(lambda charger: charger.car.unplug())
    client.wait_state(STATE, state="A", power=0)
    seen = len(client.heard)
    begin = time.monotonic()

    def said_again() -> bool:
        told = [heard.payload for heard in client.heard[seen:] if heard.topic == STATE]
        return any(one == other for one, other in pairwise(told))

    wait_until(said_again)
    assert time.monotonic() - begin > INTERVAL_S / 2, "not without a reason before the interval is over"
    server.call(lambda charger: charger.car.plug())
    client.wait_state(STATE, after=seen, state="C2")


def test_nothing_is_written_unasked(node, client, charger):
    seen = len(client.heard)
    client.wait(STATE, after=seen)
    assert writes(charger) == []


def test_a_change_is_at_the_broker_soon(client, charger):
    delays = []
    for tenths in (80, 90, 101, 110, 125, 130, 160):
        seen = len(client.heard)
        charger.call(lambda charger, tenths=tenths: charger.set("CHCUR", tenths))
        begin = time.monotonic()
        delays.append(client.wait_state(STATE, after=seen, current=tenths / 10).at - begin)
    for enabled in (False, True):
        seen = len(client.heard)
        charger.call(lambda charger, enabled=enabled: charger.set("ENABLE", int(enabled)))
        begin = time.monotonic()
        delays.append(client.wait_state(STATE, after=seen, enabled=enabled).at - begin)
    assert statistics.median(delays) < INTERVAL_S / 2, delays


def test_a_fault_is_told_until_it_is_gone(node, client, charger):
    charger.call(lambda charger: (charger.car.unplug(), charger.point.set_fault("temperature_high")))
    client.wait_state(STATE, error=True, state="E")
    seen = len(client.heard)
    charger.call(lambda charger: charger.point.clear_fault("temperature_high"))
    client.wait_state(STATE, after=seen, error=False, state="A")
    charger.call(lambda charger: charger.car.plug())


def test_a_charger_without_a_temperature_sensor(node, client, charger):
    seen = len(client.heard)
    charger.call(lambda charger: charger.override("TEMP", 0, 0, 0))
    client.wait_state(STATE, after=seen, temperature=None)
    charger.call(lambda charger: charger.override("TEMP", 1, -550, -550))
    client.wait_state(STATE, after=seen, temperature=-5.5)
    charger.call(lambda charger: charger.override("TEMP"))


def test_another_maximum_is_announced(node, client, charger):
    topic = f"homeassistant/number/{ID}/charging_current_limit/config"
    seen = len(client.heard)
    charger.call(lambda charger: charger.set("MAXCHCUR", 10))  # below the 16 A that it holds
    client.wait(topic, lambda heard: heard.json["max"] == 16, after=seen)
    charger.call(lambda charger: charger.set("MAXCHCUR", 20))
    client.wait(topic, lambda heard: heard.json["max"] == 20, after=seen)
    seen = len(client.heard)
    charger.call(lambda charger: charger.set("MAXCHCUR", 32))
    client.wait(topic, lambda heard: heard.json["max"] == 32, after=seen)


def test_home_assistant_is_told_all_again_when_it_starts(node, client, charger):
    client.publish(home_assistant.birth_topic(), "offline")
    seen = len(client.heard)
    client.publish(home_assistant.birth_topic(), "online")
    for topic in expected(charger):
        client.wait(topic, after=seen)


# --- commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", ["ON", "on", "1", "true", "TRUE", "OFF", "0", "off\n", " on", "on\r\n"])
def test_home_assistant_switches_charging_on_and_off(node, client, charger, payload):
    wanted = home_assistant.parse_enabled(payload.encode())
    seen = len(client.heard)
    charger.call(lambda charger: charger.set("ENABLE", int(not wanted)))
    if wanted:  # the fixture has enabled it
        client.wait_state(STATE, after=seen, enabled=False)
    ask(client, ENABLED, payload, enabled=wanted)
    charger.wait_for(lambda charger: charger.journal.writes("ENABLE") == [f"AT+ENABLE={int(wanted)}"])


@pytest.mark.parametrize("payload", ["nonsense", "2", "on off", "yes"])
def test_what_is_neither_on_nor_off(node, client, idle, payload):
    lines = len(node.log)
    ask(client, ENABLED, payload, enabled=True)
    node.wait_for_log("enabled/set: '.*' is neither on nor off", start=lines)
    assert writes(idle) == []


def test_what_is_empty_asks_for_nothing(node, client, idle):
    """It is how a retained message is deleted."""
    lines = len(node.log)
    for topic in (ENABLED, CURRENT):
        for payload in ("", " ", "\n"):
            client.publish(topic, payload)
    ask(client, CURRENT, "9", current=9.0)
    assert writes(idle) == ["AT+CHCUR=90"] and not any("/set:" in line for line in node.log[lines:])


@pytest.mark.parametrize("payload", ["6", "32", "10.5", " 7.3\n", "+16.", "12.34", "8.25"])
def test_home_assistant_sets_the_current(node, client, charger, payload):
    wire = truth(charger).current_to_write(home_assistant.parse_current(payload.encode()))
    ask(client, CURRENT, payload, current=wire / 10)
    assert writes(charger) == [f"AT+CHCUR={wire}"]


REJECTED = ["5.9", "32.1", "0", "-10", "1e1", "0x10", "nan", "inf", "16 A", "1 6", "16,5", "--7", "16\0",
            "9" * 400, "AT+RST", "ü"]  # fmt: skip


def test_a_rejected_current_lets_the_slider_jump_back(node, client, idle):
    shown, written = 16.0, []
    for number, payload in enumerate(REJECTED):
        lines = len(node.log)
        ask(client, CURRENT, payload, current=shown)
        node.wait_for_log(r"evse\.mqtt.*current/set: (?!'nonsense)", start=lines)
        shown = 8.0 + number % 2  # the next one is taken as if nothing had been
        ask(client, CURRENT, f"{shown:g}", current=shown)
        written.append(f"AT+CHCUR={shown * 10:.0f}")
        assert writes(idle) == written, repr(payload)


def test_a_current_above_a_maximum_that_nobody_here_knows(node, client, charger):
    """It was lowered a moment ago. What flows may be more than it allows, so the maximum is what is set."""
    lower_the_maximum_unseen(charger, 20)
    seen, begin = len(client.heard), time.monotonic()
    client.publish(CURRENT, "30")
    charger.wait_for(lambda charger: charger.journal.writes("CHCUR")[-1:] == ["AT+CHCUR=200"])
    assert client.wait_state(STATE, after=seen, current=20.0).at - begin < INTERVAL_S / 2
    assert all(heard.json["current"] != 30 for heard in client.heard[seen:] if heard.topic == STATE)
    assert "offline" not in [heard.payload for heard in client.heard[seen:] if heard.topic == AVAILABILITY]


def test_two_writers_at_once_end_with_one_truth(node, broker, client, charger):
    with Client(broker, USER, PASSWORD) as other:
        for tenths in range(60, 100, 4):
            client.publish(CURRENT, str(tenths / 10))
            other.publish(CURRENT, str(tenths / 10 + 0.2))
        client.publish(ENABLED, "off")
        charger.wait_for(lambda charger: charger.value("ENABLE") == (0,))

    def agree() -> bool:
        value = charger.call(lambda charger: charger.value("CHCUR")[0])
        return last(client, STATE).json["current"] == value / 10 and last(client, STATE).json["enabled"] is False

    wait_until(agree, "broker and charger agree")


# --- faults -----------------------------------------------------------------------------------------------------------


def test_a_silent_charger_is_offline_and_takes_no_command(node, client, charger):
    seen = len(client.heard)
    charger.inject(lambda faults: faults.cable_out())
    client.wait(AVAILABILITY, lambda heard: heard.payload == "offline", after=seen)
    unknown = client.wait_state(STATE, after=seen, state="?")
    assert {value for key, value in unknown.json.items() if key != "state"} == {None}
    client.publish(CURRENT, "8")
    client.publish(ENABLED, "off")
    node.wait_for_log("enabled/set: the charger does not answer")
    seen = len(client.heard)
    charger.inject(lambda faults: faults.cable_in())
    client.wait(AVAILABILITY, lambda heard: heard.payload == "online", after=seen)
    client.wait_state(STATE, after=seen, state="C2", enabled=True, current=16.0)
    assert writes(charger) == []


def test_a_restart_of_the_charger(node, client, charger):
    seen = len(client.heard)
    charger.inject(lambda faults: faults.reboot())
    client.wait_state(STATE, after=seen, current=32.0)
    assert writes(charger) == []


def test_the_broker_goes_and_comes_back(node, broker, client, charger):
    """It forgot what it had retained, and what it was told while it was away never acts."""
    broker.stop()
    charger.call(lambda charger: charger.set("CHCUR", 70))
    node.wait_for_log("Disconnected|Lost client connection")
    seen = len(client.heard)
    broker.start()
    client.wait_state(STATE, after=seen, current=7.0)
    wait_until(lambda: set(expected(charger)) <= {heard.topic for heard in client.heard[seen:]})
    client.publish(CURRENT, "9")
    client.wait_state(STATE, after=seen, current=9.0)
    assert writes(charger) == ["AT+CHCUR=90"]


def test_no_password_is_in_the_log(node):
    assert not any(PASSWORD in line for line in node.log)


@pytest.fixture
def start(program, broker, tmp_path, monkeypatch):
    """``start(password)``: another node, without a charger, at a broker of its own."""
    with Mosquitto(tmp_path, users={USER: PASSWORD}) as own, Client(own, USER, PASSWORD) as client:
        process = HostProcess(program, "/nowhere/evse", tmp_path / "node")

        def begin(password: str):
            monkeypatch.setenv("EVSE_MQTT_PORT", str(own.port))
            monkeypatch.setenv("EVSE_MQTT_PASSWORD", password)
            process.start()
            return process, client

        yield begin
        process.stop()


def test_a_wrong_password_is_said_and_tried_again_without_a_flood(start):
    """It keeps trying, every 5 s."""
    process, _ = start("wrong")
    refusal = "Disconnected: (Not Authorized|Malformed Credentials)"
    process.wait_for_log(refusal)
    again = len(process.log)
    process.wait_for_log(refusal, start=again)
    told = [line for line in process.log[again:] if "[mqtt" in line and "[C]" not in line]
    assert len(told) < 10, told
    assert process.running


def test_a_node_that_dies_leaves_its_last_will(start):
    process, client = start(PASSWORD)
    client.wait_state(STATE, state="?")
    process.wait_for_log("Connected")
    seen = len(client.heard)
    process._process.kill()
    client.wait(AVAILABILITY, lambda heard: heard.payload == "offline", after=seen)


# --- configuration ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    return configs.lay_out(tmp_path_factory.mktemp("checkout"))


def with_variable(examples, line: str):
    text = (examples / "mqtt.yaml").read_text(encoding="utf-8")
    wanted = examples / "changed.yaml"
    wanted.write_text(text.replace("      mqtt_identifier: evse\n", f"      {line}\n"), encoding="utf-8")
    return wanted


@pytest.mark.parametrize("identifier", ["my-evse", "a b", "evse/x", "#", "über", '""'])
def test_an_identifier_that_is_none_is_refused_by_its_key(examples, identifier):
    valid, output = configs.validate(with_variable(examples, f'mqtt_identifier: "{identifier.strip(chr(34))}"'))
    assert not valid
    assert "mqtt_identifier must be a to z and 0 to 9" in output


@pytest.mark.parametrize("interval", ["0.9", "0", "-5", "soon"])
def test_an_interval_below_a_second_is_refused_by_its_key(examples, interval):
    valid, output = configs.validate(with_variable(examples, f"mqtt_interval: {interval}"))
    assert not valid
    assert "mqtt_interval must be at least 1" in output


def test_without_discovery_nothing_is_announced(examples):
    config = configs.resolved(with_variable(examples, "mqtt_discovery: false"))
    (tick,) = [interval["then"][0]["lambda"] for interval in config["interval"]]
    assert "if (false && announced" in tick
