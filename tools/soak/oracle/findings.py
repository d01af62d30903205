"""What was not as it must be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

#: kind of the finding, the same few words for the same rule; the entity or the line; more of it
Complain = Callable[[str, str, str], None]


@dataclass(frozen=True)
class Finding:
    """At ``time`` (s). ``kind`` is a few words, the same for the same rule; ``what`` the entity or the command."""

    time: float
    kind: str
    what: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.time:8.3f} s  {self.kind}: {self.what}  {self.text}".rstrip()


class Findings(list[Finding]):
    """One entry for each rule and each thing that broke it; ``clock`` says when."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._seen: set[tuple[str, str]] = set()

    def complain(self, kind: str, what: str, text: str = "") -> None:
        if (kind, what) not in self._seen:
            self._seen.add((kind, what))
            self.append(Finding(self._clock(), kind, what, text))
