"""The REST API through real HTTP at a simulated charger."""

from __future__ import annotations

import socket
import threading
import time

import httpx
import pytest

from evse_host.bridge.charger import SILENT_S
from evse_host.bridge.rest_app import make_app
from evse_host.bridge.rest_server import RestServer
from evse_host.bridge.snapshot import Snapshot
from evse_host.errors import PortError, UsageError
from evse_host.simulator import Car, Charger, PtyServer

from .rest_support import API, JSON, begin, kept_charger, orders, post, serving, state, value
from .support import end_of, wait_until

USER = ("owner", "corréct:horse")
EVERY_WRITE = ("", "enabled", "available", "charging-current", "consumption-limit", "charging-time-limit",
               "under-power-limit", "authorize", "reset-total-consumption")  # fmt: skip


@pytest.fixture
def client(charger):
    with serving(charger) as opened:
        yield opened


@pytest.fixture(scope="module")
def kept():
    with kept_charger() as both:
        yield both


@pytest.fixture(scope="module")
def kept_client(kept):
    with serving(kept[1]) as opened:
        yield opened


@pytest.fixture
def bench(kept, kept_client):
    """(server, client); nothing has been written yet."""
    begin(*kept)
    return kept[0], kept_client


# --- reading


def test_state_is_what_the_charger_does(server, client):
    server.wait_for(lambda charger: charger.point.state == "C2")
    wait_until(lambda: state(client)["power"] > 7_000, "the car draws power")
    shown = state(client)
    assert shown["state"] == "C2"
    assert shown["enabled"] is shown["available"] is True
    assert shown["errors"] is None
    assert shown["chargingCurrent"] == 32
    wait_until(lambda: state(client)["totalConsumption"] == value(server, "EMETERTOTCONSUM")[0] > 2**20)
    wait_until(lambda: state(client)["current"] == [16, 16, 16], "the car has found its current")


def test_a_change_at_the_charger_is_shown(server, client):
    server.inject(lambda faults: faults.change_setting("ENABLE", 0))
    wait_until(lambda: state(client)["enabled"] is False)


def test_an_answer_is_never_kept_by_a_proxy(bench):
    _, client = bench
    answer = client.get(f"{API}/state")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


# --- writing


@pytest.mark.parametrize(
    ("path", "body", "name", "expected"),
    [
        ("enabled", "false", "ENABLE", 0),
        ("available", "false", "AVAILABLE", 0),
        ("charging-current", "10.5", "CHCUR", 105),
        ("charging-current", "16", "CHCUR", 160),
        ("consumption-limit", "10000", "CONSUMLIM", 10_000),
        ("charging-time-limit", "7200", "CHTIMELIM", 7_200),
        ("under-power-limit", "200", "UNDERPOWERLIM", 200),
    ],
)
def test_each_setting_is_written_once_and_read_back_at_once(server, client, path, body, name, expected):
    answer = post(client, path, body)
    assert (answer.status_code, answer.text) == (200, "OK")
    assert answer.headers["content-type"].startswith("text/plain")
    assert value(server, name) == (expected,)
    assert orders(server) == [f"{name}={expected}"]
    key = next(key for key in state(client) if key.lower() == path.replace("-", ""))
    assert f"{state(client)[key]}".removesuffix(".0").lower() == body  # at once: EVCC reads it after its write


def test_several_at_once_in_the_promised_order(server, client):
    assert post(client, "", '{"enabled":true,"chargingCurrent":13.5,"underPowerLimit":100}').text == "OK"
    assert orders(server) == ["CHCUR=135", "UNDERPOWERLIM=100", "ENABLE=1"]


def test_one_wrong_value_and_nothing_is_written(server, client):
    answer = post(client, "", '{"enabled":false,"chargingCurrent":10,"underPowerLimit":70000}')
    assert answer.status_code == 400
    assert answer.text == "underPowerLimit: 70000 is out of range, 0 to 65535 W are allowed"
    assert orders(server) == []
    assert state(client)["enabled"] is True


def test_a_write_that_the_charger_refuses_in_the_middle_is_told(server, client):
    def allow_less_but_show_more(charger: Charger) -> None:
        charger.set("MAXCHCUR", 10)
        charger.override("MAXCHCUR", 32)

    server.call(allow_less_but_show_more)
    answer = post(client, "", '{"enabled":false,"chargingCurrent":20,"underPowerLimit":100}')
    assert answer.status_code == 400
    assert answer.text.startswith("chargingCurrent: CHCUR: the charger refuses 200")
    assert answer.text.endswith("; written before: enabled; not tried: underPowerLimit")
    assert value(server, "ENABLE") == (0,)
    assert value(server, "UNDERPOWERLIM") == (0,)


def test_a_charger_that_shows_something_else_is_told(server, client):
    server.call(lambda charger: charger.override("CHCUR", 77))
    answer = post(client, "charging-current", "10")
    assert answer.status_code == 502
    assert answer.text == "chargingCurrent: CHCUR: wrote 100, the charger shows 77"


def test_an_authorization_reaches_a_waiting_car(server, client):
    server.call(lambda charger: (charger.set("REQAUTH", 1), charger.car.unplug()))
    wait_until(lambda: state(client)["state"] == "A")
    server.call(lambda charger: charger.car.plug())
    wait_until(lambda: state(client)["pendingAuth"])
    assert client.post(f"{API}/state/authorize").text == "OK"
    wait_until(lambda: state(client)["state"] == "C2")
    assert orders(server) == ["AUTH"]


def test_a_reset_of_the_total_begins_at_nothing(server, client):
    assert client.post(f"{API}/state/reset-total-consumption").text == "OK"
    assert orders(server) == ["EMETERTOTCONSUM=0"]
    counted = state(client)["totalConsumption"]
    assert counted < 20, "the running session was counted before, and is not counted again"
    assert value(server, "EMETERTOTCONSUM")[0] > 50


def test_reading_writes_nothing(bench):
    server, client = bench
    for path in ("/state", "/openapi.json", "/info", "/none"):
        client.get(API + path)
    assert orders(server) == []


# --- what is refused


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"]
)
@pytest.mark.parametrize("path", EVERY_WRITE[:7])
def test_a_body_that_is_not_said_to_be_json(bench, path, kind):
    server, client = bench
    answer = post(client, path, "true", headers={"content-type": kind} if kind else {})
    assert answer.status_code == 415
    assert orders(server) == []


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_by_any_of_its_names(bench, kind):
    _, client = bench
    assert post(client, "enabled", "true", headers={"content-type": kind}).text == "OK"


@pytest.mark.parametrize("path", EVERY_WRITE[:7])
@pytest.mark.parametrize("body", ["", "null", '"10"', "{", "[]", "{}", "nan"])
def test_a_wrong_body_writes_nothing(bench, path, body):
    server, client = bench
    assert post(client, path, body).status_code == 400
    assert orders(server) == []


def in_pieces(body: bytes):
    yield body[:1000]
    yield body[1000:]


@pytest.mark.parametrize("pieces", [False, True])
def test_a_body_may_have_50_kb_and_not_a_byte_more(bench, pieces):
    server, client = bench
    for size, status in ((50 * 1024, 200), (50 * 1024 + 1, 413)):
        body = b"16".rjust(size)
        assert post(client, "charging-current", in_pieces(body) if pieces else body).status_code == status
    assert orders(server) == ["CHCUR=160"]


@pytest.mark.parametrize("path", ["authorize", "reset-total-consumption"])
def test_nobody_waits_for_an_endless_body_that_means_nothing(bench, path):
    _, client = bench
    assert client.post(f"{API}/state/{path}", content=b"x" * 60_000).status_code == 413


@pytest.mark.parametrize(
    "path", ["/api/v1/stat", "/api/v1/state//x", "/api/v1/state/enable", "/state", "/../etc/passwd"]
)
def test_an_unknown_address_is_404_in_the_chargers_words(bench, path):
    _, client = bench
    for method in ("GET", "POST"):
        answer = client.request(method, path, headers=JSON, content=b"true" if method == "POST" else None)
        assert (answer.status_code, answer.text) == (404, "Not Found")


def test_a_wrong_method_hears_the_right_ones(bench):
    _, client = bench
    assert client.put(f"{API}/state").status_code == 405
    assert client.put(f"{API}/state").headers["allow"] == "GET, HEAD, POST"
    assert client.get(f"{API}/state/enabled").headers["allow"] == "POST"


# --- pages of strangers


@pytest.mark.parametrize("path", EVERY_WRITE)
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_a_stranger_cannot_write(bench, path, headers):
    server, client = bench
    answer = post(client, path, "true", headers={**JSON, **headers})
    assert answer.status_code == 403 and answer.text.startswith("a page of another site may not write")
    assert orders(server) == []


def test_our_own_page_can_write(bench):
    _, client = bench
    own = str(client.base_url).rstrip("/")
    assert post(client, "enabled", "true", headers={**JSON, "origin": own}).text == "OK"
    assert (
        post(client, "enabled", "true", headers={**JSON, "origin": own, "sec-fetch-site": "same-origin"}).text == "OK"
    )


def test_behind_a_proxy_that_speaks_tls_the_browser_vouches_for_the_page(bench):
    _, client = bench
    headers = {**JSON, "origin": "https://home.example", "sec-fetch-site": "same-origin"}
    assert post(client, "enabled", "true", headers=headers).text == "OK"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "", "evil.local", "evil",
     "EVIL.LOCAL:8080", "evil.lan", "xlocalhost", "[::1", "localhost@evil.local", f"{socket.gethostname()}.evil"],
)  # fmt: skip
def test_a_name_that_a_stranger_pointed_here_is_not_served(bench, host):
    server, client = bench
    for answer in (
        client.get(f"{API}/state", headers={"host": host}),
        post(client, "enabled", "false", headers={**JSON, "host": host, "origin": f"http://{host}"}),
    ):
        assert answer.status_code == 403
        assert "state" not in answer.text
    assert orders(server) == []


@pytest.mark.parametrize(
    "host",
    ["localhost:8080", "LocalHost", "evse.localhost", "localhost.", "[::1]:8080", "192.168.1.5", socket.gethostname(),
     f"{socket.gethostname()}.local:8080"],
)  # fmt: skip
def test_own_names_are_served(bench, host):
    _, client = bench
    assert client.get(f"{API}/state", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "said", ["Evse.Home", "evse.home:8080", "http://evse.home", "https://evse.home:8443/charger/", " evse.home. "]
)
def test_a_name_of_ones_own_is_served_where_it_is_said(kept, bench, said):
    server = RestServer(make_app(kept[1], hosts=[said]), port=0)
    server.start()
    try:
        for host, status in (("evse.home", 200), ("EVSE.home:8443", 200), ("evse.homes", 403)):
            assert httpx.get(f"{server.url}{API}/state", headers={"host": host}).status_code == status
    finally:
        server.stop()
    assert "--allow-host" in bench[1].get(f"{API}/state", headers={"host": "evil.local"}).text


@pytest.mark.parametrize("said", ["", " ", "*", "*.home", "http://", "a b", "evse.home,other", "[", "me:hunter2@*"])
def test_what_is_no_name_is_said_and_hides_secrets(kept, said):
    with pytest.raises(UsageError, match="one name is needed, such as home") as caught:
        make_app(kept[1], hosts=[said])
    assert "hunter2" not in str(caught.value)


def test_a_name_with_umlauts_is_called_as_browsers_do(kept):
    server = RestServer(make_app(kept[1], hosts=["küche.lan"]), port=0)
    server.start()
    try:
        assert httpx.get(f"{server.url}{API}/state", headers={"host": "xn--kche-0ra.lan"}).status_code == 200
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://home.lan", "host": "127.0.0.1:8080"}, 403),  # a bare proxy_pass
        ({"origin": "http://home.lan", "host": "home.lan"}, 200),
        ({"origin": "https://home.lan", "host": "home.lan:443"}, 200),
        ({"origin": "http://home.lan", "host": "HOME.lan:80"}, 200),
        ({"origin": "http://home.lan", "host": "home.lan:443"}, 403),
        ({"origin": "http://home.lan:8081", "host": "home.lan"}, 403),  # nginx's $host leaves the port out
        ({"origin": "http://home.lan:8081", "host": "home.lan:8081"}, 200),
        ({"origin": "http://home.lan", "host": "172.30.32.2:8099", "x-forwarded-host": "home.lan"}, 200),  # ingress
        ({"origin": "http://home.lan", "host": "x", "x-forwarded-host": "home.lan, inner"}, 200),
        ({"origin": "http://evil.lan", "host": "x", "x-forwarded-host": "home.lan"}, 403),
        ({"origin": "null", "host": ""}, 403),
        ({"origin": "http://[", "host": "home.lan"}, 403),
    ],
)
def test_a_write_behind_a_proxy_is_taken_from_its_own_page_only(kept, bench, headers, status):
    with serving(kept[1], USER) as client:
        auth = httpx.BasicAuth(USER[0], USER[1].encode())
        answer = post(client, "enabled", "true", headers={**JSON, **headers}, auth=auth)
    assert answer.status_code == status, answer.text
    if headers["host"] == "127.0.0.1:8080":
        assert "the page is at home.lan, and this server was called as 127.0.0.1:8080" in answer.text
        assert "proxy_set_header Host $http_host;" in answer.text
    assert orders(bench[0]) == (["ENABLE=1"] if status == 200 else [])


# --- credentials


def test_nothing_without_credentials(bench, kept, caplog):
    paths = ["/", f"{API}/state", f"{API}/openapi.json", f"{API}/events", "/page.js", "/none"]
    with serving(kept[1], USER) as client:
        for request in [("GET", path) for path in paths] + [("POST", f"{API}/state/{path}") for path in EVERY_WRITE]:
            for auth in (None, (USER[0], "wrong"), ("wrong", USER[1]), ("", "")):
                answer = client.request(*request, auth=auth)
                assert answer.status_code == 401, (request, auth)
                assert answer.headers["www-authenticate"].startswith("Basic realm=")
        assert orders(bench[0]) == []
        assert client.get(f"{API}/state", auth=httpx.BasicAuth(USER[0], USER[1].encode())).status_code == 200
        assert post(client, "enabled", "true", auth=httpx.BasicAuth(USER[0], USER[1].encode())).text == "OK"
    told = [record.getMessage() for record in caplog.records if record.name.startswith("evse.http")]
    assert told == ["127.0.0.1 has no or wrong credentials; not told again for this address"]
    assert "wrong" not in caplog.text.replace("no or wrong", "") and USER[1] not in caplog.text


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic !!!", "Basic b3duZXI=", "Bearer b3duZXI6Y29ycsOpY3Q6aG9yc2U=", "basic \xff"]
)
def test_a_strange_authorization_opens_nothing(kept, header):
    with serving(kept[1], USER) as client:
        assert client.get(f"{API}/state", headers={"authorization": header.encode("latin-1")}).status_code == 401


def test_with_credentials_any_name_is_served_but_no_page_of_a_stranger(bench, kept):
    auth = httpx.BasicAuth(USER[0], USER[1].encode())
    with serving(kept[1], USER) as client:
        assert client.get(f"{API}/state", headers={"host": "home.example"}, auth=auth).status_code == 200
        headers = {**JSON, "origin": "https://evil.example"}
        assert post(client, "enabled", "false", headers=headers, auth=auth).status_code == 403
    assert orders(bench[0]) == []


# --- faults


def test_a_silent_charger_and_its_return(server, charger, client, caplog):
    server.inject(lambda faults: faults.cable_out())
    wait_until(lambda: client.get(f"{API}/state").status_code == 503, "the silence is noticed")
    answers = [client.get(f"{API}/state"), post(client, "enabled", "false"), client.post(f"{API}/state/authorize")]
    for answer in answers:
        assert answer.status_code == 503
        assert "charger is offline: the charger does not answer" in answer.text
    assert post(client, "charging-current", "5").status_code == 400  # wrong is wrong, also now
    server.inject(lambda faults: faults.cable_in())
    wait_until(lambda: client.get(f"{API}/state").status_code == 200, "the charger is back")
    assert state(client)["enabled"] is True
    assert orders(server) == []  # nothing is written later that was refused before


def test_a_silent_charger_is_unknown_within_the_time_that_is_promised(server, charger, client):
    """Whether somebody waits for a write or not: what began later than SILENT_S after its last word is no 200."""
    post(client, "charging-current", "10")
    writer = threading.Thread(target=post, args=(client, "charging-current", "12"))
    evse = charger._evse
    server.inject(lambda faults: faults.cable_out())
    writer.start()
    with httpx.Client(base_url=client.base_url, timeout=20) as reader:
        asked_at = time.monotonic()
        while (answer := reader.get(f"{API}/state")).status_code == 200:
            assert asked_at - evse._heard_at < SILENT_S
            asked_at = time.monotonic()
        assert answer.status_code == 503
        assert "charger is offline: the charger does not answer" in answer.text
    writer.join()


def test_a_charger_that_restarts_is_unknown_until_it_was_read_again(server, charger, client):
    """Before, a stopped charger was shown as stopped although it charged again."""
    assert post(client, "enabled", "false").text == "OK"
    server.inject(lambda faults: faults.reboot())
    shown = set()

    def is_back() -> bool:
        answer = client.get(f"{API}/state")
        booted = value(server, "UPTIME")[0] < 30
        shown.add((booted, answer.status_code, answer.status_code == 200 and answer.json()["enabled"]))
        return answer.status_code == 200 and answer.json()["enabled"]

    wait_until(is_back)
    assert (False, 200, True) not in shown


def test_a_write_into_silence_is_no_success(server, client):
    server.inject(lambda faults: faults.cable_out())
    answer = post(client, "enabled", "false")
    assert answer.status_code == 503
    assert "OK" not in answer.text


def test_after_a_restart_nothing_is_written_by_itself(server, charger, client):
    post(client, "charging-current", "10")
    server.inject(lambda faults: faults.reboot())
    wait_until(lambda: charger.snapshot.online and charger.snapshot.charging_current == 32, "the default is back")
    assert orders(server) == ["CHCUR=100"]
    wait_until(lambda: post(client, "charging-current", "12").status_code == 200)
    assert state(client)["chargingCurrent"] == 12


def test_two_writers_at_once_are_both_answered(server, client):
    answers: dict[str, list[int]] = {}

    def write(path: str, bodies: list[str]) -> None:
        with httpx.Client(base_url=client.base_url, timeout=20) as own:
            answers[path] = [post(own, path, body).status_code for body in bodies]

    currents = [f"{6 + step / 10}" for step in range(15)]
    flags = ["false", "true"] * 5
    writers = [
        threading.Thread(target=write, args=pair) for pair in (("charging-current", currents), ("enabled", flags))
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert answers == {"charging-current": [200] * 15, "enabled": [200] * 10}
    sent = orders(server)
    assert [order for order in sent if order.startswith("CHCUR")] == [f"CHCUR={60 + step}" for step in range(15)]
    assert [order for order in sent if order.startswith("ENABLE")] == ["ENABLE=0", "ENABLE=1"] * 5
    assert (state(client)["chargingCurrent"], state(client)["enabled"]) == (7.4, True)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\xff\x16\x03\x01 nonsense\r\n\r\n",
        b"GET /api/v1/state HTTP/1.1\r\n" + b"X: " + b"y" * 100_000,
        b"POST /api/v1/state/enabled HTTP/1.1\r\nHost: evse\r\nContent-Type: application/json\r\n"
        b"Content-Length: 5\r\n\r\nfal",
        b"POST /api/v1/state/enabled HTTP/1.1\r\nHost: evse\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\nfalse",
    ],
)  # fmt: skip
@pytest.mark.parametrize("host", [b"evse", b"localhost"])  # refused before its body is read, or not
def test_a_broken_request_harms_nobody(bench, caplog, data, host):
    server, client = bench
    data = data.replace(b"evse", host)
    with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
        end_of(connection, data)
    assert state(client)["enabled"] is True
    assert orders(server) == []
    assert "Traceback" not in caplog.text


# --- several chargers, one server


def test_two_chargers_are_told_apart_by_their_names(share):
    with PtyServer(Charger(car=Car(plugged=True))) as one, PtyServer(Charger()) as two:
        chargers = {"garage": share(one, "garage"), "yard": share(two, "yard")}
        with serving(chargers) as client:
            shown = {name: client.get(f"/{name}/api/v1/state").json() for name in chargers}
            assert shown["yard"]["state"] == "A" and shown["garage"]["state"] != "A"
            answer = client.post("/yard/api/v1/state/charging-current", content="9", headers=JSON)
            assert answer.text == "OK"
            assert value(two, "CHCUR") == (90,) and value(one, "CHCUR") == (320,)
            assert client.get(f"{API}/state").status_code == 404
            paths = client.get(f"{API}/openapi.json").json()["paths"]
            assert {"/garage/api/v1/state", "/yard/api/v1/state/enabled"} <= set(paths)
            listed = client.get("/api/v1/chargers").json()
            assert [(one["path"], one["state"] == "A") for one in listed] == [("garage/", False), ("yard/", True)]
            assert "chargers.js" in client.get("/").text


@pytest.mark.parametrize("name", ["", "a/b", "a b", "é", "<b>"])
def test_a_name_that_fits_no_address(kept, name):
    with pytest.raises(UsageError, match="only letters, digits, - and _"):
        make_app({name: kept[1]})


# --- the server itself


def test_a_port_that_is_taken(kept):
    with serving(kept[1]) as client:
        other = RestServer(make_app(kept[1]), port=client.base_url.port)
        with pytest.raises(PortError, match=rf"127\.0\.0\.1:{client.base_url.port}: address already in use"):
            other.start()
        other.stop()


def test_it_ends_with_a_client_connected(kept):
    server = RestServer(make_app(kept[1]), port=0)
    server.start()
    with httpx.Client(base_url=server.url) as client:
        assert client.get(f"{API}/state").status_code == 200
        server.stop()
        with pytest.raises(httpx.TransportError):
            client.get(f"{API}/state")
    server.stop()


def test_an_answer_is_not_held_up(bench):
    """Without TCP_NODELAY every answer but the first on a connection waits 40 ms for the client's acknowledgement."""
    _, client = bench
    seconds = []
    for _ in range(20):
        begin = time.perf_counter()
        client.get(f"{API}/state")
        seconds.append(time.perf_counter() - begin)
    assert sorted(seconds)[1] < 0.035  # on a busy computer, too, some of them are fast


def test_a_mistake_of_ours_is_told_once_and_harms_nobody(kept, caplog):
    app = make_app(kept[1])
    app.add_api_route("/wrong", lambda: 1 // 0)
    server = RestServer(app, port=0)
    server.start()
    try:
        assert httpx.get(f"{server.url}/wrong").status_code == 500
        assert httpx.get(f"{server.url}{API}/state").status_code == 200
    finally:
        server.stop()
    assert [record.getMessage() for record in caplog.records if record.exc_info] == ["GET /wrong failed"]


def test_before_its_first_value_a_charger_is_offline():
    class Waiting:
        name, error, snapshot = "garage", "not connected yet", Snapshot()

        def listen(self, listener):
            return lambda: None

    with serving(Waiting()) as client:
        answer = client.get(f"{API}/state")
    assert (answer.status_code, answer.text) == (503, "garage is offline: not connected yet")
