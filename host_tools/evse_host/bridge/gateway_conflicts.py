"""What in the configuration of a gateway is right by itself, and does not fit together."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..secrecy import shown
from .gateway_config import (
    BridgeConfig,
    GatewayConfig,
    ModbusConfig,
    MqttConfig,
    OcppConfig,
    Place,
    RestConfig,
    ThingsBoardConfig,
    full_address,
    key_of,
)


def conflicts(config: GatewayConfig) -> Iterator[tuple[Place, str]]:
    """(place, problem)."""
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
        yield place, f"{what} is used already, by {key_of(taken[what])}"
    elif not what.endswith(":0"):
        taken[what] = place


def _place_of(bridge: BridgeConfig, place: Place, name: str) -> Place:
    if isinstance(bridge, ModbusConfig):
        return (*place, "units", name)
    if isinstance(bridge, ThingsBoardConfig) and bridge.chargers is None:
        return (*place, "tokens", name)
    return (*place, "chargers", (bridge.chargers or []).index(name))
