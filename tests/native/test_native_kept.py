"""The contract of the client, beside the simulated charger: settings that are put back after a restart.

A wish, a kept value and a fact's digest are three things.
"""

from __future__ import annotations

import random
import re

import pytest

from tests.native.bench import LIVE, Bench, assert_put_back, paused
from tests.native.harness import Program


def test_kept_settings_are_put_back(program: Program) -> None:
    bench = paused(program)
    bench.restart()
    bench.run(6000)
    assert_put_back(bench)
    assert bench.writes == ["ENABLE=0", "CHCUR=100"]


@pytest.mark.parametrize("on_ms", [20, 500, 1000, 1300, 1500])
@pytest.mark.parametrize("off_ms", [2000, 60_000, 600_000])
def test_kept_settings_survive_power_that_flaps(program: Program, on_ms: int, off_ms: int) -> None:
    bench = paused(program)
    bench.power_off(2000)
    bench.run(on_ms)
    bench.power_off(off_ms)
    bench.run(8000)
    assert_put_back(bench)


def test_kept_settings_survive_many_flaps(program: Program) -> None:
    bench = paused(program)
    for seed in range(12):
        bench.power_off(random.Random(seed).choice((2000, 5000, 40_000)))
        bench.run(random.Random(seed).randrange(3000))
    bench.run(10_000)
    assert_put_back(bench)


@pytest.mark.parametrize(("noise", "before", "name"), [("+CHCUR=60", 160, "CHCUR"), ("+ENABLE=1", 0, "ENABLE")])
@pytest.mark.parametrize("later", [0, 3, 700, 3900])
@pytest.mark.parametrize("times", [1, 2, 4])
def test_noise_is_never_written_back(
    program: Program, noise: str, before: int, name: str, later: int, times: int
) -> None:
    bench = Bench(program, LIVE, "keep_settings", push=0, run=0, **{name: before})
    bench.run(4000)
    bench.hear("\n\n".join([noise] * times))
    bench.run(later)
    bench.restart()
    bench.run(10_000)
    assert bench.held(name) == before
    assert not [write for write in bench.writes if write == noise[1:]]


@pytest.mark.parametrize("count", [1, 3, 5])
def test_a_burst_of_noise_in_place_of_an_answer_is_never_written_back(program: Program, count: int) -> None:
    """The charger restarts before its OK: whatever came behind the question was no answer."""
    bench = Bench(program, LIVE, "keep_settings", push=0, run=0, CHCUR=160)
    bench.run(4000)
    bench.spoil = lambda data: b"\n+CHCUR=60\n" * count if b"+CHCUR=" in data else data
    bench.hear("+CHCUR=60")
    bench.run(20)
    bench.spoil = lambda data: data
    bench.restart()
    bench.run(10_000)
    assert bench.held("CHCUR") == 160
    assert "CHCUR=60" not in bench.writes


@pytest.mark.parametrize("count", [2, 5])
def test_a_burst_of_noise_behind_the_question_for_the_uptime_is_no_restart(program: Program, count: int) -> None:
    bench = Bench(program, LIVE, "keep_settings")
    bench.run(60_000)
    bench.spoil = lambda data: data.replace(b"\n+UPTIME=", b"\n+UPTIME=7\n" * count + b"\n+UPTIME=")
    bench.run(5000)
    bench.spoil = lambda data: data
    bench.run(5000)
    assert bench.client.counters()["reboots"] == 0


def test_what_somebody_has_set_at_the_charger_is_kept_too(program: Program) -> None:
    bench = paused(program)
    bench.set("CHCUR", 130)
    bench.run(9000)
    bench.restart()
    bench.run(6000)
    assert bench.held("CHCUR") == 130


@pytest.mark.parametrize("after_ms", [100, 500, 1000, 1200, 1300, 2000])
def test_a_pause_at_the_charger_right_behind_its_start_is_not_undone(program: Program, after_ms: int) -> None:
    """It starts with charging allowed: if it is not, somebody has just paused it."""
    bench = Bench(program, LIVE, "keep_settings")
    bench.ask("write ENABLE 1")
    bench.ask("write CHCUR 100")
    bench.run(1000)
    bench.restart()
    bench.run(2000 + after_ms)
    bench.set("ENABLE", 0)
    bench.run(8000)
    assert bench.held("ENABLE") == 0 and bench.held("CHCUR") == 100
    bench.restart()
    bench.run(6000)
    assert_put_back(bench)


def test_a_wish_goes_before_what_is_kept(program: Program) -> None:
    bench = paused(program)
    bench.restart()
    bench.run(2500)
    bench.ask("write CHCUR 60")
    bench.run(4000)
    assert bench.held("CHCUR") == 60 and bench.held("ENABLE") == 0
    assert "CHCUR=100" not in bench.writes


def test_a_refused_wish_does_not_cost_what_is_kept(program: Program) -> None:
    bench = paused(program)
    bench.restart()
    bench.run(2500)
    bench.ask("write CHCUR 600")
    bench.run(6000)
    assert "CHCUR refused" in bench.ends
    assert_put_back(bench)


def test_a_wish_that_the_charger_took_but_nobody_read_back_is_not_undone(program: Program) -> None:
    bench = paused(program)
    bench.restart()
    bench.run(2500)
    bench.ask("write CHCUR 60")
    while "CHCUR=60" not in bench.writes:
        bench.run(1)
    bench.spoil = lambda data: re.sub(rb"\n\+CHCUR=\d+\n(\nOK\n)?", b"", data)
    bench.run(32_000)
    assert bench.ends[0] == "CHCUR unanswered" and bench.held("CHCUR") == 60
    bench.spoil = lambda data: data
    bench.run(8000)
    assert bench.held("CHCUR") == 60 and bench.shown("CHCUR")[-1] == "60"
    bench.restart()
    bench.run(6000)
    assert bench.held("CHCUR") == 60


def test_a_wish_that_never_left_does_not_cost_what_is_kept(program: Program) -> None:
    bench = paused(program)
    bench.charger.power_off(bench.client.now / 1000)
    bench.run(10_000)
    bench.ask("write CHCUR 60")
    bench.power_off(40_000)
    bench.run(8000)
    assert "CHCUR expired" in bench.ends
    assert_put_back(bench)


def test_a_wish_that_never_left_is_not_taken_for_what_the_charger_begins_with(program: Program) -> None:
    bench = paused(program)
    bench.set("DEFCHCUR", 60)
    bench.restart()
    bench.run(2500)
    bench.spoil = lambda _: b""
    bench.ask("write CHCUR 60")
    bench.run(32_000)
    assert bench.ends[0] == "CHCUR expired"
    bench.spoil = lambda data: data
    bench.run(8000)
    assert_put_back(bench)


def test_what_the_charger_refuses_is_not_put_back_for_ever(program: Program) -> None:
    bench = paused(program)
    bench.ask("write CHCUR 320")
    bench.run(500)
    bench.set("MAXCHCUR", 16)
    bench.set("DEFCHCUR", 160)
    bench.restart()
    bench.run(30_000)
    assert bench.writes.count("CHCUR=320") == 3 and bench.shown("CHCUR")[-1] == "160"
    assert bench.ends[-1] == "CHCUR refused"
