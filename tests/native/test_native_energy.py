"""The lifetime energy by the rules of docs/lifetime-energy.md, against a charger that is honest about its truth: in the
component and in the host tool."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import partial

import pytest

from evse_host.bridge.lifetime_energy import LifetimeEnergy, Reading
from tests.native.harness import Program


class Charger:
    """What the real one does with its energy, and what it has truly delivered."""

    def __init__(self, stored: int = 0, uptime: int = 100_000) -> None:
        self.stored, self.session, self.uptime = stored, 0, uptime
        self.delivered = 0

    def charge(self, watt_hours: int, seconds: int = 4) -> None:
        self.session += watt_hours
        self.delivered += watt_hours
        self.uptime += seconds

    def unplug(self) -> None:
        self.stored += self.session
        self.session = 0

    def restart(self) -> None:
        self.session = 0
        self.uptime = 3

    def reset(self) -> None:
        self.stored = 0

    def reading(self) -> str:
        self.uptime += 4
        return f"uptime {self.uptime} session {self.session} total {self.stored + self.session}"

    def readings(self, count: int = 3) -> str:
        """So many in a row."""
        return " ".join(self.reading() for _ in range(count))


Shown = Callable[..., list[int | None]]


def shown_by_component(program: Program, *steps: str) -> list[int | None]:
    answers = program.ask("lifetime " + " ".join(steps))
    return [None if answer == "unknown" else int(answer) for answer in answers]


def shown_by_host_tool(*steps: str) -> list[int | None]:
    """It asks for all three in a row: they are a reading when the total has come."""
    energy = LifetimeEnergy()
    heard: dict[str, int] = {}
    answers = []
    words = iter(" ".join(steps).split())
    for word in words:
        if word == "reset":
            energy.on_reset()
        elif word == "power":
            energy = LifetimeEnergy(energy.memory)
        elif word == "forget":
            heard.clear()
        else:
            heard[word] = int(next(words))
        if word == "total":
            if len(heard) == 3:
                energy.update(Reading(**heard))
            answers.append(energy.shown)
    return answers


@pytest.fixture(params=["component", "host tool"])
def shown(request) -> Shown:
    if request.param == "host tool":
        return shown_by_host_tool
    return partial(shown_by_component, request.getfixturevalue("program"))


def test_the_first_value_is_shown_when_the_next_one_agrees(shown: Shown) -> None:
    charger = Charger(stored=20_000)
    assert shown(charger.readings(4)) == [None, 20_000, 20_000, 20_000]


@pytest.mark.parametrize(("later", "agrees"), [(0, True), (10, True), (11, False), (-5, True), (-6, False)])
def test_the_next_reading_agrees_when_its_uptime_does(shown: Shown, later: int, agrees: bool) -> None:
    """An uptime that is counted by one's own clock goes back a little; no charger's goes back by more."""
    steps = [f"uptime {uptime} session 0 total 5000" for uptime in (1000, 1000 + later)]
    assert shown(*steps) == [None, 5000 if agrees else None]


def test_it_follows_the_charger(shown: Shown) -> None:
    charger = Charger(stored=20_000)
    steps = [charger.readings()]
    for _ in range(10):
        charger.charge(500)
        steps.append(charger.readings(2))
    charger.unplug()
    steps.append(charger.readings(2))
    values = shown(*steps)[2:]
    assert values == sorted(values) and values[-1] == 25_000


def test_a_restart_within_the_session_loses_nothing(shown: Shown) -> None:
    """Half an hour at 11 kW, then power off and on, then as long again: a running maximum stood still."""
    charger = Charger(stored=100_000)
    steps = [charger.readings()]
    charger.charge(5_500)
    steps.append(charger.readings())
    charger.restart()
    steps.append("forget " + charger.readings(4))
    charger.charge(5_500)
    steps.append(charger.readings())
    values = shown(*steps)
    assert [value for value in values if value is not None] == sorted(v for v in values if v is not None)
    assert values[-1] == 111_000


def test_restart_and_grown_past_the_old_mark_while_nobody_looked(shown: Shown) -> None:
    """Node and charger lost their power together; the car then took more than before."""
    charger = Charger(stored=5_000)
    steps = [charger.readings()]
    charger.charge(5_000)
    steps.append(charger.readings())
    charger.restart()
    charger.charge(6_000, seconds=3_600)
    steps.append("power " + charger.readings(4))
    assert shown(*steps)[-1] == 5_000 + 11_000


def ended_before_a_restart() -> tuple[Charger, list[str]]:
    """The charger with what was read of it until its session of 5 kWh ended; then it restarted."""
    charger = Charger(stored=5_000)
    steps = [charger.readings()]
    charger.charge(5_000)
    steps.append(charger.readings())
    charger.unplug()
    charger.restart()
    return charger, steps


def test_a_session_that_ended_before_the_restart_is_not_counted_twice(shown: Shown) -> None:
    charger, steps = ended_before_a_restart()
    steps.append("power " + charger.readings(4))
    charger.charge(100)
    steps.append(charger.readings())
    assert shown(*steps)[-1] == 10_100


def test_a_session_that_ended_is_not_counted_twice_when_the_next_one_is_read_late(shown: Shown) -> None:
    """The session's energy is read a moment after the total: less seems to be stored than was read last."""
    charger, steps = ended_before_a_restart()
    charger.charge(100)
    for _ in range(4):
        charger.charge(3)
        steps.append(f"uptime {charger.uptime} session {charger.session} total {charger.stored + charger.session - 3}")
    steps[-4] = "power " + steps[-4]
    assert shown(*steps)[-1] in range(10_100, 10_113)


def test_what_is_heard_after_a_silence_waits_for_the_uptime(shown: Shown) -> None:
    """Pushes of the energy come before the first heartbeat: whether the charger has restarted is not known then."""
    charger = Charger(stored=5_000)
    charger.charge(5_000)
    steps = [charger.readings()]
    charger.restart()
    charger.charge(4_000)
    pushes = f"session {charger.session} total {charger.stored + charger.session} " * 3
    steps.append("forget " + pushes + charger.readings(4))
    values = shown(*steps)
    assert values[-1] == 14_000
    assert [value for value in values if value is not None] == sorted(value for value in values if value is not None)


def test_the_same_session_goes_on_while_the_node_is_off(shown: Shown) -> None:
    charger = Charger(stored=5_000)
    charger.charge(5_000)
    steps = [charger.readings()]
    charger.charge(40_000, seconds=36_000)
    steps.append("power " + charger.readings(4))
    assert shown(*steps)[-1] == 50_000


def test_a_total_that_is_rounded_down_at_the_end_of_a_session_is_no_restart(shown: Shown) -> None:
    charger = Charger(stored=100_000)
    charger.charge(5_500)
    steps = [charger.readings()]
    charger.unplug()
    charger.stored -= 1
    steps.append(charger.readings(6))
    assert shown(*steps)[-1] == 105_500


@pytest.mark.parametrize("restarts", [1, 2, 5])
def test_restarts_one_after_the_other(shown: Shown, restarts: int) -> None:
    charger = Charger(stored=1_000)
    steps = [charger.readings()]
    for _ in range(restarts):
        charger.charge(2_000)
        steps.append(charger.readings())
        charger.restart()
        steps.append("forget " + charger.readings(4))
    assert shown(*steps)[-1] == 1_000 + 2_000 * restarts


def test_a_reset_within_a_session_begins_at_zero(shown: Shown) -> None:
    """Not at the session's energy: Home Assistant adds what a total begins with."""
    charger = Charger(stored=20_000)
    charger.charge(3_000)
    steps = [charger.readings()]
    charger.reset()
    steps.append("reset " + charger.readings())
    charger.charge(70)
    steps.append(charger.readings())
    charger.unplug()
    steps.append(charger.readings())
    values = shown(*steps)
    assert values[4:6] == [0, 0] and values[-1] == 70


def test_a_reset_by_somebody_else_is_seen(shown: Shown) -> None:
    charger = Charger(stored=20_000)
    charger.charge(3_000)
    steps = [charger.readings()]
    charger.reset()
    steps.append(charger.readings())
    charger.charge(70)
    steps.append(charger.readings())
    assert shown(*steps)[-1] == 70


@pytest.mark.parametrize("restarts", [False, True])
def test_a_reset_by_somebody_else_takes_nothing_of_what_was_charged_since(shown: Shown, restarts: bool) -> None:
    """Nobody looked: a consumer of a total that only grows takes what it sees after the reset for new energy."""
    charger = Charger(stored=100_000)
    charger.charge(5_500)
    steps = [charger.readings()]
    charger.reset()
    if restarts:
        charger.restart()
    charger.charge(3_000, seconds=3_600)
    steps.append("power " + charger.readings(4))
    assert shown(*steps)[-1] == 3_000


def test_a_reset_at_zero_does_not_stay_armed(shown: Shown) -> None:
    charger = Charger()
    steps = [charger.readings(), "reset " + charger.readings()]
    charger.charge(5_000)
    steps.append(charger.readings())
    charger.restart()
    steps.append("forget " + charger.readings(4))
    charger.charge(10)
    steps.append(charger.readings())
    assert shown(*steps)[-1] == 5_010


def test_a_restart_after_a_reset_in_the_same_session(shown: Shown) -> None:
    charger = Charger(stored=20_000)
    charger.charge(3_000)
    steps = [charger.readings()]
    charger.reset()
    steps.append("reset " + charger.readings())
    charger.charge(500)
    steps.append(charger.readings())
    charger.restart()
    steps.append("forget " + charger.readings(4))
    charger.charge(20)
    steps.append(charger.readings())
    assert shown(*steps)[-1] == 520


@pytest.mark.parametrize("wrong", [1, 25_03, 25_013, 24_003, 205_003, 95_003, 0, 20_003, 19_000])
@pytest.mark.parametrize("field", ["total", "session", "uptime"])
def test_a_damaged_line_is_never_shown(shown: Shown, field: str, wrong: int) -> None:
    charger = Charger(stored=20_000)
    charger.charge(5_000)
    steps = [charger.readings()]
    for _ in range(3):
        charger.charge(1)
        good = charger.reading().split()
        damaged = [
            str(wrong) if word_before == field else word for word_before, word in zip(["", *good], good, strict=False)
        ]
        steps += [" ".join(good), " ".join(damaged)]
        charger.charge(1)
        steps.append(charger.readings(2))
    steps.append(charger.readings(3))
    values = [value for value in shown(*steps) if value is not None]
    assert values == sorted(values) and max(values) == values[-1] == 25_006


@pytest.mark.parametrize("wrong", [1, 25_03, 24_003, 25_009, 205_003, 95_003, 0, 20_003, 19_000])
@pytest.mark.parametrize("field", ["total", "session"])
@pytest.mark.parametrize("count", [2, 3])
def test_equal_damage_in_a_row_is_never_shown(shown: Shown, count: int, field: str, wrong: int) -> None:
    """What comes again within a moment may be noise again; what is odd has to last."""
    charger = Charger(stored=20_000)
    charger.charge(5_000)
    steps = [charger.readings()]
    good = charger.reading()
    damaged = re.sub(rf"{field} \d+", f"{field} {wrong}", good)
    steps += [good, *[damaged] * count, charger.readings(3)]
    charger.charge(100)
    steps.append(charger.readings(4))
    values = [value for value in shown(*steps) if value is not None]
    assert values == sorted(values)
    assert 25_100 <= values[-1] <= 25_100 + (10 if wrong == 25_009 else 0)


@pytest.mark.parametrize("lag", [0, 13, 180, 700])
def test_total_and_session_of_different_moments(shown: Shown, lag: int) -> None:
    """The session's energy comes ``lag`` Wh late; a restart may then cost that much, and never more."""
    steps = [f"uptime {1000 + 4 * i} session {max(0, i * 100 - lag)} total {20_000 + i * 100}" for i in range(20)]
    steps.append("forget " + " ".join(f"uptime {3 + 4 * i} session 0 total 20000" for i in range(4)))
    values = [value for value in shown(*steps) if value is not None]
    assert values == sorted(values) and 21_800 - lag <= values[-1] <= 21_900


def test_a_total_beyond_32_bits_is_exact(shown: Shown) -> None:
    charger = Charger(stored=2**40)
    charger.charge(5)
    assert shown(charger.readings())[-1] == 2**40 + 5


@pytest.mark.parametrize("seed", range(40))
def test_in_any_order_of_things_the_total_is_what_was_delivered(shown: Shown, seed: int) -> None:
    """It never falls except at resets, and is what was delivered since the last one. Each thing is seen to its end."""
    dice = random.Random(seed)
    charger = Charger(stored=dice.randrange(500, 10**6))
    base, steps, truth = charger.stored, [charger.readings()], []
    for _ in range(60):
        doing = dice.choice(("charge", "charge", "charge", "unplug", "restart", "both", "node", "reset"))
        if doing == "charge":
            charger.charge(dice.randrange(1, 2_000), seconds=600)
        elif doing == "unplug":
            charger.unplug()
        elif doing == "reset":
            if charger.stored < 300:
                continue
            charger.reset()
            base = -charger.delivered
            steps.append("reset")
        elif doing == "node":
            steps.append("power")
        else:
            charger.restart()
            steps.append("power" if doing == "both" else "forget")
        steps.append(charger.readings(4))
        truth.append(base + charger.delivered)
    values = shown(*steps)[6::4]
    assert values == truth


@pytest.mark.parametrize("watts", [3_700, 11_000, 22_000])
@pytest.mark.parametrize("stored", [0, 90, 500])
def test_a_session_that_is_read_once_a_minute(program: Program, watts: int, stored: int) -> None:
    """The total is pushed every second and has just been reset: an old session made it fall, as at another reset."""
    charger = Charger(stored=stored)
    steps, session = [], 0
    for second in range(1200):
        charger.session = watts * second // 3600
        charger.uptime += 1
        if second % 60 == 0:
            session = charger.session
            steps.append(f"session {session}")
        if second % 4 == 0:
            steps.append(f"uptime {charger.uptime}")
        steps.append(f"total {charger.stored + charger.session}")
    values = [value for value in shown_by_component(program, *steps) if value is not None]
    assert values == sorted(values)
    assert values[-1] >= stored + watts * 1140 // 3600
