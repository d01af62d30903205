"""What must hold in every run, judged by the bytes that the node sent and by what the charger really held."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from evse_host.catalog import COMMAND, ENTITY, Entity
from evse_host.simulator import Charger, journal
from evse_host.simulator.charger import INPUT_BUFFER_BYTES
from tools.run.clocked_node import ClockedNode
from tools.soak.fault_matrix.wishes import RUN_ONCE, STORED, Wish
from tools.soak.oracle.history import History
from tools.soak.oracle.sent import GRACE_S, RUN_EXPIRES_S, WISH_EXPIRES_S, Sent
from tools.soak.oracle.shown import CHECKED, is_true

FRESH_S = 5.0  # a shown value must have been true this recently
API_DELAY_S = 0.15  # the API collects states for 100 ms, the node's loop takes 16 ms
UNKNOWN_S = 10.0  # after the last fault; then every entity must show something again
MAX_SENDS = 3
LATENCY_S = 0.05  # from the API to the wire
UNCHANGED_S = 3.0
REFUSED_S = 3.5  # what was refused is unknown for 1 s, or 2 s behind another refusal, then read, 0.7 s beside a wish
WRITABLE = ("number", "select", "text")
SAMPLE_S = 0.05  # the charger's control loop turns every 0.1 s
CHECK_S = 0.1
NOTICED_S = 8.0  # long enough for the node to ask the charger for its uptime, twice
OUTAGES = {"hung", "cable out", "blocked loop"}  # restarts behind them are nobody's to count

OLD = "older than 5 s"
UNKNOWN = "unknown"
OFFLINE = {"connected": False, "timeout_fault": True, "status": "Charger not responding"}


@dataclass(frozen=True)
class Violation:
    """``kind`` is a few words, the same for the same rule; ``what`` names the entity or the command."""

    time: float
    kind: str
    what: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.time:8.3f} s  {self.kind}: {self.what}  {self.text}".rstrip()


class Watched(Protocol):
    """What a run shows of itself. Moments are in s."""

    node: ClockedNode
    charger: Charger
    history: History
    wishes: list[Wish]
    names: list[str]  # of the faults
    blocked: list[tuple[float, float]]  # when the node stood still
    last_fault: float
    next_change: float  # by somebody else, after the last fault

    def lied_to(self, seconds: float) -> bool: ...


class Oracle:
    """Watches a run. ``violations`` has one entry for each rule and each thing that broke it."""

    def __init__(self, run: Watched) -> None:
        self.run = run
        self.violations: list[Violation] = []
        self.last_bad = 0.0  # when an entity was unknown or wrong for the last time
        self._seen: set[tuple[str, str]] = set()
        self._sent = self._changes = self._journal = 0
        self._bytes = Sent(run.charger, self.complain, self._check_write, self._note_read)
        self._sends: Counter[tuple[Wish, str]] = Counter()  # a current follows the charger's maximum: other lines
        self._sent_at: dict[str, list[float]] = defaultdict(list)
        self._read_since: dict[str, bool] = defaultdict(lambda: True)
        self._sampled = self._checked = 0.0

    def complain(self, kind: str, what: str, text: str = "") -> None:
        if (kind, what) not in self._seen:
            self._seen.add((kind, what))
            self.violations.append(Violation(self.run.node.now, kind, what, text))

    # --- after every turn of the node

    def watch(self) -> None:
        node, charger = self.run.node, self.run.charger
        self._bytes.look(node.now)
        entries = len(charger.journal.entries)
        if entries != self._journal or node.now >= self._sampled + SAMPLE_S:
            self._journal, self._sampled = entries, node.now
            self.run.history.sample(node.now)
        if node.now >= self._checked + CHECK_S:
            self._checked = node.now
            self._check_entities(node.now)
        for moment, data in node.sent[self._sent :]:
            self._bytes.take(moment, data)
        for change in node.changes[self._changes :]:
            self._check_done(change.name, change.value)
        self._sent, self._changes = len(node.sent), len(node.changes)

    # --- what the node sends

    def _note_read(self, name: str) -> None:
        self._read_since[name] = True

    def _check_write(self, name: str, line: str) -> None:
        wish = self._cause(name, line)
        if wish is None:
            return
        self._sends[wish, line] += 1
        pressed = sum(other.line == line and other.time <= self.run.node.now for other in self.run.wishes)
        sent = sum(count for (other, _), count in self._sends.items() if other.line == line)
        if name in RUN_ONCE and sent > pressed:
            self.complain("done more often than asked", line, f"{sent} instead of {pressed}")
        if self._sends[wish, line] > MAX_SENDS or self._is_blind(name, line, wish):
            self.complain("repeated blindly", line)
        self._read_since[name] = False
        self._sent_at[line].append(self.run.node.now)
        if name in STORED and name not in RUN_ONCE and wish.row and line == wish.line:
            self._check_flash(name, wish, line)

    def _is_blind(self, name: str, line: str, wish: Wish) -> bool:
        """Sent again although nobody has asked for it again, nor the charger been asked what became of it."""
        before = self._sent_at[line][-1:]
        return bool(before) and not self._read_since[name] and wish.time < before[0] - LATENCY_S

    def _cause(self, name: str, line: str) -> Wish | None:
        """The wish that a write comes of; complains if there is none, or a newer one."""
        now = self.run.node.now
        of_row = [wish for wish in self.run.wishes if wish.command == name and wish.line and wish.time <= now]
        of_line = [wish for wish in of_row if wish.line == line or self._is_saturated(wish, line)]
        others = [wish for wish in of_row if wish.line != line and wish.time < now - LATENCY_S]
        if not of_line:
            self.complain("command that nobody asked for", line)
            return None
        expires = RUN_EXPIRES_S if "=" not in line else WISH_EXPIRES_S
        newest = of_line[-1]
        heard = max((end for begin, end in self.run.blocked if begin <= newest.time < end), default=newest.time)
        if now - heard > expires + GRACE_S:
            self.complain("wish fulfilled too late", line, f"{now - newest.time:.1f} s after it")
        if any(wish.time > newest.time + LATENCY_S for wish in others):
            self.complain("older wish after a newer one", line)
        return newest

    def _is_above_maximum(self, wish: Wish) -> bool:
        """Or above one that was wished for before, whatever has become of that."""
        limit = COMMAND[wish.command].limited_by if wish.command else ""
        if not limit:
            return False
        held = self.run.history.rows(limit, wish.time, self.run.node.now)
        pending = wish.time - WISH_EXPIRES_S - GRACE_S
        wished = [w.row for w in self.run.wishes if w.command == limit and w.row and pending <= w.time <= wish.time]
        return any(wish.row[0] > row[0] * 10 for row in (*held, *wished))

    def _is_saturated(self, wish: Wish, line: str) -> bool:
        """A current above the charger's maximum becomes the maximum."""
        limit = COMMAND[wish.command].limited_by
        if not limit or not line.startswith(f"AT+{wish.command}="):
            return False
        wire, now = int(line.partition("=")[2]), self.run.node.now
        wished = [other.row for other in self.run.wishes if other.command == limit and other.row and other.time <= now]
        return wish.row[0] > wire and any(
            row[0] * 10 == wire for row in [*self.run.history.rows(limit, 0, now), *wished]
        )

    def _check_flash(self, name: str, wish: Wish, line: str) -> None:
        rows = list(self.run.history.rows(name, self.run.node.now - UNCHANGED_S, self.run.node.now))
        unchanged = rows and all(row[: len(wish.row)] == wish.row for row in rows)
        if unchanged and not self.run.lied_to(UNCHANGED_S) and not self._asked_in_vain(name, wish):
            self.complain("flash written with what it holds", line)

    def _asked_in_vain(self, name: str, wish: Wish) -> bool:
        """Twice, before it wrote: it could not know what the charger holds."""
        node = self.run.node
        asked = sum(data == f"AT+{name}?\n".encode() for moment, data in node.sent if moment >= wish.time)
        told = b"".join(data for moment, data in node.received if moment >= wish.time)
        return asked >= 2 and f"+{name}=".encode() not in told

    # --- what the node shows

    def _check_done(self, name: str, value: object) -> None:
        """A shown wish is a promise that the charger has it."""
        now = self.run.node.now
        wishes = [wish for wish in self.run.wishes if wish.row and wish.value is not None and wish.time <= now]
        wish = next((wish for wish in reversed(wishes) if f"{wish.entity.platform}.{wish.entity.name}" == name), None)
        if wish is None or wish.value != value or self.run.lied_to(FRESH_S):
            return
        if not self._held(wish, now - FRESH_S, now):
            held = list(self.run.history.rows(wish.command, now - FRESH_S, now))
            self.complain("reported done but not held", str(wish), f"the charger held {held}")

    def _held(self, wish: Wish, begin: float, end: float) -> bool:
        rows = self.run.history.rows(wish.command, begin, end)
        return any(row[: len(wish.row)] == wish.row for row in rows)

    def _check_entities(self, now: float) -> None:
        """From the last fault on: who shows something that the charger has not held for five seconds?"""
        calm = now - self.run.last_fault
        if calm < 0:
            return
        for entity in CHECKED:
            fresh = FRESH_S + API_DELAY_S + entity.cadence
            begin = now - fresh
            name = f"{entity.platform}.{entity.name}"
            shown = self.run.node.values.get(name)
            if is_true(entity, shown, self.run.history, begin, now) or (
                shown is None and self._was_refused(entity, now)
            ):
                continue
            if now < self.run.next_change:
                self.last_bad = now
            # An unknown that was the truth before the last fault is no old truth: it has not been read yet.
            if is_true(entity, shown, self.run.history, self.run.last_fault if shown is None else 0.0, now):
                kind = OLD
            else:
                kind = UNKNOWN if shown is None or shown == OFFLINE.get(entity.key) else "never true"
            if calm > (UNKNOWN_S if kind == UNKNOWN else fresh):
                self.complain(kind, name, f"shows {shown!r}")

    # --- at the end

    def finish(self) -> None:
        if self.run.node.dropped:
            self.complain("API message that no client can read", "the client has broken off")
        self._check_restarts()
        for wish in self.run.wishes:
            if self.fate(wish) == "lost":
                self.complain("fate unknown", str(wish), f"wished at {wish.time:.3f} s")
        for violation in self.run.charger.journal.violations:
            if self._is_the_nodes(violation):
                self.complain(f"charger: {violation.kind}", repr(violation.line), f"at {violation.time:.3f} s")

    def _check_restarts(self) -> None:
        """Each that is followed by time enough to be noticed, and to be published, must have been counted."""
        now = self.run.node.now
        boots = zip(self._bytes.boots, [*self._bytes.boots[1:], now], strict=False)
        told = now - NOTICED_S - ENTITY["sensor", "charger_reboots"].cadence
        lasting = sum(end - begin >= NOTICED_S and begin <= told for begin, end in boots)
        counted = self.run.node.values["sensor.Restarts"]
        if counted is not None and counted < lasting and not OUTAGES & set(self.run.names):
            self.complain("restart not noticed", "charger", f"{lasting} of them, {counted:.0f} counted")

    def _is_the_nodes(self, violation: journal.Violation) -> bool:
        """Whether the node itself sent what the charger complains of; else the noise made it."""
        if violation.kind == journal.OVERRUN:
            return self._outstanding(violation.time) > INPUT_BUFFER_BYTES
        return violation.line.rstrip(b"\n") in self._bytes.lines

    def _outstanding(self, moment: float) -> int:
        """How many bytes the node had sent without an answer."""
        node = self.run.node
        results = (time for time, data in node.received if time <= moment and (b"OK\n" in data or b"R\n" in data))
        answered = max(results, default=0.0)
        return sum(len(data) for time, data in node.sent if answered < time <= moment)

    def fate(self, wish: Wish) -> str:
        """`held`, `run`, `superseded` by a newer wish, `refused` as the node said, or `lost`."""
        end = wish.time + WISH_EXPIRES_S + GRACE_S
        if wish.line and wish.row and self._held(wish, wish.time, end):
            return "held"
        if self._is_above_maximum(wish):
            return "refused"  # told once, and saturated
        if not wish.command or (wish.command in RUN_ONCE and self._ran(wish)):
            return "run"
        newer = (other for other in self.run.wishes if other.command == wish.command and wish.time <= other.time)
        if any(other is not wish and other.time <= end for other in newer):
            return "superseded"
        said = (f"did not take {wish.command}", f"{wish.command} not sent", f"'{wish.entity.name}' - Value set")
        return "refused" if any(text in line for line in self._log(wish.time, end + 10.0) for text in said) else "lost"

    def _was_refused(self, entity: Entity, now: float) -> bool:
        """Just now: then it is unknown for a moment.

        Of wishes above the charger's maximum that follow each other only the first is told.
        """
        if entity.platform not in WRITABLE or not entity.command:
            return False
        newest = self._newest(entity.command, now)
        if newest and newest.row and self._is_above_maximum(newest):
            lately = now - newest.time <= REFUSED_S  # nothing is written when the flash holds the maximum already
            if lately or self._was_written(entity.command, now):
                return True
        log = self._log(now - REFUSED_S, now)
        said = (f"did not take {entity.command}:", f"{entity.command} not sent:")
        return any(text in line for line in log for text in said)

    def _newest(self, command: str, now: float) -> Wish | None:
        wishes = (wish for wish in reversed(self.run.wishes) if wish.command == command and wish.time <= now)
        return next(wishes, None) if command else None

    def _was_written(self, command: str, now: float) -> bool:
        start = f"AT+{command}=".encode()
        return any(moment >= now - REFUSED_S and data.startswith(start) for moment, data in self.run.node.sent)

    def _ran(self, wish: Wish) -> bool:
        """A press while the same command is on its way counts as one with it."""
        return any(wish.time - GRACE_S <= time <= wish.time + WISH_EXPIRES_S for time in self._sent_at[wish.line])

    def _log(self, begin: float, end: float) -> Iterator[str]:
        node = self.run.node
        return (line for moment, line in zip(node.log_times, node.log, strict=True) if begin <= moment <= end)
