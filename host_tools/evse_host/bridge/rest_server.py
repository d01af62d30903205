"""Runs an ASGI application in a thread of its own, until it is told to stop."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import socket
import threading

import uvicorn
from starlette.types import ASGIApp

from ..errors import PortError

MOST_CONNECTIONS = 200
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
            app, log_config=None, access_log=False, lifespan="off", loop="asyncio", http="h11", ws="none",
            server_header=False, proxy_headers=False, limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=END_S,
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
            self._server.run(sockets=[self._socket])
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


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()
