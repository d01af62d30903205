"""Two nodes at one fuse: one leads, with the meter, the other follows.

They speak packet_transport by UDP; the test is the network between them.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from evse_host.simulator import Car, Charger
from tests.balance import home_assistant
from tests.balance.conftest import MANAGED
from tests.e2e.conftest import judged, start_charger, start_node  # noqa: F401  fixtures
from tools.build import node as nodes

HERE = Path(__file__).parent
VOLTAGE = 230
FUSE = 25.0


@pytest.fixture(scope="session")
def programs() -> tuple[Path, Path]:
    return nodes.build(HERE / "leader.yaml"), nodes.build(HERE / "follower.yaml")


def datagrams() -> socket.socket:
    """At a port that nobody else has."""
    result = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    result.bind(("127.0.0.1", 0))
    return result


class Way:
    """One direction of the network: brings what one node has sent to the other, or loses it."""

    def __init__(self) -> None:
        self.works = True
        self._socket = datagrams()
        self._socket.setblocking(False)
        self.sent_to = self._socket.getsockname()[1]
        with datagrams() as probe:
            self.listens_at = probe.getsockname()[1]

    def carry(self) -> None:
        """All that the node has sent while it ran waits here already."""
        while True:
            try:
                packet = self._socket.recv(2000)
            except BlockingIOError:
                return
            if self.works:
                self._socket.sendto(packet, ("127.0.0.1", self.listens_at))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Way, Way]]:
    """To the follower, and to the leader; the nodes that are started learn their ports."""
    with closing(Way()) as to_follower, closing(Way()) as to_leader:
        for sender, receiver, way in (("LEADER", "FOLLOWER", to_follower), ("FOLLOWER", "LEADER", to_leader)):
            monkeypatch.setenv(f"{sender}_SENDS_TO", str(way.sent_to))
            monkeypatch.setenv(f"{receiver}_LISTENS_AT", str(way.listens_at))
        yield to_follower, to_leader


class Side:
    """A node and its charger."""

    def __init__(self, node, charger) -> None:
        self.node, self.charger = node, charger

    def current(self) -> float:
        return self.charger.call(lambda charger: charger.car.current if charger.point.state in ("C2", "D2") else 0.0)

    def enabled(self) -> bool:
        return bool(self.charger.call(lambda charger: charger.value("ENABLE")[0]))

    def plug(self, plugged: bool) -> None:
        self.charger.call(lambda charger: setattr(charger.car, "plugged", plugged))

    def run(self, seconds: float) -> None:
        """The charger lives on without its node."""
        (self.node if self.node.running else self.charger).run(seconds)

    def value(self, sensor: str):
        return self.node.value(f"sensor.{sensor}")

    @property
    def reason(self) -> str:
        return self.node.value("text_sensor.Reason")


class Fuse:
    """A house with two chargers."""

    def __init__(self, leader: Side, follower: Side, network: tuple[Way, Way]) -> None:
        self.leader, self.follower = leader, follower
        self.to_follower, self.to_leader = network
        self.load = 2.0
        self.meter = self.beats = self.home_assistant = True
        self.seen = 0
        self.beat, self.last_beat = home_assistant.beat, ""
        self.worst = 0.0

    def mains(self) -> float:
        return self.load + self.leader.current() + self.follower.current()

    def tell_home_assistants(self) -> None:
        """The meter: three powers, and when they were last seen; what has not changed is not repeated."""
        self.seen += 1
        if self.meter:
            for phase in (1, 2, 3):
                self.leader.node.send_home_assistant_state(f"sensor.l{phase}", str(round(self.mains() * VOLTAGE)))
        if self.beats:
            self.last_beat = self.beat(1_795_804_961.084 + self.seen)
            self.leader.node.send_home_assistant_state("sensor.seen", self.last_beat)

    def live(self, seconds: int) -> None:
        for _ in range(seconds):
            if self.leader.node.running and self.home_assistant:
                self.tell_home_assistants()
            for side, way in ((self.leader, self.to_follower), (self.follower, self.to_leader)):
                side.run(1.0)
                way.carry()
            self.worst = max(self.worst, self.mains())


def charging(start_charger):  # noqa: F811
    """A charger on which a car charges already."""
    charger = Charger(car=Car(plugged=True))
    charger.advance_to(30.0)
    return start_charger(charger)


@pytest.fixture
def fuse(programs, network, start_charger, start_node):  # noqa: F811
    chargers = [charging(start_charger) for _ in programs]
    nodes_of = zip(programs, chargers, strict=True)
    return Fuse(*(Side(start_node(program, charger), charger) for program, charger in nodes_of), network)


@pytest.fixture
def sharing(fuse):
    fuse.live(300)
    fuse.worst = 0.0
    return fuse


def test_two_nodes_share_the_fuse_and_say_so(sharing):
    assert sharing.mains() <= FUSE
    assert sharing.leader.current() == pytest.approx(11.2, abs=0.5)
    assert sharing.follower.current() == pytest.approx(11.2, abs=0.5)
    assert sharing.follower.reason == "Share of the leader"
    assert sharing.leader.reason.startswith("Main fuse")


def test_a_load_that_has_gone_leaves_no_swing(sharing):
    """The meter sees the follower's car rise before the follower has told it."""
    sharing.load = 8.0
    sharing.live(60)
    sharing.load = 2.0
    sharing.live(170)
    shares = set()
    for _ in range(60):
        sharing.live(1)
        shares.add((sharing.leader.value("Target current"), sharing.follower.value("Target current")))
    assert len(shares) == 1
    assert sharing.mains() == pytest.approx(24.4, abs=0.2)


def test_what_the_one_does_not_use_goes_to_the_other(sharing):
    sharing.follower.plug(False)
    sharing.live(200)
    assert sharing.leader.current() == pytest.approx(16, abs=0.2)
    sharing.follower.plug(True)
    sharing.live(200)
    assert sharing.follower.current() == pytest.approx(11.2, abs=0.5)
    assert sharing.mains() <= FUSE


def test_a_follower_that_hears_nothing_falls_to_its_worst_case(sharing):
    sharing.to_follower.works = False
    sharing.live(20)
    assert sharing.follower.current() == pytest.approx(8, abs=0.1)
    assert sharing.follower.reason == "Leader silent"
    sharing.to_follower.works = True
    sharing.live(200)
    assert sharing.follower.reason == "Share of the leader"


def test_a_leader_that_hears_nothing_keeps_the_worst_case_free(sharing):
    """The follower's charger is unplugged, unseen: what it may take at any moment is not given to the other."""
    sharing.to_leader.works = False
    sharing.follower.plug(False)
    sharing.live(300)
    assert sharing.leader.value("Share") == 8
    assert sharing.leader.current() + 8 + sharing.load <= FUSE - 0.4
    sharing.follower.plug(True)  # it takes what it still hears
    sharing.live(100)
    assert sharing.worst <= FUSE


def test_with_a_dead_link_a_load_lowers_the_leader_at_once(sharing):
    sharing.to_leader.works = sharing.to_follower.works = False
    sharing.live(60)
    sharing.load = 9.0
    sharing.live(10)
    assert sharing.mains() <= FUSE
    assert sharing.follower.current() == pytest.approx(8, abs=0.1)


def test_a_heartbeat_tells_that_a_meter_without_changes_lives(sharing):
    sharing.meter = False
    sharing.live(60)
    assert sharing.leader.enabled() and sharing.follower.enabled()


def test_a_heartbeat_of_too_many_digits_is_told(sharing):
    """A float sees every 128th second since 1970 only."""
    sharing.meter, sharing.beat = False, str
    sharing.live(60)
    assert sharing.leader.reason == "Meter silent"
    assert sharing.leader.node.wait_for_log("Heartbeat .* too large a number")


@pytest.mark.parametrize("again", [False, True])
def test_a_home_assistant_whose_link_to_the_meter_died_is_silent(sharing, again):
    """The last values stay for ever; after it has connected again it says the old heartbeat once more."""
    sharing.meter = sharing.beats = False
    for second in range(40):
        if again and second % 5 == 0:
            sharing.leader.node.send_home_assistant_state("sensor.seen", sharing.last_beat)
        sharing.live(1)
    assert sharing.leader.reason == "Meter silent"
    assert not sharing.leader.enabled()
    assert sharing.leader.value("Share") == 0
    assert not sharing.follower.enabled()
    assert sharing.follower.reason == "Share of the leader"


@pytest.mark.parametrize("meter_lives", [True, False])
def test_a_home_assistant_that_is_gone_for_an_hour(sharing, meter_lives):
    """Both pause; what it says when it is back is believed as long as it goes on."""
    sharing.leader.node.disconnect()
    sharing.home_assistant = False
    sharing.live(20)
    for _ in range(360):
        for side, way in ((sharing.leader, sharing.to_follower), (sharing.follower, sharing.to_leader)):
            side.run(10.0)
            way.carry()
            assert not side.enabled()
    sharing.leader.node.connect()
    sharing.home_assistant = True
    sharing.live(1)
    sharing.meter = sharing.beats = meter_lives
    sharing.live(120)
    assert not sharing.leader.enabled() and not sharing.follower.enabled()
    assert sharing.leader.reason.startswith("Watching the meter, starts in" if meter_lives else "Meter silent")
    sharing.live(120)
    assert sharing.leader.enabled() is sharing.follower.enabled() is meter_lives
    assert sharing.worst <= FUSE


@pytest.mark.parametrize("side", ["leader", "follower"])
def test_a_silent_charger_that_restarts_and_comes_back(sharing, side):
    """Nobody can hold it at its share meanwhile: the other makes room, and both share again when it is back."""
    silent, other = (sharing.leader, sharing.follower)[:: 1 if side == "leader" else -1]
    silent.charger.call(lambda charger: charger.set("DEFCHCUR", 160))
    silent.charger.inject(lambda faults: faults.cable_out())
    sharing.live(60)
    assert sharing.worst <= FUSE
    assert silent.reason == "Charger does not answer"
    silent.charger.call(lambda charger: charger.reboot(charger.now, announce=False))
    above = 0
    for _ in range(90):
        sharing.live(1)
        above += sharing.mains() > FUSE + 0.5
    assert silent.current() == 16 and other.current() == pytest.approx(6.5, abs=0.1)
    assert above <= 8 and sharing.worst <= 1.13 * FUSE
    silent.charger.inject(lambda faults: faults.cable_in())
    sharing.worst = 0.0
    sharing.live(200)
    assert sharing.worst <= FUSE
    assert sharing.leader.current() == pytest.approx(10.8, abs=0.6)
    assert sharing.follower.current() == pytest.approx(10.8, abs=0.6)


class Mortal(Fuse):
    """A fuse of which one node can be killed and started again."""

    side: Side
    program: Path
    home: Path

    def start(self) -> None:
        self.life = ExitStack()
        self.side.node = self.life.enter_context(judged(self.side.charger.node(self.program, self.home), MANAGED))
        self.side.node.connect()

    def kill(self) -> None:
        self.life.close()


@pytest.fixture
def dying() -> str:
    """The node that can be killed."""
    return "leader"


@pytest.fixture
def mortal(dying, programs, network, start_charger, start_node, tmp_path):  # noqa: F811
    sides = {name: Side(None, charging(start_charger)) for name in ("leader", "follower")}
    program = dict(zip(sides, programs, strict=True))
    for name, side in sides.items():
        if name != dying:
            side.node = start_node(program[name], side.charger)
    fuse = Mortal(*sides.values(), network)
    fuse.side, fuse.program, fuse.home = sides[dying], program[dying], tmp_path / dying
    fuse.start()
    fuse.live(200)
    assert fuse.follower.current() > 10
    fuse.worst = 0.0
    yield fuse
    fuse.kill()


def test_a_leader_that_dies_leaves_the_worst_case_and_its_own_charge_ends(mortal):
    mortal.kill()
    mortal.load = 14.0  # nobody sees it
    mortal.live(20)
    assert mortal.follower.reason == "Leader silent"
    assert mortal.follower.current() == pytest.approx(8, abs=0.1)
    mortal.live(101)
    assert mortal.leader.current() == 0, "the lease"
    assert mortal.mains() <= FUSE


def test_a_leader_that_restarts_pauses_no_follower(mortal):
    mortal.kill()
    mortal.start()
    for _ in range(60):
        mortal.live(1)
        assert mortal.follower.enabled()
    mortal.live(200)
    assert mortal.follower.reason == "Share of the leader"
    assert mortal.follower.current() == pytest.approx(11.2, abs=0.5)


@pytest.mark.parametrize("dying", ["follower"])
@pytest.mark.parametrize("seconds", [0, 10, 100])
def test_a_follower_that_restarts_pauses_nobody(mortal, seconds):
    """After 100 s its lease has ended the charge, and its worst case is kept for it."""
    mortal.kill()
    mortal.live(seconds)
    mortal.start()
    for _ in range(60):
        mortal.live(1)
        assert mortal.leader.enabled() and mortal.follower.enabled()
    mortal.live(140)
    assert mortal.worst <= FUSE
    assert mortal.follower.reason in ("Share of the leader", "Rising")
    assert mortal.follower.current() == pytest.approx(11, abs=0.6)
    assert mortal.leader.current() == pytest.approx(11, abs=0.6)


def test_a_follower_waits_for_its_leader_and_says_so(programs, network, start_charger, start_node):  # noqa: F811
    charger = charging(start_charger)
    follower = Side(start_node(programs[1], charger), charger)
    follower.node.run(3)
    assert follower.reason == "Waiting for the leader"
    assert follower.current() > 15, "as it was found"
    follower.node.run(20)
    assert follower.reason == "Leader silent"
    assert follower.current() == pytest.approx(8, abs=0.1)
