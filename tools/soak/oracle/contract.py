"""The numbers of what a node may send, of whole programs and of the client alone."""

from __future__ import annotations

from evse_host.catalog import MAX_SUBSCRIBE_PERIOD_MS, SUBSCRIBE_MIN_MS, WRITE_HOLDOFF_MS

HOLDOFF_S = WRITE_HOLDOFF_MS / 1000  # from RDY on
WISH_EXPIRES_S = 30.0
RUN_EXPIRES_S = 5.0
GRACE_S = 1.2  # an answer that is waited for, and the rounding of a node's stamps
MAX_SENDS = 3  # of one wish
SHORTEST_PERIOD_S = SUBSCRIBE_MIN_MS / 1000  # the charger mistakes shorter ones
LONGEST_PERIOD_S = MAX_SUBSCRIBE_PERIOD_MS / 1000  # and longer ones
