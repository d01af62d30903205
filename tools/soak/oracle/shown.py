"""What an entity has to show for what the charger holds, by the catalog alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from evse_host.catalog import CHARGING_STATES, COMMAND, ENTITIES, FAULTS, SESSION_STATES, STATES, Entity
from tools.soak.oracle.history import History, Row

ACTIVE_PHASE_MA = 500
STATE_TEXTS = {
    "A": "No vehicle connected", "B1": "Vehicle connected", "B2": "Waiting for vehicle", "C1": "Stopping",
    "C2": "Charging", "D1": "Stopping", "D2": "Charging", "E": "Fault", "F": "Not available",
}  # fmt: skip
FAULT_TEXTS = {"rcm_self_test": "Fault: RCM self-test", "temperature_high": "Fault: temperature high"}

# Whatever they show, nothing of the charger contradicts it.
# tests/consumers compares the lifetime energy with the meter's own model.
UNCHECKED = [e for e in ENTITIES if e.convert in ("counter", "action", "lifetime") or e.platform == "event"]
CHECKED = [entity for entity in ENTITIES if entity not in UNCHECKED]
#: The full example shows long times in these, with so many digits.
SECONDS_IN = {"": 1, "min": 60, "h": 3600}
DIGITS_IN = {"min": 0, "h": 1}


def same(entity: Entity, shown: Any, expected: Any) -> bool:
    """Numbers may be off by half of the last digit that is shown: smaller changes are not sent."""
    if isinstance(shown, float) and expected is not None:
        half = 0.5 * 10 ** -digits(entity) if entity.platform == "sensor" else 0.0
        return math.isclose(shown, expected, rel_tol=1e-6, abs_tol=half + 1e-6)
    return shown == expected


def digits(entity: Entity) -> int:
    """Behind the point, of a sensor."""
    return DIGITS_IN.get(entity.shown_in, entity.accuracy)


def is_true(entity: Entity, shown: Any, history: History, begin: float, now: float) -> bool:
    """Whether the charger's values between ``begin`` and ``now`` allow the entity to show this."""
    return any(same(entity, shown, value) for value in possible(entity, history, begin, now))


def possible(entity: Entity, history: History, begin: float, now: float) -> Iterator[Any]:
    """Everything that the entity may show, the likeliest first."""
    if entity.key in ("last_session_energy", "last_session_duration"):
        yield from _last_session(entity, history, now)
    elif entity.convert == "pending":
        yield from _combined(_pending, ("STATE", entity.command), history, begin, now)
    elif entity.command:
        known = entity.command in history.spans
        rows = history.rows(entity.command, begin, now)
        yield from (_of_row(entity, row) for row in rows) if known else (None,)
    else:
        yield from _combined(_DERIVED[entity.key], entity.needs, history, begin, now)


def _of_row(entity: Entity, row: Row | list[Row]) -> Any:
    if COMMAND[entity.command].lines:
        return ", ".join(" ".join(map(str, line)) for line in row)
    value = row[entity.field_index] if entity.field_index < len(row) else None
    return _CONVERTERS[entity.platform](entity, row, value)


def _sensor(entity: Entity, row: Row, value: Any) -> float | None:
    return None if entity.convert == "gated" and not row[0] else value / 10**entity.scale / SECONDS_IN[entity.shown_in]


def _binary(entity: Entity, _row: Row, value: Any) -> bool | None:
    if value is None:
        return None
    return bool(value >> entity.bit & 1) if entity.convert == "bit" else bool(value)


def _text(entity: Entity, row: Row, value: Any) -> str | None:
    if entity.convert == "join":
        return " ".join(map(str, row))
    if entity.convert == "name":
        return entity.options[value]
    if entity.convert == "time":
        return datetime.fromtimestamp(value, UTC).isoformat()
    return _valid(value) if isinstance(value, str) else value


def _valid(text: str) -> str:
    """Bytes that are no UTF-8, which a damaged write has brought into the charger, are told to no client."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _select(entity: Entity, _row: Row, value: Any) -> str | None:
    if entity.convert == "value":
        return entity.options[value]
    return value if value in entity.options else None


_CONVERTERS: dict[str, Callable[[Entity, Row, Any], Any]] = {
    "sensor": _sensor,
    "binary_sensor": _binary,
    "text_sensor": _text,
    "switch": lambda _entity, _row, value: bool(value),
    "number": lambda entity, _row, value: value / entity.multiplier,
    "select": _select,
    "text": lambda _entity, _row, value: _valid(value),
}


def _last_session(entity: Entity, history: History, now: float) -> Iterator[Any]:
    """Some value of some session; the charger does not keep it."""
    yield None
    name = "EMETERCONSUM" if entity.key == "last_session_energy" else "EMETERSESTIME"
    yield from (row[0] / SECONDS_IN[entity.shown_in] for row in history.rows(name, -math.inf, now))


def _combined(
    rule: Callable[..., Any], needs: Iterable[str], history: History, begin: float, now: float
) -> Iterator[Any]:
    """Its inputs come one after the other, so every combination of recent ones is allowed."""
    choices = [list(history.rows(name, begin, now)) for name in needs]
    for rows in itertools.product(*choices):
        yield rule(*(row[0] if len(row) == 1 else row for row in rows))


def _pending(state: int, waits: int) -> bool:
    """In state E the charger's bit may be that of a session which has been cut off; a car waits before it charges."""
    return bool(waits) and STATES[state] in ("B1", "B2")


def _vehicle(state: int) -> bool | None:
    name = STATES[state]
    return name in SESSION_STATES if name not in ("E", "F") else None


def _status(state: int, errors: int, enabled: int, waiting: int, limit: int) -> str:
    for bit, (key, text) in enumerate(FAULTS):
        if errors >> bit & 1:
            return FAULT_TEXTS.get(key, f"Fault: {text[0].lower()}{text[1:]}")
    name = STATES[state]
    if name in SESSION_STATES and name not in CHARGING_STATES:
        if _pending(state, waiting):
            return "Waiting for authorization"
        if limit:
            return "Charging limit reached"
        if not enabled:
            return "Paused"
    return STATE_TEXTS[name]


_DERIVED: dict[str, Callable[..., Any]] = {
    "connected": lambda: True,
    "timeout_fault": lambda: False,
    "active_phases": lambda currents: float(sum(current > ACTIVE_PHASE_MA for current in currents)),
    "vehicle_connected": _vehicle,
    "charging": lambda state: STATES[state] in CHARGING_STATES,
    "fault": lambda state, errors: STATES[state] == "E" or errors != 0,
    "status": _status,
}
