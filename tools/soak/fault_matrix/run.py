"""One run: a plan from a seed, the node and its charger living through it, and what came of it."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from evse_host.simulator import Board, Car, Charger, Faults
from tools.run.api import NodeError
from tools.run.clocked_node import ClockedNode
from tools.soak.fault_matrix.faults import BOOT_S, FAULT, FAULTS
from tools.soak.fault_matrix.wishes import random_wish, someone_elses
from tools.soak.oracle.findings import Finding
from tools.soak.oracle.history import History
from tools.soak.oracle.oracle import Oracle
from tools.soak.oracle.restarts import judge_noticed
from tools.soak.oracle.wish import Wish

MIXED = "mixed"
SETTLED_S = 8.0  # after the node's start everything has been read
QUIET_S = 40.0  # after the last fault, longer than a wish lives
TAIL_CHANGES = (9.0, 17.0, 25.0)  # s after the last fault: somebody changes settings while nothing is wrong
CAR_S = 25.0
SCAN_S = 2.1  # the charger is deaf, whoever wished for it
SAMPLE_S = 0.05  # the charger's control loop turns every 0.1 s
CHECK_S = 0.1
OUTAGES = {"hung", "cable out", "blocked loop"}  # restarts behind them are nobody's to count


@dataclass(frozen=True)
class Length:
    """How long and how busy a run is: ``faults_s`` is the time in which faults and wishes happen."""

    writes: int
    faults_s: float
    alone: int  # how often a fault happens that is tried alone
    mixed: tuple[int, int]  # how many faults make a mixture


SHORT = Length(writes=60, faults_s=20.0, alone=2, mixed=(3, 5))
LONG = Length(writes=200, faults_s=60.0, alone=3, mixed=(3, 8))


@dataclass
class Report:
    """What came of a run of ``seconds``. ``recovered`` is the time (s) from the last fault until every entity was right
    for good, ``by_noise`` how many dangerous commands the noise made of harmless ones."""

    fault: str
    seed: int
    fates: Counter[str]
    recovered: float
    seconds: float
    by_noise: int
    findings: list[Finding]


class Run:
    """``fault`` is a name of FAULTS or `mixed`."""

    def __init__(self, fault: str, seed: int, length: Length) -> None:
        self.fault, self.seed = fault, seed
        self.dice = random.Random(f"{fault} {seed}")
        self.clock_zero_at = -self.dice.uniform(0.0, 1e6)
        self.wishes: list[Wish] = []
        self.story: list[tuple[float, str]] = []
        self.last_fault = 0.0
        self.next_change = float("inf")
        self._agenda: list[tuple[float, Callable[[], None]]] = []
        self.names: list[str] = []  # of the faults
        self._lies: list[tuple[float, float]] = []
        self.blocked: list[tuple[float, float]] = []  # when the node stood still
        self._in_answer = False
        self._in_write: float | None = None
        self._by_noise = 0
        self._entries = 0  # of the charger's journal
        self._sampled = self._checked = 0.0
        self.charger = self._new_charger()
        self.faults = Faults(self.charger, seed)
        self.history = History(self.charger)
        self._answer, self.charger.answer_hook = self.charger.answer_hook, self._note_answer
        self._plan(length)

    def _new_charger(self) -> Charger:
        dice = self.dice
        board = Board(proximity=dice.random() < 0.7, emeter=dice.choice((1, 2, 2)), rcm=dice.random() < 0.5)
        car = Car(phases=dice.choice((1, 3)), max_current=dice.choice((10.0, 16.0, 32.0)))
        return Charger(firmware="head" if dice.random() < 0.8 else "v2.1.1", board=board, car=car)

    # --- the plan

    def _plan(self, length: Length) -> None:
        dice, end = self.dice, SETTLED_S + length.faults_s
        names = [self.fault] * length.alone
        if self.fault == MIXED:
            names = [dice.choice(FAULTS).name for _ in range(dice.randint(*length.mixed))]
        for _ in range(length.writes):
            self.wish(random_wish(dice, round(dice.uniform(SETTLED_S, end), 4)))
        for name in names:
            self._plan_fault(name, dice.uniform(SETTLED_S + 1.0, end))
        for _ in range(length.writes // 20):
            self.someone_else(dice.uniform(SETTLED_S, end), dice)
        self._plan_car(end)
        self.wishes.sort(key=lambda wish: wish.time)
        self.planned_until = max(end, self.last_fault)

    def _plan_fault(self, name: str, at: float) -> None:
        self.names.append(name)
        over = FAULT[name].order(self, self.dice, at)
        self.tell(at, f"FAULT {name}, until {over:.3f} s")
        self.last_fault = max(self.last_fault, over)
        if FAULT[name].lies:
            self._lies.append((at, over))

    def _plan_car(self, end: float) -> None:
        at = SETTLED_S
        while at < end + CAR_S:
            at += self.dice.uniform(2.0, CAR_S)
            act = self.dice.choice(("plug", "plug", "unplug", "request", "stop"))
            self.tell(at, f"car: {act}")
            self._agenda.append((at, getattr(self.charger.car, act)))

    def wish(self, wish: Wish) -> None:
        self.wishes.append(wish)
        self.tell(wish.time, f"WISH {wish}  ({wish.line or 'nothing to send'})")
        self._agenda.append((wish.time, lambda: self.node.command(wish.entity, wish.value)))

    def inject(self, at: float, act: Callable[[Faults], object]) -> None:
        self._agenda.append((at, lambda: act(self.faults)))

    def someone_else(self, at: float, dice: random.Random) -> None:
        """Another party changes something at ``at``; what the charger refuses has no effect."""
        name, values = someone_elses(dice)
        self._agenda.append((at, lambda: self._change(name, values)))

    def _change(self, name: str, values: tuple) -> None:
        if not (self.charger.ready and self.charger.device.awake):  # whoever writes so early crashes it himself
            return
        try:
            self.charger.set(name, *values)
        except ValueError:
            return
        self.tell(self.node.now, f"somebody else: {name}={values}")
        self.history.sample(self.node.now)

    def tell(self, moment: float, text: str) -> None:
        self.story.append((moment, text))

    # --- faults that need to know what is on the wire

    def restart(self, rdy_seen: bool = True) -> None:
        self.node.port.lose()
        self.faults.reboot(rdy_seen)
        self.tell(self.node.now, f"restart{'' if rdy_seen else ' without RDY'}")
        self.touch(self.node.now + BOOT_S)

    def power(self, on: bool) -> None:
        self.node.port.lose()
        (self.charger.power_on if on else self.charger.power_off)(self.charger.now)
        self.tell(self.node.now, f"power {'on' if on else 'off'}")
        self.touch(self.node.now + BOOT_S)

    def stand_still(self, seconds: float) -> None:
        """The node's main loop is blocked."""
        self.node.call_service("stand_still", ms=round(seconds * 1000))
        self.tell(self.node.now, f"the node stands still for {seconds:.3f} s")
        begin, end = self.node.now, self.node.now + seconds
        if self.blocked and self.blocked[-1][1] >= begin:  # it comes behind what blocks it already
            begin, before = self.blocked.pop()
            end = before + seconds
        self.blocked.append((begin, end))
        self.touch(end)

    def restart_in_answer(self) -> None:
        self._in_answer = True

    def restart_in_write(self, part: float) -> None:
        """At ``part`` of the time that the next write takes on the wire; above 1 it has been received."""
        self._in_write = part

    def _watch_wire(self) -> None:
        node = self.node
        if self._in_answer and node.port.on_the_way:
            self._in_answer = False
            self.restart()
        data = node.sent[-1][1] if node.sent and node.sent[-1][0] == node.now else b""
        if self._in_write is not None and data.startswith(b"AT+") and b"?" not in data and b"SUB=" not in data:
            node.at(node.now + node.port.to_charger.seconds_left(node.now) * self._in_write, self.restart)
            self._in_write = None
        if data == b"AT+WIFIAPSCAN\n":
            self.touch(node.now + SCAN_S)
        if not self.charger.ready:
            self.touch(node.now)

    def _note_answer(self, request, data: bytes, delay: float) -> tuple[bytes, float]:
        changed, later = self._answer(request, data, delay)
        if (changed, later) != (data, delay):
            self.tell(self.charger.now, f"{request.line!r} is answered {changed!r}, {later:.2f} s later")
            self.touch(self.charger.now + later)
        return changed, later

    def touch(self, moment: float) -> None:
        """A fault lasts until then."""
        self.last_fault = max(self.last_fault, moment)

    def lied_to(self, seconds: float) -> bool:
        """Whether values may have been changed on their way within the last ``seconds``."""
        now = self.node.now
        return any(begin - 0.1 <= now and end + seconds >= now for begin, end in self._lies)

    def writes_unasked(self, name: str, line: str) -> bool:
        """This node has no `keep_settings`, and no clock."""
        return False

    # --- the run

    def play(self, program: Path) -> Report:
        """Lives through it; a node that stops, or is stuck, is a finding, too."""
        with tempfile.TemporaryDirectory(prefix="evse-faults-") as home:
            self.node = ClockedNode(program, self.charger, Path(home), self.faults, self.clock_zero_at)
            self.oracle = Oracle(self)
            try:
                with self.node:
                    self.node.connect()
                    self._live()
                    self._judge_all()
            except NodeError as error:
                self.oracle.findings.complain("node stopped", str(error))
        return self._report()

    def _live(self) -> None:
        node = self.node
        node.on_turn += [self._watch_wire, self._look]
        node.on_event.append(self.history.sample)  # what it tells while the current rises is true for a moment only
        for at, act in self._agenda:
            node.at(at, act)
        node.run_until(self.planned_until)
        node.at(node.now, self.faults.calm)
        self._in_answer, self._in_write = False, None
        node.run_until(node.now + 0.1)
        tail = self.last_fault
        self.next_change = tail + TAIL_CHANGES[0]
        for pause in TAIL_CHANGES:
            self.someone_else(0.0, self.dice)
            node.at(tail + pause, self._agenda[-1][1])
        while node.now < (end := max(self.last_fault, self.planned_until) + QUIET_S):
            node.run_until(end)

    def _look(self) -> None:
        now, entries = self.node.now, len(self.charger.journal.entries)
        if entries != self._entries or now >= self._sampled + SAMPLE_S:
            self._entries, self._sampled = entries, now
            self.history.sample(now)
        if now >= self._checked + CHECK_S:
            self._checked = now
            self.oracle.truth.judge(now, self.last_fault, self.next_change)
        self.oracle.look()

    def _judge_all(self) -> None:
        complain = self.oracle.findings.complain
        if self.node.dropped:
            complain("API message that no client can read", "the client has broken off")
        if not OUTAGES & set(self.names):
            judge_noticed(self.node, self.oracle.sent.boots, complain)
        self.oracle.fates.judge()
        self._by_noise = len(self.oracle.judge_journal())

    def _report(self) -> Report:
        return Report(
            fault=self.fault,
            seed=self.seed,
            fates=Counter(self.oracle.fates.of(wish) for wish in self.wishes),
            recovered=max(self.oracle.truth.last_bad - self.last_fault, 0.0),
            seconds=self.node.now,
            by_noise=self._by_noise,
            findings=list(self.oracle.findings),
        )

    def transcript(self, begin: float, end: float) -> Iterator[str]:
        """Everything that happened between two moments (s), a line each."""
        node = self.node
        events = [
            *((moment, f"   * {text}") for moment, text in self.story),
            *((moment, f"-> {data!r}") for moment, data in node.sent),
            *((moment, f"<- {data!r}") for moment, data in node.received),
            *((moment, f"   log {line}") for moment, line in zip(node.log_times, node.log, strict=True)),
            *((change.time, f"   {change.name} = {change.value!r}") for change in node.changes),
        ]
        for moment, text in sorted(events, key=lambda event: event[0]):
            if begin <= moment <= end:
                yield f"{moment:9.3f} {text}"
