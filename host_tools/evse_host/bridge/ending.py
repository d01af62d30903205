"""The word that a program shall end, given by a signal."""

from __future__ import annotations

import contextlib
import math
import time
from queue import Empty, SimpleQueue

LOOK_S = 1.0


class Ending:
    """As threading.Event, but ``set`` may be called by a handler of signals, whatever the main thread is doing, and
    whichever thread the system has interrupted.

    An Event's lock is held for moments of its wait: a handler that comes just then would wait for ever. And the main
    thread, which alone runs handlers, sleeps on when another was interrupted: so it looks up every LOOK_S.
    """

    def __init__(self) -> None:
        self._told: SimpleQueue[None] = SimpleQueue()  # whose put is reentrant

    def set(self) -> None:
        self._told.put(None)

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it was told within ``timeout`` s."""
        end = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            left = max(end - time.monotonic(), 0)
            with contextlib.suppress(Empty):
                self._told.get(timeout=min(left, LOOK_S))
                self.set()  # for the next one who waits
                return True
            if not left:
                return False
