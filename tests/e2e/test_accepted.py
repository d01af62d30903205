"""What working houses have in their YAML, at run time: inverted switches, wide ranges, subscribe scripts of before."""

from __future__ import annotations

from pathlib import Path

import pytest

from evse_host.simulator import Board, Car, Charger
from tests.conftest import VARIANT
from tools.build import node as nodes

AUTOMATIONS = nodes.ROOT / "tests/consumers/automations.yaml"  # `below_minimum: pause`


@pytest.fixture(scope="session")
def pausing_program() -> Path:
    return nodes.build(AUTOMATIONS, VARIANT)


@pytest.fixture
def charger(start_charger):
    server = start_charger(Charger(board=Board(), car=Car()))
    yield server
    assert server.call(lambda charger: charger.journal.violations) == []


@pytest.fixture
def start(start_node, charger):
    def connected(program: Path):
        node = start_node(program, charger)
        node.wait_for("binary_sensor.Connected", True)
        for entity in ("number.Charging current", "number.Default power limit"):
            node.wait_until(lambda entity=entity: node.value(entity) is not None)
        return node

    return connected


@pytest.fixture
def node(start, actions_program):
    return start(actions_program)


def writes(charger, name: str) -> list[str]:
    return charger.call(lambda charger: charger.journal.writes(name))


def holds(charger, name: str, value: int) -> None:
    charger.wait_for(lambda charger: charger.value(name)[0] == value)


def clear(charger) -> None:
    charger.call(lambda charger: charger.journal.clear())


# --- inverted switches ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("entity", "command"), [("switch.Pause", "ENABLE"), ("switch.Free for all", "REQAUTH")])
def test_an_inverted_switch_is_inverted_in_both_directions(node, charger, entity: str, command: str) -> None:
    """On is 0 on the wire and off is 1, in both directions."""
    before = node.value(entity)
    assert before is not bool(charger.call(lambda charger: charger.value(command)[0]))
    for wanted in (not before, before):
        clear(charger)
        node.command(entity, wanted)
        node.wait_for(entity, wanted)
        holds(charger, command, int(not wanted))
        assert writes(charger, command) == [f"AT+{command}={int(not wanted)}"]
    for held in (1, 0, 1):
        charger.call(lambda charger, held=held: charger.set(command, held))
        node.wait_for(entity, not held)


def test_inverted_switch_is_not_shown_before_the_charger_holds_it(node, charger) -> None:
    charger.inject(lambda faults: faults.error_after_apply("ENABLE"))
    node.command("switch.Pause", True)
    node.wait_for("switch.Pause", True)
    holds(charger, "ENABLE", 0)
    charger.call(lambda charger: charger.override("ENABLE", 0))  # it takes no other value any more
    seen = len(node.history("switch.Pause"))
    node.command("switch.Pause", False)
    node.wait_for_log("Charger did not take ENABLE")
    node.wait_for("switch.Pause", True)
    assert set(node.history("switch.Pause")[seen:]) <= {True, None}


@pytest.mark.parametrize("action", ["toggle", "toggle_in_a_lambda"])
def test_toggle_of_an_inverted_switch(node, charger, action: str) -> None:
    for enabled in (0, 1, 0):
        node.call_service(action)
        holds(charger, "ENABLE", enabled)
        node.wait_for("switch.Pause", not enabled)


def test_two_toggles_leave_an_inverted_switch_as_it_was(node, charger) -> None:
    node.call_service("toggle_pause_twice")
    node.run(5)
    assert charger.call(lambda charger: charger.value("ENABLE")) == (1,)
    assert node.value("switch.Pause") is False
    assert not writes(charger, "ENABLE") or writes(charger, "ENABLE")[-1] == "AT+ENABLE=1"


def test_inverted_switch_over_an_outage(node, charger) -> None:
    node.command("switch.Pause", True)
    holds(charger, "ENABLE", 0)
    charger.inject(lambda faults: faults.cable_out())
    node.wait_for("binary_sensor.Connected", False, timeout=60)
    clear(charger)
    charger.inject(lambda faults: faults.cable_in())
    node.wait_for("binary_sensor.Connected", True, timeout=60)
    node.run(5)
    assert node.value("switch.Pause") is True
    assert writes(charger, "ENABLE") == []
    node.call_service("toggle")
    holds(charger, "ENABLE", 1)


def test_inverted_switch_is_kept_over_a_restart_of_the_charger(node, charger) -> None:
    node.command("switch.Pause", True)
    holds(charger, "ENABLE", 0)
    node.run(12)  # believed when it was read twice
    charger.call(lambda charger: (charger.journal.clear(), charger.reboot(charger.now)))
    charger.wait_for(lambda charger: charger.journal.writes("ENABLE") == ["AT+ENABLE=0"], timeout=30)
    node.run(5)
    assert node.value("switch.Pause") is True


# --- ranges -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entity", "command", "asked", "wire", "shown"),
    [
        ("Charging current", "CHCUR", 0.0, 60, 6.0),
        ("Charging current", "CHCUR", 5.0, 60, 6.0),
        ("Charging current", "CHCUR", 80.0, 320, 32.0),  # the charger's own maximum
        ("Default current", "DEFCHCUR", 5.0, 60, 6.0),
        ("Maximum current", "MAXCHCUR", 0.0, 6, 6.0),
        ("Maximum current", "MAXCHCUR", 80.0, 63, 63.0),
        ("Energy limit", "CONSUMLIM", -1.0, 0, 0.0),
        ("Energy limit", "CONSUMLIM", 5_000_000.0, 2**32 - 256, 4294967.04),  # the largest float below 2^32
        ("Energy limit", "CONSUMLIM", 0.0003, 1, 0.001),  # 0 means none
        ("Time limit", "CHTIMELIM", -1.0, 0, 0.0),
        ("Under-power limit", "UNDERPOWERLIM", 100.0, 65535, 65.535),
        ("Under-power limit", "UNDERPOWERLIM", -1.0, 0, 0.0),
        ("Default power limit", "DEFUNDERPOWERLIM", 100.0, 65535, 65.535),
    ],
)
def test_a_wider_range_is_clamped(
    node, charger, entity: str, command: str, asked: float, wire: int, shown: float
) -> None:
    other = {"CHCUR": 160, "DEFCHCUR": 160, "MAXCHCUR": 20}.get(command, 1000)
    charger.call(lambda charger: charger.set(command, other))
    node.call_service("force_update")
    node.wait_until(lambda: node.value(f"number.{entity}") not in (None, shown))
    clear(charger)
    node.command(f"number.{entity}", asked)
    holds(charger, command, wire)
    node.wait_for(f"number.{entity}", lambda value: value == pytest.approx(shown), timeout=15)
    assert writes(charger, command) == [f"AT+{command}={wire}"]


def test_a_clamped_wish_is_a_change_that_clients_see(node, charger) -> None:
    """The value is what it was before: without a change in between a slider would stay where it was put."""
    charger.call(lambda charger: charger.set("CHCUR", 60))
    node.wait_for("number.Charging current", 6.0)
    seen = len(node.history("number.Charging current"))
    node.command("number.Charging current", 0.0)
    node.wait_until(lambda: len(node.history("number.Charging current")) > seen + 1)
    assert node.history("number.Charging current")[seen:] == [None, 6.0]


def test_steps_below_the_minimum_stay_there(node, charger) -> None:
    charger.call(lambda charger: charger.set("CHCUR", 80))
    node.wait_for("number.Charging current", 8.0)
    for wire in (70, 60, 60, 60):
        node.call_service("one_step_down")
        node.run(3)
        holds(charger, "CHCUR", wire)
    node.wait_for("number.Charging current", 6.0)


# --- less than 6 A as a pause -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ampere", [0.0, 5.0])
def test_less_than_the_minimum_is_a_pause(start, pausing_program, charger, ampere: float) -> None:
    node = start(pausing_program)
    charger.call(lambda charger: charger.set("CHCUR", 160))
    node.wait_for("number.Charging current", 16.0)
    clear(charger)
    node.command("number.Charging current", ampere)
    holds(charger, "ENABLE", 0)
    node.wait_for("switch.Enable", False)
    node.wait_for("number.Charging current", 16.0)  # what the charger holds
    node.command("number.Charging current", 10.0)
    holds(charger, "ENABLE", 1)
    holds(charger, "CHCUR", 100)
    node.wait_for("switch.Enable", True)
    assert writes(charger, "ENABLE") == ["AT+ENABLE=0", "AT+ENABLE=1"]
    assert writes(charger, "CHCUR") == ["AT+CHCUR=100"]


def test_whoever_decides_about_the_pause_decides(start, pausing_program, charger) -> None:
    """A pause by a person is not ended by a current, one by a current is ended by a person."""
    node = start(pausing_program)
    for ampere in (10.0, 12.0):
        node.command("switch.Enable", False)
        holds(charger, "ENABLE", 0)
        node.command("number.Charging current", ampere)
        holds(charger, "CHCUR", ampere * 10)
        node.run(5)
        assert charger.call(lambda charger: charger.value("ENABLE")) == (0,)
        node.command("switch.Enable", True)
        holds(charger, "ENABLE", 1)
        node.command("number.Charging current", 0.0)
        holds(charger, "ENABLE", 0)
        node.command("switch.Enable", True)
        holds(charger, "ENABLE", 1)


def test_a_pause_by_a_current_is_kept_over_a_restart_of_the_charger(start, pausing_program, charger) -> None:
    node = start(pausing_program)
    node.command("number.Charging current", 0.0)
    holds(charger, "ENABLE", 0)
    node.run(12)
    charger.call(lambda charger: charger.reboot(charger.now))
    node.run(20)
    holds(charger, "ENABLE", 0)
    node.command("number.Charging current", 16.0)
    holds(charger, "ENABLE", 1)
    holds(charger, "CHCUR", 160)


# --- subscribe scripts ------------------------------------------------------------------------------------------------


def periods(charger) -> dict[str, int]:
    return {subscription.name: subscription.period for subscription in charger.subscriptions}


@pytest.mark.parametrize(
    ("action", "power", "voltage"), [("bare_milliseconds", 1000, 2000), ("strange_periods", 100, 42_949_671)]
)
def test_a_period_holds_over_a_restart_of_the_charger(node, charger, action: str, power: int, voltage: int) -> None:
    wanted = {"+EMETERPOWER": power, "+EMETERVOLTAGE": voltage}
    node.call_service(action)
    charger.wait_for(lambda charger: wanted.items() <= periods(charger).items())
    charger.call(lambda charger: charger.reboot(charger.now))
    charger.wait_for(lambda charger: wanted.items() <= periods(charger).items(), timeout=30)


def test_unsubscribe_all_and_force_update(node, charger) -> None:
    """Nothing is pushed any more, and values are read once each update_interval; force_update reads them at once."""
    node.call_service("bare_milliseconds")
    charger.wait_for(lambda charger: "+EMETERPOWER" in periods(charger))
    node.call_service("unsubscribe_all")
    charger.wait_for(lambda charger: periods(charger) == {})
    node.run(60)
    assert charger.call(periods) == {}
    charger.call(lambda charger: (charger.set("CHCUR", 70), charger.journal.clear()))
    node.call_service("force_update")
    node.wait_for("number.Charging current", 7.0, timeout=3)
    charger.call(lambda charger: charger.reboot(charger.now))
    node.run(60)
    assert charger.call(periods) == {}
    charger.call(lambda charger: charger.set("CHCUR", 90))
    node.wait_for("number.Charging current", 9.0, timeout=15)
