"""The page's files and its stream of events, over HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from evse_host.bridge import page
from evse_host.bridge.rest_app import make_app
from evse_host.bridge.rest_hearing import Hearing
from evse_host.bridge.rest_server import RestServer
from evse_host.bridge.snapshot import Snapshot

from .page_support import serving
from .support import wait_until


@contextmanager
def events(url: str) -> Iterator[Iterator[dict]]:
    with httpx.stream("GET", f"{url}/api/v1/events", timeout=15) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield (json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: "))


def status(url: str) -> int:
    with httpx.stream("GET", f"{url}/api/v1/events", timeout=15) as response:
        return response.status_code


@pytest.fixture
def url(charger) -> Iterator[str]:
    with serving(charger) as server:
        yield server.url


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/settings", "text/html"),
        ("/page.css", "text/css"),
        ("/page.js", "text/javascript"),
        ("/home.js", "text/javascript"),
        ("/settings.js", "text/javascript"),
        ("/icon.svg", "image/svg+xml"),
        ("/manifest.webmanifest", "application/manifest+json"),
    ],
)
def test_each_file_of_the_page_comes_with_its_type_and_a_strict_policy(url, path, kind) -> None:
    answer = httpx.get(url + path)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith(kind)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_page_gets_what_is_so_now_and_every_change(url, server, monkeypatch) -> None:
    monkeypatch.setattr(page, "EVERY_S", 3600.0)
    with events(url) as news:
        assert next(news)["maximum_current"] == 32
        server.call(lambda charger: charger.set("CHCUR", 100))
        assert next(event for event in news if event["charging_current"] == 10)


def test_a_quiet_stream_is_kept_alive(url, charger, monkeypatch) -> None:
    monkeypatch.setattr(page, "EVERY_S", 0.05)
    charger.stop()  # nothing changes any more
    with events(url) as news:
        first = next(news)
        assert not first["online"]
        assert next(news) == next(news) == first


def test_a_viewer_that_leaves_makes_room(url, monkeypatch) -> None:
    monkeypatch.setattr(page, "MOST_VIEWERS", 2)
    with events(url) as one, events(url) as two:
        assert next(one) and next(two)
        with httpx.stream("GET", f"{url}/api/v1/events") as third:
            assert third.status_code == 503
            assert third.read() == b"2 pages are open already"
    wait_until(lambda: status(url) == 200, "there is room again")


def test_of_many_who_come_at_once_no_more_than_allowed_are_let_in(url, charger) -> None:
    """As when a gateway's pages are opened again after a power cut."""
    address = (httpx.URL(url).host, httpx.URL(url).port)
    with ExitStack() as opened:
        sockets = [opened.enter_context(socket.create_connection(address)) for _ in range(100)]
        for viewer in sockets:
            viewer.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answers = [viewer.recv(12) for viewer in sockets]
        assert answers.count(b"HTTP/1.1 200") == page.MOST_VIEWERS
        assert answers.count(b"HTTP/1.1 503") == 100 - page.MOST_VIEWERS
        assert status_of(url, "/api/v1/state") == 200
    wait_until(lambda: len(charger._listeners) <= 1, "nobody listens to the charger")
    wait_until(lambda: status(url) == 200, "there is room again")


def status_of(url: str, path: str) -> int:
    return httpx.get(url + path).status_code


def test_viewers_that_never_read_leave_nothing_behind(url, charger) -> None:
    address = (httpx.URL(url).host, httpx.URL(url).port)
    for _ in range(20):
        with socket.create_connection(address) as viewer:
            viewer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # leaves with a reset
            viewer.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert viewer.recv(12) == b"HTTP/1.1 200"
    wait_until(lambda: len(charger._listeners) <= 1, "nobody listens to the charger")


def test_the_server_stops_although_a_page_is_open(charger) -> None:
    with serving(charger) as server, events(server.url) as news:
        assert next(news)
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 10
    wait_until(lambda: len(charger._listeners) <= 1, "nobody listens to the charger")


def test_a_slow_viewer_gets_the_newest_only() -> None:
    class Fake:
        name, error, snapshot = "x", "", Snapshot(True, {"CHCUR": (60,)})

        def listen(self, listener):
            self.tell = listener
            return lambda: None

    async def look() -> list[float]:
        charger = Fake()
        stream = page._stream(charger)
        seen = [await anext(stream)]
        for current in range(61, 200):
            charger.snapshot = Snapshot(True, {"CHCUR": (current,)})
            charger.tell(charger.snapshot)
        seen.append(await anext(stream))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.05)
        return [json.loads(event[6:])["charging_current"] for event in seen]

    assert asyncio.run(look()) == [6.0, 19.9]


def test_several_chargers_each_with_a_page(charger) -> None:
    with serving({"garage": charger, "street": charger}) as server:
        for name in ("garage", "street"):
            assert "page.js" in httpx.get(f"{server.url}/{name}/").text
            assert httpx.get(f"{server.url}/{name}/page.js").status_code == 200
            with events(f"{server.url}/{name}") as news:
                assert next(news)["name"] == "Simulated EVSE"


def test_credentials_cover_page_and_events(charger) -> None:
    with serving(charger, ("user", "secret")) as server:
        for path in ("/", "/page.js", "/api/v1/events"):
            assert httpx.get(server.url + path).status_code == 401
        assert httpx.get(server.url, auth=("user", "secret")).status_code == 200


def test_an_open_page_is_no_controller(charger) -> None:
    """Or whoever leaves a page open would keep the charger from its fallback, with EVCC away."""
    heard: list[str] = []
    app = make_app({"garage": charger})
    app.add_middleware(Hearing, words={"/garage": lambda: heard.append("garage"), "": lambda: heard.append("list")})
    server = RestServer(app, port=0)
    server.start()
    try:
        for path in ("/", "/garage/", "/garage/settings", "/garage/api/v1/history", "/garage/api/v1/history/",
                     "/api/v1/chargers", "/api/v1/openapi.json"):  # fmt: skip
            assert httpx.get(server.url + path).status_code == 200
        with events(f"{server.url}/garage") as news:
            assert next(news)
        assert heard == []
        assert httpx.get(f"{server.url}/garage/api/v1/state").status_code == 200
        assert heard == ["garage"]
    finally:
        server.stop()


class Silent:
    """A charger that has never answered."""

    name, error, snapshot = "charger", "it does not answer", Snapshot()

    def listen(self, _listener):
        return lambda: None


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "word"),
    [
        ("GET", "state", {}, 503, True),  # it is the charger that is silent, not who asks
        ("POST", "state/enabled", {"Content-Type": "application/json"}, 400, True),
        ("GET", "//state/", {}, 503, True),
        ("GET", "nothing", {}, 404, False),
        ("GET", "state", {"Host": "evil.local"}, 403, False),
        ("POST", "restart", {"Origin": "http://evil.example"}, 403, False),
    ],
)
def test_who_hears_that_the_charger_is_silent_is_a_controller_that_speaks(method, path, headers, status, word) -> None:
    heard: list[str] = []
    app = make_app(Silent())
    app.add_middleware(Hearing, words={"": lambda: heard.append("word")})
    server = RestServer(app, port=0)
    server.start()
    try:
        url = f"{server.url}/api/v1/{path}"
        assert httpx.request(method, url, headers=headers, content=b"?").status_code == status
        assert heard == ["word"] * word
    finally:
        server.stop()
