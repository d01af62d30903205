"""The web page: the charger at a glance, live, and what a person may do with it.

The page writes through the REST API. What it shows comes as server-sent events from `api/v1/events`.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from .charger import SharedCharger, changes
from .history import History
from .page_view import view
from .rest import ENERGIES

WEB = Path(__file__).with_name("web")
HEAD = "<!-- head.html -->"  # in a page: what all pages have
#: Address -> file; of a gateway LIST is at its root.
PAGE = {
    "": "index.html",
    "settings": "settings.html",
    "home.js": "home.js",
    "settings.js": "settings.js",
}
SHARED = ("page.js", "page.css", "icon.svg", "manifest.webmanifest")
LIST = {"": "chargers.html", "chargers.js": "chargers.js"}
TYPES = {
    ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}  # fmt: skip
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
#: An event comes at least this often: it keeps the connection open, and a page that hears none knows that it is lost.
EVERY_S = 5.0
_FRESH = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
LOOK_S = 1.0  # silence is no change that anybody tells
MOST_VIEWERS = 32  # each holds a connection open


def add_page(app: FastAPI, charger: SharedCharger, prefix: str = "", energies: str = "Wh") -> None:
    """Adds the page at ``prefix`` + "/". Its addresses are relative: it works behind a proxy, too."""
    _add_files(app, prefix, PAGE)
    history = History()
    history.add(charger.snapshot, time.time())  # of a charger that changes nothing more comes for a while
    charger.listen(lambda snapshot: history.add(snapshot, time.time()))

    async def answer() -> Response:
        return JSONResponse(history.json(time.time()), headers=_FRESH)

    app.add_api_route(f"{prefix}/api/v1/history", answer, include_in_schema=False)
    app.add_api_route(f"{prefix}/api/v1/events", _events(charger, ENERGIES[energies]), include_in_schema=False)


def add_list(app: FastAPI, chargers: Mapping[str, SharedCharger]) -> None:
    """Adds the list of several chargers at "/"."""
    _add_files(app, "", LIST)

    async def answer() -> Response:
        shown = [{"path": f"{name}/", **view(one.snapshot, name, one.error)} for name, one in chargers.items()]
        return JSONResponse(shown, headers=_FRESH)

    app.add_api_route("/api/v1/chargers", answer, include_in_schema=False)


def _add_files(app: FastAPI, prefix: str, files: Mapping[str, str]) -> None:
    for path, file in {**files, **{name: name for name in SHARED}}.items():
        app.add_api_route(f"{prefix}/{path}", _file(file), include_in_schema=False)


def _file(name: str) -> Callable[[], Awaitable[Response]]:
    content = (WEB / name).read_text("utf-8").replace(HEAD, (WEB / "head.html").read_text("utf-8").strip())

    async def answer() -> Response:
        return Response(content, media_type=TYPES[Path(name).suffix], headers=HEADERS)

    return answer


def _events(charger: SharedCharger, per_wh: int) -> Callable[[], Awaitable[Response]]:
    viewers: set[object] = set()

    async def answer() -> Response:
        if len(viewers) >= MOST_VIEWERS:
            return PlainTextResponse(f"{MOST_VIEWERS} pages are open already", 503)
        viewers.add(viewer := object())  # now: of many who come at once none has begun to read
        return _Events(
            _stream(charger, per_wh),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"},
            leaves=lambda: viewers.discard(viewer),
        )

    return answer


class _Events(StreamingResponse):
    """``leaves`` is called at its end, whether anybody has read of it or not."""

    def __init__(self, *arguments: Any, leaves: Callable[[], None], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._leaves = leaves

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leaves()


async def _stream(charger: SharedCharger, per_wh: int = 1) -> AsyncIterator[bytes]:
    """One event for what is, and one for each change. A slow viewer gets the newest only.

    ``per_wh``: how many of the REST API's units of energy, in which the page writes, make a Wh.
    """
    told, told_at = b"", 0.0
    async with aclosing(changes(charger, min(LOOK_S, EVERY_S))) as snapshots:
        async for snapshot in snapshots:
            shown = view(snapshot, charger.name, charger.error) | {"per_wh": per_wh}
            event, now = f"data: {json.dumps(shown, separators=(',', ':'))}\n\n".encode(), time.monotonic()
            if event != told or now - told_at >= EVERY_S:
                told, told_at = event, now
                yield event
