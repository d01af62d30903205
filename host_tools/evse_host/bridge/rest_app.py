"""The charger's REST API as an ASGI application, with the web page. See rest.py for what the JSON means."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import Future
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ..errors import EvseError, MismatchError, NoAnswerError, PortError, RefusedError, UsageError
from ..line.client import Evse
from . import rest, rest_config, rest_openapi
from .charger import SharedCharger
from .page import add_list, add_page
from .rest_addresses import Addresses, WholeAddresses
from .rest_guard import Credentials, Guard, check_host
from .snapshot import Snapshot

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
    charger: SharedCharger | Mapping[str, SharedCharger],
    credentials: Credentials | tuple[str, str] | None = None,
    energies: str = "Wh",
    hosts: Collection[str] = (),
) -> FastAPI:
    """One charger at `/api/v1` and `/`; of a mapping each at `/NAME/api/v1` and `/NAME/`.

    With ``credentials`` (user, password) everything needs them. Without them only a client that calls this server by
    its address, this computer's name or one of ``hosts`` is served: see rest_guard.py. ``energies`` is a key of
    rest.ENERGIES.
    """
    app = FastAPI(title="ESP32-EVSE", version="1", description=__doc__.split(".")[0], openapi_url=f"{API}/openapi.json",
                  docs_url=None, redoc_url=None, redirect_slashes=False)  # fmt: skip
    chargers: Mapping[str, SharedCharger] = charger if isinstance(charger, Mapping) else {}
    app.add_middleware(Addresses, names=tuple(chargers))
    app.add_middleware(
        Guard, credentials=Credentials(*credentials) if credentials else None, hosts=list(map(check_host, hosts))
    )
    app.add_middleware(WholeAddresses)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    for name, one in chargers.items():
        if not NAME.fullmatch(name):
            raise UsageError(f"charger {name!r}: a name in an address has only letters, digits, - and _")
        _add_charger(app, one, f"/{name}", energies)
    if isinstance(charger, Mapping):
        add_list(app, chargers)
    else:
        _add_charger(app, charger, "", energies)
    rest_openapi.describe_security(app, credentials is not None)
    return app


def _add_charger(app: FastAPI, charger: SharedCharger, prefix: str, energies: str) -> None:
    routes = _Routes(app, charger, f"{prefix}{API}", energies)
    routes.add_reads()
    routes.add_writes()
    routes.add_actions()
    add_page(app, charger, prefix, energies)
    app.add_api_route(f"{prefix}{API}/{{path:path}}", _absent, methods=["GET", "POST", "PUT", "DELETE"],
                      include_in_schema=False)  # fmt: skip


class _Routes:
    """Which address does what, and how the description has it."""

    def __init__(self, app: FastAPI, charger: SharedCharger, base: str, energies: str) -> None:
        self._app, self._charger, self._base, self._energies = app, charger, base, energies
        self._api = RestApi(charger)
        self._state = rest.settings(energies=energies)
        self._evse = rest.settings(rest_config.EVSE, energies)
        self._discovery = rest.settings(rest_config.DISCOVERY, energies)

    def add_reads(self) -> None:
        some = rest_openapi.some_object
        self._read("state", "What the charger does", self._state_json, rest_openapi.state(self._energies))
        self._read("config/evse", "Settings that the charger keeps", self._evse_json, some("Settings"))
        self._read("config/discovery", "Its names in the network", self._discovery_json, some("Names"))
        self._read("config/wifi", "Its Wi-Fi", rest_config.wifi_json, some("Wi-Fi"))
        self._read("config", "Settings, Wi-Fi and names", self._config_json, some("What AT can tell of it"))
        self._read("wifi/state", "Its addresses and its signal", rest_config.wifi_state_json, some("Addresses"))
        self._read("info", "Firmware, chip, heap, temperatures", rest_config.info_json, some("About it"))
        self._read("time", "Its clock, s since 1970", rest_config.TIME.shown, rest_openapi.number("s"))
        self._add("GET", "board-config", "What its board has", self._api.get_board, some("The board"))

    def add_writes(self) -> None:
        self._write_some("state", self._state)
        self._write_some("config/evse", self._evse, rest_config.UNREACHABLE)
        self._write_some("config/discovery", self._discovery)
        for setting in self._state.values():
            self._write_one(f"state/{setting.path}", f"Write {setting.key}", setting)
        self._write_one("time", "Set its clock", rest_config.TIME)
        self._write_one("wifi/state/ap", "Start or stop its access point", rest_config.ACCESS_POINT)

    def add_actions(self) -> None:
        charger, total = self._charger, "state/reset-total-consumption"
        self._act("state/authorize", "Let the waiting vehicle charge", lambda: charger.run("AUTH"))
        self._act(total, "Set totalConsumption to 0", lambda: charger.set("EMETERTOTCONSUM", 0))
        self._act("restart", "Restart the charger, in 5 s", lambda: charger.run("RST"))

    # --- what is read

    def _state_json(self, snapshot: Snapshot) -> rest.Json:
        return rest.state_json(snapshot, self._energies)

    def _evse_json(self, snapshot: Snapshot) -> rest.Json:
        return rest_config.evse_json(snapshot, self._evse)

    def _discovery_json(self, snapshot: Snapshot) -> rest.Json:
        return rest_config.settings_json(snapshot, self._discovery)

    def _config_json(self, snapshot: Snapshot) -> rest.Json:
        return {
            "evse": self._evse_json(snapshot),
            "wifi": rest_config.wifi_json(snapshot),
            "discovery": self._discovery_json(snapshot),
        }

    # --- one address each

    def _read(
        self, path: str, summary: str, show: Callable[[Snapshot], object], responses: rest_openapi.Responses
    ) -> None:
        self._add("GET", path, summary, self._api.get(show), responses)

    def _write_some(self, path: str, settings: rest.Settings, unreachable: tuple[str, ...] = ()) -> None:
        summary = "Write any of the settings: all or, if one is wrong, none"
        handler = self._api.post_object(settings, unreachable)
        self._add("POST", path, summary, handler, rest_openapi.WRITTEN, rest_openapi.some_of(settings))

    def _write_one(self, path: str, summary: str, setting: rest.Setting) -> None:
        handler = self._api.post_setting(setting)
        self._add("POST", path, summary, handler, rest_openapi.WRITTEN, rest_openapi.value(setting))

    def _act(self, path: str, summary: str, action: Callable[[], Future[Any]]) -> None:
        self._add("POST", path, summary, self._api.post_action(action), rest_openapi.RUN)

    def _add(
        self,
        method: str,
        path: str,
        summary: str,
        handler: Callable[..., Awaitable[Response]],
        responses: rest_openapi.Responses,
        body: dict[str, Any] | None = None,
    ) -> None:
        self._app.add_api_route(
            f"{self._base}/{path}", handler, methods=[method], summary=summary, responses=responses,
            tags=[self._charger.name], openapi_extra=rest_openapi.body(body) if body else None,
        )  # fmt: skip


class RestApi:
    """The routes of one charger."""

    def __init__(self, charger: SharedCharger) -> None:
        self._charger = charger
        self._log = logging.getLogger(f"evse.{charger.name}.rest")

    def get(self, show: Callable[[Snapshot], object]) -> Callable[[], Awaitable[Response]]:
        async def get() -> Response:
            snapshot = self._charger.snapshot
            return _json(show(snapshot)) if rest.is_known(snapshot) else self._offline()

        return get

    async def get_board(self, request: Request) -> Response:
        try:
            parts = await asyncio.wrap_future(self._charger.submit(_read_parts))
        except EvseError as error:
            return self._refuse(request, STATUS.get(type(error), 500), str(error))
        return _json(rest_config.board_json(self._charger.snapshot, parts))

    def post_object(self, settings: rest.Settings, unreachable: tuple[str, ...] = ()) -> Handler:
        async def post(request: Request) -> Response:
            return await self._answer(request, self._write_all(request, settings, unreachable))

        return post

    def post_setting(self, setting: rest.Setting) -> Handler:
        async def post(request: Request) -> Response:
            return await self._answer(request, self._write_one(request, setting))

        return post

    def post_action(self, action: Callable[[], Future[Any]]) -> Handler:
        async def post(request: Request) -> Response:
            return await self._answer(request, self._act(request, action))

        return post

    async def _act(self, request: Request, action: Callable[[], Future[Any]]) -> None:
        await _read(request)  # nothing is expected in it
        await asyncio.wrap_future(action())

    async def _write_one(self, request: Request, setting: rest.Setting) -> None:
        value = await _read_json(request)
        await self._set(rest.Write(setting, rest.wire_value(setting, value, self._charger.snapshot)))

    async def _write_all(self, request: Request, settings: rest.Settings, unreachable: tuple[str, ...]) -> None:
        """Ends with the first write that fails, and says which were done."""
        values = await _read_json(request)
        for key in unreachable:
            if isinstance(values, dict) and values.get(key) is not None:
                raise HTTPException(501, f"{key}: AT cannot write that; nothing was written")
        writes = rest.plan(values, self._charger.snapshot, settings)
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

    def _offline(self) -> Response:
        return _text(503, f"{self._charger.name} is offline: {self._charger.error}")

    def _refuse(self, request: Request, status: int, reason: str) -> Response:
        who = request.client.host if request.client else "?"
        self._log.info("%s from %s: %d %s", request.url.path, who, status, reason)
        return _text(status, reason)


def _read_parts(evse: Evse) -> dict[str, list[tuple[Any, ...]]]:
    """In the charger's thread."""
    return {name: evse.get_rows(name) for name in rest_config.PARTS}


def _rest_of(writes: list[rest.Write], at: int) -> str:
    """What became of the other writes, if there are any."""
    if len(writes) == 1:
        return ""
    done, left = (", ".join(write.setting.key for write in part) for part in (writes[:at], writes[at + 1 :]))
    return f"; written before: {done or 'none'}; not tried: {left or 'none'}"


async def _absent(request: Request, path: str) -> Response:
    """The charger's API has more than AT can fill."""
    if path == "config/wifi":
        raise HTTPException(501, rest_config.NO_WIFI_WRITES)
    if reason := rest_config.absence(path):
        raise HTTPException(501, f"not here: {reason}")
    raise HTTPException(405 if _methods(request) else 404)


# --- HTTP -------------------------------------------------------------------------------------------------------------

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def _text(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(text, status, {**_HEADERS, **(headers or {})}, "text/plain")


def _json(value: object) -> Response:
    body = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Response(body, media_type="application/json", headers=_HEADERS)


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


async def _on_http_error(request: Request, error: Any) -> Response:
    if error.status_code != 405:
        return _text(error.status_code, error.detail, error.headers)
    if not (methods := _methods(request)):
        return _text(404, "Not Found")
    headers = {"Allow": ", ".join(methods)}
    return _text(204, "", headers) if request.method == "OPTIONS" else _text(405, error.detail, headers)


def _methods(request: Request) -> list[str]:
    """What this address can do; reading and writing are two routes."""
    routes = [route for route in request.app.routes if route.path == request.url.path]
    methods = {method for route in routes for method in route.methods}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


async def _on_disconnect(_request: Request, _error: Any) -> Response:
    return _text(400, "the body ended early")  # nobody reads it
