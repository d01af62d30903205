"""A simulated charger on the bench: bytes in, time on, bytes out. No real time passes."""

from collections.abc import Callable

import pytest

from evse_host.simulator import Board, Car, Charger


class Bench:
    """``now`` is the charger's time; every step returns what the charger emitted in it."""

    def __init__(self, **options) -> None:
        self.charger = Charger(**options)
        self.now = self.charger.now

    def run(self, seconds: float) -> bytes:
        self.now += seconds
        return self.charger.advance(self.now)

    def send(self, data: bytes | str, seconds: float = 0.05) -> bytes:
        """``seconds``: how long to listen for the answer."""
        self.charger.receive(data.encode() if isinstance(data, str) else data, self.now)
        return self.run(seconds)

    def ask(self, command: str, seconds: float = 0.05) -> list[str]:
        """Lines of the answer to one command, without the blank ones."""
        return [line for line in self.send(command + "\n", seconds).decode().split("\n") if line]

    def read(self, name: str) -> str:
        """What stands behind the `=` of the one value line."""
        line, result = self.ask(f"AT+{name}?")
        assert result == "OK" and line.startswith(f"+{name}=")
        return line.partition("=")[2]

    def write(self, name: str, arguments: object) -> str:
        (result,) = self.ask(f"AT+{name}={arguments}")
        return result

    def timeline(self, seconds: float) -> list[tuple[float, bytes]]:
        """What was emitted when, counted from now, while ``seconds`` pass."""
        start, emitted = self.now, []
        while (moment := self.charger.next_event(self.now)) is not None and moment <= start + seconds:
            self.now = moment
            if data := self.charger.advance(moment):
                emitted.append((moment - start, data))
        self.now = start + seconds
        return emitted

    def wait_state(self, state: str, seconds: float = 120.0) -> float:
        """Runs until the charging point is in ``state``; returns how long that took."""
        start = self.now
        while self.charger.point.state != state:
            assert self.now - start < seconds, f"still {self.charger.point.state}, not {state}"
            self.run(0.1)
        return self.now - start


@pytest.fixture
def new_bench() -> Callable[..., Bench]:
    """Makes a bench; options are those of ``Charger``."""
    return Bench


@pytest.fixture(params=["head", "v2.1.1"])
def firmware(request) -> str:
    """What behaves alike on both."""
    return request.param


@pytest.fixture
def bench() -> Bench:
    """A charger with the development head, up for an hour, no car."""
    return Bench()


@pytest.fixture
def released() -> Bench:
    """The same with firmware v2.1.1."""
    return Bench(firmware="v2.1.1")


@pytest.fixture
def charging() -> Bench:
    """A car has just begun to charge."""
    bench = Bench(car=Car(plugged=True), board=Board())
    bench.wait_state("C2")
    bench.run(6)
    return bench
