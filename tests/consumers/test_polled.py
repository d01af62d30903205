"""A quiet line: nothing is pushed, and the values are read every ten minutes. The energy is right all the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evse_host.simulator import Board, Car, Charger
from tests.consumers.conftest import House
from tools.build import node as nodes

HERE = Path(__file__).parent
A_MINUTE_WH = 11_100 / 60
#: How the values of the meter come: read every ten minutes, pushed as seldom as the charger can, or one of them never.
WAYS = {
    "polled": "  push_interval: never",
    "seldom": "  subscriptions: {total_energy_consumption: 11h, energy_consumption: 11h, emeter_session_time: 11h}",
    "no total": "  subscriptions: {total_energy_consumption: never}",
}


def program(way: str) -> Path:
    text = (HERE / "polled.yaml").read_text().replace(WAYS["polled"], WAYS[way]).replace("../../", f"{nodes.ROOT}/")
    return nodes.build(nodes.write_config(f"polled-{way.replace(' ', '-')}", text))


NODES = [("polled", "head"), ("polled", "v2.1.1"), ("seldom", "head"), ("no total", "head")]


@pytest.fixture(params=NODES, ids="-".join)
def house(request, tmp_path) -> Iterator[House]:
    way, firmware = request.param
    charger = Charger(firmware, board=Board(proximity=True, socket_lock=True), car=Car())
    house = House(program(way), tmp_path / "home", charger)
    house.start()
    house.node.run(60)
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
    house.node.run(1700)
    node, before = house.node, totals(house)
    restart(house)
    house.node.run(1500)
    house.charger.car.unplug()
    house.node.run(700)
    values = totals(house) if house.node is node else before + totals(house)
    assert values == sorted(values)
    assert house.delivered > 8000
    assert values[-1] - start == pytest.approx(house.delivered, abs=A_MINUTE_WH)


def test_a_reset_between_two_polls_within_a_session(house: House) -> None:
    house.charger.car.plug()
    house.node.run(1300)
    at_reset = house.delivered
    house.node.call_service("reset_total")
    house.node.run(700)
    house.restart_charger()
    house.node.run(700)
    house.charger.car.unplug()
    house.node.run(700)
    assert house.node.value("Total energy") == pytest.approx(house.delivered - at_reset, abs=A_MINUTE_WH)


def test_the_last_session_between_two_polls(house: House) -> None:
    house.charger.car.plug()
    house.node.run(400)
    energy = house.delivered
    house.charger.car.unplug()
    line = house.node.wait_for_log("on_session_end", 700)
    told, seconds = map(int, re.search(r"(\d+) Wh in (\d+) s", line).groups())
    assert told == pytest.approx(energy, abs=2)
    assert seconds == pytest.approx(400, abs=6)


@pytest.mark.parametrize("house", [("polled", "head")], indirect=True)
def test_what_is_shown_comes_as_seldom_as_before(house: House) -> None:
    house.charger.car.plug()
    house.node.run(300)
    seen = len(house.node.history("Session energy"))
    house.node.run(1800)
    assert 3 <= len(house.node.history("Session energy")) - seen <= 4
