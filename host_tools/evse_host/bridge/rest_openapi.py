"""How the REST API is described: OpenAPI 3.1, `/api/v1/openapi.json`."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from . import rest
from .rest import Setting, Settings

#: What FastAPI takes as `responses`.
Responses = dict[int | str, dict[str, Any]]


def body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def value(setting: Setting) -> dict[str, Any]:
    """What may be written to one setting."""
    if setting.kind == "flag":
        return {"type": "boolean"}
    if setting.kind == "choice":
        return {"type": "string", "enum": list(setting.choices)}
    if setting.kind == "text":
        return {"type": "string", "minLength": 1, "maxLength": 31}
    low, high = setting.range
    return {
        "type": "number" if setting.rounding else "integer", "minimum": int(low), "maximum": int(high),
        "description": setting.unit,
    }  # fmt: skip


def some_of(settings: Settings) -> dict[str, Any]:
    """An object with any of them; other keys mean nothing, and null leaves a value as it is."""
    known = {key: {"anyOf": [value(setting), {"type": "null"}]} for key, setting in settings.items()}
    one = [{"required": [key], "properties": {key: value(setting)}} for key, setting in settings.items()]
    return {"type": "object", "properties": known, "anyOf": one}


def state(energies: str) -> Responses:
    """The answers of `GET /state`."""
    fields = _state_fields(energies)
    schema = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    return _shown("All of it", schema)


def some_object(what: str) -> Responses:
    """The answers of another `GET`."""
    return _shown(what, {"type": "object"})


def number(what: str) -> Responses:
    return _shown(what, {"type": ["integer", "null"]})


def _shown(what: str, schema: dict[str, Any]) -> Responses:
    content = {"application/json": {"schema": schema}}
    return {200: {"description": what, "content": content}, **{status: _REFUSED[status] for status in (401, 403, 503)}}


def _answers(**texts: str) -> Responses:
    plain = {"text/plain": {"schema": {"type": "string"}}}
    return {int(status.strip("_")): {"description": text, "content": plain} for status, text in texts.items()}


_REFUSED = _answers(
    _401="Credentials are missing or wrong",
    _403="A page of another site, or another name than the address of this server",
    _413="The body is too long",
    _502="Written, but the charger shows something else",
    _503="The charger does not answer",
)
RUN = {**_answers(_200="Done: OK", _400="The charger refuses it"), **_REFUSED}
WRITTEN = {
    **_answers(_200="Written, and the charger shows it: OK", _400="A value is wrong, or the charger refuses it",
               _415="The body is not said to be JSON", _501="AT cannot write that"),
    **_REFUSED,
}  # fmt: skip


def _nullable(schema: dict[str, Any], unit: str = "") -> dict[str, Any]:
    known = {**schema, "type": [schema["type"], "null"]}
    return {**known, "description": unit} if unit else known


def _state_fields(energies: str) -> dict[str, Any]:
    flag, count = _nullable({"type": "boolean"}), {"type": "integer", "minimum": 0}
    phases = {"type": "array", "items": {"type": "number", "minimum": 0}, "minItems": 3, "maxItems": 3}
    errors = {
        "type": ["array", "null"], "items": {"type": "string"}, "description": f"null or of {', '.join(rest.ERRORS)}",
    }  # fmt: skip
    return {
        "state": {"type": "string", "enum": ["A", "B1", "B2", "C1", "C2", "D1", "D2", "E", "F"]},
        "available": flag,
        "enabled": flag,
        "pendingAuth": flag,
        "limitReached": flag,
        "chargingCurrent": _nullable({"type": "number", "minimum": 0}, "A"),
        "consumptionLimit": _nullable(count, f"{energies}, 0: none"),
        "chargingTimeLimit": _nullable(count, "s, 0: none"),
        "underPowerLimit": _nullable(count, "W, 0: none"),
        "errors": errors,
        "sessionTime": _nullable(count, "s"),
        "chargingTime": _nullable(count, "s"),
        "consumption": _nullable(count, f"{energies}, this session"),
        "totalConsumption": _nullable(count, energies),
        "power": _nullable(count, "W"),
        "voltage": _nullable(phases, "L1 to L3, V"),
        "current": _nullable(phases, "L1 to L3, A"),
    }


def describe_security(app: FastAPI, needed: bool) -> None:
    document = app.openapi()
    if needed:
        document.setdefault("components", {})["securitySchemes"] = {"basic": {"type": "http", "scheme": "basic"}}
        document["security"] = [{"basic": []}]
