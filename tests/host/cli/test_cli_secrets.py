"""No command repeats a password that somebody has typed into an address, whatever it says otherwise."""

from __future__ import annotations

import pytest

from evse_host.simulator import TcpServer
from evse_host.simulator.charger import Charger
from tests.host.commands import run

SECRET = "hunter2x"
NOWHERE = f"socket://me:{SECRET}@127.0.0.1:1"


@pytest.mark.parametrize(
    "arguments",
    ["info", "get state", "doctor", "record {folder}/new", "proxy --tcp 0", "backup", "raw AT", "bridge mqtt --print",
     "serve --print", "serve --listen me:{secret}@x", "simulate --tcp me:{secret}@x", "replay me:{secret}@x",
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


def test_an_address_that_works_is_not_in_what_people_send_to_others(tmp_path):
    with TcpServer(Charger()) as server:
        port = f"socket://me:{SECRET}@{server.host}:{server.port}"
        recorded = run("--port", port, "record", str(tmp_path / "recording"), "--seconds", "0.1")
        examined = run("--port", port, "doctor", "--help")
        told = run("--json", "--port", port, "info")
    text = (tmp_path / "recording").read_text()
    assert recorded.code == told.code == examined.code == 0 and "AT+STATE?" in text
    assert SECRET not in text + recorded.out + recorded.err + told.out


def test_the_variable(monkeypatch):
    from tests.host.commands import environment

    ran = run("info", env=environment(EVSE_PORT=NOWHERE))
    assert ran.code == 3 and SECRET not in ran.err
