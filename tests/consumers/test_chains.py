"""Automations that ask while the node starts, from inside what they are told, and for what cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evse_host.simulator import Board, Car, Charger
from tests.consumers.conftest import House
from tools.build import node as nodes

ASKED_AT_START = {"CONSUMLIM": 5000, "CHTIMELIM": 9000, "UNDERPOWERLIM": 1250, "ENABLE": 0, "CHCUR": 90}


@pytest.fixture(scope="session")
def chains_program() -> Path:
    return nodes.build(Path(__file__).with_name("chains.yaml"))


@pytest.fixture
def house(chains_program, tmp_path) -> Iterator[House]:
    house = House(chains_program, tmp_path / "home", Charger(board=Board(proximity=True), car=Car()))
    house.start()
    house.node.run(6)
    yield house
    assert not house.node.dropped
    assert [violation for violation in house.charger.journal.violations if violation.kind != "overrun"] == []
    assert house.charger.crashes == 0
    house.node.close()


def held(house: House) -> dict[str, int]:
    return {name: house.charger.value(name)[0] for name in ASKED_AT_START}


def shows_what_is_held(house: House) -> bool:
    values = [house.node.value(name) for name in ("Energy limit", "Time limit", "Power limit", "Charging current")]
    charger = [house.charger.value(name)[0] for name in ("CONSUMLIM", "CHTIMELIM", "UNDERPOWERLIM", "CHCUR")]
    scaled = [value / scale for value, scale in zip(charger, (1000, 3600, 1000, 10), strict=True)]
    return values == pytest.approx(scaled) and house.node.value("Enable") is bool(house.charger.value("ENABLE")[0])


def test_what_is_asked_for_at_the_start_and_what_follows_from_it_comes_true(house: House) -> None:
    assert held(house) == ASKED_AT_START
    assert shows_what_is_held(house)
    assert not [line for line in house.node.log if "on_write_failed" in line]


RESTARTS: dict[str, Callable[[House], None]] = {}


def restart(function: Callable[[House], None]) -> Callable[[House], None]:
    RESTARTS[function.__name__] = function
    return function


def start_node(house: House) -> None:
    house.kill()
    house.start()


@restart
def the_node(house: House) -> None:
    start_node(house)


@restart
def the_charger_then_the_node(house: House) -> None:
    house.charger.reboot(house.charger.now)
    house.kill()
    house.charger.advance_to(house.charger.now + 0.7)
    house.start()


@restart
def the_node_then_the_charger(house: House) -> None:
    start_node(house)
    house.charger.reboot(house.charger.now)


@restart
def the_node_while_the_charger_is_in_its_first_second(house: House) -> None:
    house.kill()
    house.charger.reboot(house.charger.now)
    while not house.charger.ready:
        house.charger.advance_to(house.charger.now + 0.05)
    house.start()


@restart
def both_lose_their_power(house: House) -> None:
    house.kill()
    house.charger.power_cycle(house.charger.now)
    house.start()


@pytest.mark.parametrize("name", RESTARTS)
def test_the_start_asks_again_whoever_has_restarted(house: House, name: str) -> None:
    for row, value in (("CONSUMLIM", 1000), ("ENABLE", 1), ("CHCUR", 160)):
        house.charger.set(row, value)
    house.node.run(6)
    RESTARTS[name](house)
    house.node.run(15)
    assert shows_what_is_held(house)
    if name != "the_node_then_the_charger":  # which may have taken them before it forgot them
        assert held(house) == ASKED_AT_START


@pytest.mark.parametrize("gap_s", [0.0, 0.3, 1.0, 2.9])
@pytest.mark.parametrize("sent", [False, True])
def test_a_wish_survives_a_charger_that_starts_twice(house: House, gap_s: float, sent: bool) -> None:
    house.node.command("Charging current", 13.0)
    house.node.command("Maximum current", 20.0)
    if sent:
        house.node.run(0.012)  # the first is on its way
    for _ in range(2):
        house.charger.reboot(house.charger.now)
        house.node.run(gap_s)
    house.node.run(15)
    assert house.charger.value("CHCUR") == (130,) and house.charger.value("MAXCHCUR") == (20,)
    assert house.node.value("Charging current") == 13.0 and house.node.value("Maximum current") == 20.0
    assert not [line for line in house.node.log if "on_write_failed" in line]


def test_scripts_that_run_beside_each_other(house: House) -> None:
    house.node.call_service("parallel")
    house.node.run(5)
    assert (house.charger.value("CHCUR"), house.charger.value("MAXCHCUR")) == ((110,), (19,))
    assert house.node.value("Charging current") == 11.0 and house.node.value("Maximum current") == 19.0


def test_a_template_number_passes_on_what_is_entered(house: House) -> None:
    for entered, held_current in ((10.5, 105), (3.0, 60), (63.0, 320)):
        house.node.command("Slider", entered)
        house.node.run(6)
        assert house.charger.value("CHCUR") == (held_current,)
        assert house.node.value("Charging current") == held_current / 10


@pytest.mark.parametrize(("length", "byte"), [(31, 120), (300, 120), (5, 10), (3, 0xFF), (2, 0), (0, 0)])
def test_a_text_that_cannot_be_is_not_sent_and_leaves_what_was(house: House, length: int, byte: int) -> None:
    house.node.call_service("name", length=length, byte=byte)
    house.node.run(12)
    assert house.charger.journal.writes("HOSTNAME") == []
    assert house.node.value("Host name") == house.charger.value("HOSTNAME")[0]
    house.node.command("Host name", "garage")
    house.node.wait_for("Host name", "garage", 15)


def test_a_text_that_is_no_utf8_is_refused_with_its_reason(house: House) -> None:
    house.node.call_service("name", length=3, byte=0xDF)
    house.node.wait_for_log("HOSTNAME not sent: it is not UTF-8", 3)


def test_the_name_of_a_network_may_be_any_bytes(house: House) -> None:
    """Whoever has named it in Latin-1 must be able to join it."""
    house.node.call_service("join", byte=0xDF)
    house.node.run(3)
    assert house.charger.value("WIFISTACFG")[:2] == (1, "\udcdf" * 3)


def test_an_option_that_is_none_changes_nothing(house: House) -> None:
    before = house.charger.value("TZ")
    house.node.call_service("pick", option="Mars/Olympus")
    house.node.run(5)
    assert house.charger.value("TZ") == before and "Mars/Olympus" not in house.node.history("Time zone")
    house.node.call_service("pick", option="Europe/Berlin")
    house.node.wait_for("Time zone", "Europe/Berlin", 15)


def come_back(house: House) -> None:
    """A client such as Home Assistant connects, and is shown what ESPHome takes for the state."""
    house.node.disconnect()
    house.node.values.clear()
    house.node.connect()


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [("Maximum current", 20.0, 25.0), ("Time zone", "Europe/Berlin", "Etc/UTC"), ("Enable", False, True)],
)
def test_whoever_came_while_a_wish_was_pending_learns_that_it_was_taken_back(house: House, name, first, second) -> None:
    house.node.command(name, first)
    house.node.run(3)
    if name == "Enable":
        house.faults.cable_out()  # nothing else holds it back
    house.node.command(name, second)
    come_back(house)
    assert house.node.value(name) == second
    house.node.command(name, first)
    house.faults.cable_in()
    house.node.wait_for(name, first, 13)


@pytest.mark.parametrize(("name", "wish", "shown"), [("Slider", 9.5, "Charging current"), ("Enable", True, "Enable")])
def test_whoever_came_while_a_wish_was_pending_learns_that_it_was_refused(house: House, name, wish, shown) -> None:
    """Also of an automation's wish, which no refusal on the screen tells of."""
    held = house.node.value(shown)
    house.charger.device.write = lambda *_: False
    house.faults.cable_out()
    house.node.command(name, wish)
    come_back(house)
    assert house.node.value(shown) == wish != held
    house.faults.cable_in()
    house.node.wait_for(shown, held, 10)


def test_whoever_came_while_a_wish_was_pending_learns_that_the_charger_is_silent(house: House) -> None:
    house.faults.cable_out()
    house.node.command("Charging current", 13.0)
    come_back(house)
    assert house.node.value("Charging current") == 13.0
    house.node.command("Charging current", 14.0)
    house.node.wait_for("Charging current", None, 5)


def test_a_wish_that_changes_all_the_time_is_no_news_until_it_is_held(house: House) -> None:
    """Of what waits for the charger's flash."""
    house.node.command("Maximum current", 20.0)
    house.node.run(3)
    seen = len(house.node.changes)
    for step in range(60):
        house.node.command("Maximum current", 21.0 + step % 2)
        house.node.run(0.1)
    assert house.since(seen, "Maximum current") == []
