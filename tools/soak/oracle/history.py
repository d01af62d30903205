"""What the charger held, and when: the truth that everything else is compared with."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from evse_host.catalog import COMMAND, ENTITIES
from evse_host.simulator import Charger

Row = tuple


@dataclass
class Span:
    """``row`` was held from ``begin`` to ``end`` (s)."""

    begin: float
    end: float
    row: Row


class History:
    """Every value of every command that an entity shows, as far back as ``keeps_s``."""

    def __init__(self, charger: Charger, keeps_s: float = math.inf) -> None:
        self._charger, self._keeps_s = charger, keeps_s
        needed = {name for entity in ENTITIES for name in entity.commands if "R" in COMMAND[name].access}
        self.names = sorted(name for name in needed if charger.firmware.head or not COMMAND[name].head)
        self.spans: dict[str, list[Span]] = {name: [] for name in self.names}

    def sample(self, now: float) -> None:
        """Look at the charger; while it boots it holds nothing that it would tell."""
        if not self._charger.ready:
            return
        value = self._charger.value
        for name, spans in self.spans.items():
            row = value(name)
            if spans and spans[-1].row == row:
                spans[-1].end = now
            else:
                spans.append(Span(now, now, row))
                while spans[0].end < now - self._keeps_s:
                    del spans[0]

    def rows(self, name: str, begin: float, end: float) -> Iterator[Row]:
        """What was held at any time between ``begin`` and ``end``, newest first."""
        for span in reversed(self.spans.get(name, ())):
            if span.end < begin:
                return
            if span.begin <= end:
                yield span.row
