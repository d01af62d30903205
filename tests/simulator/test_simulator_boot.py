"""Boot, restart, crash: what the charger says, keeps and forgets."""

import pytest

from evse_host.simulator import Board, Car

READY = b"\n\nRDY\n\0"


def test_power_on_says_rdy_after_two_seconds_and_loses_what_came_before(new_bench):
    bench = new_bench(running=False)
    assert not bench.charger.ready
    assert bench.send(b"AT\n", 1.99) == b""
    assert bench.run(0.02) == READY
    assert bench.send(b"AT\n") == b"\nOK\n"


def test_restart_serves_five_more_seconds(bench):
    assert bench.send(b"AT+RST\n", 4.9) == b"\nOK\n"
    assert bench.send(b"AT+STATE?\n") == b"\n+STATE=0\n\nOK\n"
    assert bench.send(b"", 0.1) == b""
    assert bench.send(b"AT+STATE?\n", 1.9) == b""  # lost during the boot
    assert bench.run(0.2) == READY


def test_a_second_restart_command_does_not_postpone_the_first(bench):
    bench.send(b"AT+RST\n", 3)
    bench.send(b"AT+RST\n", 1.9)
    assert bench.run(2.2) == READY
    assert bench.run(10) == b""


def test_half_a_command_does_not_survive(bench):
    bench.send(b"AT+ENABLE")
    bench.charger.reboot(bench.now)
    bench.run(3)
    assert bench.send(b"=0\n") == b"\nERROR\n"
    assert bench.charger.value("ENABLE") == (1,)


def test_after_a_restart_the_uptime_begins_anew(bench):
    assert int(bench.read("UPTIME")) == 3600
    bench.charger.reboot(bench.now)
    bench.run(3.5)
    assert bench.read("UPTIME") == "3"


@pytest.mark.parametrize(
    ("name", "argument", "afterwards"),
    [
        ("MAXCHCUR", "20", "20"),
        ("DEFCHCUR", "100", "100"),
        ("DEFCONSUMLIM", "7", "7"),
        ("DEFCHTIMELIM", "8", "8"),
        ("DEFUNDERPOWERLIM", "9", "9"),
        ("REQAUTH", "1", "1"),
        ("HOSTNAME", '"garage"', '"garage"'),
        ("WIFISTACFG", '0,"x","y"', '0,"x",""'),
        ("EMETERACVOLTAGE", "240", "240"),
        ("ENABLE", "0", "1"),
        ("AVAILABLE", "0", "1"),
        ("CHCUR", "90", "320"),
        ("CONSUMLIM", "5", "0"),
        ("CHTIMELIM", "5", "0"),
        ("UNDERPOWERLIM", "5", "0"),
    ],
)
def test_a_restart_keeps_what_is_in_flash_and_nothing_else(bench, name, argument, afterwards):
    assert bench.write(name, argument) == "OK"
    bench.charger.reboot(bench.now)
    bench.run(4)
    assert bench.read(name) == afterwards


def test_live_values_start_from_their_defaults(bench):
    for name, value in (("DEFCHCUR", 130), ("DEFCONSUMLIM", 10), ("DEFCHTIMELIM", 20), ("DEFUNDERPOWERLIM", 30)):
        assert bench.write(name, value) == "OK"
        assert bench.read(name.removeprefix("DEF")) != str(value)
    bench.charger.reboot(bench.now)
    bench.run(4)
    assert [bench.read(name) for name in ("CHCUR", "CONSUMLIM", "CHTIMELIM", "UNDERPOWERLIM")] == [
        "130", "10", "20", "30",
    ]  # fmt: skip


def test_subscriptions_and_echo_are_lost(bench):
    bench.send(b'ATE1\nAT+SUB="+STATE",0\n')
    bench.charger.reboot(bench.now)
    assert bench.run(5) == READY
    assert bench.send(b"AT\n") == b"\nOK\n"


def test_the_clock_survives_a_restart_but_no_power_cycle(bench):
    bench.write("TIME", 1_800_000_000)
    bench.charger.reboot(bench.now)
    bench.run(5)
    assert int(bench.read("TIME")) == pytest.approx(1_800_000_005, abs=1)
    bench.charger.power_cycle(bench.now)
    bench.run(5)
    assert bench.read("TIME") == "5"


def test_a_switched_off_charger_is_silent(bench):
    bench.charger.power_off(bench.now)
    assert bench.send(b"AT\n", 100) == b""
    assert bench.charger.next_event(bench.now) is None
    bench.charger.power_on(bench.now)
    assert bench.run(2.1) == READY


def test_rdy_can_be_missed(bench):
    bench.charger.reboot(bench.now, announce=False)
    assert bench.run(3) == b""
    assert bench.read("UPTIME") == "3"


@pytest.mark.parametrize(
    "name", ["STATE", "ENABLE", "AVAILABLE", "MAXCHCUR", "DEFCHCUR", "TEMP", "EMETERTOTCONSUM", "WIFISTACONN", "UPTIME"]
)
def test_before_the_core_is_up_the_current_reads_0_and_all_else_is_true(new_bench, firmware, name):
    bench, old = new_bench(firmware=firmware, running=False), new_bench(firmware=firmware, uptime=2)
    assert bench.run(2.0) == READY
    assert bench.send(f"AT+{name}?\n", 0.015) == old.send(f"AT+{name}?\n", 0.015)
    assert bench.send(b"AT+CHCUR?\n", 0.015) == b"\n+CHCUR=0\n\nOK\n"
    assert not bench.charger.device.awake
    bench.run(0.05)
    assert bench.read("CHCUR") == "320"


@pytest.mark.parametrize("argument", ["59", "321", "0", "junk", ""])
def test_a_current_out_of_range_is_refused_right_after_rdy_and_does_no_harm(new_bench, firmware, argument):
    bench = new_bench(firmware=firmware, running=False)
    bench.run(2.001)
    assert bench.send(f"AT+CHCUR={argument}\n", 0.1) == b"\nERROR\n"
    assert bench.run(5) == b""
    assert bench.charger.crashes == 0


@pytest.mark.parametrize("command", [b"AT+ENABLE=1\n", b"AT+CHCUR=60\n", b"AT+AVAILABLE=1\n"])
def test_a_write_right_after_rdy_crashes(new_bench, command):
    bench = new_bench(running=False)
    bench.run(2.001)
    assert bench.send(command, 1.99) == b""
    assert bench.run(0.02) == READY
    assert bench.charger.crashes == 1
    entry = bench.charger.journal.entries[-1]
    assert (entry.line, entry.result) == (command, "")
    bench.run(1)
    assert bench.charger.crashes == 0  # it has lived


def test_five_crashes_in_a_row_discard_the_board_configuration(new_bench):
    bench = new_bench(running=False)
    for crash in range(5):
        bench.run(2.01)
        assert bench.charger.crashes == crash
        bench.send(b"AT+ENABLE=1\n", 0.001)
    bench.run(4)
    assert bench.read("DEVNAME") == '""'
    assert bench.ask("AT+SERIALS?") == ["OK"]
    assert bench.write("SOCKETOUTLET", 1) == "ERROR"


def test_four_crashes_do_no_lasting_harm(new_bench):
    bench = new_bench(running=False)
    for _ in range(4):
        bench.run(2.01)
        bench.send(b"AT+ENABLE=1\n", 0.001)
    bench.run(4)
    assert bench.read("DEVNAME") == '"Simulated EVSE"'


def test_writes_in_the_first_second_are_noted(new_bench):
    bench = new_bench(running=False)
    bench.run(2.9)
    bench.send(b'AT+SUB="+STATE",1000\nAT+CHCUR?\nAT+CHCUR=70\n')
    assert [(entry.kind, entry.line) for entry in bench.charger.journal.violations] == [
        ("early write", b"AT+CHCUR=70\n")
    ]
    bench.run(0.2)
    bench.send(b"AT+CHCUR=80\n")
    assert len(bench.charger.journal.violations) == 1
    assert bench.read("CHCUR") == "80"


def test_other_early_writes_are_accepted_and_lost(new_bench):
    bench = new_bench(running=False)
    bench.run(2.0)
    assert bench.send(b"AT+CONSUMLIM=5\n", 0.02).endswith(b"\nOK\n")
    bench.run(1)
    assert bench.read("CONSUMLIM") == "0"


def test_a_paused_charger_charges_again_after_a_restart(charging):
    charging.write("CHCUR", 60)
    charging.write("ENABLE", 0)
    charging.wait_state("B1")
    charging.send(b"AT+RST\n", 8)
    charging.wait_state("C2")
    assert charging.read("CHCUR") == "320"


def test_the_total_goes_back_by_the_session(charging):
    before = int(charging.read("EMETERTOTCONSUM"))
    charging.run(3600)
    assert int(charging.read("EMETERTOTCONSUM")) > before + 10_000
    charging.charger.reboot(charging.now)
    charging.run(3)
    assert int(charging.read("EMETERTOTCONSUM")) == 1_234_567


def test_a_car_in_mid_charge_faults_the_next_start(charging):
    charging.charger.reboot(charging.now)
    charging.run(3)
    assert charging.read("ERROR") == "1" and charging.read("STATE") == "7"
    charging.run(58)
    assert charging.read("STATE") == "7"
    charging.run(2)
    assert charging.read("ERROR") == "0"
    charging.wait_state("C2", 10)


def test_a_late_answer_dies_with_the_charger(bench):
    bench.send(b"AT+WIFIAPSCAN\n", 1)
    bench.charger.reboot(bench.now)
    assert bench.run(3) == READY


def test_a_new_charger_has_no_car_and_no_past(new_bench):
    bench = new_bench(start=5000.0, uptime=10, board=Board(), car=Car())
    assert (bench.read("UPTIME"), bench.read("STATE"), bench.read("EMETERSESTIME")) == ("10", "0", "0")
    assert bench.charger.journal.violations == []


def test_an_unknown_firmware_is_refused(new_bench):
    with pytest.raises(ValueError, match=r"firmware 'v1': use one of head, v2\.1\.1"):
        new_bench(firmware="v1")
