"""Random requests, faults and restarts against the reference charger; see scenario.py for what must hold.

EVSE_LONG=1 plays many more; EVSE_SEED=n plays one seed alone.
"""

from __future__ import annotations

import os

import pytest

from tests.native.harness import Program
from tests.native.scenario import Scenario

LONG = os.environ.get("EVSE_LONG") == "1"
SEEDS = [int(os.environ["EVSE_SEED"])] if "EVSE_SEED" in os.environ else range(2000 if LONG else 32)
ROUNDS, STEPS = 3, 50


@pytest.mark.parametrize("seed", SEEDS)
def test_random(program: Program, seed: int) -> None:
    scenario = Scenario(program, seed)
    for _ in range(ROUNDS):
        for _ in range(STEPS):
            scenario.step()
        scenario.recover()
        scenario.check_calm()
