"""All that holds at any moment of any story, whatever it tells."""

from __future__ import annotations

from evse_host.simulator import journal
from tools.soak.oracle.asked import Asked
from tools.soak.oracle.fate import Fates
from tools.soak.oracle.findings import Findings
from tools.soak.oracle.sent import Sent
from tools.soak.oracle.truth import Truth
from tools.soak.oracle.world import Unread, World


class Oracle:
    """``look`` after every turn of the node; ``findings`` is what was not as it must be."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.findings = Findings(lambda: world.node.now)
        complain = self.findings.complain
        self.asked = Asked(world, complain)
        self.sent = Sent(world.node, complain, self.asked.judge, self.asked.note_read, world.blocked)
        self.fates = Fates(world, self.asked, complain)
        self.truth = Truth(world, complain, self.fates.was_refused)
        self._changes = Unread(world.node.changes)

    def look(self) -> None:
        """At each byte that the node has sent, and each wish that it shows."""
        self.sent.look()
        for change in self._changes.take():
            self.fates.judge_shown(change)

    def judge_journal(self) -> list[journal.Violation]:
        """What the charger complains of; returns what the noise has made."""
        made = []
        for violation in self._world.charger.journal.violations:
            if self.sent.has_earned(violation):
                text = f"at {violation.time:.3f} s"
                self.findings.complain(f"charger: {violation.kind}", repr(violation.line), text)
            else:
                made.append(violation)
        return made

    def forget(self, before: float) -> None:
        """What went over the line, and what was shown."""
        self.sent.forget(before)
        self._changes.forget(before)
