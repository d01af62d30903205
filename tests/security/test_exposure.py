"""What the network can reach without a key or a password: nothing, in what `evse-host generate` makes, and in what the
host tool listens on. Of the examples tests/examples sees it, by the same rules, which are tried here."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from evse_host.cli.serving import parse_address
from tests.examples import configs
from tests.host.commands import run, start
from tests.security.exposure import guarded


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    return configs.lay_out(tmp_path_factory.mktemp("checkout"))


NODE = "packages/secured-node.yaml"
OTA_KEY = '    ${ "encryption" if since_2026_9 else "password" }: ${ none if since_2026_9 else ota_password }\n'
SENDING = "    encryption: !secret packet_key\n    ping_pong_enable: true\n    rolling_code_enable: true\n"
TWO_NODES = "load_two_nodes_first.yaml"
RECEIVING = "udp:\n  on_receive:\n    then: [esp32evse.authorize: evse]\n"


@pytest.mark.parametrize(
    ("spoilt", "removed", "added", "complaint"),
    [
        (NODE, "  encryption:\n    key: !secret api_encryption_key\n", "", "api: no encryption key"),
        (NODE, OTA_KEY, "", "ota esphome: no password"),
        (NODE, "    password: !secret fallback_hotspot_password\n", "", "wifi ap: no password"),
        ("evse.yaml", "uart:\n", "web_server:\nuart:\n", "web_server: no auth"),
        (
            "evse.yaml",
            "uart:\n",
            "prometheus:\nweb_server: {auth: {username: a, password: b}}\nuart:\n",
            "prometheus: not known",
        ),
        ("evse.yaml", "uart:\n", "mqtt: {broker: 192.168.1.10}\nuart:\n", "mqtt: no password"),
        (TWO_NODES, "    providers:\n", "    providers:\n      - name: open\n", "packet_transport open: no encryption"),
        (TWO_NODES, SENDING, "", "packet_transport itself: no encryption key"),
        (TWO_NODES, "    rolling_code_enable: true\n", "", "packet_transport: takes an old packet"),
        (TWO_NODES, "    ping_pong_enable: true\n", "", "packet_transport: takes an old packet"),
        (TWO_NODES, "udp:\n", RECEIVING, "udp: anybody's packet"),
    ],
    ids=[
        "api", "ota", "ap", "web_server", "unknown", "mqtt", "what is heard", "what is said", "said again",
        "heard again", "automation",
    ],
)  # fmt: skip
def test_an_open_one_would_be_found(examples, spoilt, removed, added, complaint) -> None:
    """An example whose text, or that of its package, lacks what keeps it closed. Without the API's key ESPHome itself
    refuses it since 2026.9: the updates have none either."""
    file = examples / spoilt
    text = file.read_text()
    assert removed in text
    file.write_text(text.replace(removed, added, 1))
    try:
        valid, output = configs.validate(examples / ("evse.yaml" if spoilt == NODE else spoilt))
    finally:
        file.write_text(text)
    refused = "'ota' encryption has no key" in output and complaint.startswith("api")
    assert refused or (valid and any(each.startswith(complaint) for each in guarded(configs.load(output)))), output


# --- generate ---------------------------------------------------------------------------------------------------------

ANSWERS = ("--single-phase", "--no-temperature-sensor", "--no-socket-lock", "--no-proximity", "--meter", "current")


@pytest.mark.parametrize("board", ["esp32dev", "d1_mini", "rpipicow"])
def test_no_generated_configuration_is_open(tmp_path, board) -> None:
    pins = ("--tx", "GPIO4", "--rx", "GPIO5")
    done = run(
        "generate", "--board", board, *pins, "--offline", *ANSWERS, "--no-check", cwd=tmp_path,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.code == 0, done.err
    file = tmp_path / "evse.yaml"
    secrets = tmp_path / "secrets.yaml"
    secrets.write_text(secrets.read_text().replace("REPLACE-ME", "replaced-me"))
    assert guarded(configs.resolved(file)) == []


def test_every_generated_secret_is_another(tmp_path) -> None:
    made = set()
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        arguments = ("--board", "esp32dev", "--tx", "17", "--rx", "16", "--offline", *ANSWERS, "--no-check")
        assert run("generate", *arguments, cwd=tmp_path / name, stdin=subprocess.DEVNULL).code == 0
        lines = (tmp_path / name / "secrets.yaml").read_text().splitlines()
        made |= {line for line in lines if "REPLACE-ME" not in line}
    assert len(made) == 9


# --- the host tool listens --------------------------------------------------------------------------------------------


def test_a_port_without_a_host_is_of_this_computer() -> None:
    assert parse_address("7000") == ("127.0.0.1", 7000)
    assert parse_address(":7000") == ("127.0.0.1", 7000)
    assert parse_address("0.0.0.0:7000") == ("0.0.0.0", 7000)  # who writes that means it


def listening(pid: int) -> set[str]:
    """Local addresses, as the kernel writes them, on which a process listens."""
    sockets = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(str(entry.readlink()))
        except OSError:
            continue
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if f"socket:[{words[9]}]" in sockets and words[3] in ("0A", "07"):  # TCP LISTEN, UDP
                found.add(words[1].partition(":")[0])
    return found


LOOPBACK = "0100007F"


@pytest.mark.parametrize("command", ["simulate --tcp 0", "replay session.txt --tcp 0", "proxy --listen 0"])
def test_listeners_are_reached_from_this_computer_only(start_charger, tmp_path, command) -> None:
    if "session.txt" in command:
        file = tmp_path / "session.txt"
        entries = "       0.000000 > AT\\n\n       0.001000 < \\nOK\\n\n"
        file.write_text("# evse-host recording 1\n" + entries)
        command = command.replace("session.txt", str(file))
    port = ("--port", start_charger(baud_rate=None).path) if "proxy" in command else ()
    with start(*port, *command.split()) as process:
        stream = process.stderr if "proxy" in command else process.stdout
        assert "socket://127.0.0.1:" in stream.readline()
        assert listening(process.pid) == {LOOPBACK}
        process.terminate()
        process.communicate(timeout=10)


def test_without_being_asked_nothing_listens(start_charger, tmp_path) -> None:
    server = start_charger(baud_rate=None)
    commands = [
        ("simulate", "--link", str(tmp_path / "one")),
        ("--port", server.path, "proxy", "--link", str(tmp_path / "two")),
    ]
    for command in commands:
        with start(*command) as process:
            (process.stderr if "proxy" in command else process.stdout).readline()
            assert listening(process.pid) == set()
            process.terminate()
            process.communicate(timeout=10)


def test_listening_can_be_seen() -> None:
    """The proof that the tests above can fail."""
    with socket.create_server(("0.0.0.0", 0)):
        assert "00000000" in listening(os.getpid())
