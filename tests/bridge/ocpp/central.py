"""A central system on the package `ocpp`, which checks every message by its schemas and remembers what it heard.

with Central() as central:
    central.wait("BootNotification")
    assert central.call("GetConfiguration", {})["configurationKey"]
"""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ocpp.messages import Call, CallResult, _validate_payload, unpack
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from ..support import WAIT_S, wait_until

ACCEPTED = {"status": "Accepted"}


@dataclass(frozen=True)
class Heard:
    """A call of the charge point; ``again`` if it came with the same id before."""

    action: str
    payload: dict
    id: str
    at: float = field(default_factory=time.monotonic)
    again: bool = False


def against_schema(message: Call | CallResult, version: str, text: str) -> list[str]:
    """What the schemas have against it."""
    try:
        _validate_payload(message, version)
    except Exception as error:
        return [f"{text[:300]}: {error}"]
    return []


class Central:
    """A context manager; ``stop`` and ``start`` keep the port. ``answers`` change an action's answer: a dictionary, a
    function of the payload, or an exception's text to be sent as an error."""

    def __init__(
        self, version: str = "1.6", tls: ssl.SSLContext | None = None, keys: dict[str, str | bytes] | None = None
    ) -> None:
        self.version, self.subprotocol = version, f"ocpp{version}"
        self.heard: list[Heard] = []
        self.wrong: list[str] = []  # messages that the schemas refuse
        self.errors: list[list] = []  # CALLERRORs
        self.answers: dict[str, object] = {}
        self.connections = 0
        self.paths: list[str] = []
        self.headers: list[str] = []
        self.port = 0
        self.silent: set[str] = set()  # actions that are not answered
        self._tls, self._keys = tls, keys
        self._transactions = itertools.count(1)
        self._ids = itertools.count(1)
        self._numbers: dict[str, int] = {}  # unique id of a StartTransaction -> its number: a repeated one is known
        self._waiting: dict[str, Future] = {}
        self._connection: ServerConnection | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server = None

    # --- life

    def __enter__(self) -> Central:
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def start(self) -> None:
        self._run(self._start())

    async def _start(self) -> None:
        self._server = await serve(
            self._serve, "127.0.0.1", self.port, subprotocols=[self.subprotocol], ssl=self._tls, ping_interval=None,
            process_request=self._check, compression=None, close_timeout=0.2,
        )  # fmt: skip
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        self.cut()
        self._run(self._stop())

    async def _stop(self) -> None:
        if self._server:
            self._server.close()
            await self._server.wait_closed()
        self._server = None

    def cut(self) -> None:
        """The line breaks, without a word."""
        self._loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        if self._connection and self._connection.transport:
            self._connection.transport.abort()

    def freeze(self) -> None:
        """The line is dead: open, and nothing comes or goes."""
        self._loop.call_soon_threadsafe(lambda: self._connection.transport.pause_reading())

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    @property
    def url(self) -> str:
        return f"{'wss' if self._tls else 'ws'}://127.0.0.1:{self.port}/ocpp"

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    # --- the line

    def _check(self, connection: ServerConnection, request):
        self.headers.append(request.headers.get("Authorization", ""))
        if self._keys is None:
            return None
        import base64

        name = request.path.rpartition("/")[2]
        key = self._keys.get(name, b"")
        key = key.encode() if isinstance(key, str) else key
        wanted = "Basic " + base64.b64encode(name.encode() + b":" + key).decode()
        if request.headers.get("Authorization") != wanted:
            return connection.respond(401, "no\n")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        self._connection = connection
        self.connections += 1
        self.paths.append(connection.request.path)
        try:
            async for text in connection:
                await self._hear(connection, text)
        except ConnectionClosed:
            pass  # while it was answered
        except Exception as error:
            self.wrong.append(f"{type(error).__name__}: {error}")
        finally:
            if self._connection is connection:
                self._connection = None

    async def _hear(self, connection: ServerConnection, text: str) -> None:
        kind, unique_id = json.loads(text)[:2]
        if kind == 2:
            call = unpack(text)
            self.wrong += against_schema(call, self.version, text)
            known = any(heard.id == unique_id for heard in self.heard)
            self.heard.append(Heard(call.action, json.loads(text)[3], unique_id, again=known))
            if call.action not in self.silent:
                await connection.send(self._answer(unique_id, call.action, json.loads(text)[3]))
        elif (future := self._waiting.pop(unique_id, None)) is not None:
            if kind == 3:
                result = CallResult(unique_id, json.loads(text)[2], action=future.action)
                self.wrong += against_schema(result, self.version, text)
            else:
                self.errors.append(json.loads(text))
            future.set_result(json.loads(text))
        else:
            self.errors.append(json.loads(text))

    def _answer(self, unique_id: str, action: str, payload: dict) -> str:
        answer = self.answers.get(action)
        if callable(answer):
            answer = answer(payload)
        if isinstance(answer, str):
            return json.dumps([4, unique_id, answer, "", {}])
        if answer is None:
            answer = self._usual(action, unique_id)
        return json.dumps([3, unique_id, answer])

    def _usual(self, action: str, unique_id: str) -> dict:
        now = datetime.now(UTC).isoformat()
        if action == "BootNotification":
            return {"status": "Accepted", "currentTime": now, "interval": 300}
        if action == "Heartbeat":
            return {"currentTime": now}
        if action == "Authorize":
            return {"idTagInfo": ACCEPTED} if self.version == "1.6" else {"idTokenInfo": ACCEPTED}
        if action == "StartTransaction":
            if unique_id not in self._numbers:
                self._numbers[unique_id] = next(self._transactions)
            return {"transactionId": self._numbers[unique_id], "idTagInfo": ACCEPTED}
        return {}

    # --- for tests

    def call(self, action: str, payload: dict) -> dict:
        """The payload of the answer; of an error `{"error": code}`."""
        answer = self.call_later(action, payload).result(WAIT_S)
        return answer[2] if answer[0] == 3 else {"error": answer[2]}

    def call_later(self, action: str, payload: dict) -> Future:
        unique_id = f"central-{next(self._ids)}"
        return self.raw(json.dumps([2, unique_id, action, payload]), unique_id, action)

    def raw(self, text: str, unique_id: str = "", action: str = "") -> Future:
        """Any text; the future gets the message that answers ``unique_id``."""
        future: Future = Future()
        future.action = action
        if unique_id:
            self._waiting[unique_id] = future
        wait_until(lambda: self._connection is not None, "the charge point is connected")
        self._run(self._connection.send(text))
        return future

    def on(self, action: str) -> list[Heard]:
        return [heard for heard in list(self.heard) if heard.action == action]

    def wait(self, action: str, fits: Callable[[dict], bool] = lambda _: True, after: int = 0):
        """The first call that fits, among those after the first ``after`` of all."""

        def find():
            return next((h for h in list(self.heard)[after:] if h.action == action and fits(h.payload)), None)

        return wait_until(find, f"{action}; heard {[(h.action, h.payload) for h in self.heard[after:]][-6:]}")

    def wait_status(self, status: str, after: int = 0, connector: int = 1) -> Heard:
        return self.wait("StatusNotification", lambda p: p["status"] == status and p["connectorId"] == connector, after)
