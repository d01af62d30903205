"""Whether a client of the REST API, such as EVCC, is there: a watchdog for each charger."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .charger import SharedCharger
from .rest_addresses import plain
from .silence import Fallback
from .watchdog import Watchdog

#: Who hears that is turned away, or has the address of another. A charger that is silent (503) makes nobody silent.
TURNED_AWAY = (401, 403, 404)
#: What a page that is open asks for by itself, and the description: nobody controls a charger with it.
NO_CONTROLLER = ("/events", "/history", "/chargers", "/openapi.json")


def watch_clients(app: FastAPI, chargers: Mapping[str, SharedCharger], fallback: Fallback) -> list[Watchdog]:
    """``chargers``: the prefix of their addresses -> charger. The client is there when it asks for anything."""
    watchdogs = {prefix: Watchdog(charger, fallback, "the REST client") for prefix, charger in chargers.items()}
    app.add_middleware(Hearing, words={prefix: watchdog.heard for prefix, watchdog in watchdogs.items()})
    return list(watchdogs.values())


class Hearing:
    """ASGI: every answer that the API gives tells a watchdog that the controller is there; ``words`` by prefix of a
    charger. The page and who presses something there are no controller, nor is who is turned away."""

    def __init__(self, app: ASGIApp, words: Mapping[str, Callable[[], None]]) -> None:
        self._app = app
        self._words = {f"{prefix}/api/v1/": word for prefix, word in words.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        word = self._word(scope) if scope["type"] == "http" else None
        if word is None:
            await self._app(scope, receive, send)
            return

        async def listen(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] not in TURNED_AWAY:
                word()
            await send(message)

        await self._app(scope, receive, listen)

    def _word(self, scope: Scope) -> Callable[[], None] | None:
        """Whose controller asks; a browser says with every write from which page it comes."""
        path = plain(scope["path"])
        if path.endswith(NO_CONTROLLER) or "origin" in Headers(scope=scope):
            return None
        return next((word for begin, word in self._words.items() if path.startswith(begin)), None)
