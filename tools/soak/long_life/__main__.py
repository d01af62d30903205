"""Lives ten days of the full node and a simulated charger in minutes, and says what was not as it must be.

python -m tools long-life [--days 10] [--seed 1] [--save] [--json]

Exit code 1 with a line for each finding, or if something has grown. The same seed gives the same days, exactly.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tools.measure import cost, results
from tools.soak.long_life import story
from tools.soak.long_life.life import DAY_S, Life
from tools.soak.oracle.delivered import SAVED_WH
from tools.soak.oracle.sessions import SLACK_WH
from tools.soak.oracle.truth import PUSHED_S, SLOW_S
from tools.soak.oracle.unasked import CLOCK_SLACK_S

RX_BUFFER_B = 1024  # of the example configurations
# The states of some entities are strings, on the heap if they are long: it breathes by that much, and must not grow.
HEAP_BREATH_B = 2048  # with the queue of the API
RESIDENT_SLACK_KIB = 512

TEXT = (
    "The complete node of the full example (ESPHome's main loop, the hub with `keep_settings` and a time source, every "
    "entity, a client of its API) in virtual time, on the simulated charger with 115200 baud in both directions. "
    "Nothing is stepped coarser than the node's main loop, the time jumps from one turn to the next. Each day has "
    "sessions (overnight, two-phase, paused, ended by a limit, with a fault, with authorization), wishes of people, "
    "changes by other parties, noise, a lossy line, a cut line, late and missing answers, lost subscriptions, echo, a "
    "lost Wi-Fi and a wrong clock of the charger, and a restart at night (with RDY, by the button, without RDY, by a "
    "power cut of half a minute). "
    f"From 5 s after each fault on all entities are compared with the charger every minute: values that are pushed may "
    f"be {PUSHED_S:g} s old, the others {SLOW_S:g} s."
)


def happened(life: Life) -> results.Table:
    rows = [[what, f"{number:,}".replace(",", " ")] for what, number in sorted(life.counts.items())]
    return results.Table(["what", "how often"], rows, "What happened")


def measured(life: Life) -> results.Table:
    """Figure, target, measured, ideal."""
    counts, worst, restarts = life.counts, life.worst, len(life.oracle.sent.boots)
    energy = "energy of all sessions"
    rows = [
        ["findings (untrue values, unasked or lost writes, falls, ...)", "0", f"{len(life.findings)}", "0"],
        ["comparisons of an entity with the charger", "", f"{counts['comparisons of an entity']}", ""],
        ["wishes proven 3 s later, of those outside of faults", "all", f"{counts['wishes proven']}", "all"],
        _row("longest time without a pushed value", PUSHED_S, worst["pushed values"], 0.26),
        _row("longest time without a meter value", SLOW_S, worst["meter values"], 4.2),
        _row("longest time without a setting", SLOW_S, worst["settings"], 4.2),
        _row("longest time without UPTIME", SLOW_S, worst["uptime"], 4.2),
        *_latencies(life),
        ["sessions shown as the charger counted them", "all", f"{counts['sessions']}", "all"],
        [energy, "", f"{counts[f'{energy} as shown, Wh']} of {counts[f'{energy}, Wh']} Wh", ""],
        *_sessions(worst),
        _row("lifetime energy behind the charger's", SAVED_WH, worst["total energy"], 0, "Wh"),
        _row("charger's clock off", CLOCK_SLACK_S, worst["clock"], 1),
        ["restarts counted", f"{restarts}", f"{life.counters.reboots}", f"{restarts}"],
        ["wrap-around of the 32-bit millisecond clock", "", f"on day {life.wrap_at / DAY_S:.2f}", ""],
    ]
    return results.Table(["figure", "target", "measured", "ideal"], rows, "What was measured")


def _row(what: str, target: float, value: float, ideal: float, unit: str = "s") -> list[str]:
    return [what, f"<= {target:g} {unit}", f"{value:.2f} {unit}".replace(".00", ""), f"{ideal:g} {unit}"]


def _latencies(life: Life) -> list[list[str]]:
    rows = []
    for kind, limit in (("pushed values", PUSHED_S), ("settings", SLOW_S)):
        seconds = life.latencies[kind]
        if seconds:
            middle = f"{statistics.median(seconds):.2f} / {max(seconds):.2f} s"
            rows.append([f"change by others until shown, {kind}: median / worst", f"<= {limit:g} s", middle, ""])
    return rows


def _sessions(worst: dict[str, float]) -> list[list[str]]:
    rows = []
    for charging, kind in ((True, "charging to its end"), (False, "not charging at its end")):
        seconds = PUSHED_S if charging else SLOW_S
        rows.append(_row(f"session energy off, {kind}", SLACK_WH, worst[f"session energy, {kind}"], 0, "Wh"))
        rows.append(_row(f"session duration off, {kind}", seconds, worst[f"session duration, {kind}"], 0))
    return rows


def growth(life: Life) -> results.Table:
    """At the end of days, the first, the middle and the last among them."""
    days = sorted({0, 1, len(life.growth) // 2, len(life.growth) - 1} & set(range(len(life.growth))))
    rows = [
        [f"{day + 1}", f"{at['bytes']}", f"{at['resident'] / 1024:.0f} KiB", f"{at['unread']}"]
        for day in days
        for at in [life.growth[day]]
    ]
    return results.Table(["day", "bytes on the heap", "process", "most bytes unread"], rows, "What could grow")


def missed(life: Life) -> list[str]:
    """Everything that was not as it must be."""
    found = list(map(str, life.findings))
    first, last = life.growth[0], life.growth[-1]
    for key, slack in (("bytes", HEAP_BREATH_B), ("resident", RESIDENT_SLACK_KIB * 1024)):
        if last[key] - first[key] > slack:
            found.append(f"{key} grow from {first[key]} after the first day to {last[key]} after the last")
    if last["unread"] >= RX_BUFFER_B:
        found.append(f"{last['unread']} bytes were unread at once, the UART's buffer holds {RX_BUFFER_B}")
    return found


def live(days: int, seed: int) -> results.Result:
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        life = Life(story.plan, cost.build(), Path(home), days, seed)
        life.run(results.report)
    command = f"python -m tools long-life --days {days} --seed {seed}"
    tables = [measured(life), growth(life), happened(life)]
    seconds = time.monotonic() - start
    return results.Result("long_life", 6, f"Long life: {days} days", command, TEXT, tables, seconds, seed, missed(life))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--days", type=int, help="1 to 60, default 10 (--short: 1)")
    results.add_options(parser, short="one day", long="ten days, the default", seed="of what happens")
    arguments = parser.parse_args()
    days = arguments.days or (1 if arguments.short else 10)
    if not 1 <= days <= 60:
        parser.error(f"--days {days}: 1 to 60 are allowed")
    result = live(days, arguments.seed)
    return results.tell(result, arguments.save, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
