"""What of a node's configuration the network can reach without a key or a password."""

from __future__ import annotations

import base64

#: Every top-level key of the examples, and what it lets the network do. A new one has to be thought about here.
HARMLESS = {
    "esphome", "esp32", "esp8266", "rp2040", "rp2", "host", "external_components", "substitutions", "logger",
    "packages", "uart", "spi", "rc522_spi", "esp32evse", "script", "globals", "time", "light", "output", "preferences",
    "safe_mode", "sensor", "binary_sensor", "text_sensor", "switch", "button", "number", "select", "text", "event",
    "psram", "network", "socket", "runtime", "async_tcp", "mdns", "interval", "json",
    "modbus", "modbus_client", "modbus_server", "modbus_controller", "dsmr",  # on a wire, as the charger itself
    "esp32evse_load_manager",  # reads sensors of the node
}  # fmt: skip
#: These listen. `guarded` says how each must be closed.
LISTENING = {"api", "ota", "wifi", "captive_portal", "web_server_base", "web_server", "udp", "packet_transport"}
#: These take commands from elsewhere.
COMMANDED = {"mqtt"}


def guarded(config: dict) -> list[str]:
    """What is open in a validated configuration; nothing, if all is well."""
    found = [f"{key}: not known to be closed" for key in config if key not in HARMLESS | LISTENING | COMMANDED]
    key = config.get("api", {}).get("encryption", {}).get("key") if "api" in config else "none needed"
    if not key or (key != "none needed" and len(base64.b64decode(key)) != 32):
        found.append("api: no encryption key")
    found += [f"ota {way['platform']}: no password" for way in config.get("ota", ()) if not _ota_closed(way)]
    access_point = config.get("wifi", {}).get("ap")
    if access_point is not None and len(access_point.get("password", "")) < 8:
        found.append("wifi ap: no password")
    if "captive_portal" in config and access_point is None:
        found.append("captive_portal: without an access point that has a password")
    if "mqtt" in config and not (config["mqtt"].get("username") and config["mqtt"].get("password")):
        found.append("mqtt: no password")
    if "web_server" in config and not config["web_server"].get("auth"):
        found.append("web_server: no auth")
    return found + _open_packets(config)


def _open_packets(config: dict) -> list[str]:
    """Whoever sends a packet that is believed decides what the house draws: none without a key, no old one again."""
    found = ["udp: anybody's packet starts something" for socket in config.get("udp", ()) if "on_receive" in socket]
    for transport in config.get("packet_transport", ()):
        for part in (transport, *transport["providers"]):
            if not part.get("encryption", {}).get("key"):
                found.append(f"packet_transport {part.get('name', 'itself')}: no encryption key")
        if not (transport["rolling_code_enable"] and transport["ping_pong_enable"]):
            found.append("packet_transport: takes an old packet once more")
    return found


def _ota_closed(way: dict) -> bool:
    """By a password, or since ESPHome 2026.9 by the API's key; the portal's upload is reached through the access point
    only."""
    has_key = bool((way.get("encryption") or {}).get("key"))
    return bool(way.get("password")) or has_key or way["platform"] == "web_server"
