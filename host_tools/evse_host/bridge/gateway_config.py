"""The configuration of a gateway: a YAML file, checked as a whole before anything is opened.

Every problem is told with its line, the key, the value and what is allowed.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from ..catalog import BAUD_RATE
from ..errors import EvseError, UsageError
from ..files.secret_file import first_line, read_secret
from ..secrecy import HIDDEN, hide, hide_in, shown
from . import home_assistant, thingsboard
from .silence import Fallback

TAGS = ("!env", "!file", "!secret", "!include")  # ours, and those of others that people try
MAX_CHARGERS = 50  # tried with so many; more need more than one processor, and open files
VARIABLE = re.compile("[A-Z_][A-Z0-9_]*")  # as environment variables are named
T = TypeVar("T")
V = TypeVar("V")
Place = tuple[str | int, ...]  # a way through mappings and lists


class ConfigError(UsageError, exit_code=2):
    """``problems`` are one line each; ``str`` is the first and how many there are."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = [hide_in(problem) for problem in problems]
        more = len(self.problems) - 1
        super().__init__(self.problems[0] + (f" (and {more} more)" if more else ""))


class Secret:
    """`!env NAME` or `!file PATH`: never shown, not even in an error."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "***"


# --- what may be written ----------------------------------------------------------------------------------------------


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, strict=True, frozen=True)


def _secret(value: object) -> object:
    if not isinstance(value, Secret):
        raise ValueError("must be `!env NAME` or `!file PATH`: what is written here can be read by too many")
    return value


def _address(value: object) -> object:
    """A port alone is a number for YAML."""
    return str(value) if type(value) is int else value


def _checked(check: Callable[[V], T], value: V) -> T:
    """pydantic takes no other error."""
    try:
        return check(value)
    except UsageError as error:
        raise ValueError(str(error)) from None


class ChargerConfig(_Part):
    port: str = Field(min_length=1)
    baud_rate: int = Field(BAUD_RATE, ge=300, le=4_000_000)


class _Silent(_Part):
    """What becomes of the chargers when who controls them through this bridge is silent; None: nothing."""

    silent_after: float | None = None
    when_silent: str | float | None = None

    @model_validator(mode="after")
    def _fall_back(self) -> Self:
        _checked(lambda after: Fallback.parse(after, self.when_silent), self.silent_after)
        return self

    @property
    def fallback(self) -> Fallback | None:
        return Fallback.parse(self.silent_after, self.when_silent)


class _Bridge(_Silent):
    chargers: list[str] | None = Field(None, min_length=1)  # None: all


class _Mqtt(_Bridge):
    broker: str
    ca_file: str = ""

    @field_validator("broker")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        from .mqtt_link import Broker

        _checked(Broker.parse, value)
        return value


class MqttConfig(_Mqtt):
    type: Literal["mqtt"]
    username: str = ""
    password: Secret | None = None
    password_file: str = ""
    interval: float = Field(home_assistant.INTERVAL_S, ge=1, le=86400)
    discovery: bool = True
    discovery_prefix: str = home_assistant.PREFIX

    @field_validator("discovery_prefix")
    @classmethod
    def _is_a_topic(cls, value: str) -> str:
        return _checked(home_assistant.check_prefix, value)

    _no_plain_password = field_validator("password", mode="before")(_secret)

    @model_validator(mode="after")
    def _password_is_for_somebody(self) -> MqttConfig:
        if self.password and self.password_file:
            raise ValueError("password and password_file: choose one")
        if (self.password or self.password_file) and not self.username:
            raise ValueError("a password needs a username")
        return self


class ThingsBoardConfig(_Mqtt):
    type: Literal["thingsboard"]
    tokens: dict[str, Secret] = Field(min_length=1)
    interval: float = Field(thingsboard.INTERVAL_S, ge=1, le=86400)

    @field_validator("tokens", mode="before")
    @classmethod
    def _no_plain_token(cls, value: object) -> object:
        for token in value.values() if isinstance(value, dict) else ():
            _secret(token)
        return value


class RestConfig(_Bridge):
    type: Literal["rest"]
    listen: str = "127.0.0.1:8080"
    energies: Literal["Wh", "Ws"] = "Wh"
    allow_hosts: list[str] = Field(default_factory=list)
    user: str = ""
    password: Secret | None = None
    password_file: str = ""

    _no_plain_password = field_validator("password", mode="before")(_secret)
    _bare_port = field_validator("listen", mode="before")(_address)

    @field_validator("listen")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parse_address(value)
        return value

    @model_validator(mode="after")
    def _strangers_need_a_password(self) -> RestConfig:
        from .rest_server import is_loopback

        if self.password and self.password_file:
            raise ValueError("password and password_file: choose one")
        if bool(self.user) != bool(self.password or self.password_file):
            raise ValueError("user and password belong together: one of them is missing")
        if ":" in self.user:
            raise ValueError("a user name in HTTP has no colon")
        if not self.user and not is_loopback(parse_address(self.listen)[0]):
            raise ValueError(f"{self.listen}: others than this computer are served only with user and password")
        return self


class ModbusConfig(_Silent):
    """No `chargers`: `units` says it, for a unit that moved to another charger would be written to the wrong one."""

    type: Literal["modbus"]
    units: dict[str, Annotated[int, Field(ge=1, le=247)]] = Field(min_length=1)
    tcp: str = ""
    rtu: str = ""
    baud_rate: int = Field(9600, ge=300, le=4_000_000)

    _bare_port = field_validator("tcp", mode="before")(_address)

    @field_validator("tcp")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parse_address(value)
        return value

    @field_validator("units")
    @classmethod
    def _no_two_in_one(cls, value: dict[str, int]) -> dict[str, int]:
        for unit in value.values():
            names = [name for name, its in value.items() if its == unit]
            if len(names) > 1:
                raise ValueError(f"unit {unit} is given to {' and '.join(names)}")
        return value

    @model_validator(mode="after")
    def _one_of_both(self) -> ModbusConfig:
        if bool(self.tcp) == bool(self.rtu):
            raise ValueError("tcp or rtu: give one of them")
        return self


class OcppConfig(_Bridge):
    """`ids`: charger -> its name at the central system, the charger's own where it is missing."""

    type: Literal["ocpp"]
    url: str
    ids: dict[str, str] = Field(default_factory=dict)
    password: Secret | None = None
    password_file: str = ""
    passwords: dict[str, Secret] = Field(default_factory=dict)
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    tag: str = Field("", max_length=20)
    free_vend: bool = False
    phases: int | None = Field(None, ge=1, le=3)
    version: Literal["1.6", "2.0.1"] = "1.6"

    _no_plain_password = field_validator("password", mode="before")(_secret)

    @field_validator("passwords", mode="before")
    @classmethod
    def _no_plain_passwords(cls, value: object) -> object:
        for password in value.values() if isinstance(value, dict) else ():
            _secret(password)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> OcppConfig:
        from .ocpp.target import Target

        if bool(self.password) + bool(self.password_file) + bool(self.passwords) > 1:
            raise ValueError("password, password_file and passwords: choose one")
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("cert_file and key_file belong together: one of them is missing")
        if (self.ca_file or self.cert_file) and not self.url.startswith("wss:"):
            raise ValueError("certificates are of use with wss:// only")
        try:
            for identity in self.ids.values() or ("charger",):
                Target.parse(self.url, identity)
        except UsageError as error:
            raise ValueError(str(error)) from None
        return self

    def id_of(self, charger: str) -> str:
        return self.ids.get(charger, charger)


BridgeConfig = MqttConfig | ThingsBoardConfig | RestConfig | ModbusConfig | OcppConfig
BRIDGES: dict[str, type[BaseModel]] = {
    "mqtt": MqttConfig,
    "thingsboard": ThingsBoardConfig,
    "rest": RestConfig,
    "modbus": ModbusConfig,
    "ocpp": OcppConfig,
}


class GatewayConfig(_Part):
    chargers: dict[str, ChargerConfig] = Field(min_length=1, max_length=MAX_CHARGERS)
    bridges: list[Annotated[BridgeConfig, Field(discriminator="type")]] = Field(min_length=1)

    def names_of(self, bridge: BridgeConfig) -> list[str]:
        """The chargers that a bridge serves."""
        if isinstance(bridge, ModbusConfig):
            return list(bridge.units)
        if isinstance(bridge, ThingsBoardConfig) and bridge.chargers is None:
            return list(bridge.tokens)
        return list(self.chargers) if bridge.chargers is None else list(bridge.chargers)


def parse_address(text: str) -> tuple[str, int]:
    """`[HOST:]PORT`; without a host only this computer is served. Raises ValueError."""
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdecimal() or int(port[:6]) > 65535:
        raise ValueError(f"{text!r}: must be [HOST:]PORT, with a port from 0 to 65535")
    return host.strip("[]") or "127.0.0.1", int(port)


# --- what fits together -----------------------------------------------------------------------------------------------


def _conflicts(config: GatewayConfig) -> Iterator[tuple[Place, str]]:
    """(place, problem), for what is right by itself only."""
    yield from _names(config)
    taken: dict[str, Place] = {}
    for name, charger in config.chargers.items():
        yield from _take(taken, f"port {charger.port}", ("chargers", name, "port"))
    for at, bridge in enumerate(config.bridges):
        place = ("bridges", at)
        for name in config.names_of(bridge):
            if name not in config.chargers:
                known = ", ".join(config.chargers)
                yield _place_of(bridge, place, name), f"there is no charger {shown(name)}; {known} are there"
        if isinstance(bridge, MqttConfig):
            for name in config.names_of(bridge):
                yield from _take(taken, f"the topics {name}/# at {bridge.broker}", place)
        if isinstance(bridge, ThingsBoardConfig):
            for name in config.names_of(bridge):
                if name not in bridge.tokens:
                    yield (*place, "tokens"), f"the access token of charger {name!r} is missing"
        if isinstance(bridge, OcppConfig):
            yield from _charge_points(config, bridge, place, taken)
        if isinstance(bridge, RestConfig):
            yield from _take(taken, f"the address {full_address(bridge.listen)}", (*place, "listen"))
        if isinstance(bridge, ModbusConfig) and bridge.tcp:
            yield from _take(taken, f"the address {full_address(bridge.tcp)}", (*place, "tcp"))
        if isinstance(bridge, ModbusConfig) and bridge.rtu:
            yield from _take(taken, f"port {bridge.rtu}", (*place, "rtu"))


def _charge_points(
    config: GatewayConfig, bridge: OcppConfig, place: Place, taken: dict[str, Place]
) -> Iterator[tuple[Place, str]]:
    for key in ("ids", "passwords"):
        for name in getattr(bridge, key):
            if name not in config.chargers:
                yield (*place, key, name), f"there is no charger {name!r}; {', '.join(config.chargers)} are there"
    for name in config.names_of(bridge):
        yield from _take(taken, f"the charge point {bridge.id_of(name)} at {bridge.url}", place)
        if bridge.passwords and name not in bridge.passwords:
            yield (*place, "passwords"), f"the password of charger {name!r} is missing"


def _names(config: GatewayConfig) -> Iterator[tuple[Place, str]]:
    for name in config.chargers:
        if not re.fullmatch("[a-z0-9]{1,40}", name):
            yield (
                ("chargers", name),
                "a charger's name is its identifier everywhere: only a to z, in lower case, and digits are allowed",
            )


def _take(taken: dict[str, Place], what: str, place: Place) -> Iterator[tuple[Place, str]]:
    if what in taken:
        yield place, f"{what} is used already, by {_key(taken[what])}"
    elif not what.endswith(":0"):
        taken[what] = place


def full_address(address: str) -> str:
    """With its host: `127.0.0.1:8080`, `[::1]:8080`."""
    host, port = parse_address(address)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _place_of(bridge: BridgeConfig, place: Place, name: str) -> Place:
    if isinstance(bridge, ModbusConfig):
        return (*place, "units", name)
    if isinstance(bridge, ThingsBoardConfig) and bridge.chargers is None:
        return (*place, "tokens", name)
    return (*place, "chargers", (bridge.chargers or []).index(name))


# --- the file ---------------------------------------------------------------------------------------------------------


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
    problems = [document.tell(place, problem) for place, problem in _conflicts(config)]
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
        return f"{self.file}{line}: {_key(place)}{': ' if place else ''}{problem}"

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
                    raise ConfigError([f"{self.file}:{line}: {_key((*place, name))}: is there twice"])
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


def _key(place: Place) -> str:
    return ".".join(str(part + 1) if isinstance(part, int) else hide(part) for part in place)
