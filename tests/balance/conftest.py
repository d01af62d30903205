"""A house with a node, a simulated charger and a meter that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evse_host.simulator import Car, Charger
from tests.balance.reasons import Judge, Moment
from tests.e2e.conftest import judged, start_charger, start_node  # noqa: F401  fixtures
from tools.build import node as nodes

HERE = Path(__file__).parent
VOLTAGE = 230
MANAGED = ("ENABLE", "CHCUR", "CHTIMELIM")


def heat_of(mains: float, limit: float = 25.0) -> float:
    """Part of the way to a breaker's trip that a second takes, by IEC 60898."""
    return (mains / limit / 1.13) ** 10.06 / 3600 if mains > limit else 0.0


class Stand:
    """A charger and its car, and what a person sees of them: the node's entities whose names begin with ``name``."""

    def __init__(self, node, charger, name: str = "") -> None:
        self.node, self.charger, self.name = node, charger, name

    def current(self) -> float:
        return self.charger.call(lambda charger: charger.car.current if charger.point.state in ("C2", "D2") else 0.0)

    def offer(self) -> float:
        return self.charger.call(lambda charger: charger.value("CHCUR")[0] / 10)

    def enabled(self) -> bool:
        return bool(self.charger.call(lambda charger: charger.value("ENABLE")[0]))

    def set(self, name: str, value: int) -> None:
        """Something else than the node sets a value of the charger."""
        self.charger.call(lambda charger: charger.set(name, value))

    def refuse(self, *names: str) -> None:
        """From now on the charger answers ERROR to what would change these values."""

        def look(charger: Charger) -> None:
            write = charger.device.write
            charger.device.write = lambda name, values: name not in names and write(name, values)

        self.charger.call(look)

    def restart(self, announce: bool = True) -> None:
        self.charger.call(lambda charger: charger.reboot(charger.now, announce=announce))

    def plug(self) -> None:
        self.charger.call(lambda charger: charger.car.plug())

    def unplug(self) -> None:
        self.charger.call(lambda charger: charger.car.unplug())

    def shown(self, entity: str):
        """Such as ``"switch.Charging enabled"``."""
        return self.node.value(entity.replace(".", f".{self.name}"))

    def command(self, entity: str, value) -> None:
        self.node.command(entity.replace(".", f".{self.name}"), value)

    @property
    def reason(self) -> str:
        return self.shown("text_sensor.Reason")

    def moment(self, silent_s: int = 0) -> Moment:
        """What the charger holds now, and what a person sees; the meter is silent for so long."""

        def look(charger: Charger) -> dict:
            return {
                "enabled": bool(charger.value("ENABLE")[0]), "offer": charger.value("CHCUR")[0] / 10,
                "maximum": float(charger.value("MAXCHCUR")[0]), "state": charger.point.state,
                "plugged": charger.car.plugged, "charging_s": charger.value("EMETERCHTIME")[0],
            }  # fmt: skip

        return Moment(
            **self.charger.call(look), drawn=self.current(), silent_s=silent_s, reason=self.reason,
            connected=self.shown("binary_sensor.Connected"), switch=self.shown("switch.Charging enabled"),
            wish=self.shown("number.Charging current"), time_limit_h=self.shown("number.Time limit"),
            limit=self.node.value("number.Current limit"),
        )  # fmt: skip


class House(Stand):
    """Gives the node a sample a second: the loads (A) and what the car takes."""

    def __init__(self, node, charger) -> None:
        super().__init__(node, charger)
        self.loads = [2.0, 2.0, 2.0]
        self.wired_to = (0, 1, 2)  # the house's phases, in the order of the charger's
        self.silent = False
        self.silent_s = 0
        self.judge = Judge()

    def sample(self) -> None:
        for phase, ampere in enumerate(self.mains()):
            self.node.command(f"number.Meter L{phase + 1}", round(ampere * VOLTAGE))

    def mains(self) -> list[float]:
        drawing = self.wired_to[: self.charger.call(lambda charger: charger.car.phases)]
        return [load + (self.current() if phase in drawing else 0.0) for phase, load in enumerate(self.loads)]

    def live(self, seconds: int) -> None:
        for _ in range(seconds):
            if not self.silent:
                self.sample()
            self.pass_second()

    def pass_second(self) -> None:
        """For a meter that says something of its own; the reason is judged."""
        self.silent_s = self.silent_s + 1 if self.silent else 0
        self.node.run(1.0)
        self.judge.look(self.moment(self.silent_s), self.loads, self.node.now)

    def live_until(self, condition, timeout: int = 300) -> None:
        for _ in range(timeout):
            if condition():
                return
            self.live(1)
        raise AssertionError(f"not within {timeout} s; reason: {self.node.value('text_sensor.Reason')}")


@pytest.fixture(scope="session")
def program() -> Path:
    return nodes.build(HERE / "house.yaml")


@pytest.fixture
def managed() -> tuple[str, ...]:
    return MANAGED


@pytest.fixture
def firmware() -> str:
    return "head"


@pytest.fixture
def charger(firmware, start_charger):  # noqa: F811
    """A charger on which a car charges already: the node finds it so, and leaves it."""
    charger = Charger(firmware=firmware, car=Car(plugged=True))
    charger.advance_to(30.0)
    return start_charger(charger)


@pytest.fixture
def house(program, start_node, charger):  # noqa: F811
    house = House(start_node(program, charger), charger)
    yield house
    assert not house.judge.findings


@contextmanager
def living(program, charger, home) -> Iterator[House]:
    """A house whose node dies at the end."""
    with judged(charger.node(program, home), MANAGED) as node:
        node.connect()
        house = House(node, charger)
        house.live(5)
        yield house
        assert not house.judge.findings


@pytest.fixture
def charging(house):
    house.live(5)
    assert house.current() > 15.5
    return house
