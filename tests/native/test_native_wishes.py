"""The contract of the client, beside the simulated charger: what becomes of wishes."""

from __future__ import annotations

import pytest

from tests.native.bench import LIVE, OLDER, Bench
from tests.native.harness import Program

WIFI = ("HOSTNAME", "INSTNAME", "WIFISTACFG", "WIFISTASTATIC")


STATION = 'text WIFISTACFG 1 "ssid / "password'


def test_wishes_for_one_command_are_merged_by_field(program: Program) -> None:
    bench = Bench(program, WIFI)
    bench.ask(STATION)
    bench.ask("write WIFISTACFG 0")
    bench.run(500)
    assert bench.writes == ['WIFISTACFG=0,"ssid","password"'] and bench.ends == ["WIFISTACFG held"]
    bench.forget()
    bench.run(11_000)
    bench.ask("write WIFISTACFG 1")
    bench.ask('text WIFISTACFG 0 "other')
    bench.run(500)
    assert bench.writes == ['WIFISTACFG=0,"other"']


def test_a_text_with_fewer_fields_leaves_those_behind_it(program: Program) -> None:
    bench = Bench(program, WIFI)
    bench.ask(STATION)
    bench.ask('text WIFISTACFG 0 "other')
    bench.run(500)
    assert bench.writes == ['WIFISTACFG=0,"other","password"']


def test_a_password_is_not_proven_by_the_name_of_its_network(program: Program) -> None:
    bench = Bench(program, WIFI)
    bench.charger.set("WIFISTACFG", 1, "ssid", "old")
    bench.ask(STATION)
    bench.run(500)
    assert bench.writes == ['WIFISTACFG=1,"ssid","password"'] and bench.ends == ["WIFISTACFG held"]


def test_after_a_restart_a_wish_is_looked_for_before_it_is_sent(program: Program) -> None:
    bench = Bench(program, LIVE)
    bench.restart()
    bench.run(1700)  # silent for so long that nothing is written before its uptime is known
    bench.ask("write ENABLE 1")
    bench.run(8000)
    assert bench.writes == [] and bench.ends == ["ENABLE held"]


def test_a_natural_script_is_carried_out_in_order(program: Program) -> None:
    bench = Bench(program, WIFI)
    bench.ask(STATION)
    bench.ask('text WIFISTASTATIC 1 "10.0.0.2 "10.0.0.1 "255.255.255.0 "10.0.0.1')
    bench.ask('text HOSTNAME "garage')
    bench.ask('text INSTNAME "left')
    bench.ask("raw at+state?")
    bench.ask("raw at+chcur?")
    bench.run(600)
    assert bench.writes == [
        'WIFISTACFG=1,"ssid","password"',
        'WIFISTASTATIC=1,"10.0.0.2","10.0.0.1","255.255.255.0","10.0.0.1"',
        'HOSTNAME="garage"',
        'INSTNAME="left"',
    ]
    assert bench.ends == ["WIFISTACFG held", "WIFISTASTATIC held", "HOSTNAME held", "INSTNAME held"]
    assert bench.told("raw_result") == ["raw_result ok"] * 2 and bench.told("raw_line +CHCUR") == [
        "raw_line +CHCUR=320"
    ]
    assert bench.count("at+") == 2


def test_what_an_automation_asks_for_when_it_is_told_something_is_done(program: Program) -> None:
    """It asks from inside the client: for more of the same, for something else, and for what has just ended."""
    bench = Bench(program, (*LIVE, "AUTH"))
    bench.ask("when values CHCUR 160: write CHCUR 200")
    bench.ask("when end CHCUR held: write ENABLE 0")
    bench.ask("when end ENABLE held: write ENABLE 1")
    bench.ask("when end AUTH held: run AUTH")
    bench.ask("when raw_result ok: raw AT+STATE?")
    bench.ask("write CHCUR 160")
    bench.run(500)
    assert bench.writes == ["CHCUR=160", "CHCUR=200", "ENABLE=0", "ENABLE=1"]
    assert bench.ends == ["CHCUR held", "ENABLE held", "ENABLE held"]
    bench.forget()
    bench.ask("run AUTH")
    bench.ask("raw AT+HEAP?")
    bench.run(500)
    assert bench.writes == ["AUTH", "AUTH"] and bench.ends == ["AUTH held"] * 2
    assert bench.told("raw_result") == ["raw_result ok"] * 2 and bench.count("AT+STATE?") == 1


def test_an_old_authorization_is_not_given(program: Program) -> None:
    bench = Bench(program, ("AUTH",))
    bench.faults.cable_out()
    bench.run(3000)
    bench.ask("run AUTH")
    bench.run(8000)
    bench.faults.cable_in()
    bench.run(9000)
    assert "AUTH" not in bench.writes and len(bench.ends) == 1


def test_the_queue_has_its_bounds(program: Program) -> None:
    bench = Bench(program, WIFI, run=0)
    for _ in range(21):
        bench.ask("raw at+state?")
    assert bench.told("no room") == ["no room for a raw command"]
    bench.run(3000)
    assert bench.told("raw_result") == ["raw_result ok"] * 20
    bench.forget()
    for _ in range(4):
        bench.ask("raw " + "at+" + "x" * 120)
    assert bench.told("no room") == ["no room for a raw command"]


def test_relative_steps_may_build_on_the_pending_wish(program: Program) -> None:
    bench = Bench(program, LIVE)
    assert bench.client.says("is_pending CHCUR") is False
    bench.ask("write CHCUR 101")
    bench.ask("write CHCUR 102")
    assert bench.client.says("is_pending CHCUR")
    bench.run(100)
    assert bench.writes == ["CHCUR=102"] and bench.ends == ["CHCUR held"]


def test_a_wish_in_every_loop_does_not_starve_the_reads(program: Program) -> None:
    bench = Bench(program, ("STATE", "CHCUR", "HEAP"), push=0)
    bench.forget()
    for step in range(6000):
        bench.ask(f"write CHCUR {60 + step % 200}")
        bench.run(3)
    assert bench.count("AT+CHCUR?") > 400 and bench.count("AT+UPTIME?") >= 4
    assert len(bench.shown("CHCUR")) > 100, "the charger's current is shown, even though ever newer ones are wished"
    bench.run(500)
    assert set(bench.ends) == {"CHCUR held"} and not bench.client.says("is_pending CHCUR")


def test_wishes_for_two_commands_in_every_loop_do_not_starve_the_heartbeat(program: Program) -> None:
    bench = Bench(program, ("STATE", "CHCUR", "CONSUMLIM"), push=0)
    bench.forget()
    for step in range(10_000):
        bench.ask(f"write CHCUR {60 + step % 200}")
        bench.ask(f"write CONSUMLIM {step}")
        bench.run(1)
    assert bench.count("AT+UPTIME?") >= 2


def test_writes_to_flash_are_held_back(program: Program) -> None:
    bench = Bench(program, ("DEFCHCUR",))
    for current in range(100, 160):
        bench.ask(f"write DEFCHCUR {current}")
        bench.run(100)
    assert bench.writes == ["DEFCHCUR=100"] and bench.told("held_back") == ["held_back DEFCHCUR"]
    bench.run(6000)
    assert bench.writes == ["DEFCHCUR=100", "DEFCHCUR=159"]
    first, second = (time for time, text in bench.sent if text.startswith("AT+DEFCHCUR="))
    assert 9_900 < second - first < 10_200


@pytest.mark.parametrize("before_ms", [0, 100, 1000, 4000])
def test_beside_a_wish_that_waits_for_the_flash_the_charger_is_shown(program: Program, before_ms: int) -> None:
    """It is at most 5 s old, although nobody pushes it."""
    bench = Bench(program, ("DEFCHCUR",), push=0)
    bench.ask("write DEFCHCUR 100")
    bench.run(4500 + before_ms)
    bench.set("DEFCHCUR", 130)
    bench.forget()
    bench.ask("write DEFCHCUR 110")
    bench.run(900)
    assert not bench.writes and bench.shown("DEFCHCUR")[-1] == "130"


def test_what_another_read_has_shown_is_not_written_to_the_flash(program: Program) -> None:
    """Noise has made an ERROR of both reads of the wish; then all is read again."""
    bench = Bench(program, ("DEFCHCUR",), push=0, DEFCHCUR=130)
    spoilt = []

    def spoil(data: bytes) -> bytes:
        if b"DEFCHCUR" not in data or len(spoilt) == 2:
            return data
        spoilt.append(data)
        return b"\nERROR\n"

    bench.spoil = spoil
    bench.ask("write DEFCHCUR 130")
    bench.ask("refresh")
    bench.run(1000)
    assert len(spoilt) == 2 and bench.ends == ["DEFCHCUR held"] and not bench.writes


def test_every_loop_another_wish_for_the_flash(program: Program) -> None:
    bench = Bench(program, ("DEFCHCUR",))
    for step in range(1900):
        bench.ask(f"write DEFCHCUR {100 + step % 2}")
        bench.run(16)
    assert 3 <= len(bench.writes) <= 4


def test_a_lost_write_to_flash_is_repeated_at_once(program: Program) -> None:
    bench = Bench(program, ("DEFCHCUR",))
    bench.faults.to_charger.drop = 1.0
    bench.ask("write DEFCHCUR 100")
    bench.run(15)
    bench.faults.to_charger.drop = 0.0
    bench.run(3000)
    assert bench.held("DEFCHCUR") == 100


def test_a_refused_write_is_told_and_backs_off(program: Program) -> None:
    bench = Bench(program, LIVE, MAXCHCUR=16, CHCUR=160)
    for _ in range(600):
        bench.ask("write CHCUR 320")
        bench.run(100)
    assert bench.ends[:1] == ["CHCUR refused"] and len(bench.writes) <= 26
    bench.ask("write CHCUR 160")
    bench.run(9000)
    assert bench.ends[-1] == "CHCUR held"


def test_an_ended_wish_is_followed_by_what_the_charger_holds(program: Program) -> None:
    bench = Bench(program, LIVE, MAXCHCUR=16, CHCUR=160)
    bench.forget()
    bench.ask("write CHCUR 320")
    bench.run(300)
    texts = [event.text for event in bench.events if "CHCUR" in event.text]
    assert texts == ["end CHCUR refused", "values CHCUR 160"]


def test_saturated_is_an_end_of_its_own(program: Program) -> None:
    bench = Bench(program, LIVE)
    bench.ask("write CHCUR 160 saturated")
    bench.run(300)
    assert bench.ends == ["CHCUR saturated"]


def test_dns_is_left_out_for_a_firmware_that_has_none(program: Program) -> None:
    bench = Bench(program, WIFI, firmware=OLDER)
    bench.ask('text WIFISTASTATIC 1 "10.0.0.2 "10.0.0.1 "255.255.255.0 "10.0.0.1')
    bench.run(300)
    assert bench.writes == ['WIFISTASTATIC=1,"10.0.0.2","10.0.0.1","255.255.255.0"']
    assert bench.ends == ["WIFISTASTATIC saturated"]


def test_a_damaged_line_takes_no_field_out_of_a_wish(program: Program) -> None:
    """Found by the fuzzer: it has fewer fields than the wish, as an older firmware's answer has."""
    bench = Bench(program, WIFI)
    bench.ask('text WIFISTASTATIC 1 "10.0.0.2 "10.0.0.1 "255.255.255.0 "10.0.0.1')
    bench.hear("+WIFISTASTATIC=zzz")
    bench.run(3000)
    assert set(bench.writes) == {'WIFISTASTATIC=1,"10.0.0.2","10.0.0.1","255.255.255.0","10.0.0.1"'}
    assert bench.ends == ["WIFISTASTATIC held"]


def test_a_clock_that_runs_on_is_set_once(program: Program) -> None:
    """The answer is lost, and the read-back comes a second later."""
    bench = Bench(program, ("TIME",))
    bench.faults.missing_answer("TIME")
    bench.ask("write TIME 1790000000")
    bench.run(6000)
    assert bench.writes == ["TIME=1790000000"]
    assert bench.ends == ["TIME held"]


def test_a_time_that_has_waited_is_written_as_late_as_it_is(program: Program) -> None:
    bench = Bench(program, ("TIME",))
    bench.restart()
    bench.run(100)
    asked_at = bench.client.now
    bench.ask("write TIME 1790000000")
    bench.run(9000)
    sent_at, line = next((moment, line) for moment, line in bench.sent if line.startswith("AT+TIME="))
    assert int(line.partition("=")[2]) - 1_790_000_000 == (sent_at - asked_at) // 1000 > 0
