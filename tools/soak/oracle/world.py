"""What a story shows of itself to the oracle."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any, Protocol

from evse_host.simulator import Charger
from evse_host.simulator.charger import BYTE_S
from tools.run.clocked_node import ClockedNode
from tools.soak.oracle.history import History
from tools.soak.oracle.wish import Wish


class World(Protocol):
    """Moments are in s."""

    node: ClockedNode
    charger: Charger
    history: History
    wishes: list[Wish]
    blocked: list[tuple[float, float]]  # when the node stood still

    def lied_to(self, seconds: float) -> bool:
        """Whether values may have been changed on their way within the last ``seconds``."""

    def writes_unasked(self, name: str, line: str) -> bool:
        """Whether the node may write this by itself now."""


class Unread:
    """What has come to a list, such as the node's ``sent``, since it was last looked at."""

    def __init__(self, items: list) -> None:
        self._items, self._seen = items, 0

    def take(self) -> list:
        new = self._items[self._seen :]
        self._seen = len(self._items)
        return new

    def forget(self, before: float) -> None:
        """Drops what has been looked at and is older."""
        count = min(bisect_left(self._items, before, key=_moment), self._seen)
        del self._items[:count]
        self._seen -= count


class Arriving:
    """The lines of a node's ``received``, when they have arrived."""

    def __init__(self, items: list[tuple[float, bytes]]) -> None:
        self._items, self._seen, self._begun = items, 0, b""
        self._taken = 0  # bytes of the next item

    def take(self, until: float) -> Iterator[tuple[float, bytes]]:
        """Up to a moment (s): each line with its end, and its moment."""
        while self._seen < len(self._items):
            end, data = self._items[self._seen]
            here = len(data) - max(0, math.ceil((end - until) / BYTE_S - 1e-6))
            for piece in data[self._taken : max(here, 0)].splitlines(keepends=True):
                self._taken += len(piece)
                self._begun += piece
                if piece.endswith((b"\n", b"\r")):
                    yield end - (len(data) - self._taken) * BYTE_S, self._begun
                    self._begun = b""
            if here < len(data):
                return
            self._seen, self._taken = self._seen + 1, 0

    def forget(self, before: float) -> None:
        """Drops what has been taken and is older."""
        count = min(bisect_left(self._items, before, key=_moment), self._seen)
        del self._items[:count]
        self._seen -= count


def _moment(item: Any) -> float:
    return item[0] if isinstance(item, tuple) else item.time
