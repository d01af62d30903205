"""Telemetry for ThingsBoard and its remote procedure calls: pure, at a real broker, as a command."""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evse_host.bridge import mqtt_link, thingsboard
from evse_host.bridge.mqtt import ThingsBoardBridge
from evse_host.bridge.mqtt_link import Broker
from evse_host.bridge.snapshot import Snapshot
from evse_host.bridge.thingsboard import Read, Write, parse_call
from evse_host.catalog import STATES
from evse_host.errors import UsageError
from tests.host.commands import Command, environment, run

from .mqtt_support import Client, Mosquitto, needs_mosquitto
from .support import WAIT_S, wait_until

VALUES = {
    "STATE": (4,), "ENABLE": (1,), "AVAILABLE": (1,), "ERROR": (0,), "EMETERPOWER": (7360,), "CHCUR": (165,),
    "MAXCHCUR": (32,), "EMETERCONSUM": (1234,), "EMETERTOTCONSUM": (5678,), "TEMP": (2, 3150, 2975), "UPTIME": (3600,),
    "EMETERCURRENT": (16000, 15900, 16100), "EMETERVOLTAGE": (230100, 231200, 229300),
}  # fmt: skip
CHARGING = Snapshot(True, VALUES)
TOKEN = "A1b2C3d4E5f6G7h8I9j0"
TELEMETRY = "v1/devices/me/telemetry"


# --- pure -------------------------------------------------------------------------------------------------------------


def test_the_telemetry_in_the_units_of_people():
    assert thingsboard.telemetry(CHARGING) == {
        "session": True, "charging": True, "enabled": True, "available": True, "error": False, "consumption": 1234,
        "totalConsumption": 5678,
        "power": 7360, "temperature": 31.5, "uptime": 3600, "currentL1": 16.0, "currentL2": 15.9, "currentL3": 16.1,
        "voltageL1": 230.1, "voltageL2": 231.2, "voltageL3": 229.3,
    }  # fmt: skip


@pytest.mark.parametrize("number", range(len(STATES)))
def test_session_and_charging_of_every_state(number: int):
    shown = thingsboard.telemetry(Snapshot(True, VALUES | {"STATE": (number,)}))
    assert shown["session"] is (STATES[number][0] in "BCD")
    assert shown["charging"] is (STATES[number] in ("C2", "D2"))


def test_what_nobody_knows_is_left_out():
    assert thingsboard.telemetry(Snapshot(False, VALUES)) == {}
    known = {"ENABLE": (0,), "STATE": (99,), "TEMP": (0, 0, 0)}
    assert thingsboard.telemetry(Snapshot(True, known)) == {"enabled": False}


def call(method: object, params: object = None, snapshot: Snapshot = CHARGING) -> Read | Write:
    return parse_call(json.dumps({"method": method, "params": params}).encode(), snapshot)


def test_a_call_is_a_read_or_one_write():
    assert call("getEnabled") == Read(True)
    assert call("getChargingCurrent", {}) == Read(16.5)
    assert call("setEnabled", False) == Write("ENABLE", 0)
    assert call("setEnabled", True) == Write("ENABLE", 1)
    assert call("setChargingCurrent", 10) == Write("CHCUR", 100)
    assert call("setChargingCurrent", 10.5) == Write("CHCUR", 105)


BAD = {
    "unknown method": ({"method": "reboot"}, "unknown method 'reboot': getEnabled, setEnabled"),
    "method of another kind": ({"method": ["setEnabled"]}, "the request must look like"),
    "no method": ({"params": True}, "the request must look like"),
    "a list": ([1], "the request must look like"),
    "a word": ("setEnabled", "the request must look like"),
    "null": (None, "the request must look like"),
    "no params": ({"method": "setEnabled"}, "setEnabled: params must be true or false"),
    "1 for true": ({"method": "setEnabled", "params": 1}, "setEnabled: params must be true or false"),
    "a text for true": ({"method": "setEnabled", "params": "true"}, "setEnabled: params must be true or false"),
    "true for a current": ({"method": "setChargingCurrent", "params": True}, "params must be a number of A"),
    "a text for a current": ({"method": "setChargingCurrent", "params": "16"}, "params must be a number of A"),
    "an object": ({"method": "setChargingCurrent", "params": {"A": 16}}, "params must be a number of A"),
    "too little": (
        {"method": "setChargingCurrent", "params": 5.99},
        "charging current 5.99 A is out of range, 6 to 32",
    ),
    "too much": ({"method": "setChargingCurrent", "params": 33}, "charging current 33 A is out of range, 6 to 32 A"),
    "far too much": ({"method": "setChargingCurrent", "params": 10**300}, "is out of range, 6 to 32 A"),
    "beyond a float": ({"method": "setChargingCurrent", "params": 10**4000}, "is out of range, 6 to 32 A"),
    "not a number": ({"method": "setChargingCurrent", "params": float("nan")}, "nan A is out of range"),
    "infinite": ({"method": "setChargingCurrent", "params": float("inf")}, "inf A is out of range"),
}
NO_JSON = {"empty": b"", "cut": b'{"method"', "bytes": b"\xff\xfe\xfd", "deep": b"[" * 100_000, "long": b"9" * 5000}
BAD_BYTES = {name: (json.dumps(value).encode(), words) for name, (value, words) in BAD.items()}
BAD_BYTES |= {name: (payload, "the request is not JSON") for name, payload in NO_JSON.items()}


@pytest.mark.parametrize(("payload", "words"), BAD_BYTES.values(), ids=BAD_BYTES.keys())
def test_a_bad_call_is_answered_in_few_words(payload: bytes, words: str):
    with pytest.raises(UsageError) as caught:
        parse_call(payload, CHARGING)
    assert words in str(caught.value) and len(str(caught.value)) < 200


@pytest.mark.parametrize("method", ["getEnabled", "getChargingCurrent"])
def test_of_a_silent_charger_nobody_knows(method: str):
    with pytest.raises(UsageError, match="unknown, the charger does not answer"):
        call(method, None, Snapshot(False, VALUES))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
)


@given(st.sampled_from([*thingsboard.METHODS, "x"]) | st.text(), json_values)
def test_whatever_is_called_is_understood_or_refused(method: str, params):
    try:
        understood = call(method, params)
    except UsageError as error:
        assert str(error)
        return
    if isinstance(understood, Write):
        assert (understood.name, understood.value) in (("ENABLE", 0), ("ENABLE", 1)) or (
            understood.name == "CHCUR" and 60 <= understood.value <= 320
        )


# --- at a broker ------------------------------------------------------------------------------------------------------


@pytest.fixture
def start(charger, broker, caplog) -> Iterator[Callable[..., ThingsBoardBridge]]:
    caplog.set_level(logging.DEBUG, "evse")
    with ExitStack() as running:

        def begin(**options) -> ThingsBoardBridge:
            bridge = ThingsBoardBridge(charger, Broker.parse(broker.uri, TOKEN), **options)
            bridge.start()
            running.callback(bridge.stop)
            return bridge

        yield begin


@pytest.fixture
def ask(start, client) -> Callable[[int, bytes], dict]:
    """``ask(number, payload)``: the one answer to a request."""
    start()
    client.wait(TELEMETRY)

    def answer(number: int, payload: bytes) -> dict:
        client.publish(f"v1/devices/me/rpc/request/{number}", payload, qos=1)
        topic = f"v1/devices/me/rpc/response/{number}"
        client.wait(topic)
        assert len(client.on(topic)) == 1
        return client.on(topic)[0].json

    return answer


@needs_mosquitto
def test_every_call_is_answered(ask, server):
    def rpc(number: int, method: str, params: object = None) -> dict:
        return ask(number, json.dumps({"method": method, "params": params}).encode())

    assert rpc(1, "getEnabled") == {"value": True}
    assert rpc(2, "setEnabled", False) == {"value": False}
    assert server.call(lambda model: model.value("ENABLE")) == (0,)
    assert rpc(3, "getEnabled") == {"value": False}
    assert rpc(4, "setChargingCurrent", 10.5) == {"value": 10.5}
    assert rpc(5, "getChargingCurrent") == {"value": 10.5}
    assert rpc(6, "setChargingCurrent", 99) == {"error": "charging current 99 A is out of range, 6 to 32 A"}
    assert server.call(lambda model: model.value("CHCUR")) == (105,)
    server.call(lambda model: (model.override("MAXCHCUR", 32), model.set("MAXCHCUR", 13)))
    assert rpc(7, "setChargingCurrent", 20)["error"].startswith("CHCUR: the charger refuses 200")
    server.inject(lambda faults: faults.cable_out())
    assert set(rpc(8, "setEnabled", True)) == {"error"}
    assert set(rpc(9, "getEnabled")) == {"error"}
    written = [c for c in server.call(lambda model: model.journal.commands) if "=" in c and "SUB" not in c]
    assert written == ["AT+ENABLE=0", "AT+CHCUR=105", "AT+CHCUR=200", "AT+CHCUR=200"]  # an ERROR is believed twice


@needs_mosquitto
def test_every_bad_call_is_answered_and_nothing_written(ask, server, caplog):
    for number, (payload, words) in enumerate(BAD_BYTES.values()):
        assert words in ask(number, payload)["error"]
    assert not any("=" in c and "SUB" not in c for c in server.call(lambda model: model.journal.commands))
    assert all(TOKEN not in record.getMessage() for record in caplog.records)


@needs_mosquitto
def test_two_callers_at_once_are_both_answered(start, client, server):
    start()
    client.wait(TELEMETRY)
    for number in range(20):
        body = json.dumps({"method": "setChargingCurrent", "params": 10 + number})
        client.publish(f"v1/devices/me/rpc/request/{number}", body, qos=1)
    for number in range(20):
        assert client.wait(f"v1/devices/me/rpc/response/{number}").json == {"value": 10.0 + number}
    assert server.call(lambda model: model.value("CHCUR")) == (290,)


@needs_mosquitto
def test_telemetry_on_connection_and_every_interval(start, client, charger):
    start(interval=1.0)
    wait_until(lambda: len(client.on(TELEMETRY)) >= 3)
    first = client.on(TELEMETRY)[0]
    assert first.json.keys() == thingsboard.telemetry(charger.snapshot).keys() and len(first.json) == 16
    assert first.json["power"] == charger.snapshot.power and first.json["voltageL2"] > 200


@needs_mosquitto
@pytest.mark.parametrize("interval", [1.5, 3600])
def test_telemetry_stops_with_the_charger_and_comes_back_with_it(start, client, server, charger, interval):
    start(interval=interval)
    client.wait(TELEMETRY)
    server.inject(lambda faults: faults.cable_out())
    wait_until(lambda: not charger.snapshot.online)
    silent_since, before = time.monotonic(), len(client.on(TELEMETRY))
    wait_until(lambda: time.monotonic() - silent_since > 2, "an interval has passed")
    server.inject(lambda faults: faults.cable_in())
    wait_until(lambda: charger.snapshot.online)
    wait_until(lambda: len(client.on(TELEMETRY)) > before, "not with the next interval only")
    assert all(len(heard.json) == 16 for heard in client.on(TELEMETRY))


@needs_mosquitto
def test_a_broker_that_was_away(start, broker, client, caplog, monkeypatch):
    heard_again = threading.Event()

    class Patient(tuple):
        """Waits of a back-off: the test's client is back first."""

        def __getitem__(self, _: int) -> float:
            assert heard_again.wait(WAIT_S)
            return 0.05

    monkeypatch.setattr(mqtt_link, "BACK_OFF_S", Patient((0.05,)))
    bridge = start(interval=3600)
    client.wait(TELEMETRY)
    broker.stop()
    wait_until(lambda: not bridge.is_connected and not client.is_subscribed)
    before = len(client.heard)
    broker.start()
    wait_until(lambda: client.is_subscribed)
    heard_again.set()
    client.wait(TELEMETRY, after=before)
    client.publish("v1/devices/me/rpc/request/1", '{"method": "getEnabled"}')
    assert client.wait("v1/devices/me/rpc/response/1", after=before).json == {"value": True}
    assert all(TOKEN not in record.getMessage() for record in caplog.records)


# --- the command ------------------------------------------------------------------------------------------------------


@needs_mosquitto
def test_the_token_opens_the_door_and_is_nowhere_to_be_seen(server, tmp_path):
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    acl = tmp_path / "acl"  # what ThingsBoard lets a device do, for this token only
    acl.write_text(f"topic readwrite #\nuser {TOKEN}\ntopic readwrite v1/devices/me/#\n")
    acl.chmod(0o600)
    with Mosquitto(tmp_path, tls=f"acl_file {acl}") as broker, Client(broker) as client:
        options = ("bridge", "thingsboard", "--broker", broker.uri, "--token-file", str(tmp_path / "token"))
        with Command("--verbose", "--port", server.path, *options) as command:
            assert client.wait(TELEMETRY).json["enabled"] is True
            assert TOKEN.encode() not in Path(f"/proc/{command.process.pid}/cmdline").read_bytes()
            assert command.end(signal.SIGTERM) == 0
        assert f"u'{TOKEN}'" in (tmp_path / "mosquitto.log").read_text(), "the user name is the token"
    assert not any(TOKEN in line for line in command.err + command.out)


def test_without_a_token_there_is_nothing_to_do():
    ran = run("--port", "/nonexistent", "bridge", "thingsboard", "--broker", "mqtt://x")
    assert ran.code == 2 and ran.err == "evse-host: thingsboard: the device's access token is missing\n"
    ran = run(
        "bridge",
        "thingsboard",
        "--broker",
        "mqtt://x",
        "--interval",
        "0",
        env=environment(EVSE_THINGSBOARD_TOKEN=TOKEN),
    )
    assert ran.code == 2 and "interval 0 s is out of range" in ran.err and TOKEN not in ran.err
