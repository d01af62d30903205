"""Central systems that others wrote: npm's ocpp-rpc in strict mode, which checks every message in both directions by
the alliance's schemas, and PyPI's ocpp-csms."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from evse_host.bridge.ocpp.rpc import stamp

from ..support import wait_until
from .test_charge_point import profile

HERE = Path(__file__).parent / "strict_server"
CACHE = Path(__file__).parents[3] / ".cache" / "strict-server"
NPM, NODE = shutil.which("npm"), shutil.which("node")
needs_npm = pytest.mark.skipif(not (NPM and NODE), reason="needs npm and node 18 or newer: apt-get install npm")


def install() -> None:
    """What the lock file says, once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = (HERE / "package-lock.json").read_text()
        done = CACHE / ".installed"
        if not done.exists() or done.read_text() != wanted:
            for file in ("package.json", "package-lock.json"):
                shutil.copy(HERE / file, CACHE / file)
            subprocess.run([NPM, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=CACHE, check=True,
                           capture_output=True, timeout=240)  # fmt: skip
            done.write_text(wanted)
        shutil.copy(HERE / "server.mjs", CACHE / "server.mjs")


class Strict:
    """ocpp-rpc's server as a process; a context manager. ``heard`` is what it told."""

    def __init__(self, key: str = "") -> None:
        self.heard: list[dict] = []
        self._answers: queue.Queue[dict] = queue.Queue()
        self._key = key

    def __enter__(self) -> Strict:
        install()
        self._process = subprocess.Popen(
            [NODE, "server.mjs"], cwd=CACHE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "KEY": self._key},
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_until(lambda: self.find("port"), "ocpp-rpc listens", timeout=60)
        return self

    def _read(self) -> None:
        for line in self._process.stdout:
            told = json.loads(line)
            (self._answers.put if "answered" in told else self.heard.append)(told)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(10)
        self._reader.join(5)
        for pipe in (self._process.stdin, self._process.stdout):
            pipe.close()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.find('port')['port']}"

    @property
    def wrong(self) -> list[dict]:
        return [told for told in self.heard if "wrong" in told]

    def find(self, key: str) -> dict | None:
        return next((told for told in list(self.heard) if key in told), None)

    def wait(self, method: str, fits=lambda params: True) -> dict:
        def find():
            assert not self.wrong, self.wrong
            return next(
                (t["params"] for t in list(self.heard) if t.get("method") == method and fits(t["params"])), None
            )

        return wait_until(find, f"{method}; heard {self.heard[-5:]}")

    def call(self, method: str, params: dict) -> dict:
        self._process.stdin.write(json.dumps({"method": method, "params": params}) + "\n")
        self._process.stdin.flush()
        return self._answers.get(timeout=20)


@pytest.fixture
def strict() -> Iterator[Strict]:
    with Strict() as running:
        yield running
    assert running.wrong == []


@needs_npm
def test_ocpp_rpc_finds_nothing_wrong_with_1_6(start, strict, server):
    start(strict, tag="HOME", url=strict.url)
    strict.wait("StatusNotification", lambda p: p["connectorId"] == 1)
    strict.call("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "1"})
    strict.call("ChangeConfiguration", {"key": "StopTxnSampledData", "value": "Energy.Active.Import.Register"})
    server.call(lambda model: model.car.plug())
    strict.wait("StatusNotification", lambda p: p["status"] == "Charging")
    calls = [
        ("GetConfiguration", {}), ("GetConfiguration", {"key": ["NoSuch", "HeartbeatInterval"]}),
        ("ChangeAvailability", {"connectorId": 0, "type": "Operative"}), ("ClearCache", {}),
        ("SetChargingProfile", profile(10)), ("GetCompositeSchedule", {"connectorId": 1, "duration": 60}),
        ("GetCompositeSchedule", {"connectorId": 0, "duration": 60, "chargingRateUnit": "W"}),
        ("ClearChargingProfile", {}), ("TriggerMessage", {"requestedMessage": "MeterValues"}),
        ("TriggerMessage", {"requestedMessage": "BootNotification"}), ("DataTransfer", {"vendorId": "x"}),
        ("GetLocalListVersion", {}), ("SendLocalList", {"listVersion": 1, "updateType": "Full"}),
        ("ReserveNow", {"connectorId": 1, "expiryDate": stamp(2e9), "idTag": "A", "reservationId": 1}),
        ("CancelReservation", {"reservationId": 1}), ("UnlockConnector", {"connectorId": 1}),
        ("RemoteStartTransaction", {"idTag": "A"}),
    ]  # fmt: skip
    assert [
        (method, answer["error"]) for method, params in calls if "error" in (answer := strict.call(method, params))
    ] == []
    strict.wait("MeterValues", lambda p: "transactionId" in p)
    assert strict.call("RemoteStopTransaction", {"transactionId": 1})["result"] == {"status": "Accepted"}
    assert strict.wait("StopTransaction")["transactionData"]
    assert (
        strict.call("UpdateFirmware", {"location": "http://x", "retrieveDate": stamp(2e9)})["error"] == "NotSupported"
    )


@needs_npm
def test_ocpp_rpc_finds_nothing_wrong_with_2_0_1(start, strict, server):
    start(strict, version="2.0.1", tag="HOME", url=strict.url)
    strict.wait("StatusNotification")
    server.call(lambda model: model.car.plug())
    strict.wait("TransactionEvent", lambda p: p["transactionInfo"].get("chargingState") == "Charging")
    component = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
    calls = [
        ("GetVariables", {"getVariableData": [component]}),
        ("SetVariables", {"setVariableData": [{**component, "attributeValue": "60"}]}),
        ("GetBaseReport", {"requestId": 1, "reportBase": "FullInventory"}),
        ("GetCompositeSchedule", {"duration": 60, "evseId": 1}), ("GetTransactionStatus", {}),
        ("ChangeAvailability", {"operationalStatus": "Operative"}), ("GetLocalListVersion", {}), ("ClearCache", {}),
        ("TriggerMessage", {"requestedMessage": "TransactionEvent"}),
        ("UnlockConnector", {"evseId": 1, "connectorId": 1}),
    ]  # fmt: skip
    assert [
        (method, answer["error"]) for method, params in calls if "error" in (answer := strict.call(method, params))
    ] == []
    strict.wait("NotifyReport", lambda p: not p.get("tbc"))
    server.call(lambda model: model.car.unplug())
    strict.wait("TransactionEvent", lambda p: p["eventType"] == "Ended")


@needs_npm
def test_ocpp_rpc_asks_for_the_key(start):
    with Strict(key="0123456789abcdefXYZ") as strict:
        start(strict, key="0123456789abcdefXYZ", url=strict.url)
        strict.wait("BootNotification")
        assert strict.find("connected") == {"connected": "GARAGE", "protocol": "ocpp1.6"}


# --- ocpp-csms --------------------------------------------------------------------------------------------------------


class Csms:
    """ocpp-csms in a thread; a context manager. ``do`` runs one of its methods."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Csms:
        from ocpp_csms import CentralSystem

        self._thread.start()
        self.system = CentralSystem(host="127.0.0.1", port=0)
        self.do(self.system.async_start())
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self.system.async_stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.system.port}/ocpp"

    @property
    def point(self):
        return self.system.charge_points.get("GARAGE")


def test_ocpp_csms_sees_a_charge_and_starts_and_stops_it(start, server):
    server.call(lambda model: model.flash.update(REQAUTH=1))
    with Csms() as csms:
        start(csms, url=csms.url)
        point = wait_until(
            lambda: csms.point and csms.point.boot and 1 in csms.point.connectors and csms.point, "boots"
        )
        assert point.boot.vendor == "ESP32-EVSE"
        assert csms.do(point.async_change_configuration("MeterValueSampleInterval", "1")) == "Accepted"
        server.call(lambda model: model.car.plug())
        wait_until(lambda: point.connectors[1].status == "Preparing")
        assert csms.do(point.async_remote_start_transaction("CARD", connector_id=1)) == "Accepted"
        wait_until(lambda: point.connectors[1].status == "Charging")
        transaction = wait_until(lambda: point.get_transaction(1))
        assert transaction.id_tag == "CARD"
        reading = wait_until(lambda: point.get_meter_reading(1, "Energy.Active.Import.Register"))
        assert float(reading.value) >= transaction.meter_start
        assert csms.do(point.async_remote_stop_transaction(transaction.transaction_id)) == "Accepted"
        wait_until(lambda: point.connectors[1].status == "Finishing")
        wait_until(lambda: point.get_transaction(1) is None)
        assert csms.do(point.async_unlock_connector(1)) == "NotSupported"
        assert len(csms.do(point.async_get_configuration()).values) > 30
