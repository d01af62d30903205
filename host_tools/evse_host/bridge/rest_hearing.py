"""Whether a client of the REST API, such as EVCC, is there: a watchdog for each charger."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .charger import SharedCharger
from .silence import Fallback
from .watchdog import Watchdog

#: What a page that is open asks for by itself, and the description: nobody controls a charger with it.
NO_CONTROLLER = ("/events", "/history", "/chargers", "/openapi.json")


def watch_clients(app: FastAPI, chargers: Mapping[str, SharedCharger], fallback: Fallback) -> list[Watchdog]:
    """``chargers``: the prefix of their addresses -> charger. The client is there when it asks for anything."""
    watchdogs = {prefix: Watchdog(charger, fallback, "the REST client") for prefix, charger in chargers.items()}
    app.add_middleware(Hearing, words={prefix: watchdog.heard for prefix, watchdog in watchdogs.items()})
    return list(watchdogs.values())


class Hearing:
    """ASGI: every answer that the API gives tells a watchdog that the controller is there; ``words`` by prefix of a
    charger. The page and its events are no controller, nor is who is turned away."""

    def __init__(self, app: ASGIApp, words: Mapping[str, Callable[[], None]]) -> None:
        self._app = app
        self._words = {f"{prefix}/api/v1/": word for prefix, word in words.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        word = next((word for begin, word in self._words.items() if path.startswith(begin)), None)
        if scope["type"] != "http" or word is None or path.rstrip("/").endswith(NO_CONTROLLER):
            await self._app(scope, receive, send)
            return

        async def listen(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                word()
            await send(message)

        await self._app(scope, receive, listen)
