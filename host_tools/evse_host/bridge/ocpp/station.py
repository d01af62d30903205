"""One charge point at work: joins charger, model and link. A thin shell; everything happens in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from websockets.asyncio.client import ClientConnection

from ..charger import SharedCharger
from ..snapshot import Snapshot
from . import rpc
from .journal import Journal
from .link import Link
from .model import ChargePoint
from .outbox import Outgoing
from .situation import Order, Settings
from .target import Credentials, Target
from .v16 import V16
from .v201 import V201

CALL_TIMEOUT_S = 30.0
TURN_S = 1.0
RECONNECT_AFTER_S = 0.5  # the answer goes out first

Dialect = V16 | V201
DIALECTS: dict[str, type[Dialect]] = {V16.version: V16, V201.version: V201}
Watcher = Callable[[str, str, rpc.Payload], None]


class Station:
    """``watch`` is called with `>` or `<`, an action and its payload, for everything that is said; ``fallback`` writes
    when the central system is silent."""

    def __init__(
        self,
        charger: SharedCharger,
        target: Target,
        settings: Settings,
        journal: Journal,
        version: str = "1.6",
        watch: Watcher | None = None,
        fallback: object = None,
    ) -> None:
        self._charger, self._fallback = charger, fallback
        self._log = logging.getLogger(f"evse.{charger.name}.ocpp")
        self._watch = watch or (lambda *said: self._log.debug("%s %s %s", *said))
        self._credentials = Credentials(target, journal)
        judges = {"AuthorizationKey": self._credentials.change_key, "SecurityProfile": self._credentials.raise_profile}
        dialect = DIALECTS[version]
        self.point = ChargePoint(journal, settings, judges, updates=dialect.updates, measurands=dialect.measurands)
        self.point.configuration.values["SecurityProfile"] = str(self._credentials.security_profile)
        self.dialect = dialect(self.point)
        self.link = Link(self._credentials, self.dialect.subprotocol, self, self._log)
        self._answer: asyncio.Future[rpc.Result | rpc.Error] | None = None  # of the call in flight
        self._waiting_for = ""
        self._to_send, self._to_do = asyncio.Event(), asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bound = ""

    async def run(self) -> None:
        """Until it is cancelled."""
        self._loop = asyncio.get_running_loop()
        endings = [
            self._charger.listen(lambda snapshot: self._later(self._see, snapshot)),
            self._charger.listen_to_writes(lambda *write: self._later(self._written_by_somebody, *write)),
        ]
        try:
            self._see(self._charger.snapshot)
            await asyncio.gather(self._turns(), self._connect())
        finally:
            for end in endings:
                end()
            await self.link.close()
            self._charger.show_bound("")

    async def _connect(self) -> None:
        """As soon as we can say who we are."""
        while not self.point.identity:
            await asyncio.sleep(0.05)
        await self.link.run()

    # --- the charger

    def _later(self, function: Callable[..., None], *arguments: object) -> None:
        """In our loop; from any thread."""
        if self._loop is None:
            return
        with contextlib.suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._guarded, function, *arguments)

    def _guarded(self, function: Callable[..., None], *arguments: object) -> None:
        """No surprise ends the bridge."""
        try:
            function(*arguments)
        except Exception:
            self._log.exception("this should not happen; going on")
        self._act()

    def _see(self, snapshot: Snapshot) -> None:
        self.point.see(snapshot, time.time())

    def _written_by_somebody(self, name: str, value: int, by: object) -> None:
        if by is not None and by is self._fallback:
            self.point.fell(name, value, time.time())
        elif by is not self:
            self.point.asked(name, value, time.time())

    def _act(self) -> None:
        """What the model wants to be written, shown and sent."""
        for order in self.point.take_orders(time.time()):
            future: Future[Any]
            if order.value is None:
                future = self._charger.run(order.name)
            else:
                future = self._charger.set(order.name, order.value, by=self)
            future.add_done_callback(functools.partial(self._later, self._ordered, order))
        if (bound := self.point.masters.words) != self._bound:
            self._bound = bound
            self._charger.show_bound(bound)
        self._to_send.set()

    def _ordered(self, order: Order, done: Future[Any]) -> None:
        error = done.exception()
        if error is not None:
            self._log.warning("%s: %s", order.name, error)
        self.point.ordered(order, error is None, time.time())

    async def _turns(self) -> None:
        while True:
            self._guarded(self.point.tick, time.time())
            due = self.point.limit_due
            await asyncio.sleep(TURN_S if due is None else min(max(due - time.time(), 0.01), TURN_S))

    # --- the link's conversation

    @property
    def ping_interval(self) -> float:
        return float(self.point.configuration.number("WebSocketPingInterval"))

    def up(self) -> None:
        self.point.configuration.values["SecurityProfile"] = str(self._credentials.security_profile)
        self._guarded(self.point.line_is_up, time.time())

    def down(self) -> None:
        self.point.line_is_down()

    async def talk(self, connection: ClientConnection) -> None:
        tasks = [asyncio.ensure_future(work(connection)) for work in (self._listen, self._speak)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _speak(self, connection: ClientConnection) -> None:
        """One call after the other, each until it is answered."""
        while True:
            self._to_send.clear()
            outgoing = self.point.outbox.next(time.time())
            if outgoing is None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._to_send.wait(), TURN_S)
                continue
            try:
                await self._call(connection, outgoing)
            except BaseException:
                self.point.outbox.lost(outgoing)
                raise

    async def _call(self, connection: ClientConnection, outgoing: Outgoing) -> None:
        said = self.dialect.say(outgoing)
        if said is None:
            if outgoing.message is not None:
                self.point.told(outgoing.message, time.time())
            return
        action, payload = said
        self._answer = asyncio.get_running_loop().create_future()
        self._waiting_for = outgoing.unique_id
        self._watch(">", action, payload)
        await connection.send(rpc.call_text(outgoing.unique_id, action, payload))
        try:
            answer = await asyncio.wait_for(self._answer, CALL_TIMEOUT_S)
        except TimeoutError:
            raise TimeoutError(f"no answer to {action}") from None
        finally:
            self._waiting_for = ""
        self._watch("<", action, answer.payload if isinstance(answer, rpc.Result) else {"error": answer.code})
        reason, last = take_answer(self.dialect, outgoing, answer, time.time())
        if reason:
            again = "" if outgoing.message is None else "; given up" if last else "; it is sent again later"
            self._log.warning("%s: %s%s", action, reason, again)
        self._act()

    async def _listen(self, connection: ClientConnection) -> None:
        async for text in connection:
            if isinstance(text, str):
                await self._hear(connection, text)

    async def _hear(self, connection: ClientConnection, text: str) -> None:
        message = rpc.parse(text, self.dialect.version)
        if isinstance(message, rpc.Call):
            await connection.send(self._answer_to(message))
            self._act()
            if self._credentials.is_changing:
                asyncio.get_running_loop().call_later(RECONNECT_AFTER_S, self.link.reconnect)
        elif isinstance(message, rpc.Unreadable):
            self._log.warning("the central system sent what is no message: %s", message.error.description)
            if unique_id := message.id or self.dialect.unknown_id:
                await connection.send(rpc.error_text(unique_id, message.error))
        elif message.id == self._waiting_for and self._answer and not self._answer.done():
            self._answer.set_result(message)

    def _answer_to(self, call: rpc.Call) -> str:
        """Always one; a call that is wrong changes nothing."""
        try:
            payload = self.dialect.called(call, time.time())
        except rpc.CallError as error:
            self._log.warning("%s: %s", call.action[:50], error)
            return rpc.error_text(call.id, error)
        except Exception:
            self._log.exception("this should not happen; going on")
            return rpc.error_text(call.id, rpc.CallError(rpc.INTERNAL, "an error in the charge point"))
        self._watch("<", call.action, _without_secrets(call.payload))
        self._watch(">", call.action, payload)
        return rpc.result_text(call.id, payload)


def take_answer(dialect: Dialect, outgoing: Outgoing, answer: rpc.Result | rpc.Error, now: float) -> tuple[str, bool]:
    """Why it is none, empty if it is one; and whether the message is given up."""
    if isinstance(answer, rpc.Result):
        try:
            dialect.answered(outgoing, answer.payload, now)
            return "", False
        except (KeyError, TypeError, ValueError, rpc.CallError) as error:
            reason = f"its answer is none: {type(error).__name__} {error}"
    else:
        reason = f"{answer.code} {answer.description}"
    return " ".join(reason.split())[:200], dialect.point.outbox.refused(outgoing, now)


def _without_secrets(payload: rpc.Payload) -> rpc.Payload:
    return {**payload, "value": "***"} if str(payload.get("key", "")).lower() == "authorizationkey" else payload
