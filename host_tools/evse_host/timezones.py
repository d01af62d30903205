"""The time zones of the charger's firmware, for people who live in one of those that it lacks."""

from __future__ import annotations

import difflib
import functools
import zoneinfo
from pathlib import Path

from .catalog import FIRMWARE_TIMEZONES


def zone_hint(name: str) -> str:
    """What to give the charger instead of a zone that it refused."""
    twins = same_rule(name)
    if twins:
        return f"it lacks this zone; the same time has {twins[0]}"
    cities = {zone.rpartition("/")[2].lower(): zone for zone in FIRMWARE_TIMEZONES}
    city = name.rpartition("/")[2].lower()
    close = [cities[word] for word in difflib.get_close_matches(city, cities, 3, 0.75)]
    return f"did you mean {' or '.join(close)}?" if close else "it knows zones such as Europe/Berlin and Etc/UTC"


def same_rule(name: str) -> list[str]:
    """Zones of the firmware with the rule of this IANA zone, those of its own region first; none where this computer
    does not know the zone."""
    rule = posix_rule(name)
    if not rule:
        return []
    twins = [zone for zone in FIRMWARE_TIMEZONES if posix_rule(zone) == rule]
    region = name.partition("/")[0]
    return sorted(twins, key=lambda zone: (zone.partition("/")[0] != region, not zone.startswith("Etc/")))


@functools.cache
def posix_rule(zone: str) -> str:
    """The rule at the end of the system's file for this zone, such as `CET-1CEST,M3.5.0,M10.5.0/3`; empty where the
    system has none. Looking takes milliseconds, and the simulator is asked in every turn of its loop."""
    if zone not in _zones():
        return ""
    for folder in zoneinfo.TZPATH:
        file = Path(folder) / zone
        if file.is_file():
            return file.read_bytes().rstrip(b"\n").rpartition(b"\n")[2].decode("ascii", "replace")
    return ""


@functools.cache
def _zones() -> set[str]:
    return zoneinfo.available_timezones()
