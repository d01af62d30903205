"""A quiet line: nothing is pushed, and the values are read every three minutes. The energy is right all the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evse_host.simulator import Board, Car, Charger
from tests.consumers.conftest import House
from tools.build import node as nodes

A_MINUTE_WH = 11_100 / 60
#: How the meter's values come: read every three minutes, pushed as seldom as the charger can, or one of them never.
METER_MS = {"polled": None, "seldom": 11 * 3_600_000, "no total": 0}
NODES = [("polled", "head"), ("polled", "v2.1.1"), ("seldom", "head"), ("no total", "head")]


@pytest.fixture(scope="session")
def program() -> Path:
    return nodes.build(Path(__file__).with_name("polled.yaml"))


@pytest.fixture(params=NODES, ids="-".join)
def house(request, program, monkeypatch, tmp_path) -> Iterator[House]:
    way, firmware = request.param
    if METER_MS[way] is not None:
        monkeypatch.setenv("EVSE_METER_MS", str(METER_MS[way]))
    charger = Charger(firmware, board=Board(proximity=True, socket_lock=True), car=Car())
    house = House(program, tmp_path / "home", charger)
    house.start()
    house.node.run(20)
    yield house
    if house.node.running:
        house.node.close()


def totals(house: House) -> list[float]:
    return [value for value in house.node.history("Total energy") if value is not None]


def restart_charger(house: House) -> None:
    house.restart_charger()


def restart_node(house: House) -> None:
    house.kill()
    house.start()


def restart_both(house: House) -> None:
    house.kill()
    house.restart_charger()
    house.start()


@pytest.mark.parametrize("restart", [restart_charger, restart_node, restart_both])
def test_a_restart_within_a_session_loses_a_minute_at_most(house: House, restart: Callable[[House], None]) -> None:
    start = house.charger.point.meter.total_energy
    house.charger.car.plug()
    house.node.run(510)
    node, before = house.node, totals(house)
    restart(house)
    house.node.run(450)
    house.charger.car.unplug()
    house.node.run(210)
    values = totals(house) if house.node is node else before + totals(house)
    assert values == sorted(values)
    assert house.delivered > 2400
    assert values[-1] - start == pytest.approx(house.delivered, abs=A_MINUTE_WH)


def test_a_reset_between_two_polls_within_a_session(house: House) -> None:
    house.charger.car.plug()
    house.node.run(390)
    at_reset = house.delivered
    house.node.call_service("reset_total")
    house.node.run(210)
    house.restart_charger()
    house.node.run(210)
    house.charger.car.unplug()
    house.node.run(210)
    assert house.node.value("Total energy") == pytest.approx(house.delivered - at_reset, abs=A_MINUTE_WH)


def test_the_last_session_between_two_polls(house: House) -> None:
    house.charger.car.plug()
    house.node.run(130)
    energy = house.delivered
    house.charger.car.unplug()
    line = house.node.wait_for_log("on_session_end", 210)
    told, seconds = map(int, re.search(r"(\d+) Wh in (\d+) s", line).groups())
    assert told == pytest.approx(energy, abs=2)
    assert seconds == pytest.approx(130, abs=6)


@pytest.mark.parametrize("house", [("polled", "head")], indirect=True)
def test_what_is_shown_comes_as_seldom_as_before(house: House) -> None:
    house.charger.car.plug()
    house.node.run(90)
    seen = len(house.node.history("Session energy"))
    house.node.run(540)
    assert 3 <= len(house.node.history("Session energy")) - seen <= 4
