"""What each command answers, takes and refuses."""

import zoneinfo

import pytest

from evse_host.catalog import COMMAND, COMMANDS
from evse_host.simulator import Board, Network


@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        ("CHCUR", {60: "60", 320: "320"}, [59, 321, 0]),
        ("DEFCHCUR", {60: "60", 320: "320"}, [59, 321]),
        ("MAXCHCUR", {6: "6", 63: "63"}, [5, 64, 255, 256]),
        ("ENABLE", {0: "0", 1: "1", 255: "1"}, [256, "-1", '"1"']),
        ("AVAILABLE", {0: "0", 7: "1"}, [256]),
        ("REQAUTH", {1: "1", 2: "1", 0: "0"}, [256]),
        ("CONSUMLIM", {0: "0", 2**32 - 1: str(2**32 - 1)}, [2**32]),
        ("DEFCONSUMLIM", {5000: "5000"}, [2**32]),
        ("CHTIMELIM", {3600: "3600"}, [2**32]),
        ("DEFCHTIMELIM", {3600: "3600"}, [2**32]),
        ("UNDERPOWERLIM", {65535: "65535", 65536: "0", 70000: "4464"}, [2**32]),
        ("DEFUNDERPOWERLIM", {65535: "65535", 65537: "1"}, [2**32]),
        ("SOCKETOUTLET", {1: "1", 0: "0"}, [256]),
        ("EMETERMODE", {0: "0", 1: "1", 2: "2"}, [3]),
        ("EMETERACVOLTAGE", {100: "100", 300: "300"}, [99, 301]),
        ("EMETERTHREEPHASE", {0: "0", 65535: "1"}, [65536]),
        ("EMETERTOTCONSUM", {0: "0"}, [1]),
        ("TIME", {0: "0", 1_900_000_000: "1900000000"}, ['"x"']),
        (
            "TZ",
            {'"Europe/Prague"': '"Europe/Prague"', '"Etc/UTC"': '"Etc/UTC"', '"Europe/Kyiv"': '"Europe/Kyiv"'},
            [
                '"europe/prague"',
                '"Mars/Base"',
                '""',
                '"UTC"',
                '"GMT"',
                '"CET"',
                '"EST"',
                '"US/Eastern"',
                '"Asia/Calcutta"',
                '"Europe/Kiev"',
                '"Europe/Amsterdam"',
                '"Europe/Bratislava"',
                '"Europe/Copenhagen"',
                '"Europe/Oslo"',
                '"Europe/Stockholm"',
            ],
        ),
        ("HOSTNAME", {'"garage"': '"garage"'}, ['""', "x"]),
        ("INSTNAME", {'"Garage, left"': '"Garage, left"'}, ['""']),
        (
            "WIFISTACFG",
            {'0,"a","b"': '0,"a",""', "1": '1,"a",""', '1,"c"': '1,"c",""', '1,""': '1,"",""', '0,"d"': '0,"d",""'},
            ['2,"x","y","z"', "256"],
        ),
        ("WIFIAPCFG", {"1": '1,"evse-000002"', '0,"ignored"': '0,"evse-000002"'}, ['1,"a","b"']),
        (
            "WIFISTASTATIC",
            {
                '1,"10.0.0.2","10.0.0.1","255.0.0.0","1.1.1.1"': '1,"10.0.0.2","10.0.0.1","255.0.0.0","1.1.1.1"',
                '0,"10.0.0.3"': '0,"10.0.0.3","10.0.0.1","255.0.0.0","1.1.1.1"',
                '1,"10.0.0"': '1,"10.0.0.0","10.0.0.1","255.0.0.0","1.1.1.1"',
                '0,"10.1","0x0a.0.0.1"': '0,"10.0.0.1","10.0.0.1","255.0.0.0","1.1.1.1"',
            },
            ['1,"10.0.0.256"', '0,"x"', '1,"10.0.0.2","a"', '1,"10.0.0.2","10.0.0.1","255.0.0.0","1.1.1.1","2.2.2.2"'],
        ),
    ],
)
def test_each_setting_takes_what_it_may_hold_and_refuses_the_rest(bench, name, accepted, refused):
    for argument, shown in accepted.items():
        assert bench.write(name, argument) == "OK", argument
        assert bench.read(name) == shown
    before = bench.read(name)
    for argument in refused:
        assert bench.write(name, argument) == "ERROR", argument
    assert bench.read(name) == before


def test_all_writable_commands_are_covered():
    tested = {
        row[0]
        for mark in test_each_setting_takes_what_it_may_hold_and_refuses_the_rest.pytestmark
        for row in mark.args[1]
    }
    assert tested == {c.name for c in COMMANDS if "W" in c.access} - {"SUB", "UNSUB", "SERIAL0", "SERIAL1"}


def test_the_current_may_stay_above_a_later_maximum(bench):
    assert bench.write("CHCUR", 320) == "OK"
    assert bench.write("MAXCHCUR", 16) == "OK"
    assert bench.read("CHCUR") == "320"
    assert bench.write("CHCUR", 170) == "ERROR"
    assert bench.write("CHCUR", 160) == "OK"


def test_the_default_current_follows_the_maximum_until_it_is_set(bench):
    bench.write("MAXCHCUR", 20)
    assert bench.read("DEFCHCUR") == "200"
    bench.write("DEFCHCUR", 100)
    bench.write("MAXCHCUR", 40)
    assert bench.read("DEFCHCUR") == "100"


def test_capabilities_of_the_board_bound_the_settings(new_bench):
    bench = new_bench(board=Board(proximity=False, emeter=1, temperature_sensors=0, emeter_three_phase=False))
    assert (bench.read("PROXIMITY"), bench.read("EMETER"), bench.read("TEMPSENSOR")) == ("0", "1,0", "0")
    assert bench.write("SOCKETOUTLET", 1) == "ERROR" and bench.write("SOCKETOUTLET", 0) == "OK"
    assert bench.write("EMETERMODE", 2) == "ERROR" and bench.write("EMETERMODE", 1) == "OK"
    assert bench.read("TEMP").startswith("0,")


def test_released_firmware_lacks_what_the_head_has(released):
    for command in ("TZ?", "TZ=?", 'TZ="Europe/Prague"', "TZRULE?", 'SUB="+TZ",1000'):
        assert released.ask(f"AT+{command}") == ["ERROR"], command
    assert released.read("VER") == '"v2.1.1"'
    assert released.read("WIFISTASTATIC").count(",") == 3
    assert released.write("WIFISTASTATIC", '1,"10.0.0.2","10.0.0.1","255.0.0.0","1.1.1.1"') == "ERROR"
    assert released.write("WIFISTASTATIC", '1,"10.0.0.2","10.0.0.1","255.0.0.0"') == "OK"
    assert released.ask("AT+WIFISTASTATIC=?")[0].count("STRING") == 3
    assert b"TZ" not in released.send(b"AT+CMD\n", 1)


def test_the_first_serial_field_changed_its_type(bench, released):
    assert bench.ask("AT+SERIAL0=?")[0].startswith("+SERIAL0=<STRING[RW]>,<INT32[RW]>,<UINT8[RW]>")
    assert released.ask("AT+SERIAL0=?")[0].startswith("+SERIAL0=<UINT8[RW]>,<INT32[RW]>,<UINT8[RW]>")


def test_serial_settings_are_garbage_or_a_crash(bench, released):
    assert bench.ask("AT+SERIAL0?")[-1] == "OK"
    assert bench.write("SERIAL1", '"modbus",9600,8,1,0') == "ERROR"
    assert [entry.kind for entry in bench.charger.journal.violations] == ["serial access"] * 2
    assert released.send(b"AT+SERIAL0?\n", 2.1) == b"\n\nRDY\n\0"


@pytest.mark.skipif("Europe/Prague" not in zoneinfo.available_timezones(), reason="no time zone database here")
def test_the_rule_of_a_time_zone(bench):
    bench.write("TZ", '"Europe/Prague"')
    assert bench.read("TZRULE") == '"CET-1CEST,M3.5.0,M10.5.0/3"'


def test_the_chargers_clock_runs(bench):
    bench.write("TIME", 1_000_000)
    bench.run(59.9)
    assert bench.read("TIME") == "1000059"


def test_temperatures_are_read_every_ten_seconds_and_may_be_negative(bench):
    bench.run(10)
    bench.charger.device.temperatures = (-125, -1040)
    bench.run(9)
    assert bench.read("TEMP") == "2,3150,2875"
    bench.run(2)
    assert bench.read("TEMP") == "2,-125,-1040"


def test_wifi_follows_its_settings(bench):
    assert (bench.read("WIFISTACONN"), bench.read("WIFISTAIP")) == ("1,-58", '"192.168.1.42"')
    assert bench.write("WIFISTASTATIC", '1,"192.168.1.77","192.168.1.1","255.255.255.0"') == "OK"
    assert bench.read("WIFISTAIP") == '"192.168.1.77"'
    bench.write("WIFISTACFG", '1,"elsewhere"')
    assert (bench.read("WIFISTACONN"), bench.read("WIFISTAIP")) == ("0,0", '"0.0.0.0"')
    assert bench.read("WIFISTAMAC") == '"34:85:18:00:00:01"'


# --- the network's settings


@pytest.mark.parametrize("argument", ['1,""', '1,"",""', '0,""'])
def test_an_empty_ssid_wipes_the_stored_one(bench, argument):
    assert bench.write("WIFISTACFG", argument) == "OK"
    assert bench.read("WIFISTACFG") == f'{argument[0]},"",""'
    assert bench.read("WIFISTACONN") == "0,0"
    for refused in ("1", '1,""', '1,"",""'):
        assert bench.write("WIFISTACFG", refused) == "ERROR", refused
    assert bench.write("WIFISTACFG", '1,"home"') == "OK"
    assert bench.read("WIFISTACONN") == "1,-58"


def locked(new_bench, firmware):
    """A charger that is connected to a network with a password."""
    bench = new_bench(firmware=firmware, board=Board(networks=(Network("home", 1, -58, password="right"),)))
    assert bench.write("WIFISTACFG", '1,"home","right"') == "OK"
    assert bench.read("WIFISTACONN") == "1,-58"
    return bench


def test_the_same_ssid_with_a_new_password_does_not_reconnect(new_bench, firmware):
    bench = locked(new_bench, firmware)
    bench.write("WIFISTACFG", '1,"home","wrong"')
    bench.run(60)
    assert bench.read("WIFISTACONN") == "1,-58"  # on the old password
    bench.write("WIFISTACFG", "0")
    bench.write("WIFISTACFG", "1")
    assert bench.read("WIFISTACONN") == "0,0"
    bench.write("WIFISTACFG", '1,"home","right"')
    assert bench.read("WIFISTACONN") == "1,-58"


def test_a_new_password_is_used_after_a_restart(new_bench, firmware):
    bench = locked(new_bench, firmware)
    bench.write("WIFISTACFG", '1,"home","wrong"')
    bench.charger.reboot(bench.now)
    bench.run(4)
    assert bench.read("WIFISTACONN") == "0,0"


def test_empty_addresses_on_the_head(bench):
    assert bench.read("WIFISTASTATIC") == '0,"","","",""'
    for refused in ("1", '1,"10.0.0.2"', '1,"10.0.0.2","10.0.0.1"', '1,"10.0.0.2","10.0.0.1","0.0.0.0"'):
        assert bench.write("WIFISTASTATIC", refused) == "ERROR", refused
    assert bench.read("WIFISTASTATIC") == '0,"","","",""'  # nothing of it was applied
    assert bench.write("WIFISTASTATIC", '1,"10.0.0.2","10.0.0.1","255.0.0.0"') == "OK"
    assert bench.read("WIFISTASTATIC") == '1,"10.0.0.2","10.0.0.1","255.0.0.0",""'
    assert bench.write("WIFISTASTATIC", '1,"","10.0.0.9"') == "ERROR"
    assert bench.read("WIFISTASTATIC") == '1,"10.0.0.2","10.0.0.1","255.0.0.0",""'
    assert bench.write("WIFISTASTATIC", '0,"","0.0.0.0"') == "OK"
    assert bench.read("WIFISTASTATIC") == '0,"","","255.0.0.0",""'


def test_empty_addresses_on_released_firmware(released):
    assert released.read("WIFISTASTATIC") == '0,"","",""'
    assert released.write("WIFISTASTATIC", '0,""') == "ERROR"
    assert released.read("WIFISTASTATIC") == '0,"","",""'
    assert released.write("WIFISTASTATIC", "1") == "OK"
    assert released.read("WIFISTASTATIC") == '1,"0.0.0.0","0.0.0.0","0.0.0.0"'
    assert released.write("WIFISTASTATIC", '0,"10.0.0","10.0.0.1"') == "OK"
    assert released.read("WIFISTASTATIC") == '0,"10.0.0.0","10.0.0.1","0.0.0.0"'


@pytest.mark.parametrize(("name", "default"), [("HOSTNAME", "evse"), ("INSTNAME", "EVSE")])
def test_released_firmware_has_room_for_30_bytes_of_a_name(bench, released, name, default):
    for text in ("x" * 31, "é" * 15 + "x"):
        assert bench.write(name, f'"{text}"') == released.write(name, f'"{text}"') == "OK"
        assert (bench.read(name), released.read(name)) == (f'"{text}"', f'"{default}"')
    assert released.write(name, '"%s"' % ("y" * 30)) == "OK"
    assert released.read(name) == '"%s"' % ("y" * 30)


def test_an_ssid_of_31_bytes_takes_released_firmware_off_the_network(new_bench):
    name = "x" * 31
    for firmware, shown, connected in (("head", name, "1,-58"), ("v2.1.1", "", "0,0")):
        bench = new_bench(firmware=firmware, board=Board(networks=(Network(name, 1, -58),)))
        assert bench.write("WIFISTACFG", f'1,"{name}","secret"') == "OK"
        assert bench.read("WIFISTACFG") == f'1,"{shown}",""'
        assert bench.read("WIFISTACONN") == connected


def test_the_access_point_stops_after_a_minute_without_a_client(bench):
    bench.write("WIFIAPCFG", 1)
    bench.run(55)
    assert (bench.read("WIFIAPCFG")[0], bench.read("WIFIAPCONN")) == ("1", "0")
    bench.charger.device.wifi.ap_client = True
    bench.run(600)
    assert (bench.read("WIFIAPCFG")[0], bench.read("WIFIAPCONN")) == ("1", "1")
    bench.charger.device.wifi.ap_client = False
    bench.run(61)
    assert (bench.read("WIFIAPCFG")[0], bench.read("WIFIAPCONN"), bench.read("WIFIAPIP")) == ("0", "0", '"0.0.0.0"')


def test_a_long_network_name_is_cut_to_the_buffer(new_bench):
    bench = new_bench(board=Board(networks=(Network("x" * 32, 1, -40),)))
    assert bench.ask("AT+WIFIAPSCAN", 2.1)[0] == '+WIFIAPSCAN="%s",1,-40' % ("x" * 31)


def test_a_board_without_ports_lists_nothing(new_bench):
    bench = new_bench(board=Board(serials=(), aux_inputs=(), aux_outputs=(), aux_analog_inputs=()))
    for name in ("SERIALS", "AUXINPUTS", "AUXOUTPUTS", "AUXANALOGINPUTS"):
        assert bench.ask(f"AT+{name}?") == ["OK"]


def test_values_and_overrides_for_tests(bench):
    charger = bench.charger
    assert charger.value("CHIP") == ("esp32s3", 2, 2)
    assert charger.value("AUXINPUTS") == [("IN1",), ("IN2",)]
    charger.override("EMETERPOWER", 3680)
    assert bench.read("EMETERPOWER") == "3680"
    charger.override("EMETERPOWER")
    assert bench.read("EMETERPOWER") == "0"
    charger.override("AUXINPUTS", ("a",), ("b",), ("c",))
    assert bench.ask("AT+AUXINPUTS?") == ['+AUXINPUTS="a"', '+AUXINPUTS="b"', '+AUXINPUTS="c"', "OK"]


def test_somebody_else_changes_a_setting(bench):
    bench.charger.set("CHCUR", 130)
    assert bench.read("CHCUR") == "130"
    for name, value in (("CHCUR", 20), ("STATE", 1)):
        with pytest.raises(ValueError, match=f"{name}=.*refuses"):
            bench.charger.set(name, value)
    assert bench.charger.journal.writes() == []


def test_the_journal_tells_what_was_executed(bench):
    bench.send(b"at+chcur=70\nAT+EMETERC=1\n~\nAT+CHCUR?\n")
    assert [(entry.line, entry.command, entry.result) for entry in bench.charger.journal.entries] == [
        (b"at+chcur=70\n", "AT+CHCUR=70", "OK"),
        (b"AT+EMETERC=", None, "ERROR"),
        (b"1\n", None, "ERROR"),
        (b"~\n", None, "ERROR"),
        (b"AT+CHCUR?\n", "AT+CHCUR?", "OK"),
    ]
    assert bench.charger.journal.writes() == bench.charger.journal.writes("CHCUR") == ["AT+CHCUR=70"]
    bench.charger.journal.clear()
    assert bench.charger.journal.commands == []


def test_test_forms_name_the_fields_of_the_catalog(bench):
    for name, command in COMMAND.items():
        if command.access == "X" or name.startswith("SERIAL"):
            continue
        line, result = bench.ask(f"AT+{name}=?")
        assert result == "OK" and line.count("<") == len(command.fields), name
