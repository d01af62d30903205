"""The other objects of the charger's REST API, as far as AT can fill them. Pure: no HTTP, no charger.

Names are those of the firmware (v2.1.1 and its head of June 2026). What AT does not reach is null.
"""

from __future__ import annotations

from typing import Any

from .rest import CURRENT, ENERGY, Json, Setting, Settings
from .snapshot import Snapshot

#: Energy meters of the board and modes of the charger, 0, 1, ... on the wire.
BOARD_METERS = ("none", "cur", "cur_vlt")
METER_MODES = ("dummy", "cur", "cur_vlt")
SERIAL_TYPES = ("none", "uart", "rs485")
#: Commands whose answer has a line for each part of the board: they are read when somebody asks.
PARTS = ("SERIALS", "AUXINPUTS", "AUXOUTPUTS", "AUXANALOGINPUTS")

EVSE = (
    Setting("maxChargingCurrent", "MAXCHCUR", unit="A"),
    Setting("defaultChargingCurrent", "DEFCHCUR", **CURRENT),
    Setting("requireAuth", "REQAUTH", "flag"),
    Setting("socketOutlet", "SOCKETOUTLET", "flag"),
    Setting("defaultConsumptionLimit", "DEFCONSUMLIM", **ENERGY),
    Setting("defaultChargingTimeLimit", "DEFCHTIMELIM", unit="s"),
    Setting("defaultUnderPowerLimit", "DEFUNDERPOWERLIM", unit="W"),
    Setting("energyMeterMode", "EMETERMODE", "choice", choices=METER_MODES),
    Setting("energyMeterAcVoltage", "EMETERACVOLTAGE", unit="V"),
    Setting("energyMeterThreePhases", "EMETERTHREEPHASE", "flag"),
)
DISCOVERY = (
    Setting("hostname", "HOSTNAME", "text"),
    Setting("instanceName", "INSTNAME", "text"),
)
#: Values that stand alone, without an object around them.
TIME = Setting("time", "TIME", unit="s")
ACCESS_POINT = Setting("access point", "WIFIAPCFG", "flag")

#: Keys of `/config/evse` that AT does not reach.
UNREACHABLE = ("rcm", "temperatureThreshold", "socketLockOperatingTime", "socketLockBreakTime",
               "socketLockDetectionHigh", "socketLockRetryCount")  # fmt: skip

#: The rest of the charger's API, and why it is not here. An address begins with one of them.
ABSENT = {
    "config/serial": "the serial ports cannot be read over AT without a risk for the charger",
    "config/modbus": "AT does not reach the charger's own Modbus server; `evse-host modbus` is one",
    "config/script": "AT does not reach the charger's scripts",
    "config/scheduler": "AT does not reach the charger's schedules",
    "wifi/scan": "the charger is deaf while it scans; `evse-host wifi scan` does it",
    "script": "AT does not reach the charger's scripts",
    "firmware": "AT does not reach the charger's firmware update",
    "nextion": "AT does not reach a Nextion display",
    "log": "AT does not reach the charger's log; `evse-host record` keeps what passes on the line",
    "credentials": "this server's user and password are options of its start",
}
NO_WIFI_WRITES = "the Wi-Fi is not set over this API: a wrong word would cut the charger off; use `evse-host wifi`"


def settings_json(snapshot: Snapshot, settings: Settings) -> Json:
    return {key: setting.shown(snapshot) for key, setting in settings.items()}


def evse_json(snapshot: Snapshot, settings: Settings) -> Json:
    """`GET /config/evse`."""
    return settings_json(snapshot, settings) | dict.fromkeys(UNREACHABLE)


def wifi_json(snapshot: Snapshot) -> Json:
    """`GET /config/wifi`; the password is never shown."""
    names = ("staticIp", "staticGateway", "staticNetmask", "staticDns")
    addresses = {name: snapshot.get("WIFISTASTATIC", at) for at, name in enumerate(names, 1)}
    return {
        "enabled": snapshot.flag("WIFISTACFG"),
        "ssid": snapshot.get("WIFISTACFG", 1),
        "staticEnabled": snapshot.flag("WIFISTASTATIC"),
        **addresses,
    }


def wifi_state_json(snapshot: Snapshot) -> Json:
    """`GET /wifi/state`."""
    return {
        "ip": snapshot.get("WIFISTAIP"),
        "mac": snapshot.get("WIFISTAMAC"),
        "rssi": snapshot.get("WIFISTACONN", 1) if snapshot.flag("WIFISTACONN") else None,
        "apIp": snapshot.get("WIFIAPIP"),
        "apMac": snapshot.get("WIFIAPMAC"),
        "apEnabled": snapshot.flag("WIFIAPCFG"),
        "apSsid": snapshot.get("WIFIAPCFG", 1),
    }


def info_json(snapshot: Snapshot) -> Json:
    """`GET /info`, with the heap and the addresses as both generations of the firmware name them."""
    used, total = snapshot.get("HEAP"), snapshot.get("HEAP", 1)
    revision = snapshot.get("CHIP", 2)
    low, high = (snapshot.get("TEMP", at) if snapshot.get("TEMP") else None for at in (2, 1))
    return {
        "uptime": snapshot.get("UPTIME"),
        "appVersion": snapshot.get("VER"),
        "appDate": snapshot.get("BUILDTIME"),
        "appTime": snapshot.get("BUILDTIME", 1),
        "idfVersion": snapshot.get("IDFVER"),
        "chip": snapshot.get("CHIP"),
        "chipCores": snapshot.get("CHIP", 1),
        "chipRevision": None if revision is None else revision // 100,  # MXX on the wire
        "heap": {
            "allocated": used,
            "free": None if used is None or total is None else total - used,
            "largestFreeBlock": None,
            "minFree": None,
        },
        "heapSize": used,
        "maxHeapSize": total,
        "mac": snapshot.get("WIFISTAMAC"),
        "ip": snapshot.get("WIFISTAIP"),
        "macAp": snapshot.get("WIFIAPMAC"),
        "ipAp": snapshot.get("WIFIAPIP"),
        "temperatureSensorCount": snapshot.get("TEMP"),
        "temperatureLow": None if low is None else low / 100,
        "temperatureHigh": None if high is None else high / 100,
    }


def board_json(snapshot: Snapshot, parts: dict[str, list[tuple[Any, ...]]]) -> Json:
    """`GET /board-config`; ``parts``: the lines of PARTS."""
    meter = snapshot.get("EMETER")
    names = {key: [row[0] for row in parts[name]] for key, name in (
        ("auxInputs", "AUXINPUTS"), ("auxOutputs", "AUXOUTPUTS"), ("auxAnalogInputs", "AUXANALOGINPUTS"),
    )}  # fmt: skip
    return {
        "deviceName": snapshot.get("DEVNAME"),
        "socketLock": snapshot.flag("SOCKETLOCK"),
        "proximity": snapshot.flag("PROXIMITY"),
        "socketLockMinBreakTime": snapshot.get("SOCKETLOCKMINBREAKTIME"),
        "rcm": None,
        "temperatureSensor": snapshot.flag("TEMPSENSOR"),
        "energyMeter": BOARD_METERS[meter] if meter is not None and meter < len(BOARD_METERS) else None,
        "energyMeterThreePhases": None if meter is None else snapshot.get("EMETER", 1) == 1,
        "serials": [{"type": SERIAL_TYPES[kind] if kind < len(SERIAL_TYPES) else str(kind), "name": name}
                    for kind, name in parts["SERIALS"]],
        **names,
    }  # fmt: skip


def absence(path: str) -> str:
    """Why an address of the charger's API, without `/api/v1/`, is not served here; empty: the charger has none such."""
    return next((reason for start, reason in ABSENT.items() if path == start or path.startswith(f"{start}/")), "")
