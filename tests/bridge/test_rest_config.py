"""What the charger's own API has beside `/state`: settings, names, board, addresses, clock, restart; real HTTP."""

from __future__ import annotations

import json

import pytest

from evse_host.bridge import rest_config
from evse_host.simulator import Charger, PtyServer

from .rest_support import API, JSON, begin, kept_charger, orders, serving, value
from .support import wait_until


@pytest.fixture
def client(charger):
    with serving(charger) as opened:
        yield opened


@pytest.fixture(scope="module")
def kept():
    with kept_charger() as (server, owner), serving(owner) as client:
        yield server, owner, client


@pytest.fixture
def bench(kept):
    """(server, client); nothing has been written yet."""
    server, owner, client = kept
    begin(server, owner)
    return server, client


def post(client, path: str, body: str = "", **options):
    return client.post(f"{API}/{path}", content=body, headers=options.get("headers", JSON))


# --- what is read

EVSE_KEYS = {
    "maxChargingCurrent": 32, "defaultChargingCurrent": 32.0, "requireAuth": False, "socketOutlet": False, "rcm": None,
    "temperatureThreshold": None, "defaultConsumptionLimit": 0, "defaultChargingTimeLimit": 0,
    "defaultUnderPowerLimit": 0, "socketLockOperatingTime": None, "socketLockBreakTime": None,
    "socketLockDetectionHigh": None, "socketLockRetryCount": None, "energyMeterMode": "cur_vlt",
    "energyMeterAcVoltage": 230, "energyMeterThreePhases": True,
}  # fmt: skip


def test_the_objects_that_at_fills(bench):
    server, client = bench
    shown = {path: client.get(f"{API}/{path}").json() for path in (
        "config/evse", "config/discovery", "config/wifi", "wifi/state", "info", "board-config", "time", "config",
    )}  # fmt: skip
    assert shown["config/evse"] == EVSE_KEYS
    assert shown["config/discovery"] == {
        "hostname": value(server, "HOSTNAME")[0], "instanceName": value(server, "INSTNAME")[0],
    }  # fmt: skip
    assert set(shown["config/wifi"]) == {"enabled", "ssid", "staticEnabled", "staticIp", "staticGateway",
                                         "staticNetmask", "staticDns"}  # fmt: skip
    assert shown["wifi/state"]["mac"] == value(server, "WIFISTAMAC")[0]
    assert set(shown["wifi/state"]) == {"ip", "mac", "rssi", "apIp", "apMac", "apEnabled", "apSsid"}
    assert shown["info"]["appVersion"] == value(server, "VER")[0]
    assert shown["info"]["chip"] == value(server, "CHIP")[0]
    assert shown["info"]["chipRevision"] == value(server, "CHIP")[2] // 100
    assert abs(shown["info"]["uptime"] - value(server, "UPTIME")[0]) < 10
    assert shown["info"]["temperatureHigh"] == value(server, "TEMP")[1] / 100
    assert shown["info"]["heap"]["allocated"] + shown["info"]["heap"]["free"] == shown["info"]["maxHeapSize"]
    assert abs(shown["time"] - value(server, "TIME")[0]) < 10
    board = shown["board-config"]
    assert board["deviceName"] == value(server, "DEVNAME")[0]
    assert board["energyMeter"] == "cur_vlt" and board["energyMeterThreePhases"] is True
    assert board["serials"] and all(set(port) == {"type", "name"} for port in board["serials"])
    assert {port["type"] for port in board["serials"]} <= {"uart", "rs485"}
    assert all(isinstance(board[key], list) for key in ("auxInputs", "auxOutputs", "auxAnalogInputs"))
    assert shown["config"] == {name: shown[f"config/{name}"] for name in ("evse", "wifi", "discovery")}
    assert orders(server) == []


def test_without_a_sensor_no_temperature_is_made_up(share):
    with PtyServer(Charger()) as server:
        server.call(lambda charger: charger.override("TEMP", 0, 0, 0))
        with serving(share(server)) as client:
            info = client.get(f"{API}/info").json()
            assert (info["temperatureSensorCount"], info["temperatureLow"], info["temperatureHigh"]) == (0, None, None)


def test_energies_of_settings_are_in_wh_too(server, share):
    server.call(lambda charger: charger.set("DEFCONSUMLIM", 12_000))
    owner = share(server)
    with serving(owner) as wh, serving(owner, energies="Ws") as ws:
        assert wh.get(f"{API}/config/evse").json()["defaultConsumptionLimit"] == 12_000
        assert ws.get(f"{API}/config/evse").json()["defaultConsumptionLimit"] == 43_200_000
        assert post(ws, "config/evse", '{"defaultConsumptionLimit": 36000000}').text == "OK"
        assert value(server, "DEFCONSUMLIM") == (10_000,)
        assert post(ws, "state/consumption-limit", "3600001").text == "OK"
        assert value(server, "CONSUMLIM") == (1_001,)
        assert wh.get(f"{API}/state").json()["consumptionLimit"] == 1_001


# --- what is written


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"maxChargingCurrent": 16}', "MAXCHCUR=16"),
        ('{"defaultChargingCurrent": 10.55}', "DEFCHCUR=106"),
        ('{"requireAuth": true}', "REQAUTH=1"),
        ('{"socketOutlet": true}', "SOCKETOUTLET=1"),
        ('{"defaultConsumptionLimit": 12000.5}', "DEFCONSUMLIM=12001"),
        ('{"defaultChargingTimeLimit": 7200}', "DEFCHTIMELIM=7200"),
        ('{"defaultUnderPowerLimit": 65535}', "DEFUNDERPOWERLIM=65535"),
        ('{"energyMeterMode": "cur"}', "EMETERMODE=1"),
        ('{"energyMeterAcVoltage": 240}', "EMETERACVOLTAGE=240"),
        ('{"energyMeterThreePhases": false}', "EMETERTHREEPHASE=0"),
    ],
)
def test_each_setting_of_the_charger_is_written_once(server, client, body, expected):
    assert post(client, "config/evse", body).text == "OK"
    assert orders(server) == [expected]
    shown = client.get(f"{API}/config/evse").json()
    assert all(str(shown[key])[:4] == str(wanted)[:4] or key == "defaultChargingCurrent" or "Limit" in key
               for key, wanted in json.loads(body).items())  # fmt: skip


def test_a_maximum_and_the_current_below_it_in_one_object(server, client):
    """The second is checked against the first, which is written before it."""
    assert post(client, "config/evse", '{"maxChargingCurrent": 16, "defaultChargingCurrent": 12}').text == "OK"
    assert post(client, "config/evse", '{"defaultChargingCurrent": 30, "maxChargingCurrent": 32}').text == "OK"
    answer = post(client, "config/evse", '{"maxChargingCurrent": 10, "defaultChargingCurrent": 12}')
    assert answer.status_code == 400 and "12 is out of range, 6 to 10 A" in answer.text
    assert orders(server) == ["MAXCHCUR=16", "DEFCHCUR=120", "MAXCHCUR=32", "DEFCHCUR=300"]


def test_a_lower_maximum_beside_the_current_of_now_writes_nothing(server, client):
    """As the charger's own page sends it: the whole object, of which a person has changed the maximum."""
    whole = client.get(f"{API}/config/evse").json()
    answer = post(client, "config/evse", json.dumps(whole | {"maxChargingCurrent": 16}))
    assert answer.status_code == 400 and "defaultChargingCurrent: 32.0 is out of range, 6 to 16 A" in answer.text
    assert orders(server) == []


@pytest.mark.parametrize("path", ["state", "config/evse"])
def test_what_get_gave_can_be_sent_back_when_the_maximum_was_lowered(server, client, path):
    server.inject(lambda faults: faults.change_setting("DEFCHCUR", 320))  # one that was never set follows the maximum
    server.inject(lambda faults: faults.change_setting("MAXCHCUR", 20))
    wait_until(lambda: client.get(f"{API}/config/evse").json()["maxChargingCurrent"] == 20)
    before = client.get(f"{API}/{path}").json()
    answer = post(client, path, json.dumps(before))
    assert answer.text == "OK"
    assert client.get(f"{API}/{path}").json()["sessionTime" if path == "state" else "maxChargingCurrent"]


@pytest.mark.parametrize("path", ["state", "config/evse", "config/discovery"])
def test_what_get_gave_can_be_sent_back(server, client, path):
    """The charger ignores what it does not know, and so do its clients' writers."""
    before = client.get(f"{API}/{path}").json()
    assert post(client, path, json.dumps(before)).text == "OK"
    after = client.get(f"{API}/{path}").json()
    if path == "state":
        moving = ("power", "current", "voltage", "sessionTime", "chargingTime", "consumption", "totalConsumption")
        before, after = ({key: shown[key] for key in shown if key not in moving} for shown in (before, after))
    assert after == before
    if path != "state":
        assert orders(server) == []  # what the flash holds already is not written again


def test_a_name_is_written_escaped_or_refused(server, client):
    assert post(client, "config/discovery", '{"instanceName": "Garage \\"left\\""}').text == "OK"
    assert value(server, "INSTNAME") == ('Garage "left"',)
    answer = post(client, "config/discovery", '{"hostname": "a\\nAT+RST"}')
    assert answer.status_code == 400 and "control character" in answer.text
    assert orders(server) == ['INSTNAME="Garage \\"left\\""']


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("config/evse", '{"rcm": true}', 501, "rcm: AT cannot write that"),
        ("config/evse", '{"maxChargingCurrent": 16, "socketLockBreakTime": 1}', 501, "nothing was written"),
        ("config/evse", '{"maxChargingCurrent": 64}', 400, "6 to 63 A"),
        ("config/evse", '{"maxChargingCurrent": 16, "energyMeterMode": "best"}', 400, "none of dummy, cur, cur_vlt"),
        ("config/evse", '{"energyMeterMode": 1}', 400, "none of dummy"),
        ("config/evse", '{"requireAuth": 1}', 400, "neither true nor false"),
        ("config/evse", "{}", 400, "at least one of maxChargingCurrent"),
        ("config/discovery", '{"hostname": ""}', 400, "it is empty"),
        ("config/discovery", '{"hostname": 7}', 400, "no text"),
        ("time", '"now"', 400, "no number"),
        ("time", "-1", 400, "out of range"),
        ("wifi/state/ap", "1", 400, "neither true nor false"),
        ("config/wifi", '{"enabled": false}', 501, "evse-host wifi"),
    ],
)
def test_what_is_refused_is_not_written(bench, path, body, status, words):
    server, client = bench
    answer = post(client, path, body)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text
    assert orders(server) == []


def test_clock_and_access_point_can_be_set(server, client):
    assert post(client, "time", "1800000000").text == "OK"
    assert abs(client.get(f"{API}/time").json() - 1_800_000_000) < 10
    assert post(client, "wifi/state/ap", "true").text == "OK"
    assert client.get(f"{API}/wifi/state").json()["apEnabled"] is True
    assert orders(server) == ["TIME=1800000000", "WIFIAPCFG=1"]


def test_a_restart_is_followed_until_the_charger_is_back(server, client):
    server.call(lambda charger: charger.set("CHCUR", 100))
    assert post(client, "restart").text == "OK"
    assert orders(server) == ["RST"]
    wait_until(lambda: value(server, "UPTIME")[0] < 5, "it restarts", 30)

    def read_again() -> bool:
        answer = client.get(f"{API}/state")  # one request tells both: between two the restart may be noticed
        return answer.status_code == 200 and answer.json()["chargingCurrent"] == 32

    wait_until(read_again, "the charger is read again")
    assert orders(server) == ["RST"]


# --- what is not there


@pytest.mark.parametrize(
    "path",
    ["config/modbus", "config/serial", "config/script", "config/scheduler", "wifi/scan", "script/output",
     "script/components", "script/components/solar", "script/reload", "firmware/channels", "firmware/check-update",
     "firmware/update", "firmware/upload", "nextion/info", "log", "log/panic", "credentials"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "HEAD"])
def test_what_at_does_not_reach_is_501_and_says_why(bench, path, method):
    server, client = bench
    answer = client.request(method, f"{API}/{path}", headers=JSON)
    assert answer.status_code == 501
    assert method == "HEAD" or answer.text.startswith("not here: ")
    assert orders(server) == []


@pytest.mark.parametrize("path", ["config/evses", "logs", "firmwares", "infos", "boardConfig", ""])
def test_what_no_charger_has_is_404(bench, path):
    _, client = bench
    for method in ("GET", "POST", "OPTIONS"):
        assert client.request(method, f"{API}/{path}", headers=JSON).status_code == 404


def test_a_silent_charger_is_503_everywhere(server, client):
    server.inject(lambda faults: faults.cable_out())
    wait_until(lambda: client.get(f"{API}/state").status_code == 503)
    for path in ("config/evse", "config/discovery", "config/wifi", "config", "wifi/state", "info", "time",
                 "board-config"):  # fmt: skip
        assert client.get(f"{API}/{path}").status_code == 503, path
    for path in ("restart", "time", "wifi/state/ap"):
        assert post(client, path, "true" if path.endswith("ap") else "1").status_code == 503, path
    server.inject(lambda faults: faults.cable_in())
    wait_until(lambda: client.get(f"{API}/state").status_code == 200)
    assert orders(server) == []


# --- as browsers and other clients ask


PATHS = ["/", "/page.js", f"{API}/state", f"{API}/config/evse", f"{API}/info", f"{API}/events"]


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_a_body(bench, path):
    _, client = bench
    answer = client.head(path)
    assert answer.status_code == 200 and answer.content == b""
    assert client.get(f"{API}/state").status_code == 200  # on the same connection


@pytest.mark.parametrize("path", ["state", "config/evse", "info"])
def test_a_slash_at_the_end_changes_nothing(bench, path):
    _, client = bench
    assert client.get(f"{API}/{path}/").status_code == 200
    assert client.head(f"{API}/{path}/").status_code == 200
    assert post(client, f"{path}/", "nonsense").status_code in (400, 405)


@pytest.mark.parametrize("path", ["//api/v1/state", "/api//v1/state//", "//", "//page.js"])
def test_slashes_that_a_proxy_has_doubled_change_nothing(bench, path):
    """nginx: `location /charger { proxy_pass http://127.0.0.1:8080/; }`."""
    _, client = bench
    assert client.get(client.base_url.copy_with(raw_path=path.encode())).status_code == 200


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://127.0.0.1/api/v1/state", 200),
        ("HTTP://localhost:8080/api/v1/state/", 200),
        ("http://127.0.0.1/api/v1/info?x=1", 200),
        ("http://127.0.0.1/", 200),
        ("http://127.0.0.1", 200),
        ("http://127.0.0.1/api/v1/nothing", 404),
        ("http://stranger.example/api/v1/state", 403),  # whatever the header Host says
        ("http://127.0.0.1@stranger.example/api/v1/state", 403),
        ("http:///api/v1/state", 403),
    ],
)
def test_a_whole_address_is_asked_as_through_a_proxy(bench, target, status):
    _, client = bench
    assert client.get("/", extensions={"target": target.encode()}).status_code == status


def test_settings_with_a_slash_lead_to_the_page_beside(bench):
    _, client = bench
    answer = client.get("/settings/")
    assert (answer.status_code, answer.headers["location"]) == (307, "../settings")
    assert "<html" in client.get("/settings/", follow_redirects=True).text


@pytest.mark.parametrize(
    ("path", "allowed"), [("state", "GET, HEAD, POST"), ("state/enabled", "POST"), ("info", "GET, HEAD"),
                          ("restart", "POST")],
)  # fmt: skip
def test_options_and_wrong_methods_hear_what_is_there(bench, path, allowed):
    _, client = bench
    answer = client.options(f"{API}/{path}")
    assert (answer.status_code, answer.headers["allow"]) == (204, allowed)
    for method in ("PUT", "PATCH", "DELETE"):
        answer = client.request(method, f"{API}/{path}", headers=JSON)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_a_name_without_a_slash_leads_to_its_page(bench, share):
    with PtyServer(Charger()) as one, serving({"garage": share(one)}) as client:
        for method in ("GET", "HEAD"):
            answer = client.request(method, "/garage")
            assert (answer.status_code, answer.headers["location"]) == (307, "garage/")  # whatever path is in front
        assert "<html" in client.get("/garage", follow_redirects=True).text
        assert client.get("/garage/api/v1/config/modbus").status_code == 501
        assert client.get("/yard").status_code == 404


def test_every_reason_is_for_an_address_of_the_charger():
    assert all(rest_config.absence(path) and not path.startswith("/") for path in rest_config.ABSENT)
