"""Several chargers and all bridges in one process, as users run it: real broker, real HTTP, a real Modbus client."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from pymodbus.client import ModbusTcpClient

from evse_host.files.secret_file import NO_FILE
from evse_host.installation import how_to_add
from evse_host.simulator import Car, Charger, PtyServer
from tools.run.host_node import free_port

from .gateway_support import GatewayProcess
from .mqtt_support import Client, Mosquitto, needs_mosquitto
from .support import wait_until

pytestmark = needs_mosquitto

JSON = {"content-type": "application/json"}
CURRENT = 106  # register, A/10


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[dict[str, PtyServer]]:
    """Two chargers, at each a car."""
    models = {name: Charger(car=Car(plugged=True)) for name in ("garage", "carport")}
    for model in models.values():
        model.advance(30)
    with (
        PtyServer(models["garage"], tmp_path / "port1") as garage,
        PtyServer(models["carport"], tmp_path / "port2") as carport,
    ):
        yield {"garage": garage, "carport": carport}


class Places:
    """Where a gateway with all bridges serves, and its configuration."""

    def __init__(self, broker: Mosquitto, folder: Path) -> None:
        self.http, self.modbus = free_port(), free_port()
        (folder / "token").write_text("secret-token\n")
        self.bridges = [
            {"type": "mqtt", "broker": broker.uri},
            {"type": "rest", "listen": f"127.0.0.1:{self.http}"},
            {"type": "modbus", "tcp": f"127.0.0.1:{self.modbus}", "units": {"garage": 1, "carport": 2}},
            {"type": "thingsboard", "broker": broker.uri, "tokens": {"garage": "!file token"}},
        ]

    def url(self, name: str, path: str = "") -> str:
        return f"http://127.0.0.1:{self.http}/{name}/api/v1/state{path}"

    @contextmanager
    def master(self) -> Iterator[ModbusTcpClient]:
        """By Modbus, as soon as it listens."""
        client = ModbusTcpClient("127.0.0.1", port=self.modbus)
        wait_until(client.connect)
        yield client
        client.close()

    def current(self, name: str) -> float | None:
        """By REST; None while it is not there."""
        try:
            answer = httpx.get(self.url(name))
        except httpx.TransportError:
            return None
        return answer.json()["chargingCurrent"] if answer.status_code == 200 else None

    def write(self, name: str, ampere: float) -> httpx.Response:
        return httpx.post(self.url(name, "/charging-current"), content=str(ampere), headers=JSON, timeout=20)


@pytest.fixture
def places(broker: Mosquitto, tmp_path: Path) -> Places:
    return Places(broker, tmp_path)


def online(client: Client, *names: str) -> None:
    for name in names:
        client.wait(f"{name}/availability", lambda heard: heard.payload == "online")


def change(server: PtyServer, tenths: int) -> None:
    """Somebody else sets the current."""
    server.inject(lambda faults: faults.change_setting("CHCUR", tenths))


# --- sharing ----------------------------------------------------------------------------------------------------------


def test_all_bridges_show_and_write_the_same_charger(tmp_path, broker, servers, places):
    with GatewayProcess(tmp_path, servers, places.bridges), Client(broker) as client:
        online(client, "garage", "carport")
        wait_until(lambda: places.current("carport") is not None)
        with places.master() as modbus:
            change(servers["garage"], 100)
            client.wait_state("garage/state", current=10.0)
            assert places.current("garage") == 10.0 and places.current("carport") == 32.0
            assert modbus.read_holding_registers(CURRENT, device_id=1).registers == [100]
            assert modbus.read_holding_registers(CURRENT, device_id=2).registers == [320]

            assert places.write("garage", 11).status_code == 200
            client.wait_state("garage/state", current=11.0)
            assert not modbus.write_register(CURRENT, 120, device_id=1).isError()
            client.wait_state("garage/state", current=12.0)
            client.publish("garage/current/set", "13")
            wait_until(lambda: places.current("garage") == 13.0)

            client.wait("v1/devices/me/telemetry", lambda heard: heard.json["charging"] is True)
            call = '{"method": "setChargingCurrent", "params": 14}'
            client.publish("v1/devices/me/rpc/request/7", call)
            client.wait("v1/devices/me/rpc/response/7", lambda heard: heard.json == {"value": 14.0})
            client.wait_state("garage/state", current=14.0)
        assert servers["carport"].call(lambda model: model.journal.writes("CHCUR")) == []
        writes = servers["garage"].call(lambda model: model.journal.writes("CHCUR"))
        assert writes == ["AT+CHCUR=110", "AT+CHCUR=120", "AT+CHCUR=130", "AT+CHCUR=140"]


def test_each_charger_has_one_owner(tmp_path, broker, servers, places):
    with GatewayProcess(tmp_path, servers, places.bridges), Client(broker) as client:
        online(client, "garage", "carport")
        wait_until(lambda: places.current("garage") is not None)
        garage = servers["garage"]
        wait_until(lambda: len(garage.call(lambda model: list(model.subscriptions))) > 30)
        asked = Counter(
            garage.call(lambda model: [line for line in model.journal.commands if line.startswith("AT+SUB=")])
        )
        assert set(asked.values()) == {1}, "as often as there are owners"
        second = [sys.executable, "-m", "evse_host.cli", "--port", garage.path, "get", "state"]
        refused = subprocess.run(second, capture_output=True, text=True)
        assert refused.returncode == 3 and "another program has it open" in refused.stderr


def test_writers_of_two_bridges_at_once_are_both_told_the_truth(tmp_path, broker, servers, places):
    with GatewayProcess(tmp_path, servers, places.bridges), Client(broker) as client:
        online(client, "garage")
        wait_until(lambda: places.current("garage") is not None)
        wait_until(lambda: len(servers["garage"].call(lambda model: list(model.subscriptions))) > 30, "it is idle")
        told = []

        def by_rest() -> None:
            told.extend(places.write("garage", ampere).status_code for ampere in (7, 8, 9, 10, 11))

        def by_modbus() -> None:
            with places.master() as modbus:
                for tenths in (125, 135, 145, 155, 165):
                    told.append(200 if not modbus.write_register(CURRENT, tenths, device_id=1).isError() else 0)

        writers = [threading.Thread(target=by_rest), threading.Thread(target=by_modbus)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        writes = servers["garage"].call(lambda model: model.journal.writes("CHCUR"))
        assert told == [200] * 10
        assert sorted(writes) == sorted(
            f"AT+CHCUR={tenths}" for tenths in (70, 80, 90, 100, 110, 125, 135, 145, 155, 165)
        )
        last = int(writes[-1].partition("=")[2]) / 10
        client.wait_state("garage/state", current=last)
        assert places.current("garage") == last


# --- what is away does not take the others down -----------------------------------------------------------------------


def test_a_taken_address_keeps_only_its_bridge_waiting(tmp_path, broker, servers, places):
    taken = socket.create_server(("127.0.0.1", places.http))
    with GatewayProcess(tmp_path, servers, places.bridges) as gateway, Client(broker) as client:
        with taken:
            online(client, "garage", "carport")
            gateway.wait_log(
                f"ERROR evse.gateway: cannot listen on 127.0.0.1:{places.http}: address already in use; the"
            )
            with places.master() as modbus:
                assert modbus.read_holding_registers(CURRENT, device_id=1).registers == [320]
        wait_until(lambda: places.current("garage") == 32.0, "served as soon as the address is free")


def test_without_a_broker_the_others_serve(tmp_path, broker, servers, places):
    broker.stop()
    with GatewayProcess(tmp_path, servers, places.bridges) as gateway:
        wait_until(lambda: places.current("garage") == 32.0)
        assert places.write("garage", 10).status_code == 200
        gateway.wait_log("cannot be used: connection refused; trying again", times=2)
        broker.start()
        with Client(broker) as client:
            online(client, "garage", "carport")
            client.wait_state("garage/state", current=10.0)


def test_a_silent_charger_is_the_only_one_offline(tmp_path, broker, servers, places):
    missing = {**servers, "shed": str(tmp_path / "not-there")}
    with GatewayProcess(tmp_path, missing, places.bridges) as gateway, Client(broker) as client:
        online(client, "garage", "carport")
        client.wait("shed/availability", lambda heard: heard.payload == "offline")
        wait_until(lambda: places.current("carport") is not None)
        seen = len(client.heard)
        servers["carport"].inject(lambda faults: faults.cable_out())
        client.wait("carport/availability", lambda heard: heard.payload == "offline", after=seen)
        assert places.write("garage", 10).status_code == 200
        refused = places.write("carport", 10)
        assert refused.status_code == 503 and "does not answer" in refused.text
        seen = len(client.heard)
        servers["carport"].inject(lambda faults: faults.cable_in())
        client.wait("carport/availability", lambda heard: heard.payload == "online", after=seen)
        assert gateway.log.count("evse.shed: offline") == 1, "said once"
        assert servers["carport"].call(lambda model: model.journal.writes("CHCUR")) == []


# --- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_tidily(tmp_path, broker, servers, places, number):
    with GatewayProcess(tmp_path, servers, places.bridges) as gateway, Client(broker) as client:
        online(client, "garage", "carport")
        wait_until(lambda: places.current("garage") is not None)
        assert gateway.end(number) == 0
        for name, server in servers.items():
            client.wait(f"{name}/availability", lambda heard: heard.payload == "offline")
            wait_until(lambda server=server: server.call(lambda model: list(model.subscriptions)) == [])
        with Client(broker) as late:
            assert late.wait("garage/availability").payload == "offline", "retained"
        assert "Traceback" not in gateway.log and gateway.log.rstrip().endswith("evse.gateway: ended")
        assert "secret-token" not in gateway.log
        assert "evse-host-garage closed its connection" not in (tmp_path / "mosquitto.log").read_text(), "no goodbye"


def test_ctrl_c_ends_it_as_every_command(tmp_path, broker, servers, places):
    with GatewayProcess(tmp_path, servers, places.bridges) as gateway, Client(broker) as client:
        online(client, "garage")
        assert gateway.end(signal.SIGINT) == 130
        client.wait("garage/availability", lambda heard: heard.payload == "offline")
        assert "Traceback" not in gateway.log


def test_it_ends_while_all_is_away(tmp_path, broker, places):
    broker.stop()
    with GatewayProcess(
        tmp_path, {"garage": "/dev/not-there", "carport": "/dev/not-there2"}, places.bridges
    ) as gateway:
        gateway.wait_log("evse.garage: offline")
        assert gateway.end() == 0


# --- beyond one machine -----------------------------------------------------------------------------------------------


def test_two_gateways_meet_at_one_broker(tmp_path, broker, servers):
    for name in servers:
        (tmp_path / name).mkdir()
    one, other = (
        GatewayProcess(tmp_path / name, {name: server}, [{"type": "mqtt", "broker": broker.uri}])
        for name, server in servers.items()
    )
    with one as garage, other as carport, Client(broker) as client:
        online(client, "garage", "carport")
        client.publish("carport/current/set", "10")
        client.wait_state("carport/state", current=10.0)
        assert servers["garage"].call(lambda model: model.journal.writes()) == []
        assert garage.end() == 0
        client.wait("garage/availability", lambda heard: heard.payload == "offline")
        client.publish("carport/current/set", "11")
        client.wait_state("carport/state", current=11.0)
        assert "lost" not in carport.log
        found = {heard.topic.split("/")[2] for heard in client.heard if heard.topic.startswith("homeassistant/")}
        assert found == {"garage", "carport"}


def test_two_gateways_with_the_same_name_are_told_in_the_log(tmp_path, broker, servers):
    """The broker lets in one client of a name: they throw each other out."""
    gateways = []
    for name, server in servers.items():
        (tmp_path / name).mkdir()
        gateways.append(GatewayProcess(tmp_path / name, {"evse": server}, [{"type": "mqtt", "broker": broker.uri}]))
    with gateways[0] as one, gateways[1] as other:
        wait_until(lambda: "is another client with our name there?" in one.log + other.log)


# --- the command ------------------------------------------------------------------------------------------------------


def check(
    config: Path, *options: str, python: tuple[str, ...] = ("-m", "evse_host.cli")
) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *python, *options, "gateway", "--check", str(config)], capture_output=True, text=True
    )


def test_check_says_what_would_be_served_and_opens_nothing(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        "chargers: {garage: {port: /dev/not-there}}\nbridges:\n- {type: rest}\n- {type: mqtt, broker: mqtt://x}\n"
    )
    done = check(config)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "1 charger: garage",
        "rest: garage at http://127.0.0.1:8080/NAME/",
        "mqtt: garage at mqtt://x:1883, topics NAME/state and so on",
    ]
    assert '"chargers": ["garage"]' in check(config, "--json").stdout


def test_check_tells_every_problem_in_a_line(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("chargers: {garage: {prt: x}}\nbridges:\n- {type: rest}\n- {type: mqtt, ca_file: x}\n")
    done = check(config)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.splitlines() == [
        f"evse-host: {config}:1: chargers.garage.port: is missing",
        f"evse-host: {config}:1: chargers.garage.prt: unknown; did you mean 'port'?",
        f"evse-host: {config}:4: bridges.2.broker: is missing",
    ]


def test_a_file_that_is_missing_where_it_is_used(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("chargers: {a: {port: x}}\nbridges:\n- {type: mqtt, broker: mqtts://x, ca_file: ca.pem}\n")
    assert check(config).stderr == f"evse-host: bridges.1: ca file: {NO_FILE}\n"


@pytest.mark.parametrize("module", ["pydantic", "paho", "uvicorn", "pymodbus"])
def test_a_missing_package_is_one_line(tmp_path, module):
    without = f"import sys; sys.modules[{module!r}] = None; from evse_host.cli import main; main(sys.argv[1:])"
    done = check(tmp_path / "x", python=("-c", without))
    assert done.returncode == 2
    assert done.stderr == f"evse-host: the gateway needs more packages: {how_to_add('gateway')}\n"
