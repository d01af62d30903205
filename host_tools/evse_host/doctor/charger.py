"""What the charger says: echo, firmware, restarts."""

from __future__ import annotations

from dataclasses import dataclass

from ..catalog import COMMAND, COMMANDS
from ..wire.codec import Damaged, Event, Fields, Other, Value, printable
from .finding import Finding, Status

JUST_STARTED_S = 60


@dataclass(frozen=True)
class Exchange:
    """One command and what came until its result; ``result`` None: none came within the time."""

    command: str
    events: tuple[Event, ...]
    result: bool | None
    seconds: float

    @property
    def values(self) -> dict[str, Fields]:
        return {event.name: event.fields for event in self.events if isinstance(event, Value)}

    @property
    def echoed(self) -> bool:
        return any(isinstance(event, Other) and event.text.endswith(self.command) for event in self.events)

    @property
    def verdict(self) -> str:
        """`good`, or what is wrong with the answer to a read: `lost`, `refused`, `damaged`."""
        if self.result is None:
            return "lost"
        if not self.result:
            return "refused"
        asked = self.command.removeprefix("AT+").rstrip("?")
        strange = any(isinstance(event, (Damaged, Other)) for event in self.events)
        return "damaged" if strange or asked not in self.values else "good"


def judge_echo(echoed: bool, still: bool) -> Finding:
    if not echoed:
        return Finding("echo", Status.OK, "off")
    if still:
        return Finding(
            "echo", Status.WARNING, "on, and ATE0 does not turn it off",
            "every command comes back before its answer: slower, and pushes can be printed into it",
            "switch the charger off and on; if it stays, the adapter itself echoes",
        )  # fmt: skip
    return Finding(
        "echo", Status.WARNING, "it was on; it is off now",
        "another program left it on, or still turns it on", "nothing now; if it comes back, find that program",
    )  # fmt: skip


def judge_firmware(values: dict[str, Fields], known: set[str]) -> Finding:
    """``values`` of VER, DEVNAME, CHIP, UPTIME as far as they came; ``known``: the names that AT+CMD lists."""
    version = values.get("VER", ("unknown",))[0]
    board = values.get("DEVNAME", ("",))[0]
    expected = [command.name for command in COMMANDS]
    lacks = [name for name in expected if name not in known] if known else []
    new = sorted(known - set(expected) - {""})
    data = {
        "version": version,
        "board": board,
        "lacks": lacks,
        "unknown": new,
        "uptime": values.get("UPTIME", (None,))[0],
    }
    seen = f"{printable(version)} on {printable(board) or 'an unknown board'}"
    if not known:
        return Finding(
            "firmware", Status.WARNING, f"{seen}; it does not list its commands", "AT+CMD failed",
            "run doctor again; if it stays, look at `errors`", data,
        )  # fmt: skip
    if lacks:
        return Finding(
            "firmware", Status.NOTE, f"{seen}; it lacks {', '.join(lacks)}",
            "their values stay unknown, everything else works", "a newer firmware has them", data,
        )  # fmt: skip
    more = f"; it also knows {', '.join(new)}" if new else ""
    return Finding("firmware", Status.OK, f"{seen}; it has every command{more}", data=data)


def agreed_names(first: set[str], second: set[str]) -> set[str]:
    """Of two listings: noise can hide a known name from one of them, and make up another in one of them."""
    return {name for name in first | second if name in COMMAND} | (first & second)


def judge_restarts(restarts: int, uptime: int | None) -> Finding:
    data = {"restarts": restarts, "uptime": uptime}
    if restarts:
        return Finding(
            "restarts", Status.PROBLEM, f"it restarted {restarts} times while it was examined",
            "it crashes, or its supply breaks down", "check its supply; does something else reset it?", data,
        )  # fmt: skip
    if uptime is not None and uptime < JUST_STARTED_S:
        return Finding(
            "restarts", Status.NOTE, f"it started {uptime} s ago",
            "fine if you switched it on; otherwise it crashed or lost its supply", "run doctor again in a minute", data,
        )  # fmt: skip
    up = "" if uptime is None else f"; up for {uptime // 3600} h {uptime // 60 % 60} min"
    return Finding("restarts", Status.OK, f"none{up}", data=data)
