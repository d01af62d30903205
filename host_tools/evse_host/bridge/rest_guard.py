"""Who may talk to the HTTP server: an ASGI middleware around everything that it serves.

With credentials, whoever has them (HTTP basic). Without, the server listens on this computer only, but a browser on it
runs pages of strangers: such a page can send requests here, and by DNS rebinding (its own name, pointed at this
computer) even read the answers. So without credentials a name in `Host` must be one that no stranger can own, and what
a browser marks as coming from another site may never write.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import logging
import secrets
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

READING = ("GET", "HEAD", "OPTIONS")
MOST_STRANGERS = 100  # whose wrong password is told in the log, once each

_log = logging.getLogger("evse.http")


class Credentials(NamedTuple):
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.user!r}, ***)"


class Guard:
    def __init__(self, app: ASGIApp, credentials: Credentials | None) -> None:
        self._app, self._credentials = app, credentials
        self._strangers: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            await (self._refusal(scope) or self._app)(scope, receive, send)
        except Exception:
            _log.exception("%s %s failed", scope["method"], scope["path"])  # the client hears 500
            raise

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._credentials is None and not is_local(host):
            return _refuse(403, "this server is called by its address, not by this name: a stranger could own it")
        if self._credentials and not is_authorized(headers.get("authorization", ""), self._credentials):
            self._tell(scope)
            return _refuse(401, "user and password are needed", {"WWW-Authenticate": 'Basic realm="EVSE"'})
        if scope["method"] not in READING and not is_same_site(headers):
            return _refuse(403, "a page of another site may not write")
        return None

    def _tell(self, scope: Scope) -> None:
        who = scope["client"][0] if scope.get("client") else "?"
        if who not in self._strangers and len(self._strangers) < MOST_STRANGERS:
            self._strangers.add(who)
            _log.warning("%s has no or wrong credentials; not told again for this address", who)


def is_local(host: str) -> bool:
    """Whether a `Host` header holds an address, or a name that cannot be bought: one without a dot, or mDNS."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        ipaddress.ip_address(name)
    except ValueError:
        return bool(name := host.partition(":")[0].lower()) and ("." not in name or name.endswith(".local"))
    return True


def is_same_site(headers: Headers) -> bool:
    """Whether a request comes from our own page, or from no page at all: a browser says where it comes from."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") in ("same-origin", "none")
    return headers.get("sec-fetch-site") == "same-origin" or urlsplit(origin).netloc == headers.get("host")


def is_authorized(header: str, credentials: Credentials) -> bool:
    """Takes equally long for every wrong password."""
    scheme, _, encoded = header.partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        given = b""
    right = f"{credentials.user}:{credentials.password}".encode()
    return secrets.compare_digest(given, right) and scheme.lower() == "basic"


def _refuse(status: int, text: str, headers: dict[str, str] | None = None) -> PlainTextResponse:
    return PlainTextResponse(text, status, {"X-Content-Type-Options": "nosniff", **(headers or {})})
