"""`evse-host wifi scan`, `wifi connect`, `wifi static`"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from ..errors import EvseError, UsageError
from .group import CommandGroup
from .session import Session

if TYPE_CHECKING:
    from ..line.client import Evse

CONNECT_TIMEOUT_S = 20
POLL_S = 0.5
LEAVE_TIMEOUT_S = 5
SECURITY = {0: "open", 1: "protected"}


@click.group("wifi", cls=CommandGroup)
def command() -> None:
    """The charger's own Wi-Fi."""


@command.command("scan")
@click.pass_obj
def scan(session: Session) -> None:
    """List the networks that the charger sees, strongest first; takes about 2 s."""
    from ..wire.codec import printable

    with session.open() as evse:
        networks = sorted(evse.scan(), key=lambda network: -network[2])
    data = [{"ssid": ssid, "auth": auth, "security": _security(auth), "rssi": rssi} for ssid, auth, rssi in networks]
    lines = (f"{rssi:4} dBm  {_security(auth):10}  {printable(ssid) or '(hidden)'}" for ssid, auth, rssi in networks)
    session.show(data, "\n".join(lines) or "no networks")


def _security(auth: int) -> str:
    return SECURITY.get(auth, str(auth))


@command.command("connect")
@click.argument("ssid")
@click.option("--password", envvar="EVSE_WIFI_PASSWORD", help="Asked for if not given; others may see it here.")
@click.option("--open", "is_open", is_flag=True, help="The network has no password.")
@click.option("--keep-password", is_flag=True, help="Leave the password that the charger has.")
@click.option("--no-wait", is_flag=True, help="Do not wait until it is connected.")
@click.pass_obj
def connect(
    session: Session, ssid: str, password: str | None, is_open: bool, keep_password: bool, no_wait: bool
) -> None:
    """Connect the charger to a network: at most 31 bytes of name and of password, on firmware v2.1.1 30 of the name.

    A charger that is connected leaves its network first: with a new password alone it would not do so by itself.
    """
    from ..catalog import COMMAND
    from ..wire.codec import format_argument

    values: list[int | str] = [1, ssid]
    if not ssid:
        raise UsageError("ssid: it is empty, 1 to 31 bytes are allowed")
    if is_open:
        values.append("")
    elif not keep_password:
        values.append(password if password is not None else click.prompt("Password", hide_input=True, err=True))
    try:
        format_argument(COMMAND["WIFISTACFG"], values)
    except ValueError as error:
        raise UsageError(str(error)) from None
    with session.open() as evse:
        _write(evse, values)
        address, rssi = ("", None) if no_wait else _wait_connected(evse)
    data = {"ssid": ssid, "ip": address or None, "rssi": rssi}
    session.show(data, f"connected: {address}, {rssi} dBm" if address else "settings written")


def _write(evse: Evse, values: list[int | str]) -> None:
    """With a password: off the network, and on again with what is new. Without one there is nothing new to try."""
    if len(values) == 3 and evse.get("WIFISTACONN")[0]:
        evse.set("WIFISTACFG", 0, *values[1:])
        deadline = time.monotonic() + LEAVE_TIMEOUT_S
        while evse.get("WIFISTACONN")[0] and time.monotonic() < deadline:
            time.sleep(POLL_S)
        values = values[:1]
    evse.set("WIFISTACFG", *values)


def _wait_connected(evse: Evse) -> tuple[str, int]:
    deadline = time.monotonic() + CONNECT_TIMEOUT_S
    while time.monotonic() < deadline:
        connected, rssi = evse.get("WIFISTACONN")
        (address,) = evse.get("WIFISTAIP")
        if connected and address != "0.0.0.0":
            return address, rssi
        time.sleep(POLL_S)
    raise EvseError(f"the settings are written, but not connected within {CONNECT_TIMEOUT_S} s: is the password right?")


@command.command("static")
@click.argument("ip", required=False)
@click.argument("gateway", required=False)
@click.argument("netmask", required=False)
@click.argument("dns", required=False)
@click.option("--off", is_flag=True, help="Take the address from the network (DHCP) again.")
@click.pass_obj
def static(
    session: Session, ip: str | None, gateway: str | None, netmask: str | None, dns: str | None, off: bool
) -> None:
    """Give the charger a fixed address: IP GATEWAY NETMASK [DNS]; DNS needs newer firmware."""
    given = [part for part in (ip, gateway, netmask, dns) if part is not None]
    if off == bool(given) or (given and len(given) < 3):
        raise UsageError("wifi static: give IP, GATEWAY and NETMASK, or --off")
    values = [0] if off else [1, *given]
    with session.open() as evse:
        row = evse.set("WIFISTASTATIC", *values)
    names = ("enabled", "ip", "gateway", "netmask", "dns")
    data = dict(zip(names, (bool(row[0]), *row[1:]), strict=False))
    addresses = ", ".join(filter(None, row[1:]))
    session.show(data, "address from the network (DHCP)" if off else f"static address {addresses}")
