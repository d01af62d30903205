"""What the web page shows of a charger, in words and in the units of people. Pure: no clock, no port, no socket."""

from __future__ import annotations

from typing import Any

from ..catalog import CHARGING_STATES, FAULTS
from .snapshot import Snapshot

#: What a person can do about a fault, by the keys of FAULTS.
ADVICE = {
    "pilot": "Unplug the car, wait a minute and plug it in again.",
    "diode_short": "Unplug the car. If this comes back, have the car's charging socket checked.",
    "lock": "Push the plug in fully, or unplug it and try again.",
    "unlock": "The plug is held: move it a little. The charger may need a restart.",
    "rcm_triggered": "Current leaks to earth: unplug the car. If this comes back, have cable and car checked.",
    "rcm_self_test": "The leakage protection failed its test. If this stays, call an electrician.",
    "temperature_high": "The charger is too hot. It goes on by itself when it has cooled down.",
    "temperature_sensor": "A temperature sensor does not answer. If this stays, call an electrician.",
}

#: States in which the charger offers energy.
OFFERING = ("B2", "C2", "D2")

SILENT = "the charger does not answer"

Words = tuple[str, str, str]


def view(snapshot: Snapshot, name: str, error: str = "") -> dict[str, Any]:
    """The JSON object of one event: W, A, V, Wh, s and °C; null is unknown.

    ``name`` is shown where the charger has none; ``error`` says why it is offline.
    """
    kind, headline, explanation = words(snapshot)
    return {
        "online": snapshot.online,
        "error": "" if snapshot.online else _sentence(error),
        "notice": " ".join(snapshot.notes) or None,
        "name": snapshot.get("INSTNAME") or name,
        "kind": kind,
        "headline": headline,
        "explanation": _with_bound(explanation, snapshot.bound),
        "bound": snapshot.bound,
        "faults": _faults(snapshot.faults or 0),
        "action": action(snapshot),
        "state": snapshot.state,
        "charging": snapshot.charging,
        "enabled": snapshot.flag("ENABLE"),
        "available": snapshot.flag("AVAILABLE"),
        "pending_authorization": snapshot.flag("PENDAUTH"),
        "charging_current": snapshot.charging_current,
        "maximum_current": snapshot.get("MAXCHCUR"),
        "power": snapshot.power,
        "currents": snapshot.currents,
        "voltages": snapshot.voltages if snapshot.charging else None,  # the meter rests, and says 0
        "session_energy": snapshot.session_energy,
        "session_time": snapshot.get("EMETERSESTIME"),
        "charging_time": snapshot.get("EMETERCHTIME"),
        "total_energy": snapshot.total_energy,
        "temperature": snapshot.temperature,
        "energy_limit": snapshot.get("CONSUMLIM"),
        "time_limit": snapshot.get("CHTIMELIM"),
        "under_power_limit": snapshot.get("UNDERPOWERLIM"),
        "requires_authorization": snapshot.flag("REQAUTH"),
        "default_current": _scaled(snapshot.get("DEFCHCUR"), 10),
        "default_energy_limit": snapshot.get("DEFCONSUMLIM"),
        "default_time_limit": snapshot.get("DEFCHTIMELIM"),
        "default_under_power_limit": snapshot.get("DEFUNDERPOWERLIM"),
        "version": snapshot.get("VER"),
    }


def action(snapshot: Snapshot) -> str | None:
    """What a person can do about charging: stop where energy is offered, start where somebody stopped it; nothing
    where nothing can charge."""
    kind = words(snapshot)[0]
    enabled = snapshot.flag("ENABLE")
    if kind in ("fault", "unknown") or enabled is None or snapshot.state == "F" or snapshot.flag("AVAILABLE") is False:
        return None
    if not enabled:
        return "start"
    return "stop" if snapshot.state in OFFERING else None


def _scaled(value: int | None, divisor: int) -> float | None:
    return None if value is None else value / divisor


def words(snapshot: Snapshot) -> Words:
    """(kind, headline, explanation): what charger and car do, and why.

    Kinds: charging, ready, waiting, stopped, fault, unknown.
    """
    state = snapshot.state
    if state is None:
        return "unknown", "Unknown", "The charger has not said yet what it does."
    if state == "E" or snapshot.faults:
        return "fault", "Fault", "The charger gives no energy until the fault is gone."
    if state == "F":
        return "stopped", "Out of service", "The charger was set to not available, and gives no energy."
    if state == "A":
        return _without_car(snapshot)
    if state in CHARGING_STATES:
        return "charging", "Charging", _flow(snapshot)
    if state == "B2":
        return "ready", "Car connected", "The charger offers energy, but the car asks for none: it is full, or waits."
    return _held_back(snapshot)


def _without_car(snapshot: Snapshot) -> Words:
    if snapshot.flag("ENABLE") is False:
        return "stopped", "No car, stopped", "A car that is plugged in now has to wait until charging is started."
    if snapshot.flag("REQAUTH"):
        return "ready", "No car", "Ready: a car that is plugged in charges after an authorization."
    return "ready", "No car", "Ready: a car that is plugged in can charge at once."


def _flow(snapshot: Snapshot) -> str:
    if snapshot.power == 0:
        return "The charger gives energy; the car takes none yet."
    phases = sum(current >= 500 for current in snapshot.values.get("EMETERCURRENT", ()))
    return f"The car takes energy on {phases} phase{'s' if phases > 1 else ''}." if phases else "The car takes energy."


def _held_back(snapshot: Snapshot) -> Words:
    """B1, C1, D1: a car, and the charger offers no energy."""
    wish = "" if snapshot.state == "B1" else " The car asks for energy."
    if snapshot.flag("AVAILABLE") is False:
        return "stopped", "Out of service", "The charger was set to not available, and gives no energy." + wish
    if snapshot.flag("PENDAUTH"):
        return "waiting", "Waiting for authorization", "The car charges when somebody authorizes it." + wish
    if snapshot.flag("ENABLE") is False:
        who = "" if snapshot.bound else "Somebody stopped charging, here or elsewhere."
        return "stopped", "Stopped", who + wish
    if snapshot.flag("LIMREACH"):
        return "stopped", "Limit reached", _limit(snapshot) + wish
    return "waiting", "Car connected", "The charger prepares to give energy." + wish


def _with_bound(explanation: str, bound: str) -> str:
    """What a central system forbids or limits, behind what is to be said anyway."""
    if not bound:
        return explanation
    return f"{explanation} {bound[:1].upper()}{bound[1:]}.".strip()


def _limit(snapshot: Snapshot) -> str:
    """The charger tells only that it is a limit; which one, its own comparison tells."""
    if 0 < (snapshot.get("CONSUMLIM") or 0) < (snapshot.session_energy or 0):
        return "This session's energy limit is used up."
    if 0 < (snapshot.get("CHTIMELIM") or 0) < (snapshot.get("EMETERCHTIME") or 0):
        return "This session's time limit is used up."
    return "The car took less than the under-power limit for a minute."


def _sentence(error: str) -> str:
    """The page has said already that the charger does not answer."""
    text = error.removeprefix(f"{SILENT}: ")
    return text[:1].upper() + text[1:] + ("" if text.endswith(("?", ".")) else ".")


def _faults(bits: int) -> list[dict[str, str]]:
    """A bit that later firmware may add is shown, too."""
    return [_fault(number) for number in range(bits.bit_length()) if bits >> number & 1]


def _fault(number: int) -> dict[str, str]:
    if number >= len(FAULTS):
        return {"name": f"number {number}", "advice": "This page does not know it: the charger's own page may."}
    key, text = FAULTS[number]
    return {"name": text, "advice": ADVICE[key]}
