"""What people want of the charger, and what that may look like on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evse_host.catalog import COMMAND, ENTITIES, ENTITY, Entity

RUN_ONCE = ("AUTH", "RST", "WIFIAPSCAN", "EMETERTOTCONSUM")  # doing it twice does harm, or cannot be proven
BUTTONS = {
    "authorize": "AT+AUTH",
    "restart": "AT+RST",
    "start_ap": "AT+WIFIAPCFG=1",
    "reset_total_energy": "AT+EMETERTOTCONSUM=0",
    "wifi_scan": "AT+WIFIAPSCAN",
    "refresh": "",
}
PLATFORMS = ("number", "switch", "select", "text", "button")
WISHABLE = [entity for entity in ENTITIES if entity.platform in PLATFORMS]
STORED = {entity.command for entity in WISHABLE if entity.command and COMMAND[entity.command].stored}


@dataclass(frozen=True)
class Wish:
    """What somebody asks of ``entity`` at ``time`` (s). ``line`` is the only command that may come of it (empty: none
    may), ``row`` what the charger then holds at the beginning of its answer to a read (empty where nothing shows it).
    """

    time: float
    entity: Entity
    value: Any
    line: str
    row: tuple = ()

    @property
    def command(self) -> str:
        return self.entity.command

    def __str__(self) -> str:
        value = "" if self.value is None else f" = {self.value!r}"
        return f"{self.entity.platform}.{self.entity.name}{value}"


def setting(time: float, entity: Entity, value: Any, held: int | str) -> Wish:
    """``value`` is what is set, ``held`` what the charger then holds."""
    argument = quote(held) if isinstance(held, str) else str(held)
    return Wish(time, entity, value, f"AT+{entity.command}={argument}", (held,))


def press(time: float, key: str) -> Wish:
    """A press of the button ``key``."""
    row = {"start_ap": (1,), "reset_total_energy": (0,)}.get(key, ())
    return Wish(time, ENTITY["button", key], None, BUTTONS[key], row)


def quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
