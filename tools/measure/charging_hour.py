"""An hour in the life of a charger, for measurements: sessions, faults, writes, restarts, texts of all lengths.

Each scene is the beginning of a minute. Nothing is random: a scene gets the number of the minute.
"""

from __future__ import annotations

from collections.abc import Callable

from evse_host.catalog import MAX_STRING_BYTES
from tools.run.stepped_node import SteppedNode

MINUTES = 60


def plug(node: SteppedNode, minute: int) -> None:
    node.charger.car.plug()
    node.charger.car.phases = 1 + minute % 3


def set_currents(node: SteppedNode, minute: int) -> None:
    for current in (6.0, 32.0, 6.5 + minute % 20):
        node.client.command("number.Charging current", current)
        node.run(2)
    node.client.action("set_charging_current", 10.0)
    node.client.command("number.Default charging current", 6.0 + minute % 10)


def limit(node: SteppedNode, minute: int) -> None:
    node.client.command("number.Energy limit", 0.1 * (1 + minute))
    node.client.command("number.Charging time limit", 0.5)
    node.client.command("number.Under-power limit", 0.1)


def pause(node: SteppedNode, _: int) -> None:
    node.client.command("switch.Charging enabled", False)
    node.run(15)
    node.client.command("switch.Charging enabled", True)


def unplug(node: SteppedNode, _: int) -> None:
    node.charger.car.unplug()


def authorize(node: SteppedNode, _: int) -> None:
    node.client.command("switch.Require authorization", True)
    node.run(5)
    node.charger.car.plug()
    node.run(10)
    node.client.command("button.Authorize")
    node.run(20)
    node.charger.car.unplug()
    node.client.command("switch.Require authorization", False)


def write_texts(node: SteppedNode, minute: int) -> None:
    """Every length that a text can have, in an hour."""
    for length in range(1 + minute % 6, MAX_STRING_BYTES + 1, 6):
        node.client.command("text.Charger host name", "h" * length)
        node.client.command("text.Charger instance name", "i" * length)
        node.client.action("set_wifi_station", "s" * length, "p" * length)
        node.charger.override("DEVNAME", "d" * length)
        node.charger.override("WIFISTAIP", "9" * length)
        node.charger.override("AUXINPUTS", *([(("x" * length),)] * 8))
        node.client.command("button.Refresh")
        node.run(3)
    node.client.action("set_static_ip", "192.168.100.200")
    for zone, mode in (("Europe/Berlin", "current"), ("America/Argentina/Buenos_Aires", "dummy")):
        node.client.command("select.Charger time zone", zone)
        node.client.command("select.Meter mode", mode)
        node.run(2)


def fault(node: SteppedNode, minute: int) -> None:
    for bit in range(8):
        node.charger.override("ERROR", 1 << bit)
        node.charger.override("STATE", 7)
        node.run(2)
    node.charger.override("ERROR")
    node.charger.override("STATE")


def restart(node: SteppedNode, minute: int) -> None:
    node.faults.reboot(rdy_seen=minute % 2 == 0)


def press_restart(node: SteppedNode, _: int) -> None:
    node.client.command("button.Restart charger")


def silence(node: SteppedNode, _: int) -> None:
    node.faults.silence(25)


def noise(node: SteppedNode, _: int) -> None:
    for _ in range(10):
        node.faults.noise()
        node.faults.long_line()
        node.faults.nuls()
        node.run(1)


def ask_raw(node: SteppedNode, _: int) -> None:
    node.client.action("send_command", "AT+CMD")
    node.run(12)
    node.client.action("wifi_scan")
    node.run(5)
    node.client.action("subscribe_uptime", 500)


def another_client(node: SteppedNode, _: int) -> None:
    node.disconnect()
    node.run(1)
    node.connect()


SCENES: tuple[Callable[[SteppedNode, int], None], ...] = (
    plug, set_currents, limit, pause, unplug, authorize, write_texts, plug, fault, restart, noise, silence, ask_raw,
    press_restart, plug, another_client, unplug,
)  # fmt: skip


def live(node: SteppedNode, first: int, last: int) -> None:
    """The minutes from ``first`` to before ``last``."""
    for minute in range(first, last):
        end = node.now + 60
        SCENES[minute % len(SCENES)](node, minute)
        node.run(max(end - node.now, 0))
