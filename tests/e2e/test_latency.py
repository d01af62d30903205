"""Latency and air time of the real node in the short form; and that what measures them measures right."""

from __future__ import annotations

import pytest

from evse_host import catalog
from evse_host.simulator import Charger
from tools.measure import latency, results
from tools.measure.latency_bench import is_valid, new_charger, probes, settable, shown
from tools.measure.latency_figures import Air, Figure, Measured, percentile_95, split
from tools.run.tap import BYTE_S, Tap, Traffic


def test_the_node_is_as_fast_and_as_quiet_as_promised(capsys: pytest.CaptureFixture) -> None:
    measured = latency.measure(latency.SHORT, seed=1)
    with capsys.disabled():  # the numbers belong into every test run
        print()
        print("\n\n".join(map(results.show, measured.tables())))
    assert measured.missed() == []
    names = {figure.name.split(" ")[0] for figure in measured.figures}
    assert names == {"port", "RDY", "change", "command"}
    # The node cannot be faster than the line: then something else would have been measured.
    for figure in measured.figures[:2] + measured.figures[3:]:
        assert min(figure.samples) > min(figure.ideal), figure.name


# --- what a Tap sees --------------------------------------------------------------------------------------------------


@pytest.fixture
def tap() -> Tap:
    return Tap(Charger())


def say(tap: Tap, line: bytes, at: float) -> None:
    tap.receive(line, at)
    live(tap, at + 0.05)


def live(tap: Tap, until: float) -> None:
    while (moment := tap.next_event(tap.charger.now)) is not None and moment <= until:
        tap.advance(moment)
    tap.advance(until)


def test_every_byte_is_for_something(tap: Tap) -> None:
    question, answer, line = b"AT+STATE?\n", b"\n+STATE=0\n\nOK\n", b"\n+ENABLE=1\n"
    subscribe = b'AT+SUB="+ENABLE",250\n'
    say(tap, subscribe, 1.0)
    say(tap, question, 2.0)
    live(tap, 4.0)
    traffic = tap.traffic(1.0, 4.0)
    pushes = b"".join(data for _, data in tap.outward).count(line)
    assert pushes in (11, 12)
    assert traffic.asked == {"SUB": len(subscribe), "STATE": len(question)}
    assert traffic.answered == {"SUB": len(b"\nOK\n"), "STATE": len(answer)}
    assert traffic.pushed == {"ENABLE": pushes * len(line)}
    assert traffic.inward == sum(traffic.asked.values())
    assert traffic.outward == sum((traffic.answered + traffic.pushed).values())
    assert traffic.commands == 2
    assert traffic.names[0] == "ENABLE"


def test_a_stretch_holds_only_its_own(tap: Tap) -> None:
    say(tap, b"AT+STATE?\n", 1.0)
    say(tap, b"AT+ERROR?\n", 2.0)
    traffic = tap.traffic(1.5, 3.0)
    assert (traffic.asked, traffic.commands, traffic.inward) == ({"ERROR": 10}, 1, 10)


def test_an_exchange_takes_at_least_its_bytes_and_the_chargers_time(tap: Tap) -> None:
    say(tap, b"AT+CHCUR=100\n", 1.0)
    (exchange,) = tap.exchanges
    assert (exchange.name, exchange.form, exchange.at) == ("CHCUR", "write", 1.0)
    assert exchange.least_seconds == pytest.approx((13 + 4) * BYTE_S + 0.013)


def test_the_line_that_tells_a_change(tap: Tap) -> None:
    """It is the first with the new value, and ends where its last byte has arrived: ENABLE is the newer subscription
    and stands in front of STATE in each burst."""
    say(tap, b'AT+SUB="+STATE",250\n', 1.0)
    say(tap, b'AT+SUB="+ENABLE",250\n', 1.1)
    live(tap, 2.0)
    changed = tap.charger.now
    tap.charger.override("STATE", 4)
    live(tap, 3.0)
    end, burst = tap.told("STATE", changed)
    begun = next(at for at, data in tap.outward if at >= changed and data.startswith(b"\n+ENABLE"))
    assert begun - changed <= latency.LOOP_S
    assert end == pytest.approx(begun + len(b"\n+ENABLE=1\n\n+STATE=4\n") * BYTE_S)
    assert burst == pytest.approx(end - begun)
    with pytest.raises(LookupError, match="no value line of ENABLE"):
        tap.told("ENABLE", changed)


# --- figures ----------------------------------------------------------------------------------------------------------


def test_95_of_100_are_not_slower() -> None:
    assert percentile_95([float(number) for number in range(100, 0, -1)]) == 95.0
    assert percentile_95([1.0, 3.0, 2.0]) == 3.0


def test_a_missed_target_is_named() -> None:
    slow = Figure("change", [0.1] * 18 + [0.5, 0.6], [], 0.42, percentile_95, "95 %: 320 + 100")
    assert slow.misses() == "change: 500 ms, target 95 %: 320 + 100"
    assert slow.misses(slack=1.2) == ""
    assert Figure("change", [0.1] * 19 + [0.6], [], 0.42, percentile_95).misses() == ""
    noisy = Air("idle", Traffic(10, 0, 3456, 0), 0, limit=0.03)
    assert noisy.misses() == "air time idle: 3.00%, target below 3%"
    assert Air("idle", Traffic(10, 0, 3455, 0), 0, limit=0.03).misses() == ""
    assert Air("idle", Traffic(10, 0, 3455, 0), 0, limit=0.03, extra=0.001).misses() != ""
    measured = Measured([slow], [], [noisy])
    assert measured.missed() == [slow.misses(), noisy.misses()]


def test_the_split_leaves_nothing_out(tap: Tap) -> None:
    for second, name in enumerate(("STATE", "ERROR", "ENABLE"), 1):
        say(tap, f"AT+{name}?\n".encode(), second)
    air = Air("all", tap.traffic(1.0, 5.0), 0)
    table = split(air, most=1)
    assert [row[0] for row in table.rows] == ["ENABLE", "2 others"]
    shares = [float(cell.rstrip("%")) / 100 for row in table.rows for cell in row[1:]]
    assert sum(shares) == pytest.approx(air.share, abs=3e-5)


# --- what is changed --------------------------------------------------------------------------------------------------


def test_every_value_that_can_change_is_changed() -> None:
    """Drift: a new command must be probed, or stand here with its reason."""
    probed = {probe.row.command for probe in probes(catalog.ENTITIES)}
    changing = {c.name for c in catalog.COMMANDS if c.refresh not in (catalog.ONCE, catalog.NEVER) and not c.lines}
    runs_by_itself, never_falls, means_nothing_alone = {"UPTIME", "TIME"}, {"EMETERTOTCONSUM"}, {"PENDAUTH"}
    assert changing - probed == runs_by_itself | never_falls | means_nothing_alone


@pytest.mark.parametrize("probe", probes(catalog.ENTITIES), ids=lambda probe: probe.row.command)
def test_both_values_are_shown_differently(probe) -> None:
    charger = Charger()
    first, second = (probe.change(charger)[1] for _ in range(2))
    assert {first, second} == set(probe.values)
    assert shown(probe.row, first) != shown(probe.row, second)
    assert charger.value(probe.row.command)[probe.row.field_index] == second


def test_a_switch_is_valid_only_when_on_and_every_switch_is_on() -> None:
    """ESPHome reports a switch as off before anything is known of it."""
    charger = new_charger()
    for row in catalog.entities("switch"):
        assert charger.value(row.command)[row.field_index] == 1, row.key
        assert is_valid(row, True)
        assert not is_valid(row, False)
    power = catalog.ENTITY["sensor", "emeter_power"]
    assert is_valid(power, 0.0)
    assert not is_valid(power, None)


@pytest.mark.parametrize("stored", [False, True])
def test_the_charger_takes_every_commanded_value(stored: bool) -> None:
    charger = Charger()
    chosen = settable(catalog.ENTITIES, stored)
    assert len(chosen) >= 6
    for _ in range(2):
        for probe in chosen:
            charger.set(probe.row.command, probe.other(charger))
