"""Every core command through the installed `evse-host` on a pseudo terminal: output, exit codes, and what is left."""

from __future__ import annotations

import json
import os
import pty
import signal
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pexpect
import pytest

from evse_host.simulator import Board, Car, Charger, Network, TcpServer
from tests.host import rfc2217_server
from tests.host.commands import COMMAND, environment, run, start


def wait_until(condition, seconds: float = 60.0):
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
    return result


# --- get --------------------------------------------------------------------------------------------------------------


def test_get_shows_values_with_units(evse_host) -> None:
    ran = evse_host("get", "charging_current", "CHCUR", "state", "TEMP", "total_energy_consumption")
    assert ran.code == 0 and ran.err == ""
    assert [line.split(maxsplit=1) for line in ran.out.splitlines()] == [
        ["charging_current", "32 A"],
        ["CHCUR", "320 A/10"],
        ["state", "A"],
        ["TEMP", "2, 3150 °C/100, 2875 °C/100"],
        ["total_energy_consumption", "1,235 kWh"],
    ]


def test_get_as_json_has_each_value_in_its_type(evse_host) -> None:
    names = ("charging_current", "CHCUR", "enable", "state", "TEMP", "SERIALS", "pilot_fault")
    assert evse_host("--json", "get", *names).json == {
        "charging_current": 32.0,
        "CHCUR": 320,
        "enable": True,
        "state": "A",
        "TEMP": {"count": 2, "high": 3150, "low": 2875},
        "SERIALS": [
            {"type": 1, "name": "UART via USB"},
            {"type": 1, "name": "UART"},
            {"type": 2, "name": "RS485"},
        ],
        "pilot_fault": False,
    }


def test_get_all_leaves_out_what_this_charger_lacks(start_charger) -> None:
    server = start_charger(Charger("v2.1.1"))
    values = run("--port", server.path, "--json", "get", "--all").json
    assert values["version"] == "v2.1.1" and values["charging_current"] == 32.0
    assert "timezone" not in values and values["wifi_static_dns"] is None
    assert server.charger.journal.violations == [] and server.charger.journal.writes() == []


def test_get_list_needs_no_charger() -> None:
    names = {row["name"]: row for row in run("--json", "get", "--list").json}
    assert names["charging_current"]["unit"] == "A" and names["charging_current"]["writable"]
    assert not names["STATE"]["writable"] and names["CHCUR"]["unit"] == "A/10"


# --- set --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "name", "wire"),
    [
        (["charging_current", "16"], "CHCUR", (160,)),
        (["charging_current", "16.5A"], "CHCUR", (165,)),
        (["CHCUR", "60"], "CHCUR", (60,)),
        (["enable", "off"], "ENABLE", (0,)),
        (["ENABLE", "0"], "ENABLE", (0,)),
        (["consumption_limit", "7.5"], "CONSUMLIM", (7500,)),
        (["charging_time_limit", "0.5 h"], "CHTIMELIM", (1800,)),
        (["under_power_limit", "65.5"], "UNDERPOWERLIM", (65500,)),
        (["UNDERPOWERLIM", "65535"], "UNDERPOWERLIM", (65535,)),
        (["emeter_mode", "current"], "EMETERMODE", (1,)),
        (["timezone", "Europe/Berlin"], "TZ", ("Europe/Berlin",)),
        (["host_name", 'a "b\\'], "HOSTNAME", ('a "b\\',)),
        (["instance_name", "Garage hinten, links ä"], "INSTNAME", ("Garage hinten, links ä",)),
        (["wifi_station", "off"], "WIFISTACFG", (0, "home", "")),
    ],
)
def test_set_writes_and_reads_back(evse_host, charger, words: list[str], name: str, wire: tuple) -> None:
    ran = evse_host("set", *words)
    assert (ran.code, ran.err) == (0, "")
    assert charger.call(lambda model: model.value(name)) == wire
    assert len(charger.charger.journal.writes(name)) == 1
    assert charger.charger.journal.violations == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["charging_current", "160"], "charging_current: 160 is out of range, 6 to 63 A are allowed"),
        (["charging_current", "5.9"], "charging_current: 5.9 is out of range, 6 to 63 A are allowed"),
        (["charging_current", "16.05"], "charging_current: 16.05 is too fine, steps of 0.1 A are allowed"),
        (["charging_current", "nan"], "charging_current: nan is out of range, 6 to 63 A are allowed"),
        (["charging_current", "inf"], "charging_current: inf is out of range, 6 to 63 A are allowed"),
        (["charging_current", "16 kA"], "charging_current: '16 kA' is not a number, 6 to 63 A are allowed"),
        (["charging_current", "16", "17"], "charging_current: takes one value, 2 given"),
        (["CHCUR", "16"], "CHCUR: 16 is out of range, 60 to 630 A/10 are allowed"),
        (["CHCUR", "-1"], "CHCUR: -1 is out of range, 60 to 630 A/10 are allowed"),
        (["CHCUR", "0x60"], "CHCUR: '0x60' is not a whole number, 60 to 630 A/10 are allowed"),
        (["UNDERPOWERLIM", "65536"], "UNDERPOWERLIM: 65536 is out of range, 0 to 65535 W are allowed"),
        (["under_power_limit", "66"], "under_power_limit: 66 is out of range, 0 to 65.5 kW are allowed"),
        (["EMETERTOTCONSUM", "1"], "EMETERTOTCONSUM: 1 is out of range, only 0 is allowed"),
        (["enable", "maybe"], "enable: 'maybe' is neither on nor off"),
        (["emeter_mode", "all"], "emeter_mode: 'all' is none of dummy, current, current_voltage"),
        (["state", "C2"], "state: read only"),
        (["voltage_l1", "230"], "voltage_l1: read only"),
        (["host_name", "x" * 32], "HOSTNAME: 'xxx"),
        (["host_name", ""], "HOSTNAME: it is empty, 1 to 31 bytes are allowed"),
        (["INSTNAME", ""], "INSTNAME: it is empty, 1 to 31 bytes are allowed"),
        (["timezone", ""], "TZ: it is empty"),
        (["WIFISTASTATIC", "1", "10.0.0.2", ""], "WIFISTASTATIC gateway: it is empty"),
        (["HOSTNAME", "a\nAT+RST"], "HOSTNAME: 'a\\nAT+RST' holds a line end"),
        (["chargin_current", "16"], "chargin_current: no such value; did you mean charging_current"),
        (["TIME", "yesterday"], "TIME: 'yesterday' is neither"),
    ],
)
def test_wrong_values_are_refused_unwritten(evse_host, charger, words: list[str], message: str) -> None:
    ran = evse_host("set", *words)
    assert ran.code == 2 and ran.out == ""
    assert ran.err.startswith(f"evse-host: {message}") and ran.err.count("\n") == 1
    assert charger.charger.journal.writes() == []


def test_a_refusal_of_the_charger_says_what_it_allows(evse_host, charger) -> None:
    ran = evse_host("set", "charging_current", "40")
    assert ran.code == 5
    assert ran.err == "evse-host: CHCUR: the charger refuses 400; at most 32 A on this charger, by its MAXCHCUR\n"


def test_a_write_that_the_charger_does_not_show_is_a_mismatch(evse_host, charger) -> None:
    charger.call(lambda model: model.override("CHCUR", 100))
    ran = evse_host("set", "charging_current", "16")
    assert ran.code == 6 and ran.err == "evse-host: CHCUR: wrote 160, the charger shows 100\n"


def test_an_error_after_an_applied_value_is_no_failure(evse_host, charger) -> None:
    charger.inject(lambda faults: faults.error_after_apply("CHCUR"))
    assert evse_host("set", "charging_current", "16").code == 0


def test_a_lost_write_is_repeated(evse_host, charger) -> None:
    charger.inject(lambda faults: faults.missing_answer("CHCUR"))
    assert evse_host("set", "charging_current", "16").code == 0


def test_flash_is_not_written_with_what_it_holds(evse_host, charger) -> None:
    assert evse_host("set", "maximum_charging_current", "32").code == 0
    assert charger.charger.journal.writes() == []


def test_the_lifetime_energy_is_reset(start_charger) -> None:
    server = start_charger(Charger(car=Car(plugged=True)))
    assert run("--port", server.path, "set", "EMETERTOTCONSUM", "0").code == 0
    assert server.call(lambda model: model.value("EMETERTOTCONSUM"))[0] < 100


def test_the_clock_is_set_within_its_tolerance(evse_host, charger) -> None:
    ran = evse_host("--json", "time", "sync")
    assert ran.code == 0 and abs(ran.json["epoch"] - time.time()) < 4
    assert evse_host("set", "TIME", "2026-01-01T00:00:00+00:00").code == 0
    assert 0 <= charger.call(lambda model: model.value("TIME"))[0] - 1767225600 < 10


# --- info, run, raw, wifi ---------------------------------------------------------------------------------------------


def test_info_is_one_page(start_charger) -> None:
    server = start_charger(Charger(car=Car(plugged=True)))
    server.wait_for(lambda model: model.point.state == "C2")
    page = run("--port", server.path, "info")
    assert page.code == 0 and page.out.count("\n") < 80
    for part in (
        "Charger\n",
        "State\n",
        "Limits\n",
        "Meter\n",
        "Network\n",
        "Board\n",
        "v2.2.0-dev",
        "charging",
        "no limit",
    ):
        assert part in page.out
    data = run("--port", server.path, "--json", "info").json
    assert data["state"]["status"] == "charging" and data["state"]["faults"] == []
    assert data["limits"]["charging_current"] == 32.0
    assert server.charger.journal.writes() == [] and server.charger.journal.violations == []


def test_info_names_faults_and_reasons(start_charger) -> None:
    server = start_charger(Charger(car=Car(plugged=True)))
    server.call(lambda model: model.set("REQAUTH", 1))
    server.call(lambda model: (model.car.unplug(), model.car.plug()))
    server.call(lambda model: model.override("PENDAUTH", 1))
    server.call(lambda model: model.override("STATE", 1))
    state = run("--port", server.path, "--json", "info").json["state"]
    assert state["status"] == "vehicle connected, waits for authorization"
    server.call(lambda model: (model.override("ERROR", 0b1000001), model.override("STATE", 7)))
    state = run("--port", server.path, "--json", "info").json["state"]
    assert state["status"] == "fault: Control pilot, Temperature too high"


def test_authorize_sends_it_once_and_says_whether_a_car_waits(evse_host, charger) -> None:
    ran = evse_host("--json", "authorize")
    assert ran.json == {"authorized": True, "vehicle_waiting": False}
    assert charger.charger.journal.commands.count("AT+AUTH") == 1


def test_an_unanswered_authorization_is_not_repeated(evse_host, charger) -> None:
    charger.inject(lambda faults: faults.missing_answer("AUTH"))
    ran = evse_host("authorize")
    assert ran.code == 4 and ran.err == "evse-host: AT+AUTH: no answer; it may have been executed or not\n"
    assert charger.charger.journal.commands.count("AT+AUTH") == 1


def test_restart_waits_until_the_charger_is_back(start_charger) -> None:
    server = start_charger(time_scale=4.0)
    server.call(lambda model: model.set("ENABLE", 0))
    ran = run("--port", server.path, "restart")
    assert ran.code == 0 and ran.out.startswith("back after")
    assert "paused now" in ran.err
    assert server.charger.journal.commands.count("AT+RST") == 1 and server.charger.journal.violations == []


def test_raw_shows_the_chargers_own_lines(evse_host) -> None:
    assert evse_host("raw", "AT+CHIP?").out == '+CHIP="esp32s3",2,2\nOK\n'
    assert evse_host("--json", "raw", "AT+STATE?").json == {"lines": ["+STATE=0"], "ok": True}
    ran = evse_host("raw", "AT+NOSUCH?")
    assert (ran.code, ran.out, ran.err) == (5, "ERROR\n", "evse-host: AT+NOSUCH?: the charger said ERROR\n")


def test_raw_shows_the_answer_without_what_others_are_pushed(evse_host, charger) -> None:
    """As behind a proxy, where the companion has its subscriptions."""
    push = lambda request, data, seconds: (b"\n+HEAP=1,2\n" * (request.name == "+CHIP") + data, seconds)  # noqa: E731
    charger.call(lambda model: setattr(model, "answer_hook", push))
    assert evse_host("raw", "AT+CHIP?").out == '+CHIP="esp32s3",2,2\nOK\n'
    assert evse_host("raw", "AT+CHIP=?").out == "+CHIP=<STRING[RO]>,<UINT8[RO]>,<UINT16[RO]>\nOK\n"


@pytest.mark.parametrize(
    ("line", "code"),
    [("AT+SERIAL0?", 5), ('AT+SUB="+AUXINPUTS",1000', 5), ("+STATE?", 2), ("AT\nAT+RST", 2), ("AT+EMETERC=AT+RST", 2)],
)
def test_dangerous_and_double_commands_are_not_sent(evse_host, charger, line: str, code: int) -> None:
    assert evse_host("raw", line).code == code
    assert charger.charger.journal.entries == []


def test_a_scan_shows_networks_with_strength_and_protection(evse_host) -> None:
    networks = evse_host("--json", "wifi", "scan").json
    assert [network["rssi"] for network in networks] == [-58, -71, -88]
    assert networks[1]["ssid"] == 'Café "Zur Post", 1. Stock'
    assert [network["security"] for network in networks] == ["protected", "protected", "open"]
    assert "-58 dBm  protected   home" in evse_host("wifi", "scan").out


def test_wifi_connect_uses_a_new_password_at_once(start_charger) -> None:
    """The charger itself would stay on the old one while it is connected."""
    charger = start_charger(Charger(board=Board(networks=(Network("home", 1, -58, password="right"),))))
    words = ["--port", charger.path, "wifi", "connect", "home", "--password"]
    assert run(*words, "right").code == 0
    wrong = run(*words, "wrong", "--no-wait")
    assert wrong.code == 0 and charger.charger.flash["station"] == [1, "home", "wrong"]
    assert charger.charger.value("WIFISTACONN") == (0, 0)
    assert "connected: 192.168.1.42" in run(*words, "right").out


def test_an_empty_ssid_is_not_written_unasked(evse_host, charger) -> None:
    refused = evse_host("set", "WIFISTACFG", "1", "")
    assert refused.code == 5 and "forget its network" in refused.err and "--force" in refused.err
    assert charger.charger.value("WIFISTACFG")[:2] == (1, "home")
    assert evse_host("set", "WIFISTACFG", "1", "", "--force").code == 0
    assert charger.charger.value("WIFISTACFG")[:2] == (1, "")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("set", "host_name", "x" * 31), "HOSTNAME"),
        (("set", "instance_name", "é" * 15 + "x"), "INSTNAME"),
        (("wifi", "connect", "x" * 31, "--open"), "WIFISTACFG"),
    ],
)
def test_31_bytes_do_not_fit_everywhere(start_charger, arguments, name) -> None:
    old, new = start_charger(Charger(firmware="v2.1.1")), start_charger()
    refused = run("--port", old.path, *arguments)
    assert refused.code == 2 and "31 bytes, at most 30 are allowed on this charger" in refused.err
    assert old.charger.journal.writes() == []
    assert "at most 30" not in run("--port", new.path, *arguments, *["--no-wait"] * (name == "WIFISTACFG")).err
    assert len(new.charger.journal.writes(name)) >= 1


@pytest.mark.parametrize("zone", ["Europe/Amsterdam", "Europe/Bratislava", "Europe/Oslo", "UTC", "Asia/Calcutta"])
def test_a_zone_that_the_firmware_lacks_gets_one_with_the_same_time(evse_host, charger, zone) -> None:
    refused = evse_host("set", "timezone", zone)
    assert refused.code == 5 and "the same time has " in refused.err
    twin = refused.err.split()[-1]
    assert zoneinfo_rule(twin) == zoneinfo_rule(zone)
    assert evse_host("set", "TZ", twin).code == 0
    assert charger.charger.value("TZ") == (twin,)


def zoneinfo_rule(zone: str) -> list:
    moments = [datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 13)]
    return [moment.astimezone(ZoneInfo(zone)).utcoffset() for moment in moments]


def test_a_mistyped_zone_gets_its_likes(evse_host) -> None:
    assert "did you mean Europe/Prague?" in evse_host("set", "TZ", "Europe/Prage").err
    assert "did you mean Europe/Berlin?" in evse_host("set", "TZ", "europe/berlin").err


def test_a_zone_on_released_firmware(start_charger) -> None:
    refused = run("--port", start_charger(Charger(firmware="v2.1.1")).path, "set", "TZ", "Europe/Prague")
    assert refused.code == 5 and "only newer firmware has it" in refused.err


@pytest.mark.parametrize("address", ["10.0.0", "10.0.0.256", "0x0a.0.0.1", "host"])
def test_an_address_is_one_with_four_numbers(evse_host, charger, address) -> None:
    """The charger itself takes the first for 10.0.0.0."""
    for words in (("wifi", "static", address, "10.0.0.1", "255.0.0.0"), ("set", "WIFISTASTATIC", "0", address)):
        ran = evse_host(*words)
        assert ran.code == 2 and f"'{address}' is not an IPv4 address" in ran.err
    assert charger.charger.journal.writes() == []


def test_in_state_e_nobody_waits_for_authorization(evse_host, charger) -> None:
    def fault(model) -> None:
        model.car.plug()
        model.set("REQAUTH", 1)

    charger.call(fault)
    wait_until(lambda: charger.call(lambda m: m.value("PENDAUTH")) == (1,))
    assert evse_host("--json", "info").json["state"]["pending_authorization"] is True
    charger.call(lambda m: m.point.set_fault("rcm_triggered"))
    wait_until(lambda: charger.call(lambda m: m.point.state) == "E")
    assert charger.call(lambda m: m.value("PENDAUTH")) == (1,)
    assert "pending_authorization" not in evse_host("--json", "info").json["state"]
    assert evse_host("--json", "authorize").json["vehicle_waiting"] is False


def test_wifi_connect_hides_the_password(charger) -> None:
    words = ["--port", charger.path, "--verbose", "wifi", "connect", "home"]
    ran = run(*words, env=environment(EVSE_WIFI_PASSWORD="very secret"))
    assert ran.code == 0 and "192.168.1.42" in ran.out
    assert "secret" not in ran.out + ran.err and 'AT+WIFISTACFG=0,"home","***"' in ran.err
    assert charger.charger.flash["station"] == [1, "home", "very secret"]


def test_wifi_connect_asks_for_the_password(charger) -> None:
    child = pexpect.spawn(
        str(COMMAND), ["--port", charger.path, "wifi", "connect", "home"], env=environment(), timeout=20
    )
    child.expect("Password: ")
    child.sendline("another one")
    child.expect("connected: 192.168.1.42")
    child.expect(pexpect.EOF)
    assert b"another" not in child.before
    assert charger.charger.flash["station"] == [1, "home", "another one"]


def test_a_static_address_is_set_and_taken_off(evse_host, charger) -> None:
    assert evse_host("wifi", "static", "192.168.1.9", "192.168.1.1", "255.255.255.0", "9.9.9.9").code == 0
    assert charger.call(lambda m: m.value("WIFISTASTATIC")) == (
        1, "192.168.1.9", "192.168.1.1", "255.255.255.0", "9.9.9.9",
    )  # fmt: skip
    assert evse_host("wifi", "static", "--off").code == 0
    assert charger.call(lambda m: m.value("WIFISTASTATIC"))[0] == 0
    assert evse_host("wifi", "static", "192.168.1.256", "192.168.1.1", "255.255.255.0").code == 2


# --- ports ------------------------------------------------------------------------------------------------------------


def test_a_port_that_is_not_there_is_said(tmp_path) -> None:
    ran = run("--port", str(tmp_path / "nothing"), "get", "state")
    assert ran.code == 3 and "no such file or directory: is it plugged in?" in ran.err


def test_a_file_is_no_port(tmp_path) -> None:
    (tmp_path / "file").touch()
    ran = run("--port", str(tmp_path / "file"), "get", "state")
    assert ran.code == 3 and ran.err.count("\n") == 1


def test_the_port_is_taken_exclusively(charger) -> None:
    with start("--port", charger.path, "watch", "state") as first:
        assert "state" in first.stdout.readline()
        ran = run("--port", charger.path, "get", "state")
        first.send_signal(signal.SIGINT)
    assert ran.code == 3 and "another program has it open" in ran.err
    assert first.returncode == 130


def test_the_environment_names_the_port(charger) -> None:
    assert run("get", "state", env=environment(EVSE_PORT=charger.path)).out.split() == ["state", "A"]


def test_a_socket_is_a_port_too() -> None:
    with TcpServer(Charger()) as server:
        assert run("--port", server.url, "get", "state").out.split() == ["state", "A"]
    ran = run("--port", server.url, "get", "state")
    assert ran.code == 3 and "nobody listens there" in ran.err


def test_a_port_of_a_console_server_is_a_port_too(charger) -> None:
    with rfc2217_server.serving(charger.path) as url:
        ran = run("--port", url, "get", "state", "charging_current")
    assert (ran.code, ran.err, ran.out.split()) == (0, "", ["state", "A", "charging_current", "32", "A"])


def test_a_full_disk_is_one_line(charger) -> None:
    with open("/dev/full", "w") as full, start("--port", charger.path, "get", "state", stdout=full) as getting:  # noqa: PTH123
        _, errors = getting.communicate(timeout=20)
    assert (getting.returncode, errors) == (1, "evse-host: output: No space left on device\n")


def test_a_silent_charger_is_said(charger) -> None:
    charger.inject(lambda faults: faults.cable_out())
    ran = run("--port", charger.path, "--timeout", "1", "get", "state")
    assert ran.code == 4 and ran.err.startswith("evse-host: the charger does not answer: is it on")


def test_verbose_shows_the_wire(evse_host) -> None:
    lines = [line.split(maxsplit=1)[1] for line in evse_host("--verbose", "get", "state").err.splitlines()]
    assert lines[:2] == ["> ~", "< ERROR"] and lines[-3:] == ["> AT+STATE?", "< +STATE=0", "< OK"]


def test_usage_errors_are_one_line() -> None:
    for words in (["nosuch"], ["get"], ["get", "--nosuch"], ["--baud", "1", "ports"], ["set", "CHCUR"]):
        ran = run(*words)
        assert ran.code == 2 and ran.err.startswith("evse-host: ") and ran.err.count("\n") == 1, words


# --- watch, and how it ends -------------------------------------------------------------------------------------------


def left_clean(server) -> bool:
    return server.call(lambda model: not model.subscriptions and not model.echo)


def test_watch_prints_changes_as_json_lines(charger) -> None:
    words = ["--port", charger.path, "--json", "watch", "state", "charging_current", "--interval", "0.2"]
    with start(*words) as watching:
        first = [json.loads(watching.stdout.readline()) for _ in range(2)]
        charger.call(lambda model: model.set("CHCUR", 100))
        changed = json.loads(watching.stdout.readline())
        watching.send_signal(signal.SIGINT)
    assert {(row["name"], row["value"]) for row in first} == {("state", "A"), ("charging_current", 32.0)}
    assert (changed["name"], changed["value"], changed["unit"]) == ("charging_current", 10.0, "A")
    assert watching.returncode == 130
    wait_until(lambda: left_clean(charger))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_watch_leaves_nothing_behind(charger, number: int, code: int) -> None:
    with start("--port", charger.path, "watch") as watching:
        assert watching.stdout.readline()
        assert charger.call(lambda model: len(model.subscriptions)) > 5
        watching.send_signal(number)
        _, errors = watching.communicate(timeout=20)
    assert (watching.returncode, errors.strip()) == (code, "")
    wait_until(lambda: left_clean(charger))


def test_watch_ends_after_its_duration(charger, evse_host) -> None:
    assert evse_host("watch", "uptime", "--duration", "0.5").code == 0
    assert left_clean(charger)


def test_watch_refuses_what_hangs_the_charger(evse_host, charger) -> None:
    assert evse_host("watch", "SERIALS").code == 2
    assert evse_host("watch", "serial_ports").code == 2
    assert charger.charger.journal.entries == []


def test_watch_on_a_terminal_is_a_live_table(charger) -> None:
    child = pexpect.spawn(str(COMMAND), ["--port", charger.path, "watch"], env=environment(TERM="xterm"), timeout=20)
    child.expect("charging_current.*32 A")
    charger.call(lambda model: model.set("CHCUR", 100))
    child.expect("10 A")
    child.sendintr()
    child.expect_exact("\x1b[?25h")  # the cursor is back
    child.expect(pexpect.EOF)
    assert child.wait() == 130
    wait_until(lambda: left_clean(charger))


def test_watch_goes_on_after_a_restart_of_the_charger(charger) -> None:
    with start("--port", charger.path, "watch", "charging_current", "--interval", "0.2") as watching:
        assert "32 A" in watching.stdout.readline()
        charger.inject(lambda faults: faults.reboot())
        wait_until(lambda: charger.call(lambda model: bool(model.subscriptions)))
        charger.call(lambda model: model.set("CHCUR", 100))
        assert "10 A" in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        _, errors = watching.communicate(timeout=20)
    assert "the charger has restarted" in errors
    assert charger.charger.journal.violations == []


def test_a_closed_pipe_is_no_traceback(charger) -> None:
    with start("--port", charger.path, "watch", "uptime", "--every", "--interval", "0.1") as watching:
        watching.stdout.readline()
        watching.stdout.close()
        assert watching.wait(timeout=20) == 1
        assert watching.stderr.read() == ""
    wait_until(lambda: left_clean(charger))


def test_an_adapter_that_vanishes_is_one_line() -> None:
    master, slave = pty.openpty()
    path = os.ttyname(slave)
    with start("--port", path, "get", "state") as getting:
        assert os.read(master, 10)[:1] == b"~"
        os.close(slave)
        os.close(master)
        out, errors = getting.communicate(timeout=20)
    assert (getting.returncode, out) == (3, "")
    assert errors.startswith(f"evse-host: port {path}: lost (") and errors.count("\n") == 1


def test_echo_and_raw_subscriptions_are_gone_afterwards(charger, evse_host) -> None:
    assert evse_host("raw", "ATE1").code == 0
    assert evse_host("raw", 'AT+SUB="+STATE",1000').code == 0
    assert left_clean(charger)
