"""A controller that is silent: the rule by itself, and at the faces of the bridges, with all that can go wrong."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client import ModbusTcpClient

from evse_host.bridge import mqtt_link, watchdog
from evse_host.bridge.mqtt import HomeAssistantBridge
from evse_host.bridge.mqtt_link import Broker
from evse_host.bridge.rest_app import make_app
from evse_host.bridge.rest_hearing import watch_clients
from evse_host.bridge.rest_server import RestServer
from evse_host.bridge.silence import Fallback, Silence
from evse_host.bridge.snapshot import Snapshot
from evse_host.bridge.watchdog import Watchdog, watch_connection
from evse_host.errors import UsageError
from tests.host.commands import Command, run
from tools.run.host_node import free_port

from .gateway_support import GatewayProcess
from .mqtt_support import Client, needs_mosquitto
from .support import wait_until

PAUSE, SIX = Fallback(60), Fallback(60, 6.0)


def snapshot(enable: int = 1, current: int = 160, uptime: int = 1000, online: bool = True) -> Snapshot:
    return Snapshot(online, {"ENABLE": (enable,), "CHCUR": (current,), "UPTIME": (uptime,)})


# --- the rule ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fallback", "shows", "written"),
    [
        (PAUSE, snapshot(), ("ENABLE", 0)),
        (PAUSE, snapshot(enable=0), None),
        (SIX, snapshot(), ("CHCUR", 60)),
        (SIX, snapshot(current=60), None),
        (Fallback(60, 8.25), snapshot(), ("CHCUR", 83)),
        (Fallback(60, 20.0), snapshot(), None),
        (PAUSE, Snapshot(True), None),
        (SIX, Snapshot(True), None),
    ],
)
def test_it_falls_and_never_rises(fallback, shows, written):
    silence = Silence(fallback, 0)
    assert silence.wanted(60, shows) is None, "not yet"
    assert silence.wanted(60.5, shows) == written


def test_a_word_in_time_is_enough():
    silence = Silence(PAUSE, 0)
    for now in range(0, 1000, 50):
        silence.heard(now)
        assert silence.wanted(now + 60, snapshot()) is None


def test_who_changes_the_charger_in_the_silence_is_not_overruled():
    silence = Silence(PAUSE, 0)
    assert silence.wanted(61, snapshot()) == ("ENABLE", 0)
    silence.done()
    assert silence.wanted(62, snapshot(enable=0)) is None
    assert silence.wanted(63, snapshot(enable=1)) is None, "somebody has started it at the charger"
    silence.heard(64)
    assert silence.wanted(125, snapshot(enable=1)) == ("ENABLE", 0), "the next silence"


def test_what_is_low_already_may_be_raised_in_the_silence():
    silence = Silence(SIX, 0)
    assert silence.wanted(61, snapshot(current=60)) is None
    assert silence.wanted(62, snapshot(current=100)) is None


def test_a_restart_in_the_silence_is_nobodys_wish():
    silence = Silence(PAUSE, 0)
    silence.wanted(61, snapshot(uptime=1000))
    silence.done()
    assert silence.wanted(62, snapshot(enable=1, uptime=3)) == ("ENABLE", 0)


def test_a_silent_charger_falls_when_it_is_back():
    silence = Silence(PAUSE, 0)
    assert silence.wanted(61, snapshot(online=False)) is None
    assert silence.wanted(500, snapshot()) == ("ENABLE", 0)


def test_the_return_of_the_controller_writes_nothing():
    silence = Silence(PAUSE, 0)
    silence.wanted(61, snapshot())
    silence.done()
    silence.heard(100)
    assert silence.wanted(101, snapshot(enable=0)) is None and not silence.is_silent(101)


@given(st.lists(st.tuples(st.sampled_from(["heard", "tick", "restart", "raise", "off"]), st.integers(1, 90))))
def test_no_write_but_in_silence_and_at_most_once_for_each_silence_and_restart(story):
    silence, now, enable, uptime, allowed = Silence(PAUSE, 0), 0, 1, 1000, 1
    last = 0
    for what, seconds in story:
        now, uptime = now + seconds, uptime + seconds
        if what == "heard":
            silence.heard(now)
            last, allowed = now, 1
        if what == "restart":
            uptime, enable, allowed = 2, 1, 1
        if what == "raise":
            enable = 1
        wanted = silence.wanted(now, snapshot(enable=enable, uptime=uptime, online=what != "off"))
        if wanted:
            assert now - last > 60 and enable == 1 and allowed == 1
            silence.done()
            enable, allowed = 0, 0


@pytest.mark.parametrize(
    ("after", "then", "words"),
    [
        (60, None, "belong together"),
        (None, "pause", "belong together"),
        (5, "pause", "silent-after 5 s is out of range, 10 to 86400 s"),
        (float("nan"), "pause", "out of range"),
        (60, "stop", "when-silent 'stop': pause, or 6 to 63 A are allowed"),
        (60, "5.9", "when-silent 5.9 A is out of range: pause, or 6 to 63 A are allowed"),
        (60, "nan", "out of range"),
        (60, 64.0, "out of range"),
    ],
)
def test_a_fallback_that_is_none_is_refused_with_the_reason(after, then, words):
    with pytest.raises(UsageError, match=words):
        Fallback.parse(after, then)


def test_it_is_off_by_default():
    assert Fallback.parse(None, None) is None
    assert Fallback.parse(60, "pause") == PAUSE and Fallback.parse(60, "6") == SIX == Fallback.parse(60, 6)


# --- at the bridges ---------------------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch, caplog) -> None:
    caplog.set_level(logging.INFO, "evse")
    monkeypatch.setattr(watchdog, "TICK_S", 0.05)
    monkeypatch.setattr(watchdog, "RETRY_S", 0.1)


@pytest.fixture
def start():
    with ExitStack() as running:

        def begin(*things):
            for thing in things:
                thing.start()
                running.callback(thing.stop)
            return things[0]

        yield begin


def enabled(server) -> bool:
    return server.call(lambda model: model.value("ENABLE")) == (1,)


def writes(server) -> list[str]:
    return server.call(lambda model: model.journal.writes())


@needs_mosquitto
def test_a_broker_that_is_away(quick, server, charger, broker, start, caplog):
    bridge = HomeAssistantBridge(charger, Broker.parse(broker.uri))
    start(bridge)
    wait_until(lambda: bridge.is_connected)
    start(watch_connection(bridge, charger, Fallback(0.5), "the broker"))
    heard_until = time.monotonic() + 1.5
    wait_until(lambda: time.monotonic() > heard_until)
    assert enabled(server) and writes(server) == []
    broker.stop()
    wait_until(lambda: not enabled(server))
    assert "no word from the broker for 0.5 s: charging is paused" in caplog.text
    wait_until(lambda: charger.snapshot.notes == ("No word from the broker for 0.5 s: charging is paused.",))
    broker.start()
    wait_until(lambda: "the broker is heard again; the charger stays as it is" in caplog.text)
    with Client(broker) as client:
        client.wait_state(enabled=False)
        assert writes(server) == ["AT+ENABLE=0"], "nothing by itself"
        again = "again: charging is paused until somebody sets it otherwise"
        wait_until(lambda: again in "".join(charger.snapshot.notes))
        client.publish("evse/enabled/set", "on")
        client.wait_state(enabled=True)
        wait_until(lambda: charger.snapshot.notes == ())
    assert writes(server) == ["AT+ENABLE=0", "AT+ENABLE=1"]


@needs_mosquitto
def test_a_frozen_broker_is_silence_and_the_current_falls(quick, server, charger, broker, start, monkeypatch):
    monkeypatch.setattr(mqtt_link, "KEEP_ALIVE_S", 1)
    monkeypatch.setattr(mqtt_link, "PING_S", 1)
    bridge = HomeAssistantBridge(charger, Broker.parse(broker.uri))
    start(bridge)
    wait_until(lambda: bridge.is_connected)
    start(watch_connection(bridge, charger, Fallback(0.5, 6.0), "the broker"))
    broker._process.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: server.call(lambda model: model.value("CHCUR")) == (60,))
    finally:
        broker._process.send_signal(signal.SIGCONT)


def test_a_charger_that_is_silent_too_falls_when_it_is_back(quick, server, charger, start, caplog):
    server.inject(lambda faults: faults.cable_out())
    wait_until(lambda: not charger.snapshot.online)
    start(Watchdog(charger, Fallback(0.3), "nobody"))
    wait_until(lambda: "no word from nobody for 0.3 s: charging is paused when the charger answers" in caplog.text)
    server.inject(lambda faults: faults.cable_in())
    wait_until(lambda: not enabled(server))
    wait_until(lambda: charger.snapshot.notes == ("No word from nobody for 0.3 s: charging is paused.",))


@pytest.fixture
def evcc(charger, start) -> Iterator[httpx.Client]:
    """It, and a server where its silence of 0.5 s pauses the charger."""
    app = make_app(charger)
    server = RestServer(app, port=0)
    start(server, *watch_clients(app, {"": charger}, Fallback(0.5)))
    with httpx.Client(base_url=server.url, timeout=20) as client:
        yield client


def test_a_person_at_the_page_in_the_silence_is_not_overruled_later(quick, server, evcc):
    """What is pressed there is no word from the controller, with which a new silence would begin."""
    wait_until(lambda: not enabled(server))
    page = {"Origin": str(evcc.base_url), "Content-Type": "application/json"}
    assert evcc.post("/api/v1/state/enabled", content="true", headers=page).status_code == 200
    until = time.monotonic() + 1.5
    wait_until(lambda: time.monotonic() > until)
    assert enabled(server)


def test_a_charger_that_restarts_in_the_silence_pauses_again(quick, server, charger, start):
    start(Watchdog(charger, Fallback(0.3), "nobody"))
    wait_until(lambda: charger.snapshot.flag("ENABLE") is False, "the pause is written and read back")
    server.inject(lambda faults: faults.reboot())
    wait_until(lambda: server.call(lambda model: model.journal.writes("ENABLE")) == ["AT+ENABLE=0"] * 2)


def test_a_person_in_the_silence_is_not_overruled(quick, server, charger, start):
    start(Watchdog(charger, Fallback(0.3), "nobody"))
    wait_until(lambda: not enabled(server))
    charger.set("ENABLE", 1).result(20)
    until = time.monotonic() + 1
    wait_until(lambda: time.monotonic() > until)
    assert enabled(server)


def test_a_charger_that_refuses_is_asked_again_and_said_once(quick, server, charger, start, caplog):
    server.call(lambda model: model.override("ENABLE", 1))
    start(Watchdog(charger, Fallback(0.3), "nobody"))
    wait_until(lambda: len(server.call(lambda model: model.journal.writes("ENABLE"))) > 2)
    assert caplog.text.count("the charger does not fall back") == 1
    wait_until(lambda: charger.snapshot.notes and "the charger does not fall back: ENABLE" in charger.snapshot.notes[0])
    server.call(lambda model: (model.override("ENABLE"), None))
    wait_until(lambda: not enabled(server))


# --- the commands -----------------------------------------------------------------------------------------------------

WHEN_SILENT = ("--silent-after", "10", "--when-silent")
LATER_S = 2.0  # enough to tell the 10 s since the last word from those since the start


def first_event(client: httpx.Client, url: str) -> str:
    """What the page shows when it is opened."""
    with client.stream("GET", f"{url}/api/v1/events") as page:
        return next(page.iter_lines())


def test_when_evcc_falls_silent_the_current_falls(server, tmp_path):
    """Its question begins the time anew; a page that is open does not, nor does who is turned away."""
    port = free_port()
    (tmp_path / "password").write_text("secret")
    options = ("--user", "me", "--password-file", str(tmp_path / "password"), *WHEN_SILENT, "6")
    url = f"http://127.0.0.1:{port}"
    with (
        Command("--port", server.path, "serve", "--listen", f"127.0.0.1:{port}", *options) as command,
        httpx.Client(auth=("me", "secret")) as evcc,
    ):
        command.wait_for("listening", err=True)
        begin = time.monotonic()
        wait_until(lambda: time.monotonic() - begin > LATER_S)
        asked_at = time.monotonic()
        assert evcc.get(f"{url}/api/v1/state").status_code == 200
        while server.call(lambda model: model.value("CHCUR")) != (60,):
            first_event(evcc, url)
            assert httpx.get(f"{url}/api/v1/state").status_code == 401
            assert time.monotonic() - asked_at < 60
        assert time.monotonic() - asked_at > 10
        wait_until(lambda: "No word from the REST client for 10 s" in first_event(evcc, url), "the page says it")
        command.wait_for("no word from the REST client for 10 s: the charging current is 6 A at most", err=True)
        wait_until(lambda: evcc.get(f"{url}/api/v1/state").json()["chargingCurrent"] == 6)
        command.wait_for("the REST client is heard again; the charger stays as it is", err=True)
        command.end(signal.SIGTERM)
    assert server.call(lambda model: model.journal.writes()) == ["AT+CHCUR=60"]


@needs_mosquitto
def test_in_a_gateway_by_bridge(tmp_path, broker, server):
    port = free_port()
    bridges = [
        {"type": "mqtt", "broker": broker.uri},
        {
            "type": "modbus",
            "tcp": f"127.0.0.1:{port}",
            "units": {"garage": 1},
            "silent_after": 10,
            "when_silent": "pause",
        },
    ]
    with GatewayProcess(tmp_path, {"garage": server}, bridges) as gateway:
        gateway.wait_log("; after 10 s of silence charging is paused")
        gateway.wait_log("evse.garage: online")
        begin = time.monotonic()
        wait_until(lambda: time.monotonic() - begin > LATER_S)
        with ModbusTcpClient("127.0.0.1", port=port) as master:
            asked_at = time.monotonic()
            assert not master.read_holding_registers(103, device_id=1).isError()
            wait_until(lambda: not enabled(server))
            assert time.monotonic() - asked_at > 10
            gateway.wait_log("no word from the Modbus master for 10 s: charging is paused")
            assert not master.read_holding_registers(103, device_id=1).isError()
            gateway.wait_log("the Modbus master is heard again")
        assert server.call(lambda model: model.journal.writes()) == ["AT+ENABLE=0"]


@pytest.mark.parametrize("command", ["bridge mqtt --broker mqtt://x", "serve", "modbus --tcp 0"])
def test_wrong_options_name_what_is_allowed(command):
    ran = run("--port", "/nonexistent", *command.split(), "--silent-after", "60", "--when-silent", "5")
    assert ran.code == 2 and "when-silent 5 A is out of range: pause, or 6 to 63 A are allowed" in ran.err
    ran = run("--port", "/nonexistent", *command.split(), "--silent-after", "60")
    assert ran.code == 2 and "belong together" in ran.err
