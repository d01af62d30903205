"""The lifetime energy at the faces where people read it, over restarts of the charger, of the program, and of both."""

from __future__ import annotations

import contextlib
import json
import signal
from pathlib import Path

import httpx
import pytest

from evse_host.bridge.charger import SharedCharger
from evse_host.bridge.energy_file import SAVE_EVERY_S, EnergyFile, default_state_dir
from evse_host.bridge.lifetime_energy import Memory
from evse_host.errors import RefusedError
from evse_host.line.client import Evse
from evse_host.simulator import Car, Charger, PtyServer
from tests.host.commands import Command
from tools.run.host_node import free_port

from .mqtt_support import Client, needs_mosquitto
from .support import wait_until

pytestmark = pytest.mark.usefixtures("quick_total")


def charge(server, hours: float) -> None:
    """Its meter counts 32 A on three phases."""
    server.call(lambda model: model.device.meter.step(hours * 3600, True, 32.0, (32.0,) * 3))


def total(server) -> int:
    return server.call(lambda model: model.value("EMETERTOTCONSUM")[0])


def followed(charger: SharedCharger, server) -> int:
    """The charger's total, which is shown now."""
    true = total(server)
    wait_until(lambda: charger.snapshot.total_energy >= true)
    return true


@pytest.fixture
def shared_charger(server, tmp_path):
    """``with shared_charger() as charger``: its owner, online, with a memory in a file."""

    @contextlib.contextmanager
    def start():
        owner = SharedCharger(lambda: Evse.open(server.path, timeout=1.0), state_dir=tmp_path / "state")
        owner.start()
        try:
            wait_until(lambda: owner.snapshot.online)
            yield owner
        finally:
            owner.stop()

    return start


# --- at the owner -----------------------------------------------------------------------------------------------------


def test_a_restart_in_a_session_takes_nothing_from_the_total(server, shared_charger):
    with shared_charger() as charger:
        for _ in range(10):
            charge(server, 0.02)
            before = followed(charger, server)
        shown = []
        charger.listen(lambda snapshot: shown.append(snapshot.total_energy))
        server.inject(lambda faults: faults.reboot())
        wait_until(lambda: total(server) < before)
        charge(server, 0.02)
        wait_until(lambda: charger.snapshot.total_energy > before)
        assert shown == sorted(shown), "it never fell"


def test_a_restart_whose_rdy_was_lost(server, shared_charger):
    with shared_charger() as charger:
        charge(server, 0.05)
        before = followed(charger, server)
        shown = []
        charger.listen(lambda snapshot: shown.append(snapshot.total_energy))
        server.inject(lambda faults: faults.reboot(rdy_seen=False))
        wait_until(lambda: total(server) < before)
        charge(server, 0.02)
        wait_until(lambda: charger.snapshot.total_energy > before + 300)
        assert shown == sorted(shown)


def test_two_restarts_at_once_take_nothing_from_the_total(server, shared_charger):
    with shared_charger() as charger:
        charge(server, 0.05)
        before = followed(charger, server)
        for _ in range(2):
            server.inject(lambda faults: faults.reboot())
            wait_until(lambda: total(server) < before)
        charge(server, 0.02)  # less than was lost: as much could be the lost session, stored in time
        wait_until(lambda: charger.snapshot.total_energy > before + 300)


def test_the_charger_of_the_release(share):
    with PtyServer(Charger("v2.1.1", car=Car(plugged=True))) as server:
        charger = share(server)
        wait_until(lambda: charger.snapshot.charging)
        charge(server, 0.05)
        before = followed(charger, server)
        server.inject(lambda faults: faults.reboot())
        wait_until(lambda: total(server) < before)
        charge(server, 0.02)
        wait_until(lambda: charger.snapshot.total_energy > before)


def test_a_reset_at_the_chargers_own_page(server, shared_charger):
    """Nobody here has asked for it."""
    with shared_charger() as charger:
        charge(server, 0.05)
        followed(charger, server)
        server.call(lambda model: model.set("EMETERTOTCONSUM", 0))
        wait_until(lambda: charger.snapshot.total_energy < 100)
        charge(server, 0.05)
        wait_until(lambda: charger.snapshot.total_energy > 500)


def test_a_folder_that_nobody_may_write_to(server, tmp_path, caplog):
    (tmp_path / "state").touch()
    owner = SharedCharger(lambda: Evse.open(server.path, timeout=1.0), state_dir=tmp_path / "state")
    owner.start()
    try:
        wait_until(lambda: owner.snapshot.online and owner.snapshot.total_energy)
        charge(server, 0.05)
        followed(owner, server)
    finally:
        owner.stop()
    assert caplog.text.count("cannot write") == 1 and "Traceback" not in caplog.text


def test_both_restart_at_once_in_a_session(server, shared_charger):
    with shared_charger() as charger:
        charge(server, 0.05)
        followed(charger, server)
        before = charger.snapshot.total_energy
    server.inject(lambda faults: faults.reboot())
    wait_until(lambda: total(server) < before)
    with shared_charger() as charger:
        shown = wait_until(lambda: charger.snapshot.total_energy)  # what is odd must last
        assert before <= shown <= before + total(server)


def test_a_reset_in_a_session_begins_at_nothing(server, shared_charger):
    with shared_charger() as charger:
        charge(server, 0.05)
        followed(charger, server)
        assert charger.set("EMETERTOTCONSUM", 0).result(20)[0] < 100
        assert charger.snapshot.total_energy < 100 and total(server) > 500


def test_a_reset_that_the_charger_refuses_changes_nothing(server, shared_charger):
    with shared_charger() as charger:
        charge(server, 0.05)
        before = followed(charger, server)
        server.call(lambda model: setattr(model.device, "write", lambda *_: False))
        with pytest.raises(RefusedError):
            charger.set("EMETERTOTCONSUM", 0).result(20)
        charge(server, 0.05)
        assert followed(charger, server) > before


def test_another_charger_at_the_port_has_its_own_total(server, shared_charger):
    with shared_charger() as charger:
        charge(server, 0.05)
        followed(charger, server)
    server.call(lambda model: model.override("WIFISTAMAC", "34:85:18:00:00:99"))
    server.inject(lambda faults: faults.reboot())
    with shared_charger() as charger:
        assert total(server) - 100 < charger.snapshot.total_energy <= total(server)


# --- the file ---------------------------------------------------------------------------------------------------------


def energy(shown: int) -> Memory:
    return Memory(0, shown, 0, 60)


@pytest.mark.parametrize("power", [7400, 11_000, 43_000])
def test_it_is_written_once_a_minute_at_most(tmp_path, power):
    now = [0.0]
    file = EnergyFile(tmp_path / "new" / "folder", "34:85", lambda: now[0])
    assert file.load().memory is None
    written = []
    for second in range(0, 300, 2):
        now[0] = second
        file.save(energy(1000 + second * power // 3600), power)
        text = file.path.read_text()
        if not written or written[-1] != text:
            written.append(text)
    assert len(written) == 300 / SAVE_EVERY_S
    file.close(energy(5000))
    assert EnergyFile(tmp_path / "new" / "folder", "34:85").load().memory == energy(5000)
    assert [path.name for path in file.path.parent.iterdir()] == ["energy-34-85.json"]


def test_what_is_shown_was_promised_before(tmp_path):
    """A power that rises within the minute."""
    file = EnergyFile(tmp_path, "a", lambda: 0.0)
    for wh, power in ((1000, 0), (1001, 1400), (1020, 11_000), (1200, 22_000), (1600, 22_000)):
        file.save(energy(wh), power)
        saved = json.loads(file.path.read_text())
        assert saved["total"] + saved["ahead"] >= wh


def test_an_idle_charger_writes_nothing(tmp_path):
    now = [0.0]
    file = EnergyFile(tmp_path, "a", lambda: now[0])
    file.save(energy(1000), 0)
    file.path.unlink()
    now[0] = 3600
    file.save(Memory(0, 1000, 0, 3660), 0)
    file.close(Memory(0, 1000, 0, 3660))
    assert not file.path.exists()


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '{"offset": 0}', "\xff", "[" * 100_000])
def test_a_broken_file_is_said_and_replaced(tmp_path, caplog, text):
    file = EnergyFile(tmp_path, "a")
    file.path.write_text(text, "latin-1")
    assert file.load().memory is None and "holds no energy" in caplog.text
    file.save(energy(7), 0)
    assert json.loads(file.path.read_text())["total"] == 7


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path, caplog):
    (tmp_path / "file").touch()
    now = [0.0]
    file = EnergyFile(tmp_path / "file" / "state", "a", lambda: now[0])
    for _ in range(3):
        now[0] += 100
        file.save(energy(int(now[0])), 0)
    assert caplog.text.count("cannot write") == 1


def test_a_name_of_a_charger_is_no_path(tmp_path):
    for key in ("../../etc/passwd", "", "a/b", "\x00"):
        assert EnergyFile(tmp_path, key).path.parent == tmp_path


def test_what_is_remembered_lies_where_the_system_says(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert default_state_dir() == Path("/home/me/.local/state/evse-host")
    monkeypatch.setenv("XDG_STATE_HOME", "/xdg")
    assert default_state_dir() == Path("/xdg/evse-host")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/evse-host:/var/lib/other")
    assert default_state_dir() == Path("/var/lib/evse-host")


# --- the commands -----------------------------------------------------------------------------------------------------


def consumption(port: int) -> int | None:
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/state")
    except httpx.TransportError:
        return None
    return answer.json()["totalConsumption"] if answer.status_code == 200 else None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_rest_over_a_restart_of_both(server, tmp_path, number):
    """EVCC's count: a service that is stopped or killed, and a charger that restarts meanwhile."""
    port = free_port()
    command = ("--port", server.path, "serve", "--listen", f"127.0.0.1:{port}", "--state-dir", str(tmp_path / "state"))
    charge(server, 0.05)
    with Command(*command) as running:
        before = wait_until(lambda: consumption(port))
        wait_until(lambda: list((tmp_path / "state").glob("energy-*.json")))
        running.end(number)
    server.inject(lambda faults: faults.reboot())
    wait_until(lambda: total(server) < before)
    with Command(*command) as running:
        after = wait_until(lambda: consumption(port))
        running.end(signal.SIGTERM)
    assert before <= after, "it never falls"


@needs_mosquitto
def test_mqtt_and_thingsboard_have_it_too(server, broker, client: Client, tmp_path, monkeypatch):
    charge(server, 0.05)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    with Command("--port", server.path, "bridge", "mqtt", "--broker", broker.uri) as running:
        before = client.wait("evse/state", lambda heard: heard.json["total_energy"]).json["total_energy"]
        wait_until(lambda: list((tmp_path / "state").glob("energy-*.json")))
        seen = len(client.heard)
        server.inject(lambda faults: faults.reboot())
        wait_until(lambda: total(server) < before)
        charge(server, 0.02)
        client.wait("evse/state", lambda heard: (heard.json["total_energy"] or 0) > before, after=seen)
        running.end(signal.SIGTERM)
    shown = [heard.json["total_energy"] for heard in client.on("evse/state") if heard.json["total_energy"] is not None]
    assert shown == sorted(shown)
