"""What a story shows of itself to the oracle."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, Protocol

from evse_host.simulator import Charger
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


def _moment(item: Any) -> float:
    return item[0] if isinstance(item, tuple) else item.time
