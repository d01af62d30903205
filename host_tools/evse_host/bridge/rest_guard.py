"""Who may talk to the HTTP server: an ASGI middleware around everything that it serves.

With credentials, whoever has them (HTTP basic). Without, the server listens on this computer only, but a browser on it
runs pages of strangers: such a page can send requests here, and by DNS rebinding (its own name, pointed at this
computer) even read the answers. So without credentials a name in `Host` must be this computer's, and what a browser
marks as coming from another site may never write.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import ipaddress
import logging
import re
import secrets
import socket
from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import UsageError
from ..secrecy import shown

READING = ("GET", "HEAD", "OPTIONS")
MOST_STRANGERS = 100  # whose wrong password is told in the log, once each

NOT_OWN = (
    "this server is called by its address, not by this name: a stranger could own it. "
    "If it is yours, start the server with --allow-host and the name, or with --user"
)
ANOTHER_SITE = "a page of another site may not write"

NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|[0-9a-f:.]+")  # of a computer; in IDNA where it is not ASCII

_log = logging.getLogger("evse.http")


class Credentials(NamedTuple):
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.user!r}, ***)"


class Guard:
    """``hosts``: more names, as ``check_host`` gives them, by which this server may be called without credentials."""

    def __init__(self, app: ASGIApp, credentials: Credentials | None, hosts: Collection[str] = ()) -> None:
        self._app, self._credentials = app, credentials
        self._hosts = own_names() | set(hosts)
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
        if self._credentials is None and not is_own(host, self._hosts):
            return _refuse(403, NOT_OWN)
        if self._credentials and not is_authorized(headers.get("authorization", ""), self._credentials):
            self._tell(scope)
            return _refuse(401, "user and password are needed", {"WWW-Authenticate": 'Basic realm="EVSE"'})
        if scope["method"] not in READING and not is_same_site(headers):
            return _refuse(403, f"{ANOTHER_SITE}{_hint(headers)}")
        return None

    def _tell(self, scope: Scope) -> None:
        who = scope["client"][0] if scope.get("client") else "?"
        if who not in self._strangers and len(self._strangers) < MOST_STRANGERS:
            self._strangers.add(who)
            _log.warning("%s has no or wrong credentials; not told again for this address", who)


def own_names() -> set[str]:
    """By which nobody but this computer is called: no other in the network can answer for them."""
    name = socket.gethostname().lower()
    return {"localhost", name, f"{name.partition('.')[0]}", f"{name.partition('.')[0]}.local"}


def check_host(text: str) -> str:
    """A name by which this server may be called, also as an address of a browser has it: `http://home.lan:8080/`.
    Raises UsageError."""
    name = _name_of(text.strip().rpartition("://")[2].partition("/")[0])
    with contextlib.suppress(UnicodeError):
        name = name.encode("idna").decode()
    if not NAME.fullmatch(name):
        raise UsageError(f"allow-host {shown(text)}: one name is needed, such as home.example; no *")
    return name


def _name_of(host: str) -> str:
    """Of a `Host` header, without port; empty: it has none."""
    with contextlib.suppress(ValueError):
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    return ""


def is_own(host: str, names: Collection[str]) -> bool:
    """Whether a `Host` header holds an address, or one of ``names``; any other could be a stranger's, even one without
    a dot or with `.local`, which every device in the network may choose."""
    name = _name_of(host)
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(name)
        return True
    return name in names or name.endswith(".localhost")


def is_same_site(headers: Headers) -> bool:
    """Whether a request comes from our own page, or from no page at all: a browser says where it comes from.

    A proxy may call us by another name and tell the first one; a page of a stranger cannot, for a browser asks before
    it sends that header elsewhere, and is not answered.
    """
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") in ("same-origin", "none")
    if headers.get("sec-fetch-site") == "same-origin":
        return True
    called = (headers.get("host", ""), headers.get("x-forwarded-host", "").partition(",")[0])
    return bool(_place(origin)) and _place(origin) in [_without_default_port(origin, host) for host in called]


def _place(origin: str) -> str:
    """Host and port of an origin."""
    with contextlib.suppress(ValueError):
        return urlsplit(origin).netloc.lower()
    return ""


def _without_default_port(origin: str, host: str) -> str:
    """A browser leaves it out of the origin; a proxy may put it into the host."""
    return host.strip().lower().removesuffix(":443" if origin.startswith("https:") else ":80")


def _hint(headers: Headers) -> str:
    """What a proxy of one's own may have left out; of a stranger it is true as well."""
    origin, host = headers.get("origin"), headers.get("host", "")
    if not origin or not _place(origin) or headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        return ""
    return (
        f": the page is at {_place(origin)[:100]}, and this server was called as {host[:100]}. "
        "If a proxy of your own is between, it leaves out the header Host (nginx: proxy_set_header Host $http_host;)"
    )


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
