"""`evse-host bridge mqtt` as a person or a service runs it, at a real Mosquitto: its end, its secrets, TLS."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evse_host.bridge.home_assistant_discovery import ENTITIES
from evse_host.installation import how_to_add
from evse_host.simulator import Car, Charger, PtyServer
from tests.host.commands import Command, environment, run

from .mqtt_support import Client, Mosquitto, needs_mosquitto
from .support import wait_until

SECRET = "correct-horse-battery"


def bridge(server, broker_uri: str, *options: str) -> Command:
    return Command("--port", server.path, "bridge", "mqtt", "--broker", broker_uri, *options)


# --- its end ----------------------------------------------------------------------------------------------------------


@needs_mosquitto
def test_a_killed_bridge_leaves_its_last_will(server, broker):
    with Client(broker) as client, bridge(server, broker.uri) as command:
        client.wait("evse/availability", lambda heard: heard.payload == "online")
        before = len(client.heard)
        command.process.send_signal(signal.SIGKILL)
        client.wait("evse/availability", lambda heard: heard.payload == "offline", after=before)
    with Client(broker) as later:
        assert later.wait("evse/availability").payload == "offline"
        assert later.wait("evse/availability").retained


@needs_mosquitto
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_bridge_that_is_ended_says_offline_and_leaves_no_subscription(server, broker, number, code):
    with Client(broker) as client, bridge(server, broker.uri) as command:
        client.wait("evse/availability", lambda heard: heard.payload == "online")
        wait_until(lambda: server.call(lambda model: len(model.subscriptions)) > 10)
        before = len(client.heard)
        assert command.end(number) == code
        client.wait("evse/availability", lambda heard: heard.payload == "offline", after=before)
    assert server.call(lambda model: model.subscriptions) == []
    assert not any("Traceback" in line for line in command.err)


@needs_mosquitto
def test_it_ends_even_when_charger_and_broker_are_away(server, broker):
    arguments = ("--timeout", "0.5", "--port", server.path, "bridge", "mqtt", "--broker", broker.uri)
    with Client(broker) as client, Command(*arguments) as command:
        client.wait("evse/availability", lambda heard: heard.payload == "online")
        server.inject(lambda faults: faults.cable_out())
        broker.stop()
        command.wait_for("is lost", err=True)
        assert command.end(signal.SIGTERM) == 0


@needs_mosquitto
def test_a_charger_that_is_not_there_yet_is_offline(broker, tmp_path):
    with (
        Client(broker) as client,
        Command("--port", str(tmp_path / "evse"), "bridge", "mqtt", "--broker", broker.uri) as command,
    ):
        assert client.wait("evse/availability").payload == "offline"
        assert client.wait("evse/state").json["state"] == "?"
        model = Charger(car=Car(plugged=True))
        with PtyServer(model, link=tmp_path / "evse"):  # somebody plugs the adapter in
            client.wait("evse/availability", lambda heard: heard.payload == "online")
            assert client.wait("homeassistant/number/evse/charging_current_limit/config").json["max"] == 32
            assert command.end(signal.SIGTERM) == 0
    assert sum("no such file or directory" in line for line in command.err) == 1


# --- its options ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--identifier", "my-evse"], "identifier 'my-evse': only the letters a to z and digits are allowed"),
        (["--identifier", ""], "identifier '': only the letters a to z and digits are allowed"),
        (["--broker", "mqtt://broker", "--interval", "0.5"], "interval 0.5 s is out of range, at least 1 s"),
        (["--discovery-prefix", "ha/#"], "discovery prefix 'ha/#': levels of a topic are needed"),
        (["--broker", "mqtt://broker", "--interval", "nan"], "interval nan s is out of range, at least 1 s"),
        (["--broker", "192.168.1.10"], "broker '192.168.1.10': it must look like mqtt://192.168.1.10:1883"),
        (["--broker", f"mqtt://me:{SECRET}@broker"], "broker: leave user name and password out of it"),
        (["--broker", f"me:{SECRET}@broker"], "broker '***': it must look like mqtt://192.168.1.10:1883"),
        (["--broker", f"mqtt//me:{SECRET}@broker"], "broker 'mqtt//***': it must look like mqtt://192.168.1.10:1883"),
        (["--broker", f"mqtt://me%3A{SECRET}%40broker"], "broker: this is no name and no address of a computer"),
        (["--interval", f"mqtt://me:{SECRET}@broker"], "Invalid value for '--interval': 'mqtt://***"),
        ([f"mqtt://me:{SECRET}@broker"], "Got unexpected extra argument"),
        (["--username", "me", "--password-file", "/nonexistent"], "--password-file: there is no such file"),
        (["--broker", "mqtts://broker", "--ca-file", SECRET], "ca file: there is no such file"),
        (["--broker", "mqtts://broker", "--ca-file", "/etc/hostname"], "ca file /etc/hostname:"),
    ],
)
def test_wrong_options_end_it_at_once(options, words):
    ran = run("--port", "/nonexistent", "bridge", "mqtt", *options)
    assert ran.code == 2 and ran.err.startswith(f"evse-host: {words}") and ran.err.count("\n") == 1
    assert SECRET not in ran.err


def test_a_missing_package_is_one_line():
    program = "import sys; sys.modules['paho'] = None; from evse_host.cli import main; main(sys.argv[1:])"
    for name in ("mqtt", "thingsboard"):
        ran = subprocess.run(
            [sys.executable, "-c", program, "bridge", name],
            capture_output=True, text=True, env=environment(EVSE_THINGSBOARD_TOKEN="x"),
        )  # fmt: skip
        assert ran.returncode == 2
        assert ran.stderr == f"evse-host: the MQTT bridge needs more packages: {how_to_add('mqtt')}\n"


def test_print_shows_the_messages_without_a_broker(server):
    ran = run("--port", server.path, "bridge", "mqtt", "--print", "--identifier", "GARAGE")
    topics = [line.split(" ")[0] for line in ran.out.splitlines()]
    assert ran.code == 0 and len(topics) == len(ENTITIES) + 2 and topics[-2:] == ["garage/state", "garage/availability"]
    ran = run("--json", "--port", server.path, "bridge", "mqtt", "--print", "--no-discovery")
    assert ran.json["evse/availability"] == "online" and ran.json["evse/state"]["current"] == 32
    ran = run("--json", "--port", server.path, "bridge", "thingsboard", "--print")
    assert ran.json["v1/devices/me/telemetry"]["enabled"] is True


# --- its secrets ------------------------------------------------------------------------------------------------------


@needs_mosquitto
@pytest.mark.parametrize("source", ["file", "variable"])
def test_the_password_is_nowhere_to_be_seen(server, tmp_path, monkeypatch, source):
    options = ["--username", "evse"]
    if source == "file":
        (tmp_path / "password").write_text(f"{SECRET}\n")
        options += ["--password-file", str(tmp_path / "password")]
    else:
        monkeypatch.setattr("tests.host.commands.environment", lambda: environment(EVSE_MQTT_PASSWORD=SECRET))
    with (
        Mosquitto(tmp_path, users={"evse": SECRET, "test": "test"}) as broker,
        Client(broker, "test", "test") as client,
    ):
        arguments = ["--verbose", "--port", server.path, "bridge", "mqtt", "--broker", broker.uri, *options]
        with Command(*arguments) as command:
            client.wait("evse/availability", lambda heard: heard.payload == "online")
            assert SECRET.encode() not in Path(f"/proc/{command.process.pid}/cmdline").read_bytes()
            command.end(signal.SIGTERM)
    assert any("connected to broker" in line for line in command.err)
    assert not any(SECRET in line for line in command.err + command.out)


@needs_mosquitto
@pytest.mark.parametrize(
    "content", [f"\ufeff{SECRET}\n", f"{SECRET}\r\n", f"\ufeff{SECRET}", f"{SECRET}\rmore", f"{SECRET}\n\n# mine\n"]
)
def test_what_editors_leave_in_a_password_file(server, tmp_path, content):
    (tmp_path / "password").write_bytes(content.encode())
    options = ("--username", "evse", "--password-file", str(tmp_path / "password"))
    with Mosquitto(tmp_path, users={"evse": SECRET}) as broker, bridge(server, broker.uri, *options) as command:
        command.wait_for("connected to broker", err=True)
        command.end(signal.SIGTERM)
    assert not any("cannot be used" in line for line in command.err)


@needs_mosquitto
def test_a_line_end_in_the_variable_is_not_of_the_password(server, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.host.commands.environment", lambda: environment(EVSE_MQTT_PASSWORD=f"{SECRET}\r\n"))
    with (
        Mosquitto(tmp_path, users={"evse": SECRET}) as broker,
        bridge(server, broker.uri, "--username", "evse") as command,
    ):
        command.wait_for("connected to broker", err=True)
        command.end(signal.SIGTERM)


@needs_mosquitto
def test_a_wrong_password_is_one_clear_line_and_it_goes_on(server, tmp_path):
    (tmp_path / "password").write_text("wrong-one")
    with Mosquitto(tmp_path, users={"evse": SECRET}) as broker:
        options = ("--username", "evse", "--password-file", str(tmp_path / "password"))
        with bridge(server, broker.uri, *options) as command:
            command.wait_for(f"broker {broker.uri} cannot be used: not authorized: wrong user name or", err=True)
            log = tmp_path / "mosquitto.log"
            wait_until(lambda: log.read_text().count("not authorised") >= 3)
            assert command.process.poll() is None
            command.end(signal.SIGTERM)
    assert sum("cannot be used" in line for line in command.err) == 1
    assert not any("wrong-one" in line for line in command.err)


# --- TLS --------------------------------------------------------------------------------------------------------------


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Path:
    """An authority of our own, and a broker's certificate for 127.0.0.1, not for localhost."""
    folder = tmp_path_factory.mktemp("tls")
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30")
    for name in ("ca", "other"):
        extensions = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        openssl(folder, "req", "-x509", *new, "-keyout", f"{name}.key", "-out", f"{name}.crt",
                "-subj", f"/CN={name} of this test", *extensions)  # fmt: skip
    openssl(folder, "req", *new[:-2], "-keyout", "broker.key", "-out", "broker.csr", "-subj", "/CN=broker")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\nauthorityKeyIdentifier=keyid\n")
    openssl(folder, "x509", "-req", "-in", "broker.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "30", "-extfile", "names", "-out", "broker.crt")  # fmt: skip
    return folder


@pytest.fixture
def tls_broker(tmp_path, certificates) -> Iterator[Mosquitto]:
    lines = f"certfile {certificates}/broker.crt\nkeyfile {certificates}/broker.key\ncafile {certificates}/ca.crt"
    with Mosquitto(tmp_path, tls=lines) as running:
        yield running


@needs_mosquitto
def test_tls_with_an_authority_of_our_own(server, tls_broker, certificates):
    uri = f"mqtts://127.0.0.1:{tls_broker.port}"
    ca_file = certificates / "ca.crt"
    with Client(tls_broker, ca_file=ca_file) as client, bridge(server, uri, "--ca-file", str(ca_file)) as command:
        client.wait("evse/availability", lambda heard: heard.payload == "online")
        client.publish("evse/current/set", "9.5")
        client.wait_state(current=9.5)
        before = len(client.heard)
        for ampere in range(6, 32):  # many records of TLS at once
            client.publish("evse/current/set", f"{ampere}")
        client.wait_state(current=31.0, after=before)
        command.process.send_signal(signal.SIGKILL)
        client.wait("evse/availability", lambda heard: heard.payload == "offline", after=before)


@needs_mosquitto
@pytest.mark.parametrize(
    ("uri", "options", "words"),
    [
        ("mqtts://127.0.0.1", (), "its certificate is not trusted: self-signed certificate"),
        ("mqtts://127.0.0.1", ("--ca-file", "other.crt"), "its certificate is not trusted: "),
        ("mqtts://localhost", ("--ca-file", "ca.crt"), "its certificate is not trusted: Hostname mismatch"),
        ("mqtt://127.0.0.1", (), "it closed the connection without an answer"),
    ],
)
def test_a_broker_that_is_not_trusted_gets_nothing(server, tls_broker, certificates, uri, options, words):
    options = [str(certificates / word) if word.endswith(".crt") else word for word in options]
    with bridge(server, f"{uri}:{tls_broker.port}", *options) as command:
        assert words in command.wait_for("cannot be used", err=True)
        assert command.process.poll() is None
        assert command.end(signal.SIGTERM) == 0


@needs_mosquitto
def test_tls_at_a_port_without(server, broker):
    with bridge(server, f"mqtts://127.0.0.1:{broker.port}") as command:
        line = command.wait_for("cannot be used", err=True)
        assert "TLS failed" in line or "closed the connection" in line or "reset" in line
        command.end(signal.SIGTERM)


def test_a_host_without_a_name_is_tried_again(server):
    with bridge(server, "mqtt://broker.invalid") as command:
        assert "name" in command.wait_for("broker mqtt://broker.invalid:1883 cannot be used: ", err=True)
        assert command.process.poll() is None
        assert command.end(signal.SIGTERM) == 0
