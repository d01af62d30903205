"""Which writes and runs somebody has wished for, how often they may be sent, and when."""

from __future__ import annotations

from collections import Counter, defaultdict

from evse_host.catalog import COMMAND
from tools.soak.oracle.contract import GRACE_S, MAX_SENDS, RUN_EXPIRES_S, WISH_EXPIRES_S
from tools.soak.oracle.findings import Complain
from tools.soak.oracle.wish import RUN_ONCE, STORED, Wish
from tools.soak.oracle.world import World

LATENCY_S = 0.05  # from the API to the wire
UNCHANGED_S = 3.0


class Asked:
    """``judge`` every write, ``note_read`` every read of the node."""

    def __init__(self, world: World, complain: Complain) -> None:
        self._world, self._complain = world, complain
        self._sends: Counter[tuple[Wish, str]] = Counter()  # a current follows the charger's maximum: other lines
        self._sent_at: dict[str, list[float]] = defaultdict(list)
        self._read_since: dict[str, bool] = defaultdict(lambda: True)

    def note_read(self, name: str) -> None:
        self._read_since[name] = True

    def judge(self, name: str, line: str) -> None:
        wish = self._cause(name, line)
        if wish is None:
            return
        self._sends[wish, line] += 1
        if name in RUN_ONCE and (sent := self._sends_of_line(line)) > (pressed := self._wishes_of_line(line)):
            self._complain("done more often than asked", line, f"{sent} instead of {pressed}")
        if self._sends[wish, line] > MAX_SENDS or self._is_blind(name, line, wish):
            self._complain("repeated blindly", line, "")
        self._read_since[name] = False
        self._sent_at[line].append(self._now)
        if name in STORED and name not in RUN_ONCE and wish.row and line == wish.line:
            self._judge_flash(name, wish, line)

    def sends(self, wish: Wish) -> int:
        """How many lines have come of it."""
        return sum(count for (cause, _), count in self._sends.items() if cause == wish)

    def ran(self, wish: Wish) -> bool:
        """A press while the same command is on its way counts as one with it."""
        return any(wish.time - GRACE_S <= time <= wish.time + WISH_EXPIRES_S for time in self._sent_at[wish.line])

    def forget(self, before: float) -> None:
        """Wishes that are older, and what came of them."""
        self._world.wishes[:] = [wish for wish in self._world.wishes if wish.time >= before]
        self._sends = Counter({cause: count for cause, count in self._sends.items() if cause[0].time >= before})

    @property
    def _now(self) -> float:
        return self._world.node.now

    def _sends_of_line(self, line: str) -> int:
        return sum(count for (wish, _), count in self._sends.items() if wish.line == line)

    def _wishes_of_line(self, line: str) -> int:
        return sum(wish.line == line and wish.time <= self._now for wish in self._world.wishes)

    def _is_blind(self, name: str, line: str, wish: Wish) -> bool:
        """Sent again although nobody has asked for it again, nor the charger been asked what became of it."""
        before = self._sent_at[line][-1:]
        return bool(before) and not self._read_since[name] and wish.time < before[0] - LATENCY_S

    def _cause(self, name: str, line: str) -> Wish | None:
        """The wish that a write comes of; complains if there is none, or a newer one."""
        now = self._now
        of_row = [wish for wish in self._world.wishes if wish.command == name and wish.line and wish.time <= now]
        of_line = [wish for wish in of_row if wish.line == line or self._is_saturated(wish, line)]
        is_late = not of_line or self._is_over(of_line[-1], line)
        if is_late and self._world.writes_unasked(name, line):
            return None
        if not of_line:
            self._complain("command that nobody asked for", line, "")
            return None
        newest = of_line[-1]
        if is_late:
            self._complain("wish fulfilled too late", line, f"{now - newest.time:.1f} s after it")
        others = [wish for wish in of_row if wish.line != line and wish.time < now - LATENCY_S]
        if any(wish.time > newest.time + LATENCY_S for wish in others):
            self._complain("older wish after a newer one", line, "")
        return newest

    def _is_over(self, wish: Wish, line: str) -> bool:
        """It lives from when the node could hear it."""
        expires = WISH_EXPIRES_S if "=" in line else RUN_EXPIRES_S
        heard = max((end for begin, end in self._world.blocked if begin <= wish.time < end), default=wish.time)
        return self._now - heard > expires + GRACE_S

    def _is_saturated(self, wish: Wish, line: str) -> bool:
        """A current above the charger's maximum becomes the maximum."""
        limit = COMMAND[wish.command].limited_by
        if not limit or not line.startswith(f"AT+{wish.command}="):
            return False
        wire, world = int(line.partition("=")[2]), self._world
        wished = [
            other.row for other in world.wishes if other.command == limit and other.row and other.time <= self._now
        ]
        held = world.history.rows(limit, 0, self._now)
        return wish.row[0] > wire and any(row[0] * 10 == wire for row in [*held, *wished])

    def _judge_flash(self, name: str, wish: Wish, line: str) -> None:
        rows = list(self._world.history.rows(name, self._now - UNCHANGED_S, self._now))
        unchanged = rows and all(row[: len(wish.row)] == wish.row for row in rows)
        if unchanged and not self._world.lied_to(UNCHANGED_S) and not self._asked_in_vain(name, wish):
            self._complain("flash written with what it holds", line, "")

    def _asked_in_vain(self, name: str, wish: Wish) -> bool:
        """Twice, before it wrote: it could not know what the charger holds."""
        node = self._world.node
        asked = sum(data == f"AT+{name}?\n".encode() for moment, data in node.sent if moment >= wish.time)
        told = b"".join(data for moment, data in node.received if moment >= wish.time)
        return asked >= 2 and f"+{name}=".encode() not in told
