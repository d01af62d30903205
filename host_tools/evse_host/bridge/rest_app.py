"""The charger's REST API as an ASGI application, with the web page. See rest.py for what the JSON means."""

from __future__ import annotations

import asyncio
import html
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ..errors import EvseError, MismatchError, NoAnswerError, PortError, RefusedError, UsageError
from . import rest
from .charger import SharedCharger
from .page import add_page
from .rest_guard import Credentials, Guard

API = "/api/v1"
NAME = re.compile(r"[A-Za-z0-9_-]+")

STATUS = {
    UsageError: 400,  # out of range, nothing was sent
    RefusedError: 400,  # the charger said ERROR
    MismatchError: 502,  # written, and the charger shows something else
    NoAnswerError: 503,
    PortError: 503,
}

Handler = Callable[[Request], Awaitable[Response]]


def make_app(
    charger: SharedCharger | Mapping[str, SharedCharger], credentials: Credentials | tuple[str, str] | None = None
) -> FastAPI:
    """One charger at `/api/v1` and `/`; of a mapping each at `/NAME/api/v1` and `/NAME/`.

    With ``credentials`` (user, password) everything needs them. Without them only a client that calls this server by
    its address or a local name is served: see rest_guard.py.
    """
    app = FastAPI(title="ESP32-EVSE", version="1", description=__doc__.split(".")[0], openapi_url=f"{API}/openapi.json",
                  docs_url=None, redoc_url=None, redirect_slashes=False)  # fmt: skip
    app.add_middleware(Guard, credentials=Credentials(*credentials) if credentials else None)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    if isinstance(charger, Mapping):
        for name, one in charger.items():
            if not NAME.fullmatch(name):
                raise UsageError(f"charger {name!r}: a name in an address has only letters, digits, - and _")
            _add_charger(app, one, f"/{name}")
        app.add_api_route("/", _index(charger), include_in_schema=False)
    else:
        _add_charger(app, charger, "")
    _describe_security(app, credentials is not None)
    return app


def _add_charger(app: FastAPI, charger: SharedCharger, prefix: str) -> None:
    api = RestApi(charger)
    base, tag = f"{prefix}{API}/state", {"tags": [charger.name]}
    app.add_api_route(base, api.get_state, methods=["GET"], summary="What the charger does", responses=_STATE, **tag)
    app.add_api_route(
        base, api.post_state, methods=["POST"], summary="Write any of the settings: all or, if one is wrong, none",
        openapi_extra=_body(_OBJECT), responses=_WRITTEN, **tag,
    )  # fmt: skip
    for setting in rest.SETTINGS:
        app.add_api_route(
            f"{base}/{setting.path}", api.post_setting(setting), methods=["POST"], summary=f"Write {setting.key}",
            openapi_extra=_body(_schema(setting)), responses=_WRITTEN, **tag,
        )  # fmt: skip
    for path, summary, action in (
        ("authorize", "Let the waiting vehicle charge", lambda: charger.run("AUTH")),
        ("reset-total-consumption", "Set totalConsumption to 0", lambda: charger.set("EMETERTOTCONSUM", 0)),
    ):
        app.add_api_route(
            f"{base}/{path}", api.post_action(action), methods=["POST"], summary=summary, responses=_RUN, **tag
        )
    add_page(app, charger, prefix)


class RestApi:
    """The routes of one charger."""

    def __init__(self, charger: SharedCharger) -> None:
        self._charger = charger
        self._log = logging.getLogger(f"evse.{charger.name}.rest")

    async def get_state(self) -> Response:
        snapshot = self._charger.snapshot
        if not rest.is_known(snapshot):
            return _text(503, f"{self._charger.name} is offline: {self._charger.error}")
        body = json.dumps(rest.state_json(snapshot), allow_nan=False, separators=(",", ":"))
        return Response(body, media_type="application/json", headers=_HEADERS)

    async def post_state(self, request: Request) -> Response:
        return await self._answer(request, self._write_all(request))

    def post_setting(self, setting: rest.Setting) -> Handler:
        async def post(request: Request) -> Response:
            return await self._answer(request, self._write_one(request, setting))

        post.__name__ = f"post_{setting.path}"
        return post

    def post_action(self, action: Callable[[], Future]) -> Handler:
        async def post(request: Request) -> Response:
            return await self._answer(request, self._act(request, action))

        return post

    async def _act(self, request: Request, action: Callable[[], Future]) -> None:
        await _read(request)  # nothing is expected in it
        await asyncio.wrap_future(action())

    async def _write_one(self, request: Request, setting: rest.Setting) -> None:
        value = await _read_json(request)
        await self._set(rest.Write(setting, rest.wire_value(setting, value, self._charger.snapshot)))

    async def _write_all(self, request: Request) -> None:
        """Ends with the first write that fails, and says which were done."""
        writes = rest.plan(await _read_json(request), self._charger.snapshot)
        for at, write in enumerate(writes):
            try:
                await self._set(write)
            except EvseError as error:
                raise type(error)(f"{error}{_rest_of(writes, at)}") from None

    async def _set(self, write: rest.Write) -> None:
        try:
            await asyncio.wrap_future(self._charger.set(write.setting.command, write.value))
        except EvseError as error:
            raise type(error)(f"{write.setting.key}: {error}") from None

    async def _answer(self, request: Request, work: Awaitable[None]) -> Response:
        try:
            await work
        except HTTPException as error:
            return self._refuse(request, error.status_code, error.detail)
        except EvseError as error:
            return self._refuse(request, STATUS.get(type(error), 500), str(error))
        return _text(200, "OK")

    def _refuse(self, request: Request, status: int, reason: str) -> Response:
        who = request.client.host if request.client else "?"
        self._log.info("%s from %s: %d %s", request.url.path, who, status, reason)
        return _text(status, reason)


def _rest_of(writes: list[rest.Write], at: int) -> str:
    """What became of the other writes, if there are any."""
    if len(writes) == 1:
        return ""
    done, left = (", ".join(write.setting.key for write in part) for part in (writes[:at], writes[at + 1 :]))
    return f"; written before: {done or 'none'}; not tried: {left or 'none'}"


# --- HTTP -------------------------------------------------------------------------------------------------------------

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def _text(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(text, status, {**_HEADERS, **(headers or {})}, "text/plain")


async def _read_json(request: Request) -> object:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "the body must come with Content-Type: application/json")
    return rest.parse(await _read(request))


async def _read(request: Request) -> bytes:
    """The body, whether it says its length or not."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > rest.MAX_BODY:
            raise HTTPException(413, f"the body has more than {rest.MAX_BODY} bytes")
    return bytes(body)


async def _on_http_error(request: Request, error: HTTPException) -> Response:
    headers = error.headers
    if error.status_code == 405:  # reading and writing are two routes
        routes = [route for route in request.app.routes if route.path == request.url.path]
        headers = {"Allow": ", ".join(sorted(method for route in routes for method in route.methods))}
    return _text(error.status_code, error.detail, headers)


async def _on_disconnect(_request: Request, _error: ClientDisconnect) -> Response:
    return _text(400, "the body ended early")  # nobody reads it


def _index(chargers: Mapping[str, SharedCharger]) -> Callable[[], Awaitable[Response]]:
    links = "".join(f'<li><a href="{name}/">{html.escape(name)}</a></li>' for name in chargers)
    page = f'<!doctype html><html lang="en"><title>Chargers</title><h1>Chargers</h1><ul>{links}</ul></html>'

    async def answer() -> Response:
        return HTMLResponse(page, headers={**_HEADERS, "Content-Security-Policy": "default-src 'none'"})

    return answer


# --- OpenAPI ----------------------------------------------------------------------------------------------------------


def _body(schema: dict) -> dict:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _schema(setting: rest.Setting) -> dict:
    if setting.is_flag:
        return {"type": "boolean"}
    low, high = setting.range
    return {
        "type": "number" if setting.rounding else "integer", "minimum": int(low), "maximum": int(high),
        "description": setting.unit,
    }  # fmt: skip


def _answers(**texts: str) -> dict:
    plain = {"text/plain": {"schema": {"type": "string"}}}
    return {int(status.strip("_")): {"description": text, "content": plain} for status, text in texts.items()}


def _nullable(schema: dict, unit: str = "") -> dict:
    known = {**schema, "type": [schema["type"], "null"]}
    return {**known, "description": unit} if unit else known


_OBJECT = {
    "type": "object",
    "properties": {setting.key: _schema(setting) for setting in rest.SETTINGS},
    "additionalProperties": False,
    "minProperties": 1,
}
_REFUSED = _answers(
    _401="Credentials are missing or wrong",
    _403="A page of another site, or another name than the address of this server",
    _413="The body is too long",
    _502="Written, but the charger shows something else",
    _503="The charger does not answer",
)
_RUN = {**_answers(_200="Done: OK", _400="The charger refuses it"), **_REFUSED}
_WRITTEN = {
    **_answers(_200="Written, and the charger shows it: OK", _400="A value is wrong, or the charger refuses it",
               _415="The body is not said to be JSON"),
    **_REFUSED,
}  # fmt: skip

_FLAG, _COUNT = _nullable({"type": "boolean"}), {"type": "integer", "minimum": 0}
_PHASES = {"type": "array", "items": {"type": "number", "minimum": 0}, "minItems": 3, "maxItems": 3}
_FIELDS = {
    "state": {"type": "string", "enum": ["A", "B1", "B2", "C1", "C2", "D1", "D2", "E", "F"]},
    "available": _FLAG,
    "enabled": _FLAG,
    "pendingAuth": _FLAG,
    "limitReached": _FLAG,
    "chargingCurrent": _nullable({"type": "number", "minimum": 0}, "A"),
    "consumptionLimit": _nullable(_COUNT, "Ws, 0: none"),
    "chargingTimeLimit": _nullable(_COUNT, "s, 0: none"),
    "underPowerLimit": _nullable(_COUNT, "W, 0: none"),
    "errors": {
        "type": ["array", "null"], "items": {"type": "string"}, "description": f"null or of {', '.join(rest.ERRORS)}",
    },
    "sessionTime": _nullable(_COUNT, "s"),
    "chargingTime": _nullable(_COUNT, "s"),
    "consumption": _nullable(_COUNT, "Ws, this session"),
    "totalConsumption": _nullable(_COUNT, "Ws"),
    "power": _nullable(_COUNT, "W"),
    "voltage": _nullable(_PHASES, "L1 to L3, V"),
    "current": _nullable(_PHASES, "L1 to L3, A"),
}  # fmt: skip
_STATE = {
    200: {
        "description": "All of it",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object", "properties": _FIELDS, "required": list(_FIELDS), "additionalProperties": False,
                }
            }
        },
    },
    **{status: _REFUSED[status] for status in (401, 403, 503)},
}  # fmt: skip


def _describe_security(app: FastAPI, needed: bool) -> None:
    document = app.openapi()
    if needed:
        document.setdefault("components", {})["securitySchemes"] = {"basic": {"type": "http", "scheme": "basic"}}
        document["security"] = [{"basic": []}]
