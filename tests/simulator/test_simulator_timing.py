"""Answers, pushes and the input buffer in time."""

from itertools import pairwise

import pytest

from evse_host.simulator import Board, Car


def pushes(bench, seconds, line):
    return [moment for moment, data in bench.timeline(seconds) if line in data]


def gaps(moments):
    return {round(later - earlier, 3) for earlier, later in pairwise(moments)}


@pytest.mark.parametrize(
    ("firmware", "period", "real"),
    [("head", 100, 0.26), ("head", 260, 0.26), ("head", 261, 0.26), ("head", 300, 0.52), ("head", 1000, 1.04),
     ("head", 0, 0.26), ("v2.1.1", 100, 0.10), ("v2.1.1", 250, 0.30), ("v2.1.1", 1000, 1.0),
     ("head", 42_949_673, 0.26)],
)  # fmt: skip
def test_periods_are_multiples_of_the_loop(new_bench, firmware, period, real):
    bench = new_bench(firmware=firmware)
    bench.send(f'AT+SUB="+STATE",{period}\n')
    bench.run(2)  # the first gap depends on when the command came
    moments = pushes(bench, 10, b"\n+STATE=0\n")
    assert len(moments) >= 9 and gaps(moments) == {real}


def test_the_largest_honest_period_does_not_wrap(bench):
    bench.send(b'AT+SUB="+STATE",42949671\n')
    assert pushes(bench, 60, b"+STATE") == []


def test_the_first_push_follows_the_ok_at_once(bench):
    assert bench.send(b'AT+SUB="+STATE",1000\n', 0.01) == b"\nOK\n\n+STATE=0\n"


def test_soon_after_boot_the_first_push_waits_for_the_uptime(new_bench):
    bench = new_bench(running=False)
    bench.run(3.1)
    assert bench.send(b'AT+SUB="+STATE",10000\n', 0.05) == b"\nOK\n"
    (first,) = pushes(bench, 10, b"+STATE")
    assert bench.now - 10 + first == pytest.approx(10, abs=0.27)


def test_subscribing_again_only_changes_the_period(bench):
    bench.send(b'AT+SUB="+STATE",60000\n')
    assert bench.send(b'AT+SUB="+STATE",100\n', 0.05) == b"\nOK\n"
    assert gaps(pushes(bench, 2, b"+STATE")[1:]) == {0.26}
    assert len(bench.charger.subscriptions) == 1


def test_a_burst_has_the_newest_first_and_never_splits_an_answer(bench):
    for name in ("STATE", "ENABLE", "ERROR"):
        bench.send(f'AT+SUB="+{name}",0\n')
    assert bench.run(0.3) == b"\n+ERROR=0\n\n+ENABLE=1\n\n+STATE=0\n"
    answer = bench.send(b"AT+CHIP?\n", 0.02)
    assert answer == b'\n+CHIP="esp32s3",2,2\n\nOK\n\n+ERROR=0\n\n+ENABLE=1\n\n+STATE=0\n'


def test_pushes_wait_until_all_commands_are_answered(bench):
    bench.send(b'AT+SUB="+ERROR",0\n')
    answer = bench.send(b"AT+STATE?\nAT+ENABLE?\n", 0.05)
    assert answer == b"\n+STATE=0\n\nOK\n\n+ENABLE=1\n\nOK\n\n+ERROR=0\n"


def test_without_a_period_the_charger_takes_the_number_it_handled_last(bench):
    bench.ask("AT+CONSUMLIM=5000")
    bench.ask('AT+SUB="+STATE"')
    assert [entry.period for entry in bench.charger.subscriptions] == [5000]
    bench.ask('AT+UNSUB=""')
    bench.ask("AT+UPTIME?")
    bench.ask('AT+SUB="+STATE"')
    assert [entry.period for entry in bench.charger.subscriptions] == [3600]


@pytest.mark.parametrize("name", ['"STATE"', '"+state"', '"+STAT"', '"+NOSUCH"', '"AT+STATE"', "+STATE", '""'])
def test_a_subscribed_name_must_be_exact(bench, name):
    assert bench.write("SUB", f"{name},100") == "ERROR"
    assert bench.charger.subscriptions == []


def test_unsubscribe_one_and_all(bench):
    for name in ("STATE", "ENABLE", "ERROR"):
        bench.send(f'AT+SUB="+{name}",0\n')
    assert bench.send(b'AT+UNSUB="+ENABLE"\n', 0.05) == b"\nOK\n\n+ERROR=0\n\n+STATE=0\n"
    assert bench.send(b'AT+UNSUB="STATE"\n', 0.05).startswith(b"\nERROR\n")
    assert bench.send(b'AT+UNSUB=""\n', 0.05) == b"\nOK\n"
    assert bench.run(3) == b""


@pytest.mark.parametrize("name", ["+CMD", "+RST", "+AUTH", "+WIFIAPSCAN", "E0", "E1", "+SUB", "+UNSUB"])
def test_what_cannot_be_read_is_accepted_and_pushes_nothing(bench, name):
    assert bench.send(f'AT+SUB="{name}",100\n') == b"\nOK\n"
    assert bench.run(2) == b""
    assert bench.send(b"AT\n") == b"\nOK\n"


@pytest.mark.parametrize("name", ["SERIALS", "AUXINPUTS", "AUXOUTPUTS", "AUXANALOGINPUTS"])
def test_a_list_subscription_hangs_until_a_power_cycle(charging, name):
    energy = charging.charger.value("EMETERTOTCONSUM")
    assert charging.send(f'AT+SUB="+{name}",1000\n') == b"\nOK\n"
    assert charging.send(b"AT\n", 600) == b""
    assert charging.charger.hung and not charging.charger.ready
    assert charging.charger.value("EMETERTOTCONSUM") > energy  # two cores: it charges on
    assert [violation.kind for violation in charging.charger.journal.violations] == ["list subscription"]
    charging.charger.power_cycle(charging.now)
    assert charging.run(2.5) == b"\n\nRDY\n\0"
    assert charging.send(b"AT\n") == b"\nOK\n"


def test_a_hung_task_starves_a_single_core_chip(new_bench):
    bench = new_bench(board=Board(chip="esp32c3", cores=1), car=Car(plugged=True))
    bench.wait_state("C2")
    bench.send(b'AT+SUB="+SERIALS",0\n')
    bench.charger.car.unplug()
    bench.run(60)
    assert bench.charger.point.state == "C2"


def test_a_read_is_answered_within_milliseconds(bench):
    bench.send(b"AT+STATE?\n", 0)
    ((moment, _),) = bench.timeline(0.05)
    assert 0.001 <= moment <= 0.005


def test_settings_of_the_control_loop_wait_for_it(bench):
    bench.send(b"AT+CHCUR=70\n", 0)
    ((moment, _),) = bench.timeline(0.05)
    assert 0.010 <= moment <= 0.020


def test_a_self_test_delays_settings_by_half_a_second(new_bench):
    bench = new_bench(board=Board(rcm=True), car=Car(plugged=True))
    bench.wait_state("B1")
    bench.send(b"AT+ENABLE=0\n", 0)
    ((moment, _),) = bench.timeline(1.0)
    assert 0.4 <= moment <= 0.6


def test_a_scan_takes_two_seconds_and_is_deaf(bench):
    bench.send(b"AT+WIFIAPSCAN\n", 0.05)
    bench.send(b"AT+STATE?\n", 0)
    answer = bench.timeline(3)
    assert answer[0][0] == pytest.approx(1.96, abs=0.02)
    assert b"".join(data for _, data in answer) == (
        b'\n+WIFIAPSCAN="home",1,-58\n'
        b'\n+WIFIAPSCAN="Caf\xc3\xa9 \\"Zur Post\\", 1. Stock",1,-71\n'
        b'\n+WIFIAPSCAN="",0,-88\n\nOK\n'
        b"\n+STATE=0\n\nOK\n"
    )


def test_beyond_128_outstanding_bytes_whole_blocks_are_lost_and_halves_are_glued(bench):
    bench.send(b"AT+WIFIAPSCAN\n", 0.1)
    for data in (b"AT+STATE?\n" * 11, b"AT+CHCUR=2", b"00\nAT+CHTIMELIM=", b"50\n"):  # 110, 10, 16 and 3 bytes
        bench.send(data, 0.01)
    answer = bench.run(3)
    assert answer.count(b"+STATE=0") == 11
    assert answer.endswith(b"\n+STATE=0\n\nOK\n\nOK\n")
    assert bench.charger.value("CHCUR") == (250,)  # which nobody asked for
    assert [(entry.kind, entry.line) for entry in bench.charger.journal.violations] == [
        ("overrun", b"00\nAT+CHTIMELIM=")
    ]


def test_exactly_128_outstanding_bytes_fit(bench):
    bench.send(b"AT+WIFIAPSCAN\n", 0.1)
    bench.send(b"AT+STATE?\n" * 12 + b"AT+TEMP?", 0.01)
    assert bench.charger.journal.violations == []
    bench.send(b"\n", 0.01)
    assert [violation.kind for violation in bench.charger.journal.violations] == ["overrun"]


def test_a_push_burst_makes_the_charger_busy(bench):
    for name in ("WIFISTAMAC", "WIFISTACFG", "BUILDTIME", "EMETERVOLTAGE", "EMETERCURRENT"):
        bench.send(f'AT+SUB="+{name}",0\n')
    bench.run(0.3)
    burst = bench.charger.next_event(bench.now)
    bench.run(burst - bench.now)
    bench.send(b"AT\n", 0)
    moments = [moment for moment, data in bench.timeline(0.1) if b"OK" in data]
    assert moments[0] > 0.015  # 200 bytes at 87 us


def test_next_event_tells_when_to_look_again(bench):
    bench.send(b'AT+SUB="+STATE",1000\n', 0.5)
    emitted = 0
    for _ in range(8):
        bench.now = bench.charger.next_event(bench.now)
        emitted += bench.charger.advance(bench.now).count(b"+STATE")
    assert emitted == 2
