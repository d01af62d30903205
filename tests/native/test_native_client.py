"""The contract of the AT client, sentence by sentence, beside the simulated charger."""

from __future__ import annotations

import random
import re

import pytest

from evse_host.simulator.board import FIRMWARES
from tests.native.bench import OLDER, Bench
from tests.native.harness import Program

LIVE = ("ENABLE", "CHCUR")
WIFI = ("HOSTNAME", "INSTNAME", "WIFISTACFG", "WIFISTASTATIC")

# --- kept settings (a wish, a kept value and a fact's digest are three things) ---------------------------------------


def paused(program: Program) -> Bench:
    bench = Bench(program, LIVE, "keep_settings")
    bench.ask("write ENABLE 0")
    bench.ask("write CHCUR 100")
    bench.run(500)
    assert bench.ends == ["ENABLE held", "CHCUR held"]
    bench.forget()
    return bench


def assert_put_back(bench: Bench) -> None:
    assert not bench.charger.journal.violations
    assert bench.held("ENABLE") == 0 and bench.held("CHCUR") == 100


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
@pytest.mark.parametrize("times", [1, 2])
def test_noise_is_never_written_back(
    program: Program, noise: str, before: int, name: str, later: int, times: int
) -> None:
    bench = Bench(program, LIVE, "keep_settings", push=0, run=0, **{name: before})
    bench.run(4000)
    for _ in range(times):
        bench.hear(noise)
    bench.run(later)
    bench.restart()
    bench.run(10_000)
    assert bench.held(name) == before
    assert not [write for write in bench.writes if write == noise[1:]]


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


# --- wishes ----------------------------------------------------------------------------------------------------------

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
    for _ in range(5):
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


# --- evidence of life -------------------------------------------------------------------------------------------------


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


def test_one_odd_uptime_is_no_restart(program: Program) -> None:
    """A digit was lost: the settings must not be written again because of it."""
    bench = paused(program)
    bench.run(10_000)
    odd = iter([b"+UPTIME=3\n"])
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


# --- schedule ---------------------------------------------------------------------------------------------------------


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


# --- trust follows the line -------------------------------------------------------------------------------------------


def test_on_a_clean_line_a_value_is_believed_at_once(program: Program) -> None:
    bench = Bench(program, ("STATE",))
    bench.forget()
    bench.hear("+STATE=4")
    assert bench.shown("STATE") == ["4"]


def test_after_damage_a_changed_value_is_believed_when_it_comes_twice(program: Program) -> None:
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
