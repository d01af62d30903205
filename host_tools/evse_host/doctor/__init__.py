"""Finds out what is wrong between a computer and a charger. Nothing in here knows a port: a ``Line`` carries the bytes.

``examination`` observes: it reads, subscribes for a moment and switches the echo off, and never writes a setting. The
judgements are pure functions from what was observed to a ``Finding``: of the line in ``line``, of the charger in
``charger``, of times and errors in ``timing``. ``report`` shows them.
"""

from .examination import EXCHANGES, LISTEN_S, Doctor, Line
from .finding import Finding, Status

__all__ = ["EXCHANGES", "LISTEN_S", "Doctor", "Finding", "Line", "Status"]
