"""Quantities as people say them: 3 h 20 min, 1,235 kWh, 170 days behind. For screens; machines get plain numbers."""

from __future__ import annotations

_UNITS = ((86_400, "day"), (3600, "h"), (60, "min"), (1, "s"))


def duration(seconds: int) -> str:
    """The two largest units: `45 s`, `12 min 5 s`, `3 h 20 min`, `170 days`."""
    for index, (size, unit) in enumerate(_UNITS):
        if seconds >= size:
            count, rest = divmod(seconds, size)
            whole = _count(count, unit)
            if index + 1 == len(_UNITS) or count >= 100:
                return whole
            part = rest // _UNITS[index + 1][0]
            return f"{whole} {_count(part, _UNITS[index + 1][1])}" if part else whole
    return "0 s"


def _count(number: int, unit: str) -> str:
    return f"{number:,} {unit}{'s' if unit == 'day' and number != 1 else ''}"


def energy(watt_hours: int) -> str:
    """`850 Wh`, `12.35 kWh`, `1,235 kWh`."""
    if watt_hours < 1000:
        return f"{watt_hours} Wh"
    kilo = watt_hours / 1000
    return f"{kilo:,.0f} kWh" if kilo >= 100 else f"{kilo:.2f} kWh"


def lag(seconds: int, than: str) -> str:
    """How far a clock is off: `170 days behind this computer`."""
    if abs(seconds) < 2:
        return f"as {than}"
    return f"{duration(abs(seconds))} {'ahead of' if seconds > 0 else 'behind'} {than}"
