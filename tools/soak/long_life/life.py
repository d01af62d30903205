"""The days of a node and its charger, in virtual time, under the eyes of the oracle."""

from __future__ import annotations

import random
import re
import resource
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

from evse_host.catalog import CHARGING, CHARGING_STATES, COMMAND, LIVE_SETTINGS, PUSH
from evse_host.simulator import Car, Charger, Faults
from tools.run.clocked_node import EPOCH_S, ClockedNode
from tools.soak.long_life.orders import (
    HISTORY_S,
    PUSHED_S,
    REPEATED,
    SHOWN,
    SLOW_S,
    Gaps,
    Ledger,
    Orders,
    bound,
)
from tools.soak.oracle.delivered import Delivered
from tools.soak.oracle.history import History
from tools.soak.oracle.sent import Sent
from tools.soak.oracle.shown import is_true, possible

DAY_S = 86_400
CHECK_S = 60.0
RECOVERY_S = 5.0  # after a fault everything must be right again
BOOT_S = 2.0
STEP_S = 0.26  # a turn of the charger's push loop
API_S = 0.15  # the API collects states for 100 ms, the node's loop takes 16 ms
LIFETIME_SLACK_WH = 600  # what is shown is saved once a minute; 75 s at 28 kW
RESTART_SLACK_WH = 15  # since the last look before it, 2 s at 28 kW
CLOCK_SLACK_S = 3
SESSION_SLACK_WH = 3
DISTURBED_SESSION_S = 700  # the longest cut of the line, and more
MOST_WH_PER_S = 8
MOST_FINDINGS = 20
REPEATED_S = 300  # a subscription with every heartbeat: 61 rows every 4.2 s
SESSION_END = re.compile(r"on_session_end (\d+) Wh (\d+) s")
KINDS = {PUSH: "pushed values", CHARGING: "meter values"}


def resident_bytes(process: int) -> int:
    """What it has in memory now."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize()


class Life:
    """``run`` lives ``days`` days from midnight on, of the last one ``hours``; ``plan(life, day)`` puts the events of a
    day into it. The node's
    millisecond clock wraps around at ``wrap_at`` (s).

    Afterwards ``findings`` holds what went wrong, one line each, ``counts`` what happened how often, ``worst`` the
    largest of several deviations, ``latencies`` (s) of other parties' changes, and ``growth`` a row for each day.
    """

    def __init__(
        self, plan: Callable[[Life, int], None], program: Path, home: Path, days: int, seed: int, hours: int = 24
    ) -> None:
        self._plan = plan
        self.days, self.seed, self.hours = days, seed, hours
        self.dice = random.Random(seed)
        self.charger = Charger(car=Car(), epoch=EPOCH_S)
        self.faults = Faults(self.charger, seed)
        self.wrap_at = days // 2 * DAY_S + 19 * 3600
        self.node = ClockedNode(program, self.charger, home, self.faults, zero_at=self.wrap_at)
        self.history, self.orders = History(self.charger, HISTORY_S), Orders()
        self.gaps = Gaps(command.name for command in REPEATED)
        self.ledger = Ledger(self.charger, lambda: self.calm)
        self.delivered = Delivered(self.charger)
        self._bytes = Sent(self.charger, self._complain, self._judge)
        self.findings: list[str] = []
        self.counts: Counter[str] = Counter()
        self.worst: defaultdict[str, float] = defaultdict(float)
        self.latencies: defaultdict[str, list[float]] = defaultdict(list)
        self.growth: list[dict[str, int]] = []
        self.reboots = 0
        self._restarts_found = 0
        self.clock_wrong_at = -DAY_S
        self.spoilt_until = 0.0  # until then, lost bytes may make a dangerous command of a harmless one
        self._disturbed_until = RECOVERY_S
        self._checked_at = 0.0
        self._restores: list[tuple[float, float, dict[str, list]]] = []
        self._was_charging = False
        self._counted_before: float = self.charger.value("EMETERTOTCONSUM")[0]  # Wh, with what was delivered the total
        self._last_total = self._unseen = 0
        self._counters: dict[str, float] = {}
        self._subscriptions: dict[bool, dict[str, int]] = {}
        self._too_fast: dict[str, float] = {}  # name: seen first
        self._log: list[str] = []
        self.ledger.listen()
        self.node.on_event.append(self.history.sample)
        self.node.on_turn.append(self._listen)

    # --- time

    @property
    def now(self) -> float:
        return self.node.now

    def at(self, time: float, action: Callable[[], None]) -> None:
        self.node.at(time, action)

    def run(self, progress: Callable[[str], None]) -> None:
        """Raises NodeError when the node ends by itself."""
        with self.node:
            self.node.connect()
            self._run(progress)

    def _run(self, progress: Callable[[str], None]) -> None:
        self.at(CHECK_S, self._prepare_check)
        for day in range(self.days):
            known = len(self.findings)
            self._plan(self, day)
            self.node.run_until(day * DAY_S + self.hours * 3600)
            self._end_day(day)
            progress(f"day {day + 1} of {self.days}: {len(self.findings)} findings, {self.growth[-1]}")
            for finding in self.findings[known:]:
                progress(finding)
            if len(self.findings) >= MOST_FINDINGS:
                return

    def sample(self) -> None:
        """To be called before and after whatever changes a value by an other way than the charger's own loop."""
        self.history.sample(self.now)

    def _listen(self) -> None:
        """What has arrived at the node, and what it says, is looked at once and forgotten."""
        self._bytes.look(self.now)
        for moment, data in self.node.sent:
            self._bytes.take(moment, data)
        for moment, data in self.node.received:
            self.gaps.take(moment, data)
        self.node.received.clear()
        self.node.sent.clear()
        self.node.changes.clear()
        self._log += self.node.log
        self.node.log.clear()
        self.node.log_times.clear()

    # --- what the story tells

    def disturb(self, what: str, seconds: float = 0.0) -> None:
        """Something goes wrong for ``seconds`` from now on: values may be wrong until a little later."""
        self.counts[what] += 1
        self.sample()
        self._disturbed_until = max(self._disturbed_until, self.now + seconds + RECOVERY_S)

    @property
    def calm(self) -> bool:
        return self.now > self._disturbed_until

    def find(self, what: str) -> None:
        self.findings.append(f"day {self.now / DAY_S:.5f} ({self.now:.3f} s): {what}")

    def end_session(self) -> None:
        """The car leaves now."""
        self.sample()
        self.charger.car.unplug()

    def before_reboot(self) -> None:
        """What is true just before a start of the charger, which forgets it."""
        self.ledger.note()
        self.sample()
        disturbed = self.now < self._disturbed_until
        self._unseen += DISTURBED_SESSION_S * MOST_WH_PER_S if disturbed else RESTART_SLACK_WH
        self.reboots += 1
        since = {name: self.now - bound(COMMAND[name], False) for name in LIVE_SETTINGS}
        held = {name: list(self.history.rows(name, since[name], self.now)) for name in LIVE_SETTINGS}
        self._restores.append((self.now, self._disturbed_until, held))

    def run_to_restart(self) -> None:
        """The charger has been told to restart: lives on until it does."""
        self.node.run(1)
        restart_at = self.charger.restart_at
        if restart_at is None:
            self.find("the charger was told to restart, and does not")
            return
        self.node.run_until(restart_at - 0.04)
        self.before_reboot()
        self.node.run_until(restart_at)
        self.after_reboot()

    def after_reboot(self) -> None:
        self.ledger.listen()
        self.delivered.listen()
        self.at(self.now + 30, self._check_kept)

    def _check_kept(self) -> None:
        """`keep_settings`: the charger has back what it held, and nobody changes anything at this hour."""
        if not self.calm:
            return
        _, _, held = self._restores[-1]
        for name in LIVE_SETTINGS:
            if self.charger.value(name) not in held[name]:
                self.find(f"after a restart {name} is {self.charger.value(name)}, before it was {held[name]}")
            self.counts["settings kept over a restart"] += 1

    def check_offline(self, seconds: float) -> None:
        """After ten seconds of silence nothing may look as if it were true."""
        values = self.node.values
        if seconds >= 60 and (values["binary_sensor.Connected"] or values["sensor.Power"] is not None):
            self.find(f"{seconds} s without a word from the charger, and the node shows values")
        self.counts["checks while the line is cut"] += 1

    def watch_arrival(self, entity, limit: float) -> None:
        """Lives on until the entity shows what the charger holds now, which must be within ``limit`` s."""
        start = self.now
        value = self.charger.value(entity.command)
        while not self.shows_truth(entity):
            if self.now - start > limit and self.calm:
                self.find(f"{entity.name} does not show {value} after {limit} s")
                return
            self.node.run(0.02)
        kind = KINDS.get(COMMAND[entity.command].refresh, "settings")
        self.latencies[kind].append(self.now - start)

    def shows_truth(self, entity) -> bool:
        """Whether it shows what the charger holds at this moment."""
        self.sample()
        return is_true(entity, self.node.value(entity), self.history, self.now, self.now)

    def reset_total(self) -> None:
        self._counted_before = -self.delivered.wh
        self._last_total = self._unseen = 0

    # --- checks

    def _prepare_check(self) -> None:
        """The check must know what the charger held as long ago as a value may be old."""
        self.sample()
        self.at(self.now + SLOW_S - PUSHED_S, self._sample)
        self.at(self.now + SLOW_S + 0.5, self._check)

    def _sample(self) -> None:
        self.sample()
        self._was_charging = self._is_charging()

    def _check(self) -> None:
        self.at(self.now + CHECK_S + self.dice.uniform(-5, 5), self._prepare_check)
        self.judge_journal()
        self._check_wire()
        if not self.calm:
            return
        self.counts["checks of all entities"] += 1
        self._check_entities()
        self._check_total(round(self.node.values["sensor.Total energy"]))
        self._check_clock()
        self._check_counters()
        self._check_subscriptions()

    def _is_charging(self) -> bool:
        return self.charger.point.state in CHARGING_STATES

    def _check_entities(self) -> None:
        """Wrong for longer than a push may take is a finding."""
        start = self.now
        while True:
            self.sample()
            wrong = self._wrong()
            if not wrong or self.now - start > PUSHED_S:
                break
            self.node.run(STEP_S)
        self.counts["comparisons of an entity"] += len(SHOWN)
        for entity in wrong:
            truth = list(possible(entity, self.history, self._since(entity), self.now))
            self.find(f"{entity.platform} {entity.name} shows {self.node.value(entity)}, true is {truth}")

    def _since(self, entity) -> float:
        """What it shows may have been true then."""
        charging = self._was_charging and self._is_charging()
        return self.now - bound(COMMAND[entity.command], charging) - API_S - entity.cadence

    def _wrong(self) -> list:
        shown = [e for e in SHOWN if e.command != "TIME" or not self._clock_was_wrong(self.now)]
        value = self.node.value
        return [e for e in shown if not is_true(e, value(e), self.history, self._since(e), self.now)]

    def _check_wire(self) -> None:
        """No value stays away from the line for longer than its bound, from one check to the next."""
        undisturbed = self._disturbed_until < self._checked_at
        self._checked_at = self.now
        for command in REPEATED:
            if not undisturbed:
                self.gaps.forgive(command.name, self.now)
            gap = self.gaps.take_longest(command.name, self.now)
            kind = {"UPTIME": "uptime"}.get(command.name, KINDS.get(command.refresh, "settings"))
            self.worst[kind] = max(self.worst[kind], gap if undisturbed else 0.0)
            if undisturbed and gap > bound(command, False):
                self.find(f"no line of {command.name} for {gap:.1f} s")

    def _check_total(self, shown: int) -> None:
        total = round(self._counted_before + self.delivered.wh)
        if shown < self._last_total:
            self.find(f"total energy falls from {self._last_total} to {shown} Wh")
        if not total - LIFETIME_SLACK_WH - self._unseen <= shown <= total + RESTART_SLACK_WH:
            self.find(f"total energy shows {shown} Wh, true is {total} Wh")
        self.worst["total energy"] = max(self.worst["total energy"], total - shown)
        self._last_total = shown

    def _clock_was_wrong(self, time: float) -> bool:
        """By some event not long before, so that it may be set."""
        return 0 <= time - self.clock_wrong_at <= 2 * SLOW_S

    def _check_clock(self) -> None:
        off = abs(self.charger.value("TIME")[0] - (EPOCH_S + self.now))
        if not self._clock_was_wrong(self.now):
            self.worst["clock"] = max(self.worst["clock"], off)
            if off > CLOCK_SLACK_S:
                self.find(f"the charger's clock is {off:.1f} s off")

    def _check_counters(self) -> None:
        names = ("answered", "failed", "timed out", "restarts")
        keys = ("Commands answered", "Commands failed", "Commands timed out", "Restarts")
        for name, key in zip(names, keys, strict=True):
            value = self.node.values[f"sensor.{key}"]
            if value < self._counters.get(name, 0):
                self.find(f"counter {name} falls from {self._counters[name]:g} to {value:g}")
            self._counters[name] = value
        if self.restarts_shown != self.reboots and self.restarts_shown != self._restarts_found:
            self.find(f"{self.restarts_shown} restarts counted, {self.reboots} happened")
            self._restarts_found = self.restarts_shown

    @property
    def restarts_shown(self) -> int:
        """By the node's counter, when it was looked at last."""
        return int(self._counters["restarts"])

    def _check_subscriptions(self) -> None:
        """Always the same ones, depending on whether energy flows. Where a digit of a period was lost, the charger
        pushes more often than asked, which nothing on the line tells, until the subscription is repeated."""
        if self._was_charging != self._is_charging():
            return
        held = {entry.name: entry.period for entry in self.charger.subscriptions}
        wanted = self._subscriptions.setdefault(self._was_charging, held)
        self.counts["checks of the subscriptions"] += 1
        too_fast = {name for name in held.keys() & wanted.keys() if held[name] < wanted[name]}
        self._too_fast = {name: self._too_fast.get(name, self.now) for name in too_fast}
        self.counts["subscriptions with a lost digit seen"] += len(too_fast)
        repeated = self.now - REPEATED_S
        if any(max(since, self._disturbed_until) < repeated for since in self._too_fast.values()) or any(
            held.get(name) != wanted.get(name) for name in (held.keys() | wanted.keys()) - too_fast
        ):
            self.find(f"subscriptions differ: {sorted(held.items() ^ wanted.items())}")

    def judge_journal(self) -> None:
        """What the charger complains of since the last time; the line may have made it of something harmless."""
        journal = self.charger.journal
        for violation in journal.violations:
            if violation.time > self.spoilt_until:
                self.find(f"violation: {violation}")
        self.counts["commands"] += len(journal.entries)
        journal.clear()

    def _complain(self, kind: str, what: str, text: str) -> None:
        self.find(f"{kind}: {what}  {text}".rstrip())

    def _judge(self, name: str, command: str) -> None:
        """A write or a run that is sent now."""
        time, value = self.now, command.partition("=")[2]
        self.counts["writes"] += 1
        if self.orders.allows(time, command):
            return
        clock_set = name == "TIME" and value.isdigit() and abs(int(value) - (EPOCH_S + time)) <= CLOCK_SLACK_S
        if clock_set and self._clock_was_wrong(time):
            self.counts["clock set"] += 1
        elif any(
            boot <= time <= max(boot, until) + 30 and value in [f"{number}" for (number,) in held.get(name, ())]
            for boot, until, held in self._restores[-2:]
        ):
            self.counts["settings restored"] += 1
        else:
            self.find(f"nobody asked for {command}")

    # --- the end of a day

    def _end_day(self, day: int) -> None:
        self.judge_journal()
        self._check_sessions()
        self.orders.wishes[:] = [wish for wish in self.orders.wishes if wish.time > self.now - 60]
        del self._restores[:-2]
        unread, resident = self.node.most_unread, resident_bytes(self.node.process_id)
        self.growth.append({"bytes": self.node.measure(), "unread": unread, "resident": resident})

    def _check_sessions(self) -> None:
        """Started and finished as the charger's own meter says, with its energy and duration."""
        starts = [line for line in self._log if "on_session_start" in line]
        ends = [match.groups() for line in self._log if (match := SESSION_END.search(line))]
        truth = self.ledger.sessions
        if len(starts) != self.ledger.starts or len(ends) != len(truth):
            self.find(
                f"{len(starts)} sessions began and {len(ends)} ended; true are {self.ledger.starts} and {len(truth)}"
            )
        for session, (energy, duration) in zip(truth, ends, strict=False):
            self._compare_session(session, int(energy), int(duration))
        self.ledger.sessions, self.ledger.starts, self._log = [], 0, []

    def _compare_session(self, truth, energy: int, duration: int) -> None:
        self.counts["sessions"] += 1
        kind = "charging to its end" if truth.charging else "not charging at its end"
        age = bound(COMMAND["EMETERSESTIME"], truth.charging) if truth.calm else DISTURBED_SESSION_S
        short_wh, short_s = truth.energy - energy, truth.duration - duration
        self.counts["energy of all sessions, Wh"] += truth.energy
        self.counts["energy of all sessions as shown, Wh"] += energy
        if truth.calm:
            self.worst[f"session energy, {kind}"] = max(self.worst[f"session energy, {kind}"], abs(short_wh))
            self.worst[f"session duration, {kind}"] = max(self.worst[f"session duration, {kind}"], abs(short_s))
        slack_wh = SESSION_SLACK_WH if truth.calm else DISTURBED_SESSION_S * MOST_WH_PER_S
        if not (0 <= short_wh <= slack_wh and 0 <= short_s <= age):
            self.find(
                f"session of {truth.energy} Wh and {truth.duration} s ({kind}) shown as {energy} Wh, {duration} s"
            )
