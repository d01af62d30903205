"""Clients that come again, that are slow, and that never go: real sockets at the web server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from evse_host.bridge import rest_server
from evse_host.bridge.rest_app import make_app
from evse_host.bridge.rest_server import RestServer
from evse_host.bridge.snapshot import Snapshot

from .support import wait_until

STATE = b"GET /api/v1/state HTTP/1.1\r\nHost: localhost\r\n\r\n"
SHORT_S = 1.5


class Charger:
    """Nothing but a snapshot."""

    name, error, snapshot = "charger", "", Snapshot(True, {"STATE": (0,), "ERROR": (0,)})

    def listen(self, listener):
        return lambda: None


@pytest.fixture
def start() -> Iterator:
    with ExitStack() as running:

        def begin() -> RestServer:
            server = RestServer(make_app(Charger()), port=0)
            server.start()
            running.callback(server.stop)
            return server

        yield begin


def connect(server: RestServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), 10)


def ask(connection: socket.socket) -> bytes:
    """The head and the body of the answer to STATE."""
    connection.sendall(STATE)
    answer = b""
    while not answer.endswith(b"}"):
        piece = connection.recv(4096)
        assert piece, "closed instead of an answer"
        answer += piece
    return answer


def test_who_polls_every_five_seconds_is_not_cut_off_at_five_seconds(start):
    server = start()
    assert rest_server.KEEP_ALIVE_S == 75
    assert server._server.config.timeout_keep_alive == 75  # EVCC's and Home Assistant's intervals are below


def test_a_connection_that_rests_is_closed_in_the_end(start, monkeypatch):
    monkeypatch.setattr(rest_server, "KEEP_ALIVE_S", SHORT_S)
    with connect(start()) as connection:
        assert b" 200 " in ask(connection)
        assert b" 200 " in ask(connection)
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"G",
        b"GET /api/v1/state HTTP/1.1\r\nHost: localhost\r\n",
        b"POST /api/v1/state/enabled HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 5\r\n\r\nfal",
        b"POST /api/v1/state/enabled HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nfa\r\n",
    ],
    ids=["nothing", "a letter", "half a head", "half a body", "half of the chunks"],
)
def test_half_a_request_holds_no_place(start, monkeypatch, part):
    monkeypatch.setattr(rest_server, "REQUEST_S", SHORT_S)
    server = start()
    with connect(server) as connection:
        connection.sendall(part)
        while connection.recv(4096):
            pass
    wait_until(lambda: not server._server.server_state.connections)
    with connect(server) as connection:  # on a connection that has served already, too
        assert b" 200 " in ask(connection)
        connection.sendall(part or b"G")
        while connection.recv(4096):
            pass


def test_drops_of_a_head_buy_no_time(start, monkeypatch):
    """The whole request counts, not the last byte."""
    monkeypatch.setattr(rest_server, "REQUEST_S", SHORT_S)
    with connect(start()) as connection, pytest.raises(OSError):
        for _ in range(10_000):
            connection.sendall(b"X")
            connection.settimeout(0.01)
            with pytest.raises(TimeoutError):
                if connection.recv(1) == b"":
                    raise ConnectionResetError


def test_a_viewer_of_events_is_no_half_request(start, monkeypatch):
    monkeypatch.setattr(rest_server, "REQUEST_S", SHORT_S)
    server = start()
    with httpx.stream("GET", f"{server.url}/api/v1/events", timeout=15) as response:
        lines = response.iter_lines()
        first, second = (next(line for line in lines if line.startswith("data:")) for _ in range(2))  # 5 s later
        assert first == second


def test_199_half_requests_lock_nobody_out(start, monkeypatch):
    monkeypatch.setattr(rest_server, "REQUEST_S", 5.0)
    server = start()
    with ExitStack() as opened:
        for _ in range(rest_server.MOST_CONNECTIONS - 1):
            opened.enter_context(connect(server)).sendall(b"GET /api/v1/state HTTP/1.1\r\nHost:")
        wait_until(lambda: len(server._server.server_state.connections) >= rest_server.MOST_CONNECTIONS - 1)
        wait_until(lambda: httpx.get(f"{server.url}/api/v1/state").status_code == 200, "there is room again")


@pytest.mark.parametrize("part", [b"", b"GET /api/v1/state HTTP/1.1\r\nHost:"], ids=["nothing", "half a head"])
def test_any_number_of_half_requests_locks_nobody_out(start, monkeypatch, part):
    """Not even for the time that a request may take."""
    monkeypatch.setattr(rest_server, "MOST_CONNECTIONS", 20)
    server = start()
    with ExitStack() as opened:
        for _ in range(3 * rest_server.MOST_CONNECTIONS):
            opened.enter_context(connect(server)).sendall(part)
        assert httpx.get(f"{server.url}/api/v1/state").status_code == 200


def test_who_rests_longest_gives_way(start, monkeypatch):
    """Two hundred apps that asked once and keep their connections do not lock out the next."""
    monkeypatch.setattr(rest_server, "MOST_CONNECTIONS", 5)
    server = start()
    with ExitStack() as opened:
        resting = [opened.enter_context(connect(server)) for _ in range(4)]
        for connection in resting:
            assert b" 200 " in ask(connection)
        for _ in range(3):
            assert httpx.get(f"{server.url}/api/v1/state").status_code == 200
        assert resting[0].recv(1) == b""
        assert b" 200 " in ask(resting[3])


def test_requests_without_waiting_for_answers_are_all_answered(start, monkeypatch):
    monkeypatch.setattr(rest_server, "REQUEST_S", SHORT_S)
    with connect(start()) as connection:
        connection.sendall(STATE * 20)
        answer = b""
        while answer.count(b'"current":null}') < 20:
            piece = connection.recv(65536)
            assert piece
            answer += piece
        assert b" 200 " in ask(connection)
