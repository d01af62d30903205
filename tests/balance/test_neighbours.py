"""Faults beside the known ones: what a meter, a charger's page or another system may do as well."""

from __future__ import annotations

import pytest

from tests.balance.conftest import VOLTAGE


def tell(house, phase: int, factor: float = 1.0) -> None:
    """What the meter says of a phase, counted from 1."""
    house.node.command(f"number.Meter L{phase}", round((house.loads[phase - 1] + house.current()) * VOLTAGE * factor))


@pytest.mark.parametrize("phases", [(1, 2, 3), (2,)])
def test_kilowatts_that_are_called_watts_from_one_moment_to_the_next(charging, phases):
    """Somebody has chosen another unit in Home Assistant; it passes when the unit is right again."""
    charging.loads = [10.0, 10.0, 10.0]
    charging.live(60)
    for _ in range(40):
        for phase in (1, 2, 3):
            tell(charging, phase, 0.001 if phase in phases else 1.0)
        charging.pass_second()
        assert max(charging.loads) + charging.current() <= 1.13 * 25
    assert not charging.enabled()
    assert charging.reason == "Meter does not see the car: check its unit"
    charging.loads = [2.0, 2.0, 2.0]
    charging.live_until(charging.enabled)


def test_a_filter_that_hides_nan_does_not_hide_a_silent_meter(charging):
    charging.silent = True
    for _ in range(18):
        for phase in (1, 3):
            tell(charging, phase)
        charging.node.command("button.Meter NaN L2")
        charging.pass_second()
    assert not charging.enabled()
    assert charging.reason == "Meter silent"


def test_of_import_and_export_one_alone_is_no_meter(charging):
    charging.silent = True
    for _ in range(18):
        for phase in (1, 2):
            tell(charging, phase)
        charging.node.command("number.Export L3", 0)
        charging.pass_second()
    assert not charging.enabled()
    assert charging.reason == "Meter silent"


def test_another_system_that_pauses_is_no_person(charging):
    for enabled in (0, 1, 0, 1):
        charging.set("ENABLE", enabled)
        charging.live(20)
        assert not charging.enabled()
        assert charging.reason == "Paused at the charger: switch it on here"
    charging.node.command("switch.Charging enabled", True)
    charging.live_until(lambda: charging.current() > 5)
    charging.node.command("switch.Charging enabled", False)
    charging.live(3)
    assert charging.reason == "Paused by you"


@pytest.mark.parametrize("announce", [True, False])
@pytest.mark.parametrize("word", ["person", "page", "off", "load"])
def test_a_charger_that_restarts_twice_in_a_pause(charging, word, announce):
    if word == "load":
        charging.loads[0] = 27.0
    elif word == "off":
        charging.node.command("select.Mode", "off")
    elif word == "page":
        charging.set("ENABLE", 0)
    else:
        charging.node.command("switch.Charging enabled", False)
    charging.live_until(lambda: not charging.enabled(), 60)
    charging.live(5)  # until the node has seen it as well
    before = charging.reason
    for _ in range(2):
        charging.charger.call(lambda charger: charger.reboot(charger.now, announce=announce))
        charging.live(8)
        for _ in range(15):
            charging.live(1)
            assert not charging.enabled()
    assert charging.reason == before
