"""What became of each wish, and whether the node told the truth about it."""

from __future__ import annotations

from collections.abc import Iterator

from evse_host.catalog import COMMAND, Entity
from tools.run.api import Change
from tools.soak.oracle.asked import Asked
from tools.soak.oracle.contract import GRACE_S, WISH_EXPIRES_S
from tools.soak.oracle.findings import Complain
from tools.soak.oracle.shown import is_true
from tools.soak.oracle.truth import FRESH_S
from tools.soak.oracle.wish import RUN_ONCE, Wish
from tools.soak.oracle.world import World

TOLD_S = 10.0  # after the end of a wish
REFUSED_S = 3.5  # what was refused is unknown for 1 s, or 2 s behind another refusal, then read, 0.7 s beside a wish
WRITABLE = ("number", "select", "text")


class Fates:
    """By what the charger held, what was sent, and the node's log."""

    def __init__(self, world: World, asked: Asked, complain: Complain) -> None:
        self._world, self._asked, self._complain = world, asked, complain

    def of(self, wish: Wish) -> str:
        """`held`, `run`, `superseded` by a newer wish, `refused` as the node said, or `lost`."""
        end = wish.time + WISH_EXPIRES_S + GRACE_S
        if wish.line and wish.row and self._held(wish, wish.time, end):
            return "held"
        if self._is_above_maximum(wish):
            return "refused"  # told once, and saturated
        if not wish.command or (wish.command in RUN_ONCE and self._asked.ran(wish)):
            return "run"
        newer = (other for other in self._world.wishes if other.command == wish.command and wish.time <= other.time)
        if any(other is not wish and other.time <= end for other in newer):
            return "superseded"
        said = (f"did not take {wish.command}", f"{wish.command} not sent", f"'{wish.entity.name}' - Value set")
        return (
            "refused" if any(text in line for line in self._log(wish.time, end + TOLD_S) for text in said) else "lost"
        )

    def judge(self) -> None:
        """When the last of them must be over."""
        for wish in self._world.wishes:
            if self.of(wish) == "lost":
                self._complain("fate unknown", str(wish), f"wished at {wish.time:.3f} s")

    def judge_shown(self, change: Change) -> None:
        """A shown wish is a promise that the charger has it."""
        now = self._world.node.now
        wishes = [wish for wish in self._world.wishes if wish.row and wish.value is not None and wish.time <= now]
        names = ((wish, f"{wish.entity.platform}.{wish.entity.name}") for wish in reversed(wishes))
        wish = next((wish for wish, name in names if name == change.name), None)
        if wish is None or wish.value != change.value or self._world.lied_to(FRESH_S):
            return
        if not self._held(wish, now - FRESH_S, now):
            held = list(self._world.history.rows(wish.command, now - FRESH_S, now))
            self._complain("reported done but not held", str(wish), f"the charger held {held}")

    def judge_fulfilled(self, wish: Wish, sends: int) -> None:
        """In calm, some seconds after the wish: held, shown, and sent so often."""
        now, node = self._world.node.now, self._world.node
        held, shown = self._held(wish, now, now), node.value(wish.entity)
        if not (held and is_true(wish.entity, shown, self._world.history, now, now)):
            rows = list(self._world.history.rows(wish.command, now, now))
            self._complain("wish not fulfilled", str(wish), f"the charger holds {rows}, shown is {shown}")
        if (sent := self._asked.sends(wish)) != sends:
            self._complain("wish not sent as often as it should", str(wish), f"{sent} times instead of {sends}")

    def was_refused(self, entity: Entity, now: float) -> bool:
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
        said = (f"did not take {entity.command}:", f"{entity.command} not sent:")
        return any(text in line for line in self._log(now - REFUSED_S, now) for text in said)

    def _held(self, wish: Wish, begin: float, end: float) -> bool:
        rows = self._world.history.rows(wish.command, begin, end)
        return any(row[: len(wish.row)] == wish.row for row in rows)

    def _is_above_maximum(self, wish: Wish) -> bool:
        """Or above one that was wished for before, whatever has become of that."""
        limit = COMMAND[wish.command].limited_by if wish.command else ""
        if not limit:
            return False
        world = self._world
        held = world.history.rows(limit, wish.time, world.node.now)
        pending = wish.time - WISH_EXPIRES_S - GRACE_S
        wished = [w.row for w in world.wishes if w.command == limit and w.row and pending <= w.time <= wish.time]
        return any(wish.row[0] > row[0] * 10 for row in (*held, *wished))

    def _newest(self, command: str, now: float) -> Wish | None:
        wishes = (wish for wish in reversed(self._world.wishes) if wish.command == command and wish.time <= now)
        return next(wishes, None)

    def _was_written(self, command: str, now: float) -> bool:
        start = f"AT+{command}=".encode()
        return any(moment >= now - REFUSED_S and data.startswith(start) for moment, data in self._world.node.sent)

    def _log(self, begin: float, end: float) -> Iterator[str]:
        node = self._world.node
        return (line for moment, line in zip(node.log_times, node.log, strict=True) if begin <= moment <= end)
