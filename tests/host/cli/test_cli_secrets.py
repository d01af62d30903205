"""No command repeats a password that somebody has typed into an address, whatever it says otherwise."""

from __future__ import annotations

import pytest

from evse_host import cli
from evse_host.cli import bridging
from evse_host.simulator import TcpServer
from evse_host.simulator.charger import Charger
from tests.host.commands import run

SECRET = "hunter2x"
NOWHERE = f"socket://me:{SECRET}@127.0.0.1:1"


@pytest.mark.parametrize(
    "arguments",
    ["info", "get state", "doctor", "record {folder}/new", "proxy --tcp 0", "backup", "raw AT",
     "serve --listen me:{secret}@x", "simulate --tcp me:{secret}@x", "replay me:{secret}@x",
     "restore me:{secret}@x", "gateway me:{secret}@x.yaml", "bridge thingsboard --token-file me:{secret}@x",
     "modbus --tcp me:{secret}@x", "bridge mqtt --ca-file me:{secret}@x --broker mqtts://x",
     "bridge mqtt --identifier me:{secret}@x", "bridge mqtt --discovery-prefix me:{secret}@x/",
     "bridge ocpp --id x --url ws//me:{secret}@x", "me:{secret}@x", "info me:{secret}@x"],
)  # fmt: skip
def test_an_address_with_a_password(arguments, tmp_path):
    words = arguments.format(secret=SECRET, folder=tmp_path).split()
    ran = run("--timeout", "0.5", "--verbose", "--port", NOWHERE, *words)
    assert ran.code != 0 and ran.err + ran.out
    assert SECRET not in ran.out + ran.err


@pytest.mark.parametrize("arguments", ["bridge mqtt --print", "serve --print"])
def test_whoever_waits_for_a_charger_hides_its_address(arguments, monkeypatch, capsys):
    monkeypatch.setattr(bridging, "ONLINE_TIMEOUT_S", 0.2)
    assert cli.run(["--timeout", "0.5", "--verbose", "--port", NOWHERE, *arguments.split()]) != 0
    told = "".join(capsys.readouterr())
    assert told and SECRET not in told


@pytest.mark.parametrize(
    "arguments",
    ["serve --user me --password-file {}", "serve --user me --password-file={}/x", "serve {}", "wifi connect home {}",
     "serve --user me --password-file " + 300 * "x" + "{}", "wifi connect home x {}", "gateway config.yaml {}",
     "bridge mqtt --broker mqtt://b --username me --password-file {}", "bridge thingsboard --broker mqtt://b {}",
     "bridge thingsboard --broker mqtt://b --token-file {}", "bridge ocpp --url ws://x/y --id A --password-file {}",
     "serve --password {}", "bridge mqtt --password={}", "bridge thingsboard --token {}", "modbus {} x"],
)  # fmt: skip
def test_a_password_where_none_belongs(arguments):
    """Instead of its file's name, behind what a command takes, behind an option that is none."""
    ran = run("--port", "/nowhere", *arguments.format(SECRET).split())
    assert ran.code == 2 and ran.err.count("\n") == 1
    assert SECRET not in ran.out + ran.err


def test_the_name_of_a_file_that_is_there_is_told(tmp_path):
    (tmp_path / "empty").touch()
    for file, reason in ((tmp_path, "is a directory"), (tmp_path / "empty", "its first line is empty")):
        ran = run("--port", "/nowhere", "serve", "--user", "me", "--password-file", str(file))
        assert ran.err == f"evse-host: --password-file: {file}: {reason}\n"


@pytest.mark.parametrize(
    ("bridge", "where"),
    [
        (f"{{type: mqtt, broker: mqtt://x, username: me, password_file: {SECRET}}}", "bridges.1: password_file"),
        (f"{{type: mqtt, broker: mqtt://x, username: me, password: !file {SECRET}}}", "config.yaml:3"),
        (f'{{type: mqtt, broker: mqtt://x, username: me, password: !file "{SECRET}\\0"}}', "config.yaml:3"),
        (f"{{type: thingsboard, broker: mqtt://x, tokens: {{a: !file {SECRET}}}}}", "config.yaml:3"),
    ],
)
def test_a_password_as_a_file_of_the_gateway(bridge, where, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(f"chargers: {{a: {{port: x}}}}\nbridges:\n- {bridge}\n")
    ran = run("gateway", str(config), "--check")
    assert ran.code == 2 and where in ran.err and "there is no such file" in ran.err
    assert SECRET not in ran.out + ran.err


def test_an_address_that_works_is_not_in_what_people_send_to_others(tmp_path):
    with TcpServer(Charger()) as server:
        port = f"socket://me:{SECRET}@{server.host}:{server.port}"
        recorded = run("--port", port, "record", str(tmp_path / "recording"), "--seconds", "0.1")
        examined = run("--port", port, "doctor", "--help")
        told = run("--json", "--port", port, "info")
    text = (tmp_path / "recording").read_text()
    assert recorded.code == told.code == examined.code == 0 and "AT+STATE?" in text
    assert SECRET not in text + recorded.out + recorded.err + told.out


def test_a_password_in_the_environments_port_is_not_shown(monkeypatch):
    from tests.host.commands import environment

    ran = run("info", env=environment(EVSE_PORT=NOWHERE))
    assert ran.code == 3 and SECRET not in ran.err
