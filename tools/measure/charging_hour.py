"""An hour in the life of a charger, for measurements: sessions, faults, writes, restarts, texts of all lengths.

Each scene is the beginning of a minute. Nothing is random: a scene gets the number of the minute.
"""

from __future__ import annotations

from collections.abc import Callable

from evse_host.catalog import MAX_STRING_BYTES
from tools.run.clocked_node import ClockedNode

MINUTES = 60


def plug(node: ClockedNode, minute: int) -> None:
    node.charger.car.plug()
    node.charger.car.phases = 1 + minute % 3


def set_currents(node: ClockedNode, minute: int) -> None:
    for current in (6.0, 32.0, 6.5 + minute % 20):
        node.command("number.Charging current", current)
        node.run(2)
    node.call_service("set_charging_current", current=10.0)
    node.command("number.Default current", 6.0 + minute % 10)


def limit(node: ClockedNode, minute: int) -> None:
    node.command("number.Energy limit", 0.1 * (1 + minute))
    node.command("number.Time limit", 0.5)
    node.command("number.Under-power limit", 0.1)


def pause(node: ClockedNode, _: int) -> None:
    node.command("switch.Charging enabled", False)
    node.run(15)
    node.command("switch.Charging enabled", True)


def unplug(node: ClockedNode, _: int) -> None:
    node.charger.car.unplug()


def authorize(node: ClockedNode, _: int) -> None:
    node.command("switch.Require authorization", True)
    node.run(5)
    node.charger.car.plug()
    node.run(10)
    node.command("button.Authorize")
    node.run(20)
    node.charger.car.unplug()
    node.command("switch.Require authorization", False)


def write_texts(node: ClockedNode, minute: int) -> None:
    """Every length that a text can have, in an hour."""
    for length in range(1 + minute % 6, MAX_STRING_BYTES + 1, 6):
        node.command("text.Host name", "h" * length)
        node.command("text.Instance name", "i" * length)
        node.call_service("set_wifi_station", ssid="s" * length, password="p" * length)
        node.charger.override("DEVNAME", "d" * length)
        node.charger.override("WIFISTAIP", "9" * length)
        node.charger.override("AUXINPUTS", *([(("x" * length),)] * 8))
        node.command("button.Refresh")
        node.run(3)
    node.call_service("set_static_ip", ip="192.168.100.200")
    for zone, mode in (("Europe/Berlin", "current"), ("America/Argentina/Buenos_Aires", "dummy")):
        node.command("select.Time zone", zone)
        node.command("select.Meter mode", mode)
        node.run(2)


def fault(node: ClockedNode, minute: int) -> None:
    for bit in range(8):
        node.charger.override("ERROR", 1 << bit)
        node.charger.override("STATE", 7)
        node.run(2)
    node.charger.override("ERROR")
    node.charger.override("STATE")


def restart(node: ClockedNode, minute: int) -> None:
    node.faults.reboot(rdy_seen=minute % 2 == 0)


def press_restart(node: ClockedNode, _: int) -> None:
    node.command("button.Restart")


def silence(node: ClockedNode, _: int) -> None:
    node.faults.silence(25)


def noise(node: ClockedNode, _: int) -> None:
    for _ in range(10):
        node.faults.noise()
        node.faults.long_line()
        node.faults.nuls()
        node.run(1)


def ask_raw(node: ClockedNode, _: int) -> None:
    node.call_service("send_command", command="AT+CMD")
    node.run(12)
    node.call_service("wifi_scan")
    node.run(5)
    node.call_service("subscribe_uptime", period=500)


def another_client(node: ClockedNode, _: int) -> None:
    node.disconnect()
    node.run(1)
    node.connect()


SCENES: tuple[Callable[[ClockedNode, int], None], ...] = (
    plug, set_currents, limit, pause, unplug, authorize, write_texts, plug, fault, restart, noise, silence, ask_raw,
    press_restart, plug, another_client, unplug,
)  # fmt: skip


def live(node: ClockedNode, first: int, last: int) -> None:
    """The minutes from ``first`` to before ``last``."""
    for minute in range(first, last):
        end = node.now + 60
        SCENES[minute % len(SCENES)](node, minute)
        node.run(max(end - node.now, 0))
