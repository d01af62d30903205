"""The websocket to a central system, which comes back by itself. What it carries is a conversation's."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
import time
from typing import Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from .target import Credentials, Target

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0
STEADY_S = 10.0  # a connection that lived shorter does not start the back-off anew
OPEN_TIMEOUT_S, CLOSE_TIMEOUT_S = 15.0, 2.0
TURN_S = 1.0
PATIENCE = 0.9  # of a ping interval, for the pong: with the time until the ping less than two of them
MAX_MESSAGE = 1 << 20  # bytes; the largest list that we announce is a tenth of that

_SILENT = logging.getLogger("evse.ocpp.websocket")  # its debug output would show the key
_SILENT.setLevel(logging.CRITICAL)


def back_off(failures: int, dice: random.Random) -> float:
    """Seconds before the next attempt: doubled with each failure in a row, up to a minute, and nobody at the same
    moment as all the others whose central system has come back."""
    return min(FIRST_WAIT_S * 2.0 ** min(failures, 10), LONGEST_WAIT_S) * dice.uniform(0.5, 1.0)


class Conversation(Protocol):
    """What the link tells, in its own task."""

    def up(self) -> None: ...

    async def talk(self, connection: ClientConnection) -> None:
        """Until the line is cut, or to be given up."""

    def down(self) -> None: ...

    @property
    def ping_interval(self) -> float:
        """s; 0: none."""


class Link:
    """``run`` never ends by itself; ``is_connected`` and ``reason`` are for people."""

    def __init__(
        self, credentials: Credentials, subprotocol: str, conversation: Conversation, log: logging.Logger
    ) -> None:
        self.is_connected, self.reason = False, "not connected yet"
        self._credentials, self._subprotocol, self._conversation = credentials, subprotocol, conversation
        self._log, self._dice = log, random.Random()
        self._connection: ClientConnection | None = None
        self._hurry = asyncio.Event()

    async def run(self) -> None:
        failures = 0
        while True:
            began, told = time.monotonic(), self.reason
            accepted = await self._live()
            if self.reason != told:
                self._log.warning("central system %s: %s; trying again", self._credentials.target, self.reason)
            failures = 0 if accepted and time.monotonic() - began >= STEADY_S else failures + 1
            self._hurry.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), back_off(failures - 1 if failures else 0, self._dice))

    def reconnect(self) -> None:
        """With what the credentials say now."""
        self._hurry.set()
        self._abort()

    async def close(self) -> None:
        if self._connection:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._connection.close(), CLOSE_TIMEOUT_S)

    async def _live(self) -> bool:
        """One connection from its beginning to its end; whether there was one."""
        target = self._credentials.target
        try:
            self._connection = await self.connect(target, self._subprotocol)
        except Exception as error:  # of the network, of a library, of a file that is gone: it is tried again
            self.reason = words_of(error)
            self._credentials.failed(target, was_answered=isinstance(error, (InvalidHandshake, ssl.SSLError)))
            return False
        try:
            if self._connection.subprotocol != self._subprotocol:
                self.reason = f"it does not speak {self._subprotocol}"
                self._credentials.failed(target, was_answered=True)
                return False
            self._credentials.connected(target)
            await self._converse(self._connection, target)
            return True
        finally:
            self.is_connected = False
            self._abort()
            self._connection = None

    @staticmethod
    async def connect(target: Target, subprotocol: str) -> ClientConnection:
        """Raises OSError, WebSocketException, TimeoutError or ValueError: see ``words_of``."""
        return await connect(
            target.uri, subprotocols=[Subprotocol(subprotocol)], additional_headers=target.headers,
            ssl=target.tls_context(), open_timeout=OPEN_TIMEOUT_S, close_timeout=CLOSE_TIMEOUT_S, ping_interval=None,
            max_size=MAX_MESSAGE, logger=_SILENT, user_agent_header="evse-host", compression=None,
        )  # fmt: skip

    async def _converse(self, connection: ClientConnection, target: Target) -> None:
        self._log.info("connected to central system %s", target)
        self.is_connected, self.reason = True, ""
        self._conversation.up()
        tasks = [asyncio.ensure_future(work) for work in (self._conversation.talk(connection), self._ping(connection))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self.reason = next((words_of(error) for task in done if (error := task.exception())), "it has gone")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._conversation.down()

    async def _ping(self, connection: ClientConnection) -> None:
        """A line that is dead is found within two intervals, also when the interval is changed meanwhile."""
        pinged_at = time.monotonic()
        while True:
            interval = self._conversation.ping_interval
            wait = pinged_at + interval - time.monotonic() if interval else TURN_S
            if wait > 0:
                await asyncio.sleep(min(wait, TURN_S))
                continue
            pinged_at = time.monotonic()
            pong = await connection.ping()
            try:
                await asyncio.wait_for(pong, interval * PATIENCE)
            except TimeoutError:
                raise TimeoutError("no pong: the line is dead") from None

    def _abort(self) -> None:
        if self._connection and self._connection.transport:
            self._connection.transport.abort()


def words_of(error: BaseException) -> str:
    """Why there is no connection, for people."""
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        hint = {
            400: "does it speak this version of OCPP?",
            401: "the key is wrong, or missing",
            403: "it does not let us in",
            404: "it does not know this id",
        }
        return f"it answers {status}" + (f": {hint[status]}" if status in hint else "")
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}; is this its TLS port, and our certificate right?"
    if isinstance(error, TimeoutError):
        return str(error) or "no answer"
    if isinstance(error, InvalidURI | InvalidHandshake):
        return f"this is no websocket: {' '.join(str(error).split())[:200]}"
    if isinstance(error, ConnectionRefusedError) or "Connect call failed" in str(error):
        return "nobody listens there"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())[:200].lower()
