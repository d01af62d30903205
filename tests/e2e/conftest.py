"""Nodes and chargers on clocks of their own: ten seconds of them take a moment, and no test depends on the computer.

Whatever a test looks at, the oracle judges each byte that its node sends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from evse_host.catalog import LIVE_SETTINGS
from evse_host.simulator import Board, Car, Charger
from tests.conftest import VARIANT
from tools.build import node as nodes
from tools.run.clocked_node import ClockedCharger, ClockedNode, SerialPort
from tools.soak.oracle.contract import GRACE_S, WISH_EXPIRES_S
from tools.soak.oracle.sent import Sent

HERE = Path(__file__).parent
KEPT = {*LIVE_SETTINGS, "TIME"}  # what a node may write by itself after a start of the charger, if it is configured so


def judge_port(node: ClockedNode, port: SerialPort, managed: Collection[str], findings: list[str]) -> None:
    lives_s = WISH_EXPIRES_S + GRACE_S

    def on_write(name: str, line: str) -> None:
        started = name in KEPT and any(node.now - boot <= 2 * lives_s for boot in (0.0, *sent.boots))
        if not started and name not in managed and not any(node.now - moment <= lives_s for moment, _ in node.asked):
            findings.append(f"{node.now:.3f} s: nobody has asked for {line}")

    def complain(kind: str, line: str, text: str) -> None:
        if not any(line in values for _, values in node.asked):  # a raw command
            findings.append(f"{node.now:.3f} s: {kind}: {line} {text}")

    sent = Sent(port, complain, on_write)
    node.on_turn.append(sent.look)


@contextmanager
def judged(node: ClockedNode, managed: Collection[str] = ()) -> Iterator[ClockedNode]:
    """The node, running; at its end, that it has sent nothing it must not, and written unasked only what it manages."""
    findings: list[str] = []
    for port in node.ports:
        judge_port(node, port, managed, findings)
    with node:
        yield node
    assert not findings, "\n".join(findings)


@pytest.fixture(scope="session")
def actions_program() -> Path:
    return nodes.build(HERE / "actions.yaml", VARIANT)


@pytest.fixture(scope="session")
def minimal_program() -> Path:
    """The one program that ESPHome itself builds, as people do."""
    return nodes.build(HERE / "minimal.yaml", "esphome")


@pytest.fixture(scope="module")
def charger(request):
    """A charger with every feature, on a line as slow as a real one."""
    return ClockedCharger(Charger(board=Board(proximity=True, socket_lock=True), car=Car()))


@pytest.fixture(scope="module")
def node(full_node_program, charger, tmp_path_factory):
    with judged(charger.node(full_node_program, tmp_path_factory.mktemp("node"))) as node:
        node.connect()
        node.wait_for("binary_sensor.Connected", True)
        yield node


@pytest.fixture
def start_charger() -> Callable[..., ClockedCharger]:
    return ClockedCharger


@pytest.fixture
def managed() -> Collection[str]:
    """The commands that the node may write by itself."""
    return ()


@pytest.fixture
def start_node(tmp_path: Path, managed: Collection[str]) -> Iterator[Callable[..., ClockedNode]]:
    """Starts a program on a charger's line: ``start_node(program, charger)``, each with a home of its own; on the lines
    of several with ``start_node(program, charger, second, third)``.

    The test fails if a node stopped by itself, be it only at its end.
    """
    homes = (tmp_path / f"node-{number}" for number in range(100))
    with ExitStack() as running:

        def start(program: Path, charger: ClockedCharger, *others: ClockedCharger) -> ClockedNode:
            node = running.enter_context(judged(charger.node(program, next(homes), *others), managed))
            node.connect()
            return node

        yield start
