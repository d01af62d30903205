"""The days of a node and its charger, in virtual time, under the eyes of the oracle."""

from __future__ import annotations

import random
import resource
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

from evse_host.catalog import CHARGING, CHARGING_STATES, COMMAND, PUSH, Entity
from evse_host.simulator import Car, Charger, Faults
from tools.run.clocked_node import EPOCH_S, ClockedNode
from tools.soak.oracle.contract import GRACE_S, WISH_EXPIRES_S
from tools.soak.oracle.delivered import AHEAD_WH, Delivered, Total
from tools.soak.oracle.findings import Findings
from tools.soak.oracle.history import History
from tools.soak.oracle.line import REPEATED, Gaps, Subscriptions
from tools.soak.oracle.oracle import Oracle
from tools.soak.oracle.restarts import Counters
from tools.soak.oracle.sessions import DISTURBED_S, MOST_WH_PER_S, Compared, Ledger
from tools.soak.oracle.shown import is_true, possible, same
from tools.soak.oracle.truth import PUSHED_S, SHOWN, SLOW_S, bound, oldest
from tools.soak.oracle.unasked import Clock, Kept
from tools.soak.oracle.wish import Wish

DAY_S = 86_400
HISTORY_S = 400.0
CHECK_S = 60.0
RECOVERY_S = 5.0  # after a fault everything must be right again
KEPT_S = 30.0  # after a restart of the charger; nobody changes anything at this hour
STEP_S = 0.26  # a turn of the charger's push loop
MOST_FINDINGS = 20
KINDS = {PUSH: "pushed values", CHARGING: "meter values"}


def resident_bytes(process: int) -> int:
    """What it has in memory now."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize()


def kind_of(name: str) -> str:
    """Of a command's values, in the figures."""
    return "uptime" if name == "UPTIME" else KINDS.get(COMMAND[name].refresh, "settings")


class Life:
    """``run`` lives ``days`` days from midnight on, of the last one ``hours``; ``plan(life, day)`` puts the events of a
    day into it. The node's millisecond clock wraps around at ``wrap_at`` (s).

    Afterwards ``findings`` holds what went wrong, ``counts`` what happened how often, ``worst`` the largest of several
    deviations, ``latencies`` (s) of other parties' changes, and ``growth`` a row for each day.
    """

    def __init__(
        self, plan: Callable[[Life, int], None], program: Path, home: Path, days: int, seed: int, hours: float = 24
    ) -> None:
        self._plan = plan
        self.days, self.seed, self.hours = days, seed, hours
        self.dice = random.Random(seed)
        self.charger = Charger(car=Car(), epoch=EPOCH_S)
        self.faults = Faults(self.charger, seed)
        self.wrap_at = days // 2 * DAY_S + 19 * 3600
        self.node = ClockedNode(program, self.charger, home, self.faults, zero_at=self.wrap_at)
        self.wishes: list[Wish] = []
        self.blocked: list[tuple[float, float]] = []
        self.history = History(self.charger, HISTORY_S)
        self._call_the_oracle()
        self.counts: Counter[str] = Counter()
        self.worst: defaultdict[str, float] = defaultdict(float)
        self.latencies: defaultdict[str, list[float]] = defaultdict(list)
        self.growth: list[dict[str, int]] = []
        self.lossy_until = 0.0  # until then bytes may be lost
        self._disturbed_until = RECOVERY_S
        self._checked_at = 0.0
        self._was_charging = False
        self.node.on_event.append(self.history.sample)
        self.node.on_turn.append(self._listen)

    def _call_the_oracle(self) -> None:
        self.oracle = Oracle(self)
        self.clock, self.kept = Clock(self.charger, EPOCH_S), Kept(self.charger, self.history)
        self.delivered = Delivered(self.charger)
        self.total = Total(self.charger, self.delivered)
        self.ledger = Ledger(self.charger, lambda: self.calm)
        self.gaps = Gaps(command.name for command in REPEATED)
        self.oracle.sent.on_heard.append(self.gaps.take)
        self.subscriptions = Subscriptions(self.charger, self.complain)
        self.counters = Counters(self.node, self.complain)

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
            self._end_day()
            progress(f"day {day + 1} of {self.days}: {len(self.findings)} findings, {self.growth[-1]}")
            for finding in self.findings[known:]:
                progress(str(finding))
            if len(self.findings) >= MOST_FINDINGS:
                return

    def sample(self) -> None:
        """To be called before and after whatever changes a value by an other way than the charger's own loop."""
        self.history.sample(self.now)

    def _listen(self) -> None:
        """To what has arrived at the node, and what it says."""
        self.oracle.look()

    # --- what the story tells

    @property
    def findings(self) -> Findings:
        return self.oracle.findings

    def complain(self, kind: str, what: str, text: str = "") -> None:
        self.findings.complain(kind, what, text)

    def disturb(self, what: str, seconds: float = 0.0) -> None:
        """Something goes wrong for ``seconds`` from now on: values may be wrong until a little later."""
        self.counts[what] += 1
        self.sample()
        self._disturbed_until = max(self._disturbed_until, self.now + seconds + RECOVERY_S)

    @property
    def calm(self) -> bool:
        return self.now > self._disturbed_until

    def wish(self, wish: Wish) -> None:
        """Somebody asks the node for it, now."""
        self.sample()
        self.wishes.append(wish)
        self.node.command(wish.entity, wish.value)

    def end_session(self) -> None:
        """The car leaves now."""
        self.sample()
        self.charger.car.unplug()

    def before_reboot(self) -> None:
        """What is true just before a start of the charger, which forgets it."""
        self.ledger.note()
        self.sample()
        self.total.note_unseen(AHEAD_WH if self.now >= self._disturbed_until else DISTURBED_S * MOST_WH_PER_S)
        self.kept.note_start(self.now, self._disturbed_until)

    def run_to_restart(self) -> None:
        """The charger has been told to restart: lives on until it does."""
        self.node.run(1)
        restart_at = self.charger.restart_at
        if restart_at is None:
            self.complain("told to restart, and does not", "charger")
            return
        self.node.run_until(restart_at - 0.04)
        self.before_reboot()
        self.node.run_until(restart_at)
        self.after_reboot()

    def after_reboot(self) -> None:
        self.ledger.listen()
        self.delivered.listen()
        self.at(self.now + KEPT_S, self._check_kept)

    def _check_kept(self) -> None:
        if self.calm:
            self.counts["settings kept over a restart"] += self.kept.judge(self.complain)

    def check_offline(self, seconds: float) -> None:
        """After ten seconds of silence nothing may look as if it were true."""
        values = self.node.values
        if seconds >= 60 and (values["binary_sensor.Connected"] or values["sensor.Power"] is not None):
            self.complain("shown without a word from the charger", "values", f"{seconds} s")
        self.counts["checks while the line is cut"] += 1

    def watch_arrival(self, entity: Entity, limit: float) -> None:
        """Lives on until the entity shows what the charger holds now, which must be within ``limit`` s."""
        start = self.now
        value = self.charger.value(entity.command)
        while not self.shows_truth(entity):
            if self.now - start > limit and self.calm:
                self.complain("shown too late", entity.name, f"{value} after {limit} s")
                return
            self.node.run(0.02)
        self.latencies[kind_of(entity.command)].append(self.now - start)

    def shows_truth(self, entity: Entity) -> bool:
        """Whether it shows what the charger holds at this moment."""
        self.sample()
        newest = next(possible(entity, self.history, self.now, self.now), None)  # the one before ends just now
        return same(entity, self.node.value(entity), newest)

    # --- what the oracle asks

    def lied_to(self, seconds: float) -> bool:
        return self.now <= self.lossy_until + seconds

    def writes_unasked(self, name: str, line: str) -> bool:
        value = line.partition("=")[2]
        for what, unasked in (("clock set", self.clock), ("settings restored", self.kept)):
            if unasked.may_write(name, value, self.now):
                self.counts[what] += 1
                return True
        return False

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
        self._check_line()
        if not self.calm:
            return
        self.counts["checks of all entities"] += 1
        self._check_entities()
        self._note_worst(
            "total energy", self.total.judge(round(self.node.values["sensor.Total energy"]), self.complain)
        )
        self._note_worst("clock", self.clock.judge(self.now, self.complain))
        self.counters.judge(self.oracle.sent.boots)
        if self._was_charging == self._is_charging():
            self.counts["checks of the subscriptions"] += 1
            lost = self.subscriptions.judge(self.now, self._was_charging, self._disturbed_until)
            self.counts["subscriptions with a lost digit seen"] += lost

    def _is_charging(self) -> bool:
        return self.charger.point.state in CHARGING_STATES

    def _note_worst(self, what: str, value: float) -> None:
        self.worst[what] = max(self.worst[what], value)

    def _check_line(self) -> None:
        """What the charger complains of, and what stays away, since the last check."""
        self.check_journal()
        disturbed = self._disturbed_until >= self._checked_at
        self._checked_at = self.now
        for name, gap in self.gaps.judge(self.now, disturbed, self.complain).items():
            self._note_worst(kind_of(name), gap)
        before = self.now - WISH_EXPIRES_S - 2 * GRACE_S
        self.oracle.forget(before)

    def check_journal(self) -> None:
        journal = self.charger.journal
        self.counts["dangerous commands by noise"] += len(self.oracle.judge_journal())
        self.counts["commands"] += len(journal.entries)
        journal.clear()

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
            name = f"{entity.platform}.{entity.name}"
            self.complain("untrue", name, f"shows {self.node.value(entity)}, true is {truth}")

    def _since(self, entity: Entity) -> float:
        """What it shows may have been true then."""
        charging = self._was_charging and self._is_charging()
        return self.now - oldest(entity, bound(COMMAND[entity.command], charging))

    def _wrong(self) -> list[Entity]:
        shown = [e for e in SHOWN if e.command != "TIME" or not self.clock.may_be_wrong(self.now)]
        value = self.node.value
        return [e for e in shown if not is_true(e, value(e), self.history, self._since(e), self.now)]

    # --- the end of a day

    def _end_day(self) -> None:
        self.check_journal()
        for compared in self.ledger.judge(self.node.log, self.complain):
            self._note_session(compared)
        self.node.log.clear()
        self.node.log_times.clear()
        self.oracle.asked.forget(self.now - CHECK_S)
        unread, resident = self.node.most_unread, resident_bytes(self.node.process_id)
        self.growth.append({"bytes": self.node.measure(), "unread": unread, "resident": resident})

    def _note_session(self, compared: Compared) -> None:
        session = compared.session
        self.counts["sessions"] += 1
        self.counts["energy of all sessions, Wh"] += session.energy
        self.counts["energy of all sessions as shown, Wh"] += compared.energy
        if session.calm:
            kind = "charging to its end" if session.charging else "not charging at its end"
            self._note_worst(f"session energy, {kind}", abs(session.energy - compared.energy))
            self._note_worst(f"session duration, {kind}", abs(session.duration - compared.duration))
