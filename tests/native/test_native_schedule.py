"""The contract of the client, beside the simulated charger: what it asks for, and how often."""

from __future__ import annotations

import re

from evse_host.simulator.board import FIRMWARES
from tests.native.bench import OLDER, Bench
from tests.native.harness import Program


def test_subscriptions_of_an_earlier_life_are_stopped(program: Program) -> None:
    bench = Bench(program, ("STATE",), run=0)
    bench.charger.receive(b'AT+SUB="+HEAP",100\n', 0.0)
    bench.run(3000)
    assert [each.name for each in bench.charger.subscriptions] == ["+STATE"]
    assert bench.count('AT+UNSUB=""') == 1
    bench.restart()
    bench.run(6000)
    assert bench.count('AT+UNSUB=""') == 1, "after RDY there are none"


def test_what_the_firmware_lacks_is_not_asked_again(program: Program) -> None:
    bench = Bench(program, ("STATE", "TZ", "TZRULE"), firmware=OLDER)
    assert bench.told("lacking") == ["lacking TZ", "lacking TZRULE"]
    bench.ask("refresh")
    bench.run(1_210_000)
    assert len(bench.times("AT+TZ?")) == 4 and len(bench.told("lacking")) == 2
    bench.charger.firmware = FIRMWARES["head"]
    bench.restart()
    bench.run(6000)
    assert bench.shown("TZ")


def test_noise_does_not_bring_a_command_into_the_firmware(program: Program) -> None:
    bench = Bench(program, ("STATE", "TZ"), firmware=OLDER)
    bench.forget()
    bench.hear('+TZ="Europe/Prague"')
    bench.hear('+TZ="Europe/Prague"')
    bench.run(60_000)
    asked = len(bench.times("AT+TZ?"))
    assert asked <= 8 and bench.told("lacking") == ["lacking TZ"]
    bench.run(480_000)
    assert len(bench.times("AT+TZ?")) == asked


def test_what_a_downgrade_takes_away_is_told(program: Program) -> None:
    bench = Bench(program, ("STATE", "TZ"))
    assert bench.shown("TZ") and not bench.told("lacking")
    bench.charger.firmware = FIRMWARES[OLDER]
    bench.restart()
    bench.run(6000)
    assert bench.told("lacking") == ["lacking TZ"]


def test_what_nothing_pushes_is_polled_but_no_fact(program: Program) -> None:
    bench = Bench(program, ("CHCUR", "VER"), push=0)
    bench.forget()
    bench.set("CHCUR", 100)
    bench.run(125_000)
    assert bench.count("AT+CHCUR?") == 2 and bench.count("AT+VER?") == 0 and bench.shown("CHCUR") == ["100"] * 2


def test_a_refused_subscription_is_polled_instead(program: Program) -> None:
    bench = Bench(program, ("STATE",), run=0)
    bench.refuse_subscriptions()
    bench.run(60_000)
    assert bench.count("AT+SUB") == 2 and 12 <= bench.count("AT+STATE?") <= 18


def test_only_its_own_lines_are_those_of_a_raw_command(program: Program) -> None:
    bench = Bench(program, ("STATE", "CHCUR", "AUTH"))
    bench.ask("raw at+ch?")
    while not bench.times("at+ch?"):
        bench.run(1)
    bench.hear("+STATE=1")
    bench.hear("+CHCUR=160")
    assert bench.told("raw_line") == ["raw_line +CHCUR=160"]


def test_a_list_that_is_cut_is_not_complete(program: Program) -> None:
    bench = Bench(program, ("AUXINPUTS",), run=0)
    bench.spoil = lambda data: re.sub(rb"(\+AUXINPUTS=[^\n]*\n).*", rb"\1", data, flags=re.DOTALL)
    bench.run(6000)
    assert set(bench.told("lines_end")) == {"lines_end AUXINPUTS failed"}
    bench.spoil = lambda data: data
    bench.run(6000)
    assert bench.told("lines_end")[-1] == "lines_end AUXINPUTS ok"
