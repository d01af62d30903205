"""What the configuration of a gateway may say: each part of it by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from ..catalog import BAUD_RATE
from ..errors import UsageError
from ..secrecy import hide, hide_in
from . import home_assistant, thingsboard
from .silence import Fallback

MAX_CHARGERS = 50  # tried with so many; more need more than one processor, and open files
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


def parse_address(text: str) -> tuple[str, int]:
    """`[HOST:]PORT`; without a host only this computer is served. Raises ValueError."""
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdecimal() or int(port[:6]) > 65535:
        raise ValueError(f"{text!r}: must be [HOST:]PORT, with a port from 0 to 65535")
    return host.strip("[]") or "127.0.0.1", int(port)


def _bare_port(value: object) -> object:
    """A port alone is a number for YAML."""
    return str(value) if type(value) is int else value


def _address(value: str) -> str:
    parse_address(value)
    return value


#: Where a bridge listens.
Address = Annotated[str, BeforeValidator(_bare_port), AfterValidator(_address)]


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
    listen: Address = "127.0.0.1:8080"
    energies: Literal["Wh", "Ws"] = "Wh"
    allow_hosts: list[str] = Field(default_factory=list)
    user: str = ""
    password: Secret | None = None
    password_file: str = ""

    _no_plain_password = field_validator("password", mode="before")(_secret)

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
    tcp: Address = ""
    rtu: str = ""
    baud_rate: int = Field(9600, ge=300, le=4_000_000)

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


def full_address(address: str) -> str:
    """With its host: `127.0.0.1:8080`, `[::1]:8080`."""
    host, port = parse_address(address)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def key_of(place: Place) -> str:
    """`bridges.1.port`: counted from 1, as people do."""
    return ".".join(str(part + 1) if isinstance(part, int) else hide(part) for part in place)
