"""ESPHome's own counters on our power, our lifetime energy and the last session's, against the meter's model."""

from __future__ import annotations

import itertools
import re

import pytest

from tests.consumers.conftest import House

SUMMED = ("Daily energy", "Energy trapezoid", "Energy left", "Energy right")


def unplugged(house: House) -> None:
    house.charger.car.unplug()
    house.node.run(30)


def test_an_idle_hour_then_a_minute_of_charging(house: House) -> None:
    """Equal values were swallowed: the first one after the hour counted for the whole of it, 11 kWh instead of 0.15."""
    house.node.run(3600)
    house.charger.car.plug()
    house.node.run(60)
    house.charger.car.unplug()
    house.node.run(60)
    assert 100 < house.delivered < 200
    for name in SUMMED:
        assert house.node.value(name) == pytest.approx(house.delivered, abs=8), name


def test_sums_over_a_short_outage_of_the_line(house: House) -> None:
    """What nobody saw is counted at the power before and after it, which was the same."""
    house.charger.car.plug()
    house.node.run(600)
    house.faults.cable_out()
    house.node.run(120)
    house.faults.cable_in()
    house.node.run(300)
    for name in SUMMED:
        assert house.node.value(name) == pytest.approx(house.delivered, rel=0.01), name


def test_sums_over_a_restart_of_the_charger(house: House) -> None:
    house.charger.car.plug()
    house.node.run(300)
    house.restart_charger()
    house.node.run(300)
    unplugged(house)
    for name in SUMMED:
        assert house.node.value(name) == pytest.approx(house.delivered, abs=25), name


def totals(house: House) -> list[float]:
    return [value for value in house.node.history("sensor.Total energy") if value is not None]


def test_the_total_over_a_restart_within_a_session(house: House) -> None:
    """Ten minutes at 11 kW, then a restart: a running maximum stood still until the old mark was passed."""
    start = house.charger.point.meter.total_energy
    house.charger.car.plug()
    house.node.run(600)
    house.restart_charger()
    house.node.run(600)
    unplugged(house)
    values = totals(house)
    assert values == sorted(values)
    assert house.delivered > 3000
    assert values[-1] - start == pytest.approx(house.delivered, abs=11_100 / 60)
    assert house.node.value("Total energy exact") == str(round(values[-1]))


@pytest.mark.parametrize(
    ("charger_too", "seconds"), [(False, 600), *((True, seconds) for seconds in (300, 317, 333, 599, 600, 631))]
)
def test_the_total_when_the_node_loses_its_power(house: House, charger_too: bool, seconds: int) -> None:
    """At any moment between two commits to its flash."""
    start = house.charger.point.meter.total_energy
    house.charger.car.plug()
    house.node.run(seconds)
    before = totals(house)
    house.kill()
    if charger_too:
        house.restart_charger()
    house.start()
    house.node.run(600)
    unplugged(house)
    values = before + totals(house)
    assert values == sorted(values)
    assert values[-1] - start == pytest.approx(house.delivered, abs=11_100 / 60)


def test_the_total_after_both_lost_their_power_and_the_charger_passed_the_old_mark(house: House) -> None:
    start = house.charger.point.meter.total_energy
    house.charger.car.plug()
    house.node.run(600)
    before = totals(house)
    house.kill()
    house.restart_charger()
    house.charger.advance_to(house.charger.now + 900)
    house.start()
    house.node.run(120)
    unplugged(house)
    values = before + totals(house)
    assert values == sorted(values)
    assert values[-1] - start == pytest.approx(house.delivered, abs=11_100 / 60)


def test_a_reset_within_a_session(house: House) -> None:
    """Home Assistant adds what a total begins with after a fall: it must be what was charged since."""
    house.charger.car.plug()
    house.node.run(600)
    at_reset = house.delivered
    house.node.call_service("reset_total")
    house.node.wait_for("sensor.Total energy", lambda value: value is not None and value < 200, 90)
    since = house.delivered - at_reset
    assert house.node.value("sensor.Total energy") <= since + 1
    house.node.run(300)
    unplugged(house)
    assert house.node.value("sensor.Total energy") == pytest.approx(house.delivered - at_reset, abs=2)


def test_a_reset_at_zero_does_not_wait_for_the_next_fall(house: House) -> None:
    house.node.call_service("reset_total")
    house.node.wait_for("sensor.Total energy", 0.0, 60)
    house.node.call_service("reset_total")
    house.node.run(60)
    house.charger.car.plug()
    house.node.run(300)
    counted = house.delivered
    house.restart_charger()
    house.node.run(120)
    assert house.node.value("sensor.Total energy") == pytest.approx(counted, abs=11_100 / 60)


def damaged(house: House, name: str, kind: str) -> bytes:
    digits = str(house.charger.value(name)[0])
    return f"\n+{name}={digits[:-1] if kind == 'lost' else digits + digits[-1]}\n".encode()


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("kind", ["lost", "doubled"])
@pytest.mark.parametrize("name", ["EMETERTOTCONSUM", "EMETERCONSUM", "EMETERSESTIME", "UPTIME"])
def test_a_digit_that_is_wrong_twice_does_not_count(house: House, name: str, kind: str, count: int) -> None:
    """It was taken for a reset, for a restart that took the session away, or for a new session."""
    start = house.charger.point.meter.total_energy
    house.charger.car.plug()
    house.node.run(200)
    house.faults.to_client_now(damaged(house, name, kind) * count)
    house.node.run(100)
    assert not [line for line in house.node.log if "on_session_end" in line]
    unplugged(house)
    values = totals(house)
    assert values == sorted(values)
    assert values[-1] - start == pytest.approx(house.delivered, abs=11_100 / 60)
    assert house.node.value("Last session energy") == pytest.approx(house.delivered, abs=2)
    assert house.node.value("Last session time") == pytest.approx(300, abs=3)


def test_flash_is_written_once_a_minute_at_most(house: House, tmp_path) -> None:
    house.charger.car.plug()
    house.node.run(120)
    steps = [change.time for change in house.node.changes if change.name == "sensor.Total energy"]
    house.node.run(900)
    changes = []
    for change in house.node.changes:
        if change.name == "sensor.Total energy" and (not changes or changes[-1].value != change.value):
            changes.append(change)
    late = [change.time for change in changes if change.time > steps[-1]]
    assert len(late) >= 13
    assert all(b - a >= 29.9 for a, b in itertools.pairwise(late))
    assert len(late) <= 900 / 60 + 2


def test_the_last_session_has_the_energy_and_time_that_were_delivered(house: House) -> None:
    house.charger.car.plug()
    house.node.run(777)
    house.charger.car.unplug()
    line = house.node.wait_for_log("on_session_end", 10)
    energy, seconds = map(int, re.search(r"(\d+) Wh in (\d+) s", line).groups())
    assert energy == pytest.approx(house.delivered, abs=1)
    assert seconds == pytest.approx(777, abs=2)
    house.node.wait_for("Last session energy", float(energy), 1)
    # The session's own sensor has shown its end before it is 0.
    house.node.wait_for("Session energy", 0.0, 5)
    history = [value for value in house.node.history("Session energy") if value is not None]
    assert history[-1] == 0 and history[-2] == pytest.approx(house.delivered, abs=4)
