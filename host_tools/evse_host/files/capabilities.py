"""What a charger can do, and which entities of the component that makes useful.

capabilities = ask(evse)                       # or parse_answers(text), or choose(...)
[entity for entity in ENTITIES if not capabilities.lacks(entity)]
"""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass, fields
from typing import Any

import yaml

from ..catalog import COMMANDS, EMETER_TYPES, Entity
from ..errors import RefusedError, UsageError
from ..line.client import Evse
from ..line.steady import read_steady
from ..wire.codec import Fields
from .yaml_text import scalar

#: Firmware by name, for answers without a list of commands.
FIRMWARES = {
    "released": frozenset(command.name for command in COMMANDS if not command.head),
    "head": frozenset(command.name for command in COMMANDS),
}

#: A part of the board -> what is said where it is missing.
ABSENT = {
    "three_phase": "the meter counts one phase only",
    "temperature_sensor": "no temperature sensor",
    "socket_lock": "no socket lock",
    "proximity": "no proximity pilot",
    "measures_current": "no energy meter",
    "measures_voltage": "the meter measures no voltage",
    "aux_inputs": "no auxiliary inputs",
    "aux_outputs": "no auxiliary outputs",
    "aux_analog_inputs": "no analog inputs",
}

#: Command -> the part of the board without which its value says nothing.
PART_OF_COMMAND = {
    "TEMP": "temperature_sensor",
    "SOCKETLOCKMINBREAKTIME": "socket_lock",
    "SOCKETOUTLET": "proximity",
    "EMETERTHREEPHASE": "three_phase",
    "EMETERMODE": "measures_current",
    "EMETERCURRENT": "measures_current",
    "EMETERVOLTAGE": "measures_voltage",
    "AUXINPUTS": "aux_inputs",
    "AUXOUTPUTS": "aux_outputs",
    "AUXANALOGINPUTS": "aux_analog_inputs",
}

#: Entities that need more than their command tells.
PART_OF_ENTITY = {
    "active_phases": "three_phase",
    "lock_fault": "socket_lock",
    "unlock_fault": "socket_lock",
    "temperature_high_fault": "temperature_sensor",
    "temperature_sensor_fault": "temperature_sensor",
    **{f"{kind}_l{phase}": "three_phase" for kind in ("voltage", "current") for phase in (2, 3)},
}


@dataclass(frozen=True)
class Capabilities:
    """``commands`` are the names that the firmware knows; ``meter`` is one of EMETER_TYPES."""

    three_phase: bool
    temperature_sensor: bool
    socket_lock: bool
    proximity: bool
    meter: str
    aux_inputs: bool = False
    aux_outputs: bool = False
    aux_analog_inputs: bool = False
    commands: frozenset[str] = FIRMWARES["released"]
    device_name: str = ""
    version: str = ""

    @property
    def measures_current(self) -> bool:
        return self.meter != "none"

    @property
    def measures_voltage(self) -> bool:
        return self.meter == "current_voltage"

    def lacks(self, entity: Entity) -> str:
        """Why this entity would show nothing here; empty if it is supported."""
        for name in entity.commands:
            if name not in self.commands:
                return f"the firmware lacks {name}"
        parts = [PART_OF_COMMAND.get(name) for name in entity.commands] + [PART_OF_ENTITY.get(entity.key)]
        return next((ABSENT[part] for part in parts if part and not getattr(self, part)), "")


FLAGS = tuple(item.name for item in fields(Capabilities) if item.type == "bool")
TEXTS = ("device_name", "version")
#: What has no default: somebody must say it.
REQUIRED = ("three_phase", "temperature_sensor", "socket_lock", "proximity", "meter")


#: Answer -> the command that tells: a flag, or a list of names.
QUESTIONS = {
    "temperature_sensor": "TEMPSENSOR",
    "socket_lock": "SOCKETLOCK",
    "proximity": "PROXIMITY",
    "aux_inputs": "AUXINPUTS",
    "aux_outputs": "AUXOUTPUTS",
    "aux_analog_inputs": "AUXANALOGINPUTS",
}


# --- from a charger ---------------------------------------------------------------------------------------------------


def ask(evse: Evse) -> Capabilities:
    """Asks a charger. It only reads."""
    commands = frozenset(evse.commands() | evse.commands())  # twice: a line lost to noise would be an entity lost
    flags = {key: any(_read(evse, name)) for key, name in QUESTIONS.items()}
    kind, three_phase = _read(evse, "EMETER") or (0, 0)
    meter = EMETER_TYPES[kind] if kind < len(EMETER_TYPES) else EMETER_TYPES[-1]
    texts = {key: "".join(_read(evse, name)) for key, name in (("device_name", "DEVNAME"), ("version", "VER"))}
    found: dict[str, Any] = flags | texts
    return Capabilities(**found, three_phase=bool(three_phase), meter=meter, commands=commands)


def _read(evse: Evse, name: str) -> Fields:
    with contextlib.suppress(RefusedError):
        return read_steady(evse, name)
    return ()


# --- from answers -----------------------------------------------------------------------------------------------------


def format_answers(capabilities: Capabilities) -> str:
    """A file for `evse-host generate --offline FILE`."""
    answers = asdict(capabilities)
    commands = answers.pop("commands")
    lines = ["# What a charger can do, for `evse-host generate --offline FILE`."]
    lines += [f"{key}: {scalar(value)}" for key, value in answers.items()]
    lines += ["commands:", *(f"  - {scalar(name)}" for name in sorted(commands))]
    return "\n".join(lines) + "\n"


def parse_answers(text: str) -> dict[str, Any]:
    """The answers of a file, checked; ``choose`` makes capabilities of them. Raises UsageError."""
    try:
        answers = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise UsageError(f"the answers are no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(answers, dict):
        raise UsageError("the answers are no list of names and values such as `socket_lock: true`")
    for key, value in answers.items():
        _check_answer(key, value)
    return answers


def _check_answer(key: str, value: object) -> None:
    allowed = dict.fromkeys(FLAGS, "true or false") | dict.fromkeys(TEXTS, "a text in quotes")
    allowed |= {"meter": ", ".join(EMETER_TYPES), "firmware": ", ".join(FIRMWARES), "commands": "a list of names"}
    if key not in allowed:
        raise UsageError(f"answers: {key}: no such answer; {', '.join(allowed)} are allowed")
    if key == "commands":
        fits = isinstance(value, list) and all(isinstance(name, str) for name in value)
    elif key in ("meter", "firmware"):
        fits = value in (EMETER_TYPES if key == "meter" else FIRMWARES)
    else:
        fits = isinstance(value, bool if key in FLAGS else str)
    if not fits:
        raise UsageError(f"answers: {key}: {value!r} is not {allowed[key]}")


def choose(answers: dict[str, Any]) -> Capabilities:
    """Capabilities from checked answers. Raises UsageError that names what is missing."""
    missing = [key for key in REQUIRED if key not in answers]
    if missing:
        raise UsageError(f"answers: {', '.join(missing)}: not given; say it as an option or in the file")
    answers = dict(answers)
    firmware = answers.pop("firmware", "released")
    answers["commands"] = frozenset(answers.get("commands", FIRMWARES[firmware]))
    return Capabilities(**answers)
