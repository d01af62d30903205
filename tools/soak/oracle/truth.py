"""How old may be what is shown: who shows something that the charger has not held for longer?"""

from __future__ import annotations

import math
from collections.abc import Callable

from evse_host import catalog
from evse_host.catalog import COMMAND, COMMANDS, ENTITIES, Entity
from tools.soak.oracle.findings import Complain
from tools.soak.oracle.shown import CHECKED, is_true
from tools.soak.oracle.world import World

FRESH_S = 5.0  # a shown value must have been true this recently, whatever goes wrong
PUSHED_S = 2.0  # in calm, what is pushed
SLOW_S = 5.0  # in calm, what is read
API_DELAY_S = 0.15  # the API collects states for 100 ms, the node's loop takes 16 ms
UNKNOWN_S = 10.0  # after the last fault; then every entity must show something again

READ = [command for command in COMMANDS if "R" in command.access and command.refresh != catalog.NEVER]
#: Shows what the charger holds of one command.
SHOWN = [e for e in ENTITIES if e.command and COMMAND[e.command] in READ and e.convert not in ("lifetime", "action")]

OLD = "older than 5 s"
UNKNOWN = "unknown"
OFFLINE = {"connected": False, "timeout_fault": True, "status": "Charger not responding"}


def bound(command: catalog.Command, charging: bool) -> float:
    """How old (s) a value of this command may be in calm; what is published at a cadence that much more."""
    pushed = command.refresh == catalog.PUSH or (command.refresh == catalog.CHARGING and charging)
    return PUSHED_S if pushed else SLOW_S


def oldest(entity: Entity, age: float) -> float:
    """How old (s) that may be which an entity shows of a value of this age (s)."""
    return age + API_DELAY_S + entity.cadence


class Truth:
    """Of all entities after the last fault. ``last_bad`` is when one was unknown or wrong for the last time (s).

    ``was_refused(entity, now)`` excuses that it is unknown.
    """

    def __init__(self, world: World, complain: Complain, was_refused: Callable[[Entity, float], bool]) -> None:
        self._world, self._complain, self._was_refused = world, complain, was_refused
        self.last_bad = 0.0

    def judge(self, now: float, last_fault: float, next_change: float = math.inf) -> None:
        """From ``next_change`` on, by somebody else, nothing is bad any more because of the fault."""
        calm = now - last_fault
        if calm < 0:
            return
        for entity in CHECKED:
            fresh = oldest(entity, FRESH_S)
            name = f"{entity.platform}.{entity.name}"
            shown = self._world.node.values.get(name)
            if self._is_true(entity, shown, now - fresh) or (shown is None and self._was_refused(entity, now)):
                continue
            if now < next_change:
                self.last_bad = now
            kind = self._kind(entity, shown, last_fault)
            if calm > (UNKNOWN_S if kind == UNKNOWN else fresh):
                self._complain(kind, name, f"shows {shown!r}")

    def _kind(self, entity: Entity, shown: object, last_fault: float) -> str:
        """An unknown that was the truth before the last fault is no old truth: it has not been read yet."""
        if self._is_true(entity, shown, last_fault if shown is None else 0.0):
            return OLD
        return UNKNOWN if shown is None or shown == OFFLINE.get(entity.key) else "never true"

    def _is_true(self, entity: Entity, shown: object, begin: float) -> bool:
        return is_true(entity, shown, self._world.history, begin, self._world.node.now)
