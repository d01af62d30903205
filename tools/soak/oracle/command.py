"""What stands in a command, and which ones must never be sent, whoever wishes for them."""

from __future__ import annotations

import re
from collections.abc import Container
from functools import lru_cache
from typing import NamedTuple

from evse_host.catalog import COMMAND
from evse_host.simulator.charger import SERIAL_PORTS
from tools.soak.oracle.contract import LONGEST_PERIOD_S, SHORTEST_PERIOD_S

READ, WRITE, RUN, SUBSCRIBE, UNSUBSCRIBE = "read", "write", "run", "subscribe", "unsubscribe"
_FORM = re.compile(
    r'AT\+(?:SUB="\+(?P<subscribe>[A-Z0-9]+)",(?P<period>\d+)|UNSUB="(?:\+(?P<unsubscribe>[A-Z0-9]+))?"'
    r"|(?P<read>[A-Z0-9]+)\?|(?!UNSUB|SUB)(?P<write>[A-Z0-9]+)=(?P<argument>.*)|(?P<run>[A-Z0-9]+))",
    re.DOTALL,
)
_ACCESS = {READ: "R", WRITE: "W", RUN: "X"}


class Form(NamedTuple):
    """``name`` is empty where all subscriptions are stopped. ``argument`` is what is written, or the period (ms)."""

    kind: str
    name: str
    argument: str


@lru_cache(100_000)
def read_command(line: str) -> Form | None:
    """Without its line end; nothing if no client says it."""
    match = _FORM.fullmatch(line)
    if match is None:
        return None
    kind = next((kind for kind in (SUBSCRIBE, UNSUBSCRIBE, READ, WRITE, RUN) if match[kind] is not None), UNSUBSCRIBE)
    return Form(kind, match[kind] or "", match["argument"] or match["period"] or "")


def forbidden(form: Form | None, names: Container[str] = COMMAND) -> str:
    """Why it must not be sent, or nothing. ``names`` are the commands that the client may use."""
    if form is None:
        return "garbage sent"
    if not form.name:
        return ""
    if form.name not in names or form.name in SERIAL_PORTS:
        return "a command that nobody needs"
    command = COMMAND[form.name]
    if form.kind in _ACCESS:
        return "" if _ACCESS[form.kind] in command.access else f"a {form.kind} of what is not made for it"
    if "R" not in command.access or command.lines:
        return "a subscription that hangs the charger"
    if form.kind == SUBSCRIBE and not SHORTEST_PERIOD_S <= int(form.argument) / 1000 <= LONGEST_PERIOD_S:
        return "a period that the charger mistakes"
    return ""
