"""Looks that change nothing: what would be sent now, and what a central system answers to a boot."""

from __future__ import annotations

import asyncio
import time

from websockets.exceptions import WebSocketException

from ...errors import NoAnswerError
from ..snapshot import Snapshot
from . import outbox as out
from . import rpc
from .journal import Journal
from .link import Link, words_of
from .model import ChargePoint
from .outbox import Outgoing
from .situation import Settings
from .station import DIALECTS
from .target import Credentials, Target

ANSWER_TIMEOUT_S = 15.0

Said = list[tuple[str, rpc.Payload]]


def messages(snapshot: Snapshot, settings: Settings, version: str) -> Said:
    """Action and payload of all that a charge point with this charger would send after its start, as if everything was
    accepted."""
    now = time.time()
    point = _point(snapshot, settings, version, now)
    dialect, said = DIALECTS[version](point), []
    point.booted(out.ACCEPTED, 0, now)
    boot = Outgoing(out.BOOT, {}, "")
    outgoing: Outgoing | None = boot
    while outgoing is not None:
        if (message := dialect.say(outgoing)) is not None:
            said.append(message)
        if outgoing.message is not None:
            point.journal.settle(outgoing.message, remote="1" if outgoing.kind == "start" else None)
        outgoing = point.outbox.next(now)
    point.trigger_values(now)
    while (outgoing := point.outbox.next(now)) is not None:
        said += [message] if (message := dialect.say(outgoing)) else []
        if outgoing.message is not None:
            point.journal.settle(outgoing.message)
    return said


def _point(snapshot: Snapshot, settings: Settings, version: str, now: float) -> ChargePoint:
    dialect = DIALECTS[version]
    point = ChargePoint(Journal.in_memory(), settings, updates=dialect.updates, measurands=dialect.measurands)
    point.see(snapshot, now)
    return point


def boot(snapshot: Snapshot, target: Target, journal: Journal, version: str) -> tuple[rpc.Payload, rpc.Payload]:
    """Connects, boots and leaves: what was sent and what came back. Raises NoAnswerError."""
    return asyncio.run(_boot(snapshot, Credentials(target, journal), version))


async def _boot(snapshot: Snapshot, credentials: Credentials, version: str) -> tuple[rpc.Payload, rpc.Payload]:
    dialect = DIALECTS[version](_point(snapshot, Settings(), version, time.time()))
    target = credentials.target
    try:
        connection = await Link.connect(target, dialect.subprotocol)
        async with connection:
            if connection.subprotocol != dialect.subprotocol:
                raise NoAnswerError(f"central system {target}: it does not speak {dialect.subprotocol}")
            said = dialect.say(Outgoing(out.BOOT, {}, ""))
            assert said
            action, payload = said
            await connection.send(rpc.call_text("check", action, payload))
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                while True:
                    answer = rpc.parse(await connection.recv(), version)
                    if isinstance(answer, rpc.Result) and answer.id == "check":
                        return payload, answer.payload
                    if isinstance(answer, rpc.Error) and answer.id == "check":
                        return payload, {"error": answer.code, "description": answer.description}
    except (OSError, WebSocketException, TimeoutError, ValueError) as error:
        raise NoAnswerError(f"central system {target}: {words_of(error)}") from None
