"""The charger's Wi-Fi: the network it has joined, its address, its own access point. What is set lies in ``flash``."""

import ipaddress
import socket
from typing import Any

from .board import Board, Firmware, Network
from .fields import encode, truncate

Row = tuple[Any, ...]

AP_IDLE_S = 60.0
ACCESS_POINT_IP = "192.168.4.1"
STATION_IP = "192.168.1.42"
NO_ADDRESS = "0.0.0.0"
RELEASED_TEXT_BYTES = 30


class Wifi:
    """From one start of the charger to the next. ``joined`` is the network in use, None while there is none.
    ``ap_client`` may be set at any time."""

    def __init__(self, firmware: Firmware, board: Board, flash: dict[str, Any], boot: float) -> None:
        self.firmware, self.board, self.flash = firmware, board, flash
        self.now = boot
        self.joined: Network | None = None
        self.ap_client = False
        self._ap_started: float | None = None
        self._join()

    def advance(self, now: float) -> None:
        self.now = now
        if self._ap_started is None:
            return
        if self.ap_client:
            self._ap_started = now
        elif now - self._ap_started >= AP_IDLE_S:
            self._ap_started = None

    def kept(self, text: str, default: str = "") -> str:
        """A stored name as it is used: v2.1.1 takes 31 bytes, but has room for 30."""
        return text if self.firmware.head or len(encode(text)) <= RELEASED_TEXT_BYTES else default

    # --- the station

    def station(self) -> Row:
        enabled, ssid, password = self.flash["station"]
        return enabled, self.kept(ssid), password

    def set_station(self, enabled: int, *texts: str) -> bool:
        """``texts``: SSID and password, as many as are given."""
        _, ssid, password = self.flash["station"]
        if enabled and not ssid and not (texts and texts[0]):
            return False
        self.flash["station"] = [int(enabled != 0), *texts, *(ssid, password)[len(texts) :]]
        if not self._stays():
            self._join()
        return True

    def _stays(self) -> bool:
        """A station that is connected does not leave its network for another password."""
        enabled, ssid, _ = self.station()
        return bool(enabled) and self.joined is not None and self.joined.ssid == ssid

    def _join(self) -> None:
        enabled, ssid, password = self.station()
        reachable = (net for net in self.board.networks if net.ssid == ssid and net.password in (None, password))
        self.joined = next(reachable, None) if enabled and ssid else None

    def connection(self) -> Row:
        return (1, self.joined.rssi) if self.joined else (0, 0)

    def scan(self) -> list[Row]:
        """The networks in reach; a name is cut to what the charger's buffer holds."""
        return [(truncate(network.ssid), network.auth, network.rssi) for network in self.board.networks]

    # --- its address

    def address(self) -> str:
        enabled, ip, *_ = self.flash["static"]
        return ((ip or NO_ADDRESS) if enabled else STATION_IP) if self.joined else NO_ADDRESS

    def static(self) -> Row:
        enabled, *addresses = self.flash["static"]
        return enabled, *(self._shown(address) for address in addresses[: 4 if self.firmware.head else 3])

    def _shown(self, address: str | None) -> str:
        """Unset is None before the first write, and empty after it."""
        if address == "" and not self.firmware.head:
            return NO_ADDRESS
        return address or ""

    def set_static(self, enabled: int, *texts: str) -> bool:
        if not all(self._is_address(text) for text in texts):
            return False
        given = [_normalized(text) for text in texts]
        addresses = [*given, *(address or "" for address in self.flash["static"][len(texts) + 1 :])]
        if enabled and self.firmware.head and not all(addresses[:3]):
            return False
        self.flash["static"] = [int(enabled != 0), *addresses]
        return True

    def _is_address(self, text: str) -> bool:
        return _normalized(text) is not None if text else self.firmware.head

    # --- the access point

    def access_point(self) -> Row:
        return int(self._ap_started is not None), f"evse-{self.board.ap_mac.replace(':', '')[-6:]}"

    def set_access_point(self, enabled: int) -> None:
        self._ap_started = self.now if enabled else None

    def access_point_in_use(self) -> bool:
        return self.ap_client and self._ap_started is not None

    def access_point_address(self) -> str:
        return ACCESS_POINT_IP if self._ap_started is not None else NO_ADDRESS


def _normalized(text: str) -> str | None:
    """`10.0.0` is 10.0.0.0, as inet_aton reads it; no address and 0.0.0.0 are empty; None for what is no address."""
    if not text:
        return ""
    try:
        address = str(ipaddress.IPv4Address(socket.inet_aton(text)))
    except OSError:
        return None
    return "" if address == NO_ADDRESS else address
