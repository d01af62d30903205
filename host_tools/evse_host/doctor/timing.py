"""How fast and how surely it answers: round trips, errors, the cadence of pushes."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

from .charger import Exchange
from .finding import Finding, Status

CADENCE_S = 2.6  # how long pushes are counted
MANY_ERRORS = 0.01
RTT_GOOD_S, RTT_SLOW_S = 0.015, 0.040  # above the wire's own time


def distribution(values: Sequence[float]) -> dict[str, float]:
    """Count, least, median, 95 %, 99 % and largest, in the unit of ``values``."""
    ordered = sorted(values)
    return {
        "count": len(ordered),
        "min": ordered[0],
        "median": statistics.median(ordered),
        "p95": ordered[min(int(0.95 * len(ordered)), len(ordered) - 1)],
        "p99": ordered[min(int(0.99 * len(ordered)), len(ordered) - 1)],
        "max": ordered[-1],
    }


def judge_round_trips(exchanges: Sequence[Exchange], wire_s: float, network: bool = False) -> Finding:
    """``wire_s``: what the bytes alone take. ``network``: the port is a URL."""
    good = [exchange.seconds * 1000 for exchange in exchanges if exchange.verdict == "good"]
    if not good:
        return Finding("round trip", Status.PROBLEM, "no exchange succeeded", "see `errors`", "see `errors`")
    times = distribution(good)
    seen = (f"median {times['median']:.1f} ms, 95 % {times['p95']:.1f}, 99 % {times['p99']:.1f}, "
            f"{times['min']:.1f} to {times['max']:.1f} ms; {wire_s * 1000:.1f} ms of it is the wire")  # fmt: skip
    data = {**{key: round(value, 3) for key, value in times.items()}, "wire": round(wire_s * 1000, 3), "unit": "ms"}
    late = times["median"] / 1000 - wire_s
    if late <= RTT_GOOD_S:
        return Finding("round trip", Status.OK, seen, data=data)
    means = "the way to the charger is slow" if network else "the adapter, or this computer, holds bytes back"
    do = "use a shorter way than this network" if network else (
        "a USB adapter: lower its latency timer, such as /sys/bus/usb-serial/devices/ttyUSB0/latency_timer to 1; a "
        "busy computer: stop what is busy"
    )  # fmt: skip
    status = Status.NOTE if network or late <= RTT_SLOW_S else Status.WARNING
    return Finding("round trip", status, seen, means, do, data)


def judge_errors(exchanges: Sequence[Exchange]) -> Finding:
    total = len(exchanges)
    counts = {kind: sum(exchange.verdict == kind for exchange in exchanges) for kind in ("lost", "damaged", "refused")}
    bad = sum(counts.values())
    data = {"exchanges": total, **counts, "rate": round(bad / total, 5)}
    if not bad:
        limit = 300 / total  # the rule of three
        return Finding(
            "errors", Status.OK, f"none in {total} exchanges: below {limit:.2g} % with 95 % certainty", data=data
        )
    seen = f"{bad} of {total} exchanges failed ({100 * bad / total:.1f} %): " + ", ".join(
        f"{count} {kind}" for kind, count in counts.items() if count
    )
    return Finding(
        "errors", Status.PROBLEM if bad / total > MANY_ERRORS else Status.WARNING, seen,
        "the line disturbs bytes, or two programs talk at once; a lost byte can turn one command into another",
        "shorten the wires, twist them with ground, keep them away from the power cables, see that nothing else uses "
        "the port", data,
    )  # fmt: skip


def judge_cadence(name: str, times: Sequence[float], after: int, strangers: Sequence[str], accepted: bool) -> Finding:
    """``times`` (s) of the pushes of ``name``; ``after``: how many still came when they had been stopped."""
    gaps = [1000 * (b - a) for a, b in itertools.pairwise(times)]
    data = {"name": name, "pushes": len(times), "subscribed_by_others": list(strangers), "unit": "ms"}
    if not accepted:
        return Finding(
            "pushes", Status.WARNING, f"the subscription to {name} was not confirmed",
            "an answer was lost, or the firmware is unknown", "see `errors`; run doctor again", data,
        )  # fmt: skip
    if len(gaps) < 3:
        return Finding(
            "pushes", Status.PROBLEM, f"{len(times)} pushes of {name} came in {CADENCE_S} s",
            "the charger is stuck, or the line loses them", "switch the charger off and on", data,
        )  # fmt: skip
    spread = {key: round(value, 1) for key, value in distribution(gaps).items()}
    data |= spread
    seen = f"every {spread['median']:.0f} ms, {spread['min']:.0f} to {spread['max']:.0f} ms"
    if strangers:  # their commands hurry the pushes, and the answers to their reads look like pushes
        return Finding(
            "pushes", Status.NOTE, f"{seen}; others had subscribed to {', '.join(strangers)}",
            "another program uses this charger, such as the companion behind a proxy, or did and left that behind",
            "nothing while that program runs; else a restart of the charger ends them, or "
            "evse-host raw 'AT+UNSUB=\"\"'", data,
        )  # fmt: skip
    if after:
        return Finding(
            "pushes", Status.WARNING, f"{seen}; {after} came after they were stopped",
            "UNSUB got lost, or another program subscribes again", "find the other program", data,
        )  # fmt: skip
    if spread["max"] > 2.5 * spread["median"] + 50:
        return Finding(
            "pushes",
            Status.WARNING,
            f"{seen}: irregular",
            "pushes are lost or the charger is busy",
            "see `errors`",
            data,
        )
    return Finding("pushes", Status.OK, seen, data=data)
