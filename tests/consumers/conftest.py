"""A node whose values are used as people use them, on a simulated charger, both in virtual time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evse_host.simulator import Board, Car, Charger, Faults
from tools.build import node as nodes
from tools.run.clocked_node import ClockedNode
from tools.soak.oracle.delivered import Delivered

HERE = Path(__file__).parent
CONNECTED_WITHIN_S = 20


class House:
    """The charger and its node. ``delivered`` is the energy in Wh by the meter's own model, over restarts of either."""

    def __init__(self, program: Path, home: Path, charger: Charger) -> None:
        self.program, self.home, self.charger = program, home, charger
        self.faults = Faults(charger)
        self.node: ClockedNode | None = None
        self._delivered = Delivered(charger)

    @property
    def delivered(self) -> float:
        return self._delivered.wh

    def since(self, seen: int, name: str) -> list:
        """What an entity has shown after the first ``seen`` changes of all."""
        entity = self.node.find(name)
        return [change.value for change in self.node.changes[seen:] if change.entity is entity]

    def start(self) -> ClockedNode:
        self.node = ClockedNode(self.program, self.charger, self.home, self.faults)
        self.node.__enter__()
        self.node.connect()
        self.node.wait_for("Connected", True, CONNECTED_WITHIN_S)
        return self.node

    def kill(self) -> None:
        """Its power is gone: nothing more is saved."""
        self.node._process.kill()
        self.node.close()

    def restart_charger(self) -> None:
        """Its power is cut for a moment; a car that is plugged goes on when the charger lets it."""
        self.charger.power_cycle(self.charger.now)
        self._delivered.listen()


@pytest.fixture(scope="session")
def consumers_program() -> Path:
    return nodes.build(HERE / "consumers.yaml")


@pytest.fixture
def house(consumers_program, tmp_path) -> Iterator[House]:
    charger = Charger(board=Board(proximity=True, socket_lock=True), car=Car())
    house = House(consumers_program, tmp_path / "home", charger)
    house.start()
    yield house
    assert not house.node.dropped, "a message of the node could not be decoded"
    if house.node.running:
        house.node.close()


@pytest.fixture
def noisy() -> Callable[[Charger, float], None]:
    def make(charger: Charger, share: float) -> None:
        """The meter's values tremble by ``share`` (standard deviation)."""
        dice, measure = random.Random(3), charger.point.meter._measure

        def trembling(*arguments) -> None:
            measure(*arguments)
            meter = charger.point.meter
            meter.currents = tuple(value * dice.gauss(1, share) for value in meter.currents)
            meter.voltages = tuple(value * dice.gauss(1, share / 5) for value in meter.voltages)
            meter.power = sum(volt * ampere for volt, ampere in zip(meter.voltages, meter.currents, strict=True))

        charger.point.meter._measure = trembling

    return make
