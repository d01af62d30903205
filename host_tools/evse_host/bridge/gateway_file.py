"""The file of a gateway's configuration: YAML, checked as a whole before anything is opened.

Every problem is told with its line, the key, the value and what is allowed.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..errors import EvseError
from ..files.secret_file import first_line, read_secret
from ..secrecy import HIDDEN, shown
from .gateway_config import BRIDGES, ChargerConfig, ConfigError, GatewayConfig, Place, Secret, key_of
from .gateway_conflicts import conflicts

TAGS = ("!env", "!file", "!secret", "!include")  # ours, and those of others that people try
VARIABLE = re.compile("[A-Z_][A-Z0-9_]*")  # as environment variables are named


def load(file: str | Path) -> GatewayConfig:
    """Raises ConfigError with everything that is wrong."""
    file = Path(file)
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise ConfigError([f"{file}: {(error.strerror or str(error)).lower()}"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{file}: it is not UTF-8 text"]) from None
    return parse(text, file)


def parse(text: str, file: str | Path = "config.yaml") -> GatewayConfig:
    """``file`` is named in errors, and relative paths of secrets begin in its folder. Raises ConfigError."""
    document = _Document(Path(file))
    document.read(text)
    try:
        config = GatewayConfig.model_validate(document.data)
    except ValidationError as error:
        raise ConfigError([document.tell(*_explain(item)) for item in error.errors()]) from None
    problems = [document.tell(place, problem) for place, problem in conflicts(config)]
    if problems:
        raise ConfigError(problems)
    return config


class _Document:
    """YAML with the lines of its parts."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.data: object = None
        self._lines: dict[Place, int] = {}

    def tell(self, place: Place, problem: str) -> str:
        place = self._in_the_text(place)
        known = next((place[:end] for end in range(len(place), 0, -1) if place[:end] in self._lines), ())
        line = f":{self._lines[known]}" if known else ""
        return f"{self.file}{line}: {key_of(place)}{': ' if place else ''}{problem}"

    def _in_the_text(self, place: Place) -> Place:
        """pydantic puts the type of a bridge into the way to its keys."""
        if len(place) > 2 and place[0] == "bridges" and place[2] in BRIDGES:
            return (*place[:2], *place[3:])
        return place

    def read(self, text: str) -> None:
        try:
            loader = _Loader(text)
            loader.folder = self.file.parent
            node = loader.get_single_node()
            if node is not None:
                self._note_lines(node, ())
                self.data = loader.construct_document(node)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = f":{mark.line + 1}" if mark else ""
            raise ConfigError([f"{self.file}{line}: {_discreet(error.problem or error.context or '')}"]) from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise ConfigError([f"{self.file}: this is no YAML: {' '.join(str(error).split())}"]) from None
        if not isinstance(self.data, dict):
            raise ConfigError([f"{self.file}: it has no `chargers:` and no `bridges:`"])

    def _note_lines(self, node: yaml.Node, place: Place) -> None:
        if place:
            self._lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode):
            for at, item in enumerate(node.value):
                self._note_lines(item, (*place, at))
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                name = getattr(key, "value", "")
                if not isinstance(name, str):
                    continue
                if (*place, name) in self._lines:
                    line = key.start_mark.line + 1
                    raise ConfigError([f"{self.file}:{line}: {key_of((*place, name))}: is there twice"])
                self._lines[(*place, name)] = key.start_mark.line + 1
                self._note_lines(value, (*place, name))


class _Loader(yaml.SafeLoader):
    folder = Path()

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A charger may be called 1."""
        return {str(key): value for key, value in super().construct_mapping(node, deep).items()}


def _from_environment(loader: _Loader, node: yaml.ScalarNode) -> Secret:
    name = loader.construct_scalar(node)
    secret = first_line(os.environ.get(name, ""))
    if not secret:
        told = name if VARIABLE.fullmatch(name) else HIDDEN  # somebody may have put the secret itself here
        raise yaml.constructor.ConstructorError(
            problem=f"the environment variable {told} is not set", problem_mark=node.start_mark
        )
    return Secret(secret)


def _from_file(loader: _Loader, node: yaml.ScalarNode) -> Secret:
    try:
        return Secret(read_secret(loader.folder / loader.construct_scalar(node)))
    except EvseError as error:
        raise yaml.constructor.ConstructorError(problem=str(error), problem_mark=node.start_mark) from None


_Loader.add_constructor("!env", _from_environment)
_Loader.add_constructor("!file", _from_file)


# --- errors -----------------------------------------------------------------------------------------------------------


def _explain(error: ErrorDetails) -> tuple[Place, str]:
    """Where, and what is wrong, of one error of pydantic."""
    place, value = error["loc"], error["input"]
    if error["type"] == "extra_forbidden":
        return place, _unknown(place)
    if error["type"] == "missing":
        return place, "is missing"
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        given = value.get("type") if isinstance(value, dict) else None
        which = f"{shown(given)} is unknown" if given is not None else "is missing"
        return (*place, "type"), f"{which}; {', '.join(BRIDGES)} are allowed"
    if error["type"] == "value_error":  # one of ours: it shows what may be shown
        return place, str(error["ctx"]["error"])
    if error["type"] == "too_short":
        return place, "must have one entry at least"
    text = re.sub(" or (instance|object) .*", "", error["msg"]).replace("Input should be", "must be")
    text = text.replace(
        "a valid dictionary",
        "lines of names with their values, such as `port: /dev/ttyUSB0`"
        if place[:1] == ("chargers",)
        else "lines of names with their values, such as `type: rest`",
    )
    text = text.replace("a valid list", "a list: lines that begin with `- `")
    if error["type"] == "string_type" and isinstance(value, int | float):
        text = "must be text: put it in quotes"
    may_be_said = isinstance(value, str | int | float) and not {"tokens", "password", "passwords"} & set(place)
    return place, f"{shown(value)}: {text}" if may_be_said else text


def _discreet(problem: str) -> str:
    """A password that begins with *, & or ! is an alias, an anchor or a tag for YAML, which names it."""

    def hidden(match: re.Match[str]) -> str:
        known = match[1].startswith("<") or difflib.get_close_matches(match[1], TAGS, 1)
        return match[0] if known else f"'{HIDDEN}'"

    return re.sub(r"'([^']{3,})'", hidden, problem)


def _unknown(place: Place) -> str:
    model: type[BaseModel] | None
    model = (
        GatewayConfig if len(place) == 1 else ChargerConfig if place[0] == "chargers" else BRIDGES.get(str(place[2]))
    )
    allowed = list(model.model_fields) if model else []
    close = difflib.get_close_matches(str(place[-1]), allowed, 1)
    return f"unknown; did you mean {close[0]!r}?" if close else f"unknown; {', '.join(allowed)} are allowed"
