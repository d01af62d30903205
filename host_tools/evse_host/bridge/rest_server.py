"""Runs an ASGI application in a thread of its own, until it is told to stop."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import socket
import threading
from asyncio import TimerHandle
from collections.abc import Iterable
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import PortError

MOST_CONNECTIONS = 200
#: How long a connection may rest between two requests. Clients poll every 5 to 60 s, and one that is closed while the
#: next request is on its way loses that request.
KEEP_ALIVE_S = 75
REQUEST_S = 10.0  # a request must have come whole within that time
END_S = 1  # an open stream of events is cut after that
START_S = 10.0

_log = logging.getLogger("evse.http")


def is_loopback(host: str) -> bool:
    """Whether nobody but this computer can reach that address."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


class RestServer:
    """``port`` 0: any free one. ``url`` is where it is found once it has started."""

    def __init__(self, app: ASGIApp, host: str = "127.0.0.1", port: int = 8080) -> None:
        self.host, self.port = host, port
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", loop="asyncio", http=_Connection, ws="none",
            server_header=False, proxy_headers=False, limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_S, timeout_graceful_shutdown=END_S,
        )  # fmt: skip
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # at length about its own start and end
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> None:
        """Returns when it answers. Raises PortError if the address cannot be had."""
        try:
            self._socket = _listen(self.host, self.port)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise PortError(f"cannot listen on {self.host}:{self.port}: {reason}") from None
        self.port = self._socket.getsockname()[1]
        self._thread.start()
        self._server.ready.wait(START_S)
        _log.info("listening on %s", self.url)

    def stop(self) -> None:
        """Ends every connection. May be called twice, and without a start."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket] if self._socket else None)
        except Exception:
            _log.exception("the web server has stopped")
        finally:
            self._server.ready.set()


def _listen(host: str, port: int) -> socket.socket:
    """With the protocol named, asyncio sends what it has at once; else an answer in two pieces waits 40 ms."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


class _Connection(H11Protocol):
    """Nobody keeps a place by being slow, or by having asked once."""

    _deadline: TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._make_room()
        self._begin_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_request()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_waiting():
            self._begin_request()
        else:
            self._end_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_waiting():
            self._begin_request()

    def send_400_response(self, msg: str) -> None:
        """Of a body that is broken: whoever was to read it has not begun yet, perhaps, and must not answer, too."""
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        super().send_400_response(msg)

    def _is_waiting(self) -> bool:
        """Whether a part of a request is here, and the rest is not."""
        state, (unread, _) = self.conn.their_state, self.conn.trailing_data
        return state is h11.SEND_BODY or (state is h11.IDLE and bool(unread))

    def _begin_request(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_S, self._give_up)

    def _end_request(self) -> None:
        if self._deadline:
            self._deadline.cancel()
        self._deadline = None

    def _give_up(self) -> None:
        _log.debug("%s has not sent its request in time, %g s at most", self.client, REQUEST_S)
        self.transport.close()

    def _make_room(self) -> None:
        """Of too many, whoever has asked and rests longest gives way, or who has been at a request longest."""
        connections: Iterable[Any] = self.connections  # all of them of this class
        there = [one for one in connections if not one.transport.is_closing()]
        if len(there) < MOST_CONNECTIONS:
            return
        resting = [one for one in there if one.timeout_keep_alive_task is not None]
        asking = [one for one in there if one._deadline is not None]
        if resting:
            min(resting, key=lambda one: one.timeout_keep_alive_task.when()).timeout_keep_alive_handler()
        elif asking:
            min(asking, key=lambda one: one._deadline.when())._give_up()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()
