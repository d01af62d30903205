"""What tools.measure.latency found, as figures with their targets and as tables. Pure: no node, no clock."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tools.measure import results
from tools.run.tap import Traffic

Statistic = Callable[[list[float]], float]


def percentile_95(values: list[float]) -> float:
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


@dataclass
class Figure:
    """Seconds, sample by sample, and the ``ideal`` beside each; ``limit`` is for the statistic ``of``."""

    name: str
    samples: list[float]
    ideal: list[float]
    limit: float | None = None
    of: Statistic = max
    target: str = "-"

    def misses(self, slack: float = 1.0) -> str:
        """One line, if the limit times ``slack`` is exceeded."""
        if self.limit is None or self.of(self.samples) <= self.limit * slack:
            return ""
        return f"{self.name}: {_ms(self.of(self.samples))} ms, target {self.target}"

    def row(self) -> list[str]:
        return [
            self.name, str(len(self.samples)), self.target, _ms(statistics.median(self.samples)),
            _ms(percentile_95(self.samples)), _ms(max(self.samples)),
            *((_ms(statistics.median(self.ideal)), _ms(percentile_95(self.ideal))) if self.ideal else ("-", "-")),
        ]  # fmt: skip


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}" if seconds >= 0.1 else f"{seconds * 1000:.1f}"


#: Figures with targets, and what these are made of.
Found = tuple[list[Figure], list[Figure]]


@dataclass
class Air:
    """What a node puts on the line while ``name``, and ``states`` messages that its API client gets meanwhile.
    ``extra`` is added to the share of the line: what the stretch did not contain."""

    name: str
    traffic: Traffic
    states: int
    limit: float | None = None
    extra: float = 0.0

    @property
    def share(self) -> float:
        return self.traffic.share(self.traffic.inward + self.traffic.outward) + self.extra

    def misses(self) -> str:
        if self.limit is None or self.share < self.limit:
            return ""
        return f"air time {self.name}: {self.share:.2%}, target below {self.limit:.0%}"

    def row(self) -> list[str]:
        minutes = self.traffic.seconds / 60
        return [
            self.name, f"{self.traffic.seconds:.0f} s", f"below {self.limit:.0%}" if self.limit else "-",
            f"{self.share:.2%}", f"{self.traffic.share(self.traffic.inward):.2%}",
            f"{self.traffic.share(self.traffic.outward):.2%}", f"{self.traffic.commands / minutes:.0f}",
            f"{self.states / minutes:.0f}",
        ]  # fmt: skip


@dataclass
class Measured:
    """Everything that one run found: figures with targets, and what they are made of."""

    figures: list[Figure] = field(default_factory=list)
    parts: list[Figure] = field(default_factory=list)
    air: list[Air] = field(default_factory=list)

    def add(self, figures: list[Figure], parts: Sequence[Figure] = ()) -> None:
        self.figures += figures
        self.parts += parts

    def missed(self, slack: float = 1.0) -> list[str]:
        found = [figure.misses(slack) for figure in self.figures] + [air.misses() for air in self.air]
        return [line for line in found if line]

    def tables(self) -> list[results.Table]:
        columns = ["ms", "samples", "target", "median", "95 %", "worst", "ideal median", "ideal 95 %"]
        line = ["share of the line", "measured", "target", "together", "to the charger", "from the charger",
                "commands per minute", "API states per minute"]  # fmt: skip
        return [
            results.Table(columns, [figure.row() for figure in self.figures], "Latency"),
            results.Table(columns, [figure.row() for figure in self.parts], "Where the time goes"),
            results.Table(line, [air.row() for air in self.air], "Air time and messages"),
            *(split(air) for air in self.air if air.name.startswith("all")),
        ]


def split(air: Air, most: int = 13) -> results.Table:
    """What the line is used for, the most expensive commands first."""
    traffic, names = air.traffic, air.traffic.names
    rows = [_split_row(name, traffic, [name]) for name in names[:most]]
    rows.append(_split_row(f"{len(names[most:])} others", traffic, names[most:]))
    return results.Table(["command", "asked", "answered", "pushed"], rows, f"Share of the line by command, {air.name}")


def _split_row(title: str, traffic: Traffic, names: list[str]) -> list[str]:
    kinds = (traffic.asked, traffic.answered, traffic.pushed)
    return [title, *(f"{traffic.share(sum(kind[name] for name in names)):.3%}" for kind in kinds)]
