"""Addresses as browsers and other clients write them: two ASGI middlewares.

`GET http://host/api/v1/state` asks the host for `/api/v1/state`, whatever the header `Host` says. HEAD is a GET without
a body, `/api/v1/state/` and `//api/v1/state` are `/api/v1/state`, and `/garage` leads to `/garage/`.
"""

from __future__ import annotations

import re

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

WHOLE = re.compile(r"https?://([^/]*)(.*)", re.IGNORECASE | re.DOTALL)


class WholeAddresses:
    """Takes what a program that is set to a proxy sends; outermost, for a guard has to see the host that is meant."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if whole := WHOLE.fullmatch(scope.get("path", "")):
            host, path = whole.groups()
            headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope = {**scope, "path": path or "/", "headers": [*headers, (b"host", host.encode())]}
        await self._app(scope, receive, send)


class Addresses:
    """``names``: what has a page of its own at `/NAME/`."""

    def __init__(self, app: ASGIApp, names: tuple[str, ...]) -> None:
        self._app = app
        self._pages = {f"/{name}" for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = plain(scope["path"])
        if scope["method"] in ("GET", "HEAD") and (there := self._elsewhere(path)):
            await Response(status_code=307, headers={"Location": there})(scope, receive, send)
            return
        scope = {**scope, "path": path}
        if scope["method"] == "HEAD":
            scope, send = {**scope, "method": "GET"}, _head(send)
        await self._app(scope, receive, send)

    def _elsewhere(self, path: str) -> str:
        """Relative, for the path that a proxy may have put in front is the browser's to know."""
        if path in self._pages:
            return f"{path.rpartition('/')[2]}/"
        return "../settings" if path.endswith("/settings/") else ""


def plain(path: str) -> str:
    """As this server names it: a proxy may double slashes, and a program may add one at the end of the API's."""
    path = re.sub("/{2,}", "/", path)
    return path.rstrip("/") if "/api/" in path else path


def _head(send: Send) -> Send:
    """Ends behind the headers: the web server knows that it was HEAD and leaves the body out, but waits for its end."""
    ended = False

    async def send_head(message: Message) -> None:
        nonlocal ended
        if not ended:
            ended = message["type"] == "http.response.body"
            await send({**message, "body": b"", "more_body": False} if ended else message)

    return send_head
