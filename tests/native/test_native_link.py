"""The contract of the client, beside the simulated charger: when it may speak, and what it believes."""

from __future__ import annotations

import random
import re

import pytest

from tests.native.bench import LIVE, Bench, assert_put_back, paused
from tests.native.harness import Program


@pytest.mark.parametrize("buffer", [0, 256, 1024])
@pytest.mark.parametrize("blocked", [1000, 1500, 2050, 2300, 2900, 4000, 10_000])
@pytest.mark.parametrize("phase", [0, 300, 950])
def test_after_a_blocked_loop_nothing_is_written_early(program: Program, blocked: int, phase: int, buffer: int) -> None:
    """At any phase of a restart, with RDY in the backlog or lost with it."""
    bench = paused(program)
    bench.restart()
    bench.run(phase)
    bench.block(blocked, buffer)
    bench.ask("write ENABLE 0")
    bench.run(8000)
    assert bench.writes
    assert_put_back(bench)


@pytest.mark.parametrize("gap", [2600, 3000, 3500, 4500])
def test_two_restarts_in_a_row_the_second_behind_a_blocked_loop(program: Program, gap: int) -> None:
    """The uptime is again about what it was, and RDY was lost: settings must be put back nevertheless."""
    bench = paused(program)
    bench.restart()
    bench.run(gap + 900)
    bench.restart()
    bench.block(3000, 0)
    bench.run(8000)
    assert_put_back(bench)


def test_after_a_blocked_loop_everything_is_proven_anew(program: Program) -> None:
    bench = paused(program)
    bench.block(1500)
    bench.ask("write CHCUR 60")
    bench.run(500)
    texts = [text for _, text in bench.sent]
    assert texts[:3] == ["~", "AT+VER?", "AT+UPTIME?"] and "AT+CHCUR=60" in texts[3:]
    assert not bench.told("restart")


def test_stale_uptimes_are_no_restart(program: Program) -> None:
    """Two of them wait in the buffer; somebody has paused meanwhile."""
    bench = Bench(program, LIVE, "keep_settings")
    bench.ask("subscribe UPTIME 4200")
    bench.run(10_000)
    bench.block(10_000)
    bench.set("ENABLE", 0)
    bench.forget()
    bench.run(10_000)
    assert not bench.told("restart") and bench.writes == [] and bench.held("ENABLE") == 0


@pytest.mark.parametrize("wrong", [3, 111])
@pytest.mark.parametrize("times", [1, 2])
def test_an_odd_uptime_is_no_restart(program: Program, wrong: int, times: int) -> None:
    """A digit was lost or doubled, twice in a row: the settings must not be written again because of it."""
    bench = paused(program)
    bench.run(10_000)
    odd = iter([b"+UPTIME=%d\n" % wrong] * times)
    bench.spoil = lambda data: re.sub(rb"\+UPTIME=\d+\n", lambda found: next(odd, found[0]), data)
    bench.forget()
    bench.run(10_000)
    assert next(odd, None) is None
    assert not bench.told("restart") and bench.writes == []


def test_a_barrier_needs_an_answer_that_names_itself(program: Program) -> None:
    """Some OK may be that of a command long ago."""
    bench = paused(program)
    bench.spoil = lambda data: re.sub(rb"\+VER=[^\n]*\n", b"", data)
    bench.block(1500)
    bench.forget()
    bench.run(4000)
    assert "AT+VER?" in [text for _, text in bench.sent]
    assert {text for _, text in bench.sent} <= {"~", "AT+VER?"}


def test_the_barrier_is_sent_whatever_came_before_it(program: Program) -> None:
    """A result right behind the one that lost its value is not the barrier's."""
    bench = paused(program)
    bench.spoil = lambda data: re.sub(rb"\n\+UPTIME=\d+\n\nOK\n", b"\nOK\n\nERROR\n", data)
    bench.run(6000)
    texts = [text for _, text in bench.sent]
    assert "AT+VER?" in texts
    assert texts[texts.index("AT+VER?") - 1] == "~"


def test_what_waited_for_a_slow_loop_is_as_old_as_the_loop_before(program: Program) -> None:
    """Nothing is pushed and RDY is lost: only the silence tells that the charger has started again."""
    bench = Bench(program, LIVE, push=0)
    bench.forget()
    while not bench.times("AT+UPTIME?"):
        bench.run(10)
    bench.run(50)
    bench.ask("write CHCUR 100")
    while not bench.times("AT+CHCUR?"):
        bench.run(1)
    bench.block(300)
    bench.restart()
    bench.spoil = lambda data: data.replace(b"RDY", b"")
    bench.block(650)
    bench.run(1400)
    bench.ask("write CHCUR 60")
    bench.run(5000)
    assert bench.held("CHCUR") == 60 and not bench.charger.journal.violations


def test_a_short_hiccup_changes_nothing(program: Program) -> None:
    bench = paused(program)
    bench.block(900)
    bench.ask("write CHCUR 60")
    bench.run(200)
    assert "~" not in [text for _, text in bench.sent] and bench.ends == ["CHCUR held"]


def test_the_first_ready_is_no_restart(program: Program) -> None:
    bench = Bench(program, LIVE, run=0)
    bench.restart()
    bench.run(6000)
    assert bench.told("restart") == ["restart first_ready"] and bench.client.counters()["reboots"] == 0
    bench.restart()
    bench.run(6000)
    assert bench.told("restart")[1:] == ["restart ready"] and bench.client.counters()["reboots"] == 1


def errors_only(data: bytes) -> bytes:
    """As if something spoilt the begin of every command."""
    return re.sub(rb"(\n\+[^\n]*\n)*\nOK\n", b"\nERROR\n", data)


def test_a_line_that_spoils_every_command_is_no_charger(program: Program) -> None:
    """Each is answered, with ERROR. It is knocked at ever more seldom, and back at once when it gets well."""
    bench = Bench(program, ("STATE",), run=0)
    bench.spoil = errors_only
    bench.run(20_000)
    assert not bench.told("online") and not bench.shown("STATE") and 10 < bench.count("~") < 80
    bench.spoil = lambda data: data
    bench.run(1000)
    assert bench.told("online") and bench.shown("STATE")


@pytest.mark.parametrize("restart", [False, True])
def test_a_line_that_spoils_every_command_from_now_on_is_lost(program: Program, restart: bool) -> None:
    """Nothing is pushed any more: what was shown would be shown for ever."""
    bench = Bench(program, ("STATE",), push=0)
    bench.forget()
    bench.spoil = errors_only
    if restart:
        bench.restart()
    bench.run(30_000)
    assert bench.told("offline") == ["offline"] and not bench.client.says("is_online")
    bench.spoil = lambda data: data
    bench.run(3000)
    assert bench.told("online") == ["online"]


def test_on_a_clean_line_a_value_is_believed_at_once(program: Program) -> None:
    bench = Bench(program, ("STATE",))
    bench.forget()
    bench.hear("+STATE=4")
    assert bench.shown("STATE") == ["4"]


def test_after_damage_a_changed_value_is_believed_when_it_has_come_three_times(program: Program) -> None:
    bench = Bench(program, ("STATE", "EMETERPOWER"), push=0, STATE=1)
    bench.hear("+ST\x01ATE=1")
    bench.forget()
    bench.hear("+STATE=4")
    bench.run(100)
    assert set(bench.shown("STATE")) <= {"1"}
    bench.set("STATE", 4)
    bench.hear("+STATE=4")
    bench.run(30)
    assert bench.shown("STATE")[-1] == "4"
    bench.run(61_000)
    bench.hear("+STATE=2")
    assert bench.shown("STATE")[-1] == "2"


def test_what_noise_said_and_was_wrong_does_not_count_later(program: Program) -> None:
    """The true value came between: the same noise once more is the first time again."""
    bench = Bench(program, ("STATE", "ERROR"), push=0, STATE=1, ERROR=0)
    bench.hear("+ST\x01ATE=1")
    bench.forget()
    for _ in range(3):
        bench.hear("+ERROR=2")
        bench.run(5000)  # it is read again, and the charger says 0
    assert set(bench.shown("ERROR")) <= {"0"}


def test_hardly_a_wrong_state_is_shown_on_a_bad_line(program: Program) -> None:
    """1 % of the bytes are spoilt during 200 writes: at most 2 wrong states, and none is written back."""
    bench = Bench(program, ("STATE", "ERROR", *LIVE), "keep_settings", STATE=1, ERROR=0)
    dice = random.Random(7)
    bench.forget()

    def spoil(data: bytes) -> bytes:
        return bytes(dice.randrange(0x20, 0x7F) if dice.random() < 0.01 else byte for byte in data)

    bench.spoil = spoil
    for number in range(200):
        bench.ask(f"write CHCUR {60 + number}")
        bench.run(300)
    wrong = [text for text in bench.shown("STATE") if text != "1"] + [
        text for text in bench.shown("ERROR") if text != "0"
    ]
    assert len(wrong) <= 2
    assert sum(end == "CHCUR held" for end in bench.ends) > 100
    assert {write.partition("=")[0] for write in bench.writes} == {"CHCUR"}


@pytest.mark.parametrize("after_ms", [1, 40, 500, 1000, 1500, 2600, 4000])
def test_a_clock_that_wraps_around_changes_nothing(program: Program, after_ms: int) -> None:
    """The counter of 32 bits begins again so long after the client's start."""

    def sent(clock: int) -> list[tuple[int, str]]:
        bench = Bench(program, LIVE, clock=clock)
        bench.ask("write CHCUR 100")
        bench.run(500)
        bench.restart()
        bench.run(6000)
        return bench.sent

    assert sent(2**32 - after_ms) == sent(1_000_000)
