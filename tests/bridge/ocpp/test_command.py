"""`evse-host bridge ocpp` and the gateway's `ocpp` as processes, as users run them; killed, too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from evse_host.simulator import Car, Charger, PtyServer
from tools.build.node import MORTAL

from ..gateway_support import GatewayProcess
from ..support import wait_until
from .central import Central

KEY = "0123456789abcdefXYZ"


class Bridge:
    """The command; a context manager. ``log`` is what it said."""

    def __init__(self, server: PtyServer, folder: Path, *arguments: str, **environment: str) -> None:
        self.arguments = [
            sys.executable, "-m", "evse_host.cli", "--port", server.path, "bridge", "ocpp", "--state-dir",
            str(folder / "state"), "--id", "GARAGE", *arguments,
        ]  # fmt: skip
        self._log, self._environment = folder / "bridge.log", environment
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> Bridge:
        self.start()
        return self

    def start(self) -> None:
        with self._log.open("a") as log:
            self.process = subprocess.Popen(
                [*MORTAL, *self.arguments], stdout=log, stderr=log, env={**os.environ, **self._environment}
            )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()

    @property
    def log(self) -> str:
        return self._log.read_text()


def run(server: PtyServer, folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    bridge = Bridge(server, folder, *arguments)
    return subprocess.run(bridge.arguments, capture_output=True, text=True, timeout=60)


def test_killed_in_every_phase_of_a_charge_and_nothing_is_lost(server, central, tmp_path):
    with Bridge(server, tmp_path, "--url", central.url, "--tag", "HOME") as bridge:
        central.wait_status("Available")
        bridge.kill()
        server.call(lambda model: model.car.plug())
        bridge.start()
        central.wait("StartTransaction")
        bridge.kill()
        seen = len(central.heard)
        bridge.start()
        central.wait_status("Charging", after=seen)
        central.silent.add("StopTransaction")  # it is told, and killed before it knows
        server.call(lambda model: model.car.unplug())
        central.wait("StopTransaction")
        bridge.kill()
        central.silent.clear()
        seen = len(central.heard)
        bridge.start()
        end = central.wait("StopTransaction", after=seen)
        assert end.again
        for action in ("StartTransaction", "StopTransaction"):  # again as it was, if its answer was lost
            assert len({(heard.id, json.dumps(heard.payload)) for heard in central.on(action)}) == 1
        assert bridge.end() == 0


def test_the_key_is_neither_in_the_log_nor_in_the_process_list(server, tmp_path):
    (tmp_path / "key").write_text(KEY + "\n")
    with (
        Central(keys={"GARAGE": KEY}) as central,
        Bridge(server, tmp_path, "--url", central.url, "--password-file", str(tmp_path / "key")) as bridge,
    ):
        central.wait("BootNotification")
        command = Path(f"/proc/{bridge.process.pid}/cmdline").read_text()
        assert KEY not in command and KEY not in bridge.log and bridge.end() == 0


def test_check_shows_the_answer_and_leaves(server, central, tmp_path):
    done = run(server, tmp_path, "--url", central.url, "--check")
    assert done.returncode == 0, done.stderr
    assert f"connected to {central.url}/GARAGE" in done.stdout and '"status": "Accepted"' in done.stdout
    assert [heard.action for heard in central.heard] == ["BootNotification"]


def test_check_of_a_central_system_that_refuses_us(server, central, tmp_path):
    central.answers["BootNotification"] = {"status": "Rejected", "currentTime": "2026-01-01T00:00:00Z", "interval": 9}
    done = run(server, tmp_path, "--url", central.url, "--check")
    assert done.returncode == 1 and "Rejected" in done.stdout


def test_check_says_that_nobody_is_at_that_address(server, tmp_path):
    done = run(server, tmp_path, "--url", "ws://127.0.0.1:1/x", "--check")
    assert done.returncode == 4 and done.stderr.startswith("evse-host: central system ws://127.0.0.1:1/x/GARAGE: ")


def test_print_sends_nothing_and_needs_no_address(server, tmp_path):
    server.call(lambda model: model.car.plug())
    done = run(server, tmp_path, "--print", "--tag", "HOME")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "BootNotification", "StatusNotification", "StatusNotification", "StartTransaction", "MeterValues",
    ]  # fmt: skip
    assert not list((tmp_path / "state").glob("*.sqlite3"))


@pytest.mark.parametrize(("arguments", "problem"), [
    ((), "--url is missing"), (("--url", "http://x"), "must look like wss://"),
    (("--url", "ws://x", "--tag", "x" * 21), "at most 20"),
    (("--url", "ws://x", "--password-file", "/nowhere"), "--password-file: there is no such file"),
    (("--url", "wss://x", "--ca-file", "hunter2"), "ca file: there is no such file"),
    (("--url", "wss://x", "--cert-file", __file__, "--key-file", "hunter2"), "key file: there is no such file"),
])  # fmt: skip
def test_wrong_options_end_it_with_the_reason(server, tmp_path, arguments, problem):
    done = run(server, tmp_path, *arguments)
    assert done.returncode == 2 and problem in done.stderr


def test_a_second_bridge_at_one_journal_ends_at_once(server, central, tmp_path):
    with Bridge(server, tmp_path, "--url", central.url):
        central.wait("BootNotification")
        done = run(server, tmp_path, "--url", central.url)
        assert done.returncode == 3 and done.stderr.count("\n") < 6


def test_the_gateway_serves_ocpp_beside_the_others(server, central, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    second = PtyServer(Charger(car=Car()), tmp_path / "second")
    bridges = [
        {"type": "rest", "listen": "127.0.0.1:0"},
        {"type": "ocpp", "url": central.url, "ids": {"carport": "CP-2"}, "tag": "HOME"},
    ]
    with second, GatewayProcess(tmp_path, {"garage": server, "carport": second}, bridges) as process:
        wait_until(lambda: len(central.on("BootNotification")) >= 2, process.log)
        assert sorted(central.paths) == ["/ocpp/CP-2", "/ocpp/garage"]
        assert "ocpp 1.6: garage as garage, carport as CP-2" in process.log
        assert process.end() == 0
