"""What Home Assistant does with a node: its entities, values and actions over ESPHome's API, by aioesphomeapi.

Who waits for what, and how time passes, is left to who drives it: a thread in real time (host_node.py), or the node's
own virtual clock (clocked_node.py).
"""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from aioesphomeapi import APIClient, APIConnectionError, LogLevel
from aioesphomeapi.model import COMPONENT_TYPE_TO_INFO, EntityInfo, EntityState

PLATFORM_OF = {info: platform for platform, info in COMPONENT_TYPE_TO_INFO.items()}
WITHOUT_STATE = ("button", "event")  # nothing to show before they happen
START_TIMEOUT = 20.0
WAIT_TIMEOUT = 20.0


class NodeError(Exception):
    """The node did not start, stopped by itself, or an entity is not there."""


@dataclass(frozen=True)
class Change:
    """A state that arrived at ``time`` (s, of the client's clock); ``value`` as in ``Client.value``."""

    time: float
    entity: EntityInfo
    value: Any

    @property
    def name(self) -> str:
        return label(self.entity)


class Client:
    """A client of a node's ESPHome API with a synchronous face.

    An entity is named by its name ("Power"), by platform and name where several share one ("text_sensor.State"), by
    any object with ``platform`` and ``name`` (a row of the catalog), or by its EntityInfo. ``values`` holds what each
    entity shows by platform and name (None: unknown), ``changes`` how it came to it.
    """

    def __init__(self, port: int, host: str = "127.0.0.1", keepalive: float = 20.0) -> None:
        self.entities: list[EntityInfo] = []
        self.services: dict[str, Any] = {}
        self.values: dict[str, Any] = {}
        self.changes: list[Change] = []
        self.on_change: Callable[[Change], None] = lambda _: None
        self.asked: list[tuple[float, tuple]] = []  # when somebody has set, pressed or called something, and the values
        self.dropped = False  # the client has broken off, as it does when a message cannot be decoded
        self._address, self._keepalive = (host, port), keepalive
        self._client: APIClient | None = None
        self._loop = asyncio.new_event_loop()
        self._found: dict[Any, EntityInfo] = {}

    # --- how time passes

    @property
    def time(self) -> float:
        """Now, in s."""
        raise NotImplementedError

    def wait_until(self, condition: Callable[[], bool], timeout: float = WAIT_TIMEOUT) -> bool:
        """Whether ``condition`` came true within ``timeout``; it is looked at after every change."""
        raise NotImplementedError

    def _call(self, coroutine: Coroutine, timeout: float) -> Any:
        """Run it to its end."""
        raise NotImplementedError

    def _take(self, change: Change) -> None:
        self.values[change.name] = change.value
        self.changes.append(change)

    # --- what people and automations do

    def connect(self, timeout: float = START_TIMEOUT) -> None:
        """Connect, list the entities and wait for the first state of each; tries again until ``timeout`` is over."""
        self._call(self._connect(timeout), timeout + 5)

    def disconnect(self) -> None:
        """Go without a word."""
        if self._client is not None:
            self._call(self._client.disconnect(force=True), 5)
        self._client = None

    def find(self, reference: Any) -> EntityInfo:
        """The entity that ``reference`` names; raises NodeError if there is none or more than one."""
        if isinstance(reference, EntityInfo):
            return reference
        name = reference if isinstance(reference, str) else f"{reference.platform}.{reference.name}"
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def _find(self, name: str) -> EntityInfo:
        found = [entity for entity in self.entities if name in (entity.name, label(entity))]
        if len(found) == 1:
            return found[0]
        if found:
            raise NodeError(f"{name!r} is ambiguous: {', '.join(map(label, found))}")
        raise NodeError(f"no entity {name!r}; there are: {', '.join(sorted(map(label, self.entities)))}")

    def value(self, reference: Any) -> Any:
        """What the node last reported: bool, float or str; for an event its type; None while unknown."""
        return self.values.get(label(self.find(reference)))

    def states(self) -> dict[str, Any]:
        """The value of every entity by platform and name; None while unknown."""
        return {name: self.values.get(name) for name in map(label, self.entities)}

    def wait_for(self, reference: Any, wanted: Any, timeout: float = WAIT_TIMEOUT) -> Any:
        """Wait until the entity has the value ``wanted`` or ``wanted(value)`` is true, and return the value.

        A float is compared with the precision of the API's 32 bits. Raises TimeoutError.
        """
        entity = self.find(reference)
        accept = wanted if callable(wanted) else lambda value: _same(value, wanted)
        if not self.wait_until(lambda: accept(self.value(entity)), timeout):
            goal = "what was wanted" if callable(wanted) else repr(wanted)
            raise TimeoutError(f"{label(entity)} is {self.value(entity)!r}, not {goal} within {timeout} s")
        return self.value(entity)

    def history(self, reference: Any) -> list[Any]:
        """Every value that the entity has had since the client connected, oldest first."""
        entity = self.find(reference)
        return [change.value for change in self.changes if change.entity is entity]

    def command(self, reference: Any, value: Any = None) -> None:
        """Switch, set or press an entity as a user would; the node's answer is its next state."""
        entity = self.find(reference)
        send = getattr(self._client, f"{PLATFORM_OF[type(entity)]}_command")
        arguments = () if value is None else (value,)
        self.asked.append((self.time, arguments))
        self._call(_awaitable(lambda: send(entity.key, *arguments, device_id=entity.device_id)), 5)

    def send_home_assistant_state(self, entity_id: str, state: str) -> None:
        """What Home Assistant says of an entity of its own; the node has asked for it."""
        self._call(_awaitable(lambda: self._client.send_home_assistant_state(entity_id, "", state)), 5)

    def call_service(self, name: str, **data: Any) -> None:
        """Run one of the node's API actions (`api: actions:`)."""
        self.asked.append((self.time, tuple(data.values())))
        self._call(self._client.execute_service(self.services[name], data), 5)

    def stream_log(self, level: LogLevel, take: Callable[[str], None]) -> None:
        """Have the node tell its log from ``level`` on, each entry to ``take``."""
        told = self._client.subscribe_logs
        self._call(_awaitable(lambda: told(lambda entry: take(entry.message.decode()), level)), 5)

    # --- the connection

    async def _connect(self, timeout: float) -> None:
        deadline = self.time + timeout
        while True:
            self._client = APIClient(*self._address, None, keepalive=self._keepalive)
            try:
                await self._open(self._client)
                break
            except APIConnectionError as error:
                if self.time >= deadline:
                    raise NodeError(f"no ESPHome API at {self._address} within {timeout} s: {error}") from None
                await self._pause()
        self.entities, services = await self._client.list_entities_services()
        self.services = {service.name: service for service in services}
        self._found.clear()
        by_key = {entity_key(entity): entity for entity in self.entities}
        self._client.subscribe_states(lambda state: self._on_state(by_key, state))
        while missing := [entity for entity in self.entities if not self._has_state(entity)]:
            if self.time >= deadline:
                raise NodeError(f"no first state of {', '.join(map(label, missing))}")
            await self._pause()

    async def _open(self, client: APIClient) -> None:
        await client.connect(on_stop=self._on_stop, log_errors=False)

    async def _pause(self) -> None:
        await asyncio.sleep(0.01)

    async def _on_stop(self, expected: bool) -> None:
        self.dropped = self.dropped or not expected

    def _has_state(self, entity: EntityInfo) -> bool:
        return PLATFORM_OF[type(entity)] in WITHOUT_STATE or label(entity) in self.values

    def _on_state(self, by_key: dict[tuple[str, int, int], EntityInfo], state: EntityState) -> None:
        entity = by_key.get(entity_key(state))
        if entity is None:
            return
        change = Change(self.time, entity, state_value(state))
        self._take(change)
        self.on_change(change)


def label(entity: EntityInfo) -> str:
    """Platform and name: "sensor.Power"."""
    return f"{PLATFORM_OF[type(entity)]}.{entity.name}"


def entity_key(item: EntityInfo | EntityState) -> tuple[str, int, int]:
    """Kind, sub-device and key: the key is a hash of the name, which several platforms may share."""
    kind = type(item).__name__.removesuffix("Info").removesuffix("State")
    return kind, item.device_id, item.key


def state_value(state: EntityState) -> Any:
    if hasattr(state, "event_type"):
        return state.event_type
    value = getattr(state, "state", None)
    if getattr(state, "missing_state", False):
        return None
    if isinstance(value, float):
        return None if math.isnan(value) else _shortest(value)
    return value


def _shortest(value: float) -> float:
    """The shortest decimal number that is this 32-bit float: 230.1 for 230.10000610351562."""
    for digits in range(1, 10):
        decimal = float(f"{value:.{digits}g}")
        if struct.pack("f", decimal) == struct.pack("f", value):
            return decimal
    return value


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, float) and isinstance(value, float):
        return math.isclose(value, wanted, rel_tol=1e-6, abs_tol=1e-6)
    return value == wanted


async def _awaitable(function: Callable[[], None]) -> None:
    function()
