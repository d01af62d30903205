"""Uplinks of a Dragino RS485-LN that polls the charger's Modbus registers, as example_configs/lorawan sets it up.

The same as the JavaScript decoder there. Pure.
"""

from __future__ import annotations

import re
import struct
from typing import Any

from ..catalog import STATES
from .registers import NO_TEMPERATURE
from .rest import ERRORS

VERSION = 1
#: Version, state, errors, enabled, power, consumption, voltages, currents, uptime, highest temperature.
LAYOUT = struct.Struct(">B2sIBHI3I3IIh")

_STATE = re.compile(r"[A-Z?][0-9]?")


def decode_uplink(payload: bytes) -> dict[str, Any]:
    """`data`, `warnings` and `errors`, as The Things Network has them; with errors `data` is None.

    power W, consumption Wh of this session, voltage V and current A of L1 to L3, uptime s, temperature °C or None
    without a sensor; errors are the names of the charger's REST API.
    """
    problem = _find_problem(payload)
    if problem:
        return {"data": None, "warnings": [], "errors": [problem]}
    _, state, errors, enabled, power, consumption, *phases, uptime, temperature = LAYOUT.unpack(payload)
    warnings: list[str] = []
    data = {
        "state": _state(state, warnings),
        "errors": _errors(errors, warnings),
        "enabled": enabled == 1,
        "power": power,
        "consumption": consumption,
        "voltage": [millivolt / 1000 for millivolt in phases[:3]],
        "current": [milliampere / 1000 for milliampere in phases[3:]],
        "uptime": uptime,
        "temperature": None if temperature == NO_TEMPERATURE else temperature / 100,
    }
    return {"data": data, "warnings": warnings, "errors": []}


def _find_problem(payload: bytes) -> str:
    """Why these bytes hold no values: wrong ones are worse than none."""
    if not payload:
        return "the payload is empty"
    if payload[0] != VERSION:
        return f"payload version {payload[0]}, only {VERSION} is known"
    if len(payload) != LAYOUT.size:
        return f"{len(payload)} bytes, a payload has {LAYOUT.size}"
    if not _STATE.fullmatch(_state_text(payload[1:3])):
        return "no state in bytes 1 and 2: the charger did not answer"
    if payload[7] > 1:
        return f"enabled is {payload[7]}, only 0 and 1 are known"
    return ""


def _state_text(state: bytes) -> str:
    return state.removesuffix(b"\0").decode("latin-1")


def _state(state: bytes, warnings: list[str]) -> str:
    text = _state_text(state)
    if text in STATES:
        return text
    warnings.append(f"unknown state {text}")
    return "?"


def _errors(bits: int, warnings: list[str]) -> list[str]:
    unknown = bits >> len(ERRORS) << len(ERRORS)
    if unknown:
        warnings.append(f"unknown error bits 0x{unknown:x}")
    return [name for bit, name in enumerate(ERRORS) if bits >> bit & 1]
