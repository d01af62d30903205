"""What Home Assistant and a charger say to each other over MQTT: topics, payloads, commands. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..catalog import COMMAND
from ..errors import UsageError
from ..secrecy import shown
from . import home_assistant_discovery
from .snapshot import Snapshot

INTERVAL_S = 5.0  # between two states that are the same
#: Between two that say that we are there: the last will of a connection before may come after the first.
AVAILABILITY_S = 30.0
PREFIX = "homeassistant"  # of discovery
BIRTH = "online"
ONLINE, OFFLINE = "online", "offline"
ON, OFF = ("on", "1", "true"), ("off", "0", "false")


# --- topics -----------------------------------------------------------------------------------------------------------


def check_identifier(text: str) -> str:
    """In lower case. Raises UsageError."""
    if not re.fullmatch("[A-Za-z0-9]+", text):
        raise UsageError(f"identifier {shown(text)}: only the letters a to z and digits are allowed, at least one")
    return text.lower()


def check_prefix(text: str) -> str:
    """What discovery topics begin with. Raises UsageError."""
    if not re.fullmatch(r"[^/+#\x00-\x1f\x7f-\x9f]+(/[^/+#\x00-\x1f\x7f-\x9f]+)*", text):
        raise UsageError(f"discovery prefix {shown(text)}: levels of a topic are needed, such as {PREFIX}; no +, no #")
    return text


def state_topic(identifier: str) -> str:
    return f"{identifier}/state"


def availability_topic(identifier: str) -> str:
    return f"{identifier}/availability"


def enabled_topic(identifier: str) -> str:
    return f"{identifier}/enabled/set"


def current_topic(identifier: str) -> str:
    return f"{identifier}/current/set"


def command_topics(identifier: str) -> dict[str, Command]:
    return {f"{identifier}/{command.key}/set": command for command in COMMANDS}


def birth_topic(prefix: str = PREFIX) -> str:
    """Where Home Assistant says that it has started."""
    return f"{prefix}/status"


# --- what is told -----------------------------------------------------------------------------------------------------


def availability(snapshot: Snapshot) -> str:
    return ONLINE if snapshot.online else OFFLINE


def state(snapshot: Snapshot) -> dict[str, object]:
    """None where nobody knows: of a silent charger everything."""
    known = snapshot if snapshot.online else Snapshot()
    return {
        "state": known.state or "?",
        "charging": known.charging,
        "enabled": known.flag("ENABLE"),
        "error": None if known.faults is None else known.faults != 0,
        "power": known.power,
        "current": known.charging_current or None,  # 0 is what the charger shows while it starts
        "session_energy": known.session_energy,
        "temperature": known.temperature,
        "total_energy": known.total_energy,
        "session_time": known.get("EMETERSESTIME"),
        "charging_time": known.get("EMETERCHTIME"),
        **_phases("current", known.currents),
        **_phases("voltage", known.voltages),
        "available": known.flag("AVAILABLE"),
        "pending_authorization": known.flag("PENDAUTH"),
        "limit_reached": known.flag("LIMREACH"),
        "consumption_limit": known.get("CONSUMLIM"),
        "charging_time_limit": known.get("CHTIMELIM"),
        "under_power_limit": known.get("UNDERPOWERLIM"),
    }


def _phases(name: str, values: Sequence[float] | None) -> dict[str, float | None]:
    return {f"{name}_l{number}": value for number, value in enumerate(values or (None, None, None), 1)}


def messages(
    identifier: str,
    snapshot: Snapshot,
    discovery: bool,
    prefix: str = PREFIX,
    told: dict[str, object] | None = None,
) -> dict[str, str]:
    """Topic -> payload of all that the broker is to retain, in the order in which it is sent.

    ``prefix`` is that of discovery; ``told`` the state, if not all of it may be told now.
    """
    found = home_assistant_discovery.messages(identifier, snapshot, prefix) if discovery else {}
    found[state_topic(identifier)] = json.dumps(state(snapshot) if told is None else told)
    found[availability_topic(identifier)] = availability(snapshot)
    return found


# --- what is asked for ------------------------------------------------------------------------------------------------


def parse_enabled(payload: bytes) -> bool:
    """Raises UsageError: neither on nor off."""
    text = _text(payload)
    if text.lower() not in ON + OFF:
        raise UsageError(f"{_shown(text)} is neither on nor off: {', '.join(ON + OFF)} are allowed")
    return text.lower() in ON


def parse_current(payload: bytes) -> float:
    """A. Raises UsageError: not a number."""
    return _number(payload, "charging current", "A")


@dataclass(frozen=True)
class Command:
    """What is written when something comes to its topic. ``parse`` raises UsageError."""

    key: str  # of the state, and of the topic
    name: str  # of the AT command
    parse: Callable[[bytes, Snapshot], int]


def _switch(key: str, name: str) -> Command:
    return Command(key, name, lambda payload, _: int(parse_enabled(payload)))


def _limit(key: str, name: str, unit: str) -> Command:
    low, high = COMMAND[name].fields[0].range
    what = key.replace("_", " ")

    def parse(payload: bytes, _: Snapshot) -> int:
        value = math.ceil(_number(payload, what, unit))  # 0 means no limit: a small one must not become that
        if not low <= value <= high:
            raise UsageError(f"{what} {value} {unit} is out of range, {low} to {high} {unit}")
        return value

    return Command(key, name, parse)


COMMANDS = (
    _switch("enabled", "ENABLE"),
    Command("current", "CHCUR", lambda payload, snapshot: snapshot.current_to_write(parse_current(payload))),
    _switch("available", "AVAILABLE"),
    _limit("consumption_limit", "CONSUMLIM", "Wh"),
    _limit("charging_time_limit", "CHTIMELIM", "s"),
    _limit("under_power_limit", "UNDERPOWERLIM", "W"),
)


def is_empty(payload: bytes) -> bool:
    """This is how a retained message is deleted: nobody asks for anything."""
    return not payload.strip()


def _text(payload: bytes) -> str:
    return payload.decode("utf-8", "replace").strip()


def _shown(text: str) -> str:
    return repr(text[:40])


def _number(payload: bytes, what: str, unit: str) -> float:
    text = _text(payload)
    if len(text) > 40 or not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?", text):
        raise UsageError(f"{what} {_shown(text)} is not a number of {unit}")
    return float(text)
