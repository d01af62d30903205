"""Cuts of line, charger, server and process at seeded moments: no transaction message is lost, doubled or out of order,
and the meter goes on.

    python -m tools ocpp-cuts        the long form
"""

from __future__ import annotations

import math
import os
import random

import pytest

from .world import FATES, OK, World

CUTS = 10  # a test
TRANSACTION = ("StartTransaction", "MeterValues", "StopTransaction")


class Story:
    """What cars did, and what became of the messages."""

    def __init__(self, seed: int, folder) -> None:
        self.dice = random.Random(seed)
        self.world = World(folder / f"journal-{seed}", tag="HOME")
        self.world.call("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "10"})
        self.world.call("ChangeConfiguration", {"key": "TransactionMessageRetryInterval", "value": "1"})
        self.hit = False  # the message that the dice had chosen

    def live(self, cuts: int) -> None:
        for _ in range(cuts):
            self.world.run(self.dice.uniform(0.5, 40))
            self._drive()
            self.world.run(self.dice.uniform(0.25, 5))
            self._cut(self.dice.choice(("line", "message", "charger", "restart", "process", "server")))
        self._calm()

    def _drive(self, always: bool = False) -> None:
        car = self.world.car
        if always or self.dice.random() < 0.6:
            car.unplug() if car.plugged else car.plug()

    def _cut(self, kind: str) -> None:
        world = self.world
        if kind == "line":
            world.line = False
            world.run(self.dice.uniform(0.25, 60))
            world.line = True
        elif kind == "message":
            fate, self.hit = self.dice.choice(FATES[1:]), False
            world.fate = lambda action: fate if action in TRANSACTION and self._once() else OK
            self._drive(always=True)
            world.run(60, lambda: self.hit)
            world.fate = lambda _: OK
        elif kind == "charger":
            world.serial = False
            world.run(self.dice.uniform(0.25, 30))
            world.serial = True
        elif kind == "restart":
            world.restart_charger()
            world.run(self.dice.uniform(0.25, 20))
        elif kind == "process":
            world.kill()
        else:  # the server fails for a while, and says so
            world.server.answers = dict.fromkeys(TRANSACTION, lambda _: "InternalError")
            world.run(1)
            world.server.answers = {}

    def _once(self) -> bool:
        self.world.fate, self.hit = (lambda _: OK), True
        return True

    def _calm(self) -> None:
        self.world.car.unplug()
        self.world.serial = self.world.line = True
        self.world.fate = lambda _: OK
        assert self.world.run(300, lambda: self.world.journal.running() is None and self.world.journal.head() is None)

    def check(self) -> None:
        """By the central system's book alone."""
        server = self.world.server
        assert server.wrong == []
        assert self.world.journal.given_up() == 0
        number, meter, ended = 0, 0, True
        for action, payload in server.told:
            if action == "StartTransaction":
                assert ended, "a transaction begins before the last one has ended"
                number, ended = number + 1, False
                assert payload["meterStart"] >= meter
                meter = payload["meterStart"]
            elif action == "MeterValues":
                assert payload["transactionId"] == number and not ended
                value = int(payload["meterValue"][0]["sampledValue"][0]["value"])
                assert value >= meter
                meter = value
            elif action == "StopTransaction":
                assert payload["transactionId"] == number and not ended
                assert payload["meterStop"] >= meter
                meter, ended = payload["meterStop"], True
        assert ended
        stamps = [p.get("timestamp") or p["meterValue"][0]["timestamp"] for a, p in server.told if a in TRANSACTION]
        assert stamps == sorted(stamps)
        energy = sum(
            stop["meterStop"] - start["meterStart"]
            for start, stop in zip(server.actions("StartTransaction"), server.actions("StopTransaction"), strict=True)
        )
        delivered = self.world._energy.shown - FIRST_METER
        assert delivered - 60 * (1 + len(server.actions("StopTransaction"))) <= energy <= delivered + 5


FIRST_METER = 1_234_567


@pytest.mark.parametrize("seed", range(math.ceil(int(os.environ.get("EVSE_OCPP_CUTS", "30")) / CUTS)))
def test_nothing_is_lost_doubled_or_out_of_order(seed, tmp_path):
    story = Story(seed, tmp_path)
    story.live(CUTS)
    story.check()
