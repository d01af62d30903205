"""Reading for what lives long: a file must not hold a digit that noise has changed, and the wire has no checksum."""

from __future__ import annotations

from ..errors import NoAnswerError
from ..wire.codec import Fields
from .client import Evse

TRIES = 6


def read_steady(evse: Evse, name: str) -> Fields:
    """Reads a value that does not move until two answers in a row agree. Raises RefusedError, and NoAnswerError when
    they never do."""
    last = evse.get(name)
    for _ in range(TRIES):
        before, last = last, evse.get(name)
        if last == before:
            return last
    raise NoAnswerError(f"{name}: no two answers in {TRIES + 1} agree: the line is too noisy; see `evse-host doctor`")
