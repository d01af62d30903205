"""OCPP-J: calls, answers and errors as texts, checked by the schemas of the package `ocpp`. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import ValidationError, best_match
from ocpp.messages import MessageType, get_validator

CALL, RESULT, ERROR = MessageType.Call, MessageType.CallResult, MessageType.CallError
MAX_ID = 36
MAX_DEPTH_TEXT = 255  # characters of an error's description

FORMATION, PROPERTY, TYPE = "FormationViolation", "PropertyConstraintViolation", "TypeConstraintViolation"
OCCURENCE = {"1.6": "OccurenceConstraintViolation", "2.0.1": "OccurrenceConstraintViolation"}
NOT_IMPLEMENTED, NOT_SUPPORTED, INTERNAL = "NotImplemented", "NotSupported", "InternalError"
PROTOCOL, GENERIC, SECURITY = "ProtocolError", "GenericError", "SecurityError"
_FORMATION = {"1.6": FORMATION, "2.0.1": "FormatViolation"}
_BY_RULE = {
    "type": TYPE, "format": TYPE, "maxLength": PROPERTY, "enum": PROPERTY, "multipleOf": PROPERTY, "minimum": PROPERTY,
    "maximum": PROPERTY, "minLength": PROPERTY,
}  # fmt: skip
#: Where the schema has a multipleOf 0.1, which binary fractions never are.
_DECIMAL = ("SetChargingProfile", "RemoteStartTransaction")


class CallError(Exception):
    """The answer to a call that cannot be done: an error code of OCPP-J, and a description for people."""

    def __init__(self, code: str, description: str = "") -> None:
        super().__init__(f"{code}: {description}")
        self.code, self.description = code, description[:MAX_DEPTH_TEXT]


Payload = dict[str, Any]
#: What a call asks for: its payload and the time to the payload of the answer.
Action = Callable[[Payload, float], Payload]


@dataclass(frozen=True)
class Call:
    id: str
    action: str
    payload: Payload


@dataclass(frozen=True)
class Result:
    id: str
    payload: Payload


@dataclass(frozen=True)
class Error:
    id: str
    code: str
    description: str


@dataclass(frozen=True)
class Unreadable:
    """What is no message; ``id`` is that of the call that it may have been, empty if it shows none."""

    id: str
    error: CallError


def parse(text: str | bytes, version: str) -> Call | Result | Error | Unreadable:
    try:
        fields = json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return Unreadable("", CallError(_FORMATION[version], "this is no JSON"))
    if not isinstance(fields, list) or len(fields) < 2 or type(fields[0]) is not int:
        return Unreadable("", CallError(_FORMATION[version], "a message is a list that begins with its type"))
    kind, unique_id = fields[0], fields[1]
    if not isinstance(unique_id, str) or not 0 < len(unique_id) <= MAX_ID:
        return Unreadable("", CallError(_FORMATION[version], f"a message has an id of 1 to {MAX_ID} characters"))
    if kind == CALL:
        return _call(unique_id, fields, version)
    if kind == RESULT and len(fields) == 3 and isinstance(fields[2], dict):
        return Result(unique_id, fields[2])
    if kind == ERROR and len(fields) >= 3:
        return Error(unique_id, str(fields[2]), str(fields[3]) if len(fields) > 3 else "")
    return Unreadable("", CallError("MessageTypeNotSupported" if version != "1.6" else GENERIC, "no such message"))


def _no_constant(text: str) -> None:
    raise ValueError(text)


def _call(unique_id: str, fields: list[Any], version: str) -> Call | Unreadable:
    if len(fields) != 4 or not isinstance(fields[2], str) or not isinstance(fields[3], dict):
        return Unreadable(unique_id, CallError(_FORMATION[version], "a call has an id, an action and an object"))
    return Call(unique_id, fields[2], fields[3])


def action_of(call: Call, actions: Mapping[str, Action], not_supported: Collection[str]) -> Action:
    """What it asks for. Raises CallError; ``not_supported`` are of the standard, and not for this charge point."""
    if call.action in actions:
        return actions[call.action]
    code = NOT_SUPPORTED if call.action in not_supported else NOT_IMPLEMENTED
    raise CallError(code, f"{call.action[:50]} is not there")


def check_call(call: Call, version: str) -> Payload:
    """Its payload, with numbers as floats. Raises CallError with the right code."""
    number = Decimal if version == "1.6" and call.action in _DECIMAL else float
    plain: Payload = _plain(call.payload)
    payload = call.payload if number is Decimal else plain
    validator = _validator(call.action, version, number)
    try:
        error = best_match(validator.iter_errors(payload))
    except (ArithmeticError, RecursionError):
        raise CallError(PROPERTY, "a number is out of range") from None
    if error is not None:
        raise CallError(_code(error, version), _words(error))
    return plain


def _validator(action: str, version: str, number: type) -> Draft4Validator:
    """``action`` is one that we know."""
    validator: Draft4Validator = get_validator(CALL, action, version, parse_float=number)
    return validator


def _code(error: ValidationError, version: str) -> str:
    if error.validator in ("required", "minItems", "maxItems"):
        return OCCURENCE[version]
    return _BY_RULE.get(str(error.validator), _FORMATION[version])


def _words(error: ValidationError) -> str:
    place = ".".join(str(part) for part in error.absolute_path)
    return f"{place}: {error.message}" if place else error.message


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


# --- what we say ------------------------------------------------------------------------------------------------------


def call_text(unique_id: str, action: str, payload: Payload) -> str:
    return _dump([CALL, unique_id, action, payload])


def result_text(unique_id: str, payload: Payload) -> str:
    return _dump([RESULT, unique_id, payload])


def error_text(unique_id: str, error: CallError) -> str:
    return _dump([ERROR, unique_id, error.code, error.description, {}])


def _dump(message: list[object]) -> str:
    return json.dumps(message, separators=(",", ":"))


# --- moments ----------------------------------------------------------------------------------------------------------


def stamp(moment: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> float:
    """A time without zone is UTC. Raises CallError."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise CallError(TYPE, f"{text[:40]!r} is no time as RFC 3339 has it") from None


def optional_moment(text: str | None) -> float | None:
    return None if text is None else moment(text)


def word(value: object, allowed: tuple[str, ...]) -> str:
    """Raises ValueError where it is none of them."""
    if value not in allowed:
        raise ValueError(f"{str(value)[:40]!r} is none of {', '.join(allowed)}")
    return str(value)


def integer(value: object) -> int:
    """Raises ValueError."""
    if type(value) is not int or abs(value) >= 2**63:
        raise ValueError("no integer")
    return value


def without_none(payload: Payload) -> Payload:
    return {name: value for name, value in payload.items() if value is not None}
