"""`evse-host info`"""

from __future__ import annotations

from typing import Any

import click

from ..catalog import CHARGING_STATES, SESSION_STATES, STATES
from ..settings import SETTINGS, Setting, fault_names
from ..wire.codec import Fields
from .session import Session

#: Sections of the page: title -> names of settings.
SECTIONS: dict[str, tuple[str, ...]] = {
    "Charger": ("instance_name", "device_name", "version", "idf_version", "build_time", "uptime", "device_time",
                "timezone"),
    "State": ("state", "enable", "available", "request_authorization", "pending_authorization",
              "charging_limit_reached"),
    "Limits": ("charging_current", "default_charging_current", "maximum_charging_current", "consumption_limit",
               "default_consumption_limit", "charging_time_limit", "default_charging_time_limit", "under_power_limit",
               "default_under_power_limit"),
    "Meter": ("emeter_type", "three_phase_capable", "emeter_mode", "three_phase_meter", "emeter_voltage",
              "emeter_power", "voltage_l1", "voltage_l2", "voltage_l3", "current_l1", "current_l2", "current_l3",
              "energy_consumption", "emeter_session_time", "emeter_charging_time", "total_energy_consumption"),
    "Network": ("wifi_station", "wifi_sta_ssid", "wifi_connected", "wifi_rssi", "wifi_sta_ip", "wifi_sta_mac",
                "host_name", "wifi_ap_active", "wifi_ap_ssid", "wifi_ap_ip"),
    "Board": ("chip", "temperature_high", "temperature_low", "heap_used", "heap_total", "socket_outlet",
              "socket_lock", "proximity_pilot", "temperature_sensor", "serial_ports", "aux_inputs", "aux_outputs",
              "aux_analog_inputs"),
}  # fmt: skip

Rows = dict[str, list[Fields]]


@click.command("info")
@click.pass_obj
def command(session: Session) -> None:
    """One page: versions, state, limits, meter, network, board."""
    with session.open() as evse:
        rows = evse.get_all()
    if rows.get("STATE") == [(STATES.index("E"),)]:
        rows.pop("PENDAUTH", None)  # it means nothing there
    session.show(_data(rows), _page(rows))


def _present(names: tuple[str, ...], rows: Rows) -> list[Setting]:
    """What this charger has."""
    return [SETTINGS[name] for name in names if SETTINGS[name].command.name in rows]


def _data(rows: Rows) -> dict[str, dict[str, Any]]:
    data = {
        title.lower(): {setting.name: setting.value(rows[setting.command.name]) for setting in _present(names, rows)}
        for title, names in SECTIONS.items()
    }
    data["state"] |= {"status": status(rows), "faults": _faults(rows)}
    return data


def _page(rows: Rows) -> str:
    blocks = []
    for title, names in SECTIONS.items():
        lines = [f"  {setting.doc:30} {setting.text(rows[setting.command.name])}" for setting in _present(names, rows)]
        if title == "State":
            lines.insert(0, f"  {'Status':30} {status(rows)}")
        blocks.append("\n".join([title, *lines]))
    return "\n\n".join(blocks)


def _faults(rows: Rows) -> list[str]:
    return fault_names(rows["ERROR"][0][0]) if "ERROR" in rows else []


def status(rows: Rows) -> str:
    """What is going on, in words."""
    number = rows["STATE"][0][0] if "STATE" in rows else len(STATES)
    state = STATES[number] if number < len(STATES) else ""
    if _faults(rows):
        return "fault: " + ", ".join(_faults(rows))
    plain = {"A": "no vehicle", "E": "fault", "F": "not available", "": "unknown"}
    if state not in SESSION_STATES:
        return plain[state]
    if state in CHARGING_STATES:
        return "charging"
    reasons = (("PENDAUTH", 1, "waits for authorization"), ("LIMREACH", 1, "limit reached"), ("ENABLE", 0, "paused"))
    for name, value, words in reasons:
        if name in rows and rows[name][0][0] == value:
            return f"vehicle connected, {words}"
    return "vehicle connected"
