"""The hub's actions, conditions, triggers and options, on a node of their own."""

from __future__ import annotations

import pytest

from evse_host.simulator import Board, Car, Charger

PASSWORD = "correct horse"


@pytest.fixture
def charger(start_charger):
    server = start_charger(Charger(board=Board(), car=Car(), epoch=1_700_000_000))
    yield server
    assert server.call(lambda charger: charger.journal.violations) == []


@pytest.fixture
def node(actions_program, start_node, charger):
    node = start_node(actions_program, charger)
    node.wait_for("binary_sensor.Connected", True)
    return node


def writes(charger, name):
    return charger.call(lambda charger: charger.journal.writes(name))


def test_on_connect_and_the_clock(node, charger):
    """The simulated charger's clock is wrong; `time_id` sets it without being asked each time."""
    node.wait_for_log("on_connect")
    charger.wait_for(lambda charger: abs(charger.value("TIME")[0] - node.wall_clock) <= 3)
    assert len(writes(charger, "TIME")) == 1
    charger.call(lambda charger: charger.set("TIME", 1_000_000_000))
    node.call_service("set_time")
    charger.wait_for(lambda charger: abs(charger.value("TIME")[0] - node.wall_clock) <= 3)


def test_a_clock_that_the_charger_refuses_is_not_written_again_and_again(node, charger):
    """It was, 27 times a second."""
    charger.wait_for(lambda charger: abs(charger.value("TIME")[0] - node.wall_clock) <= 3)
    charger.call(lambda charger: (charger.set("TIME", 1_000_000_000), charger.journal.clear()))
    charger.call(lambda charger: setattr(charger.device, "write", lambda *_: False))
    node.run(120)
    assert 1 <= len(writes(charger, "TIME")) <= 2


def test_a_period_in_yaml_reaches_the_charger(node, charger):
    charger.wait_for(lambda charger: {(s.name, s.period) for s in charger.subscriptions} >= {("+TEMP", 500)})


def test_enable_and_disable_reach_the_charger(node, charger):
    node.call_service("disable")
    charger.wait_for(lambda charger: charger.value("ENABLE") == (0,))
    node.call_service("enable")
    charger.wait_for(lambda charger: charger.value("ENABLE") == (1,))


@pytest.mark.parametrize(("ampere", "wire"), [(6.0, 60), (13.24, 132), (31.96, 320)])
def test_a_current_reaches_the_charger_in_tenths(node, charger, ampere, wire):
    node.call_service("set_charging_current", current=ampere)
    charger.wait_for(lambda charger: charger.value("CHCUR") == (wire,))


@pytest.mark.parametrize(
    ("ampere", "wire"), [(0.0, 60), (5.9, 60), (32.1, 320), (63.1, 320), (-7.0, 60), (float("inf"), 320)]
)
def test_set_charging_current_out_of_range_is_saturated(node, charger, ampere, wire):
    """The charger's maximum is 32 A. Leaving the old current could mean more than was asked for."""
    node.call_service("set_charging_current", current=16.0)
    charger.wait_for(lambda charger: charger.value("CHCUR") == (160,))
    node.call_service("set_charging_current", current=ampere)
    charger.wait_for(lambda charger: charger.value("CHCUR") == (wire,))
    node.wait_for_log("CHCUR: out of range, the nearest value was set")


def test_relative_steps_build_on_what_is_wished(node, charger):
    node.call_service("set_charging_current", current=10.0)
    node.wait_for("number.Charging current", 10.0)
    node.call_service("ten_steps_up")
    node.wait_for("number.Charging current", 20.0)
    charger.wait_for(lambda charger: charger.value("CHCUR") == (200,))
    charger.call(lambda charger: charger.set("MAXCHCUR", 20))
    node.call_service("ten_steps_up")  # in vain: the next steps begin at what the charger holds
    node.wait_for_log("Charger did not take CHCUR")
    node.wait_for("number.Charging current", 20.0)
    charger.call(lambda charger: charger.set("MAXCHCUR", 32))


def test_two_toggles_leave_a_switch_as_it_was(node, charger):
    before = node.value("switch.Wi-Fi station")
    node.call_service("toggle_twice")
    charger.wait_for(lambda charger: charger.value("WIFISTACFG")[0] == int(before))
    node.wait_for("switch.Wi-Fi station", before)
    node.call_service("toggle_and_choose")
    node.wait_for("switch.Wi-Fi station", not before)
    charger.wait_for(lambda charger: charger.value("WIFISTACFG")[0] == int(not before))
    node.call_service("toggle_twice")
    node.call_service("toggle_and_choose")
    charger.wait_for(lambda charger: charger.value("WIFISTACFG")[0] == int(before), timeout=30)


def test_a_current_that_is_no_number_is_refused(node, charger):
    node.call_service("set_charging_current", current=float("nan"))
    node.wait_for_log("CHCUR not sent: not a number")
    assert writes(charger, "CHCUR") == []


def test_conditions_follow_an_authorization_and_a_restart(node, charger):
    charger.call(lambda charger: (charger.set("REQAUTH", 1), charger.car.plug()))
    node.wait_for_log("on_session_start")
    charger.wait_for(lambda charger: charger.value("PENDAUTH") == (1,))
    assert wait_for_conditions(node, "is_authorization_pending") == {
        "is_connected", "is_vehicle_connected", "is_authorization_pending"
    }  # fmt: skip
    node.call_service("authorize")
    node.wait_for_log("on_state C2")
    assert wait_for_conditions(node, "is_charging") == {
        "is_connected", "is_charging", "is_vehicle_connected", "is_authorized"
    }  # fmt: skip
    charger.call(lambda charger: charger.car.unplug())
    node.wait_for_log("on_session_end")
    node.call_service("restart")
    node.wait_for_log("on_ready", timeout=20)


def wait_for_conditions(node, expected):
    """What holds, once ``expected`` does: the node learns of it with the next push."""
    deadline = node.time + 3
    while True:
        start = len(node.log)
        node.call_service("conditions")
        node.wait_for_log("conditions done", start=start)
        said = {line.split(": ")[-1] for line in node.log[start:] if "is_" in line}
        if expected in said or node.time > deadline:
            return said


def test_a_fault_triggers_its_automation(node, charger):
    charger.call(lambda charger: charger.point.set_fault("pilot"))
    node.wait_for_log("on_fault pilot")


def assert_written(charger, password):
    """The charger tells its password to nobody, but the journal has heard it."""
    charger.wait_for(lambda charger: any(f'"{password}"' in line for line in charger.journal.writes("WIFISTACFG")))


def test_a_network_reaches_the_charger_and_its_password_no_log(node, charger):
    node.call_service("set_wifi_station", ssid='Guest "5", \\o/', password=PASSWORD)
    assert_written(charger, PASSWORD)
    charger.wait_for(lambda charger: charger.value("WIFISTACFG")[:2] == (1, 'Guest "5", \\o/'))
    node.call_service("set_wifi_network", ssid="other")
    charger.wait_for(lambda charger: charger.value("WIFISTACFG")[1] == "other")
    # The charger keeps its password; if the wish before is not proven yet, it is written along.
    assert writes(charger, "WIFISTACFG")[-1].startswith('AT+WIFISTACFG=1,"other"')
    assert not any(PASSWORD in line for line in node.log)


def test_a_new_password_for_the_same_network_is_written(node, charger):
    ssid = charger.call(lambda charger: charger.value("WIFISTACFG")[1])
    node.call_service("set_wifi_station", ssid=ssid, password=PASSWORD)
    assert_written(charger, PASSWORD)


def test_an_open_network_has_an_empty_password(node, charger):
    node.call_service("set_wifi_station", ssid="open", password="")
    charger.wait_for(lambda charger: charger.value("WIFISTACFG")[1] == "open")
    assert writes(charger, "WIFISTACFG")[-1] == 'AT+WIFISTACFG=1,"open",""'


@pytest.mark.parametrize("ssid", ["", "x" * 32, 'a"\nAT+RST\n', "bell\a"], ids=repr)
def test_an_ssid_that_cannot_be_is_refused(node, charger, ssid):
    node.call_service("set_wifi_station", ssid=ssid, password=PASSWORD)
    node.wait_for_log("WIFISTACFG not sent")
    assert writes(charger, "WIFISTACFG") == []


def test_an_address_is_completed_from_what_the_charger_holds(node, charger):
    node.call_service("set_static_ip", ip="10.0.0.9")
    charger.wait_for(
        lambda charger: charger.value("WIFISTASTATIC") == (1, "10.0.0.9", "10.0.0.1", "255.255.255.0", "10.0.0.2")
    )


def test_a_scan_tells_every_network(node, charger):
    networks = charger.call(lambda charger: charger.board.networks)
    assert networks
    node.call_service("wifi_scan")
    for network in networks:
        node.wait_for_log(rf"on_wifi_scan_result .*{network.rssi} dBm auth {network.auth}")


def test_a_subscription_follows_the_last_period_that_was_asked_for(node, charger):
    def periods(charger):
        return {subscription.name: subscription.period for subscription in charger.subscriptions}

    node.call_service("subscribe_uptime", period=1000)
    charger.wait_for(lambda charger: periods(charger).get("+UPTIME") == 1000)
    node.call_service("subscribe_uptime", period=2000)
    charger.wait_for(lambda charger: periods(charger).get("+UPTIME") == 2000)
    node.call_service("subscribe_uptime", period=50)
    charger.wait_for(lambda charger: periods(charger).get("+UPTIME") == 100)  # the nearest that the charger takes
    node.call_service("unsubscribe_all")
    charger.wait_for(lambda charger: periods(charger) == {})
    node.call_service("subscribe_uptime", period=1000)
    charger.wait_for(lambda charger: periods(charger) == {"+UPTIME": 1000})
    charger.call(lambda charger: charger.reboot(charger.now))
    node.wait_for_log("on_ready")
    charger.wait_for(lambda charger: periods(charger) == {"+UPTIME": 1000})
    node.call_service("subscribe_uptime", period=0)
    charger.wait_for(lambda charger: periods(charger) == {})


def test_a_raw_command_tells_its_lines_and_its_result(node, charger):
    node.call_service("send_command", command="AT+SERIALS?")
    node.wait_for_log(r"on_command_line \+SERIALS=1,")
    node.wait_for_log("on_command_result OK")
    node.call_service("send_command", command="AT+NONSENSE?")
    node.wait_for_log("on_command_result ERROR")
    node.call_service("send_command", command="AT+CHCUR=100")
    charger.wait_for(lambda charger: charger.value("CHCUR") == (100,))


@pytest.mark.parametrize(
    "command",
    [
        "AT+SERIAL0?",
        "at+serial1=1",
        "AT+SERI?",
        'AT+SUB="+SERIALS",1000',
        'AT+SU="+AUXINPUTS",1',
        "+STATE?",
        "AT\nAT+RST",
    ],
    ids=repr,
)
def test_dangerous_commands_are_refused(node, charger, command):
    node.call_service("send_command", command=command)
    node.wait_for_log("Command not sent")
    node.wait_for_log("on_command_result ERROR")
    lines = charger.call(lambda charger: charger.journal.commands)
    assert not any("SERIAL0" in line or "SERIAL1" in line or "RST" in line or "AUX" in line for line in lines)


def test_force_never_makes_two_commands_of_one(node, charger):
    node.call_service("force_command", command="AT+CHCUR=100\nAT+RST")
    node.wait_for_log("Command not sent")
    assert writes(charger, "CHCUR") == []


def test_a_pause_and_a_current_outlast_a_restart_of_the_charger(node, charger):
    """Paused stays paused, and the current stays, over a restart of the charger."""
    node.call_service("disable")
    node.call_service("set_charging_current", current=11.0)
    charger.wait_for(lambda charger: (charger.value("ENABLE"), charger.value("CHCUR")) == ((0,), (110,)))
    charger.call(lambda charger: (charger.set("CONSUMLIM", 5000), charger.journal.clear()))
    node.call_service("refresh")  # somebody else's wish counts, too, once it has been read
    charger.wait_for(lambda charger: "AT+UNDERPOWERLIM?" in charger.journal.commands)  # read after CONSUMLIM
    charger.call(lambda charger: (charger.journal.clear(), charger.reboot(charger.now)))
    node.wait_for_log("on_ready")
    charger.wait_for(lambda charger: (charger.value("ENABLE"), charger.value("CHCUR")) == ((0,), (110,)))
    charger.wait_for(lambda charger: charger.value("CONSUMLIM") == (5000,))
    assert writes(charger, "AVAILABLE") == writes(charger, "CHTIMELIM") == []  # they were right already


def test_a_lost_line_and_its_return_trigger_automations(node, charger):
    charger.inject(lambda faults: faults.cable_out())
    node.wait_for_log("on_disconnect")
    charger.inject(lambda faults: faults.cable_in())
    node.wait_for_log("on_connect", start=len(node.log) - 5)


def test_esphomes_own_actions_of_a_poller(node, charger):
    """component.update reads at once; what is suspended reads nothing by itself until it is resumed."""

    def reads(charger) -> int:
        return charger.journal.commands.count("AT+HOSTNAME?")

    begin = charger.call(reads)
    node.call_service("update_component")
    charger.wait_for(lambda charger: reads(charger) > begin)
    node.call_service("suspend_component")
    node.run(130)
    suspended = charger.call(reads)
    node.run(130)
    assert charger.call(reads) == suspended
    node.call_service("resume_component")
    charger.wait_for(lambda charger: reads(charger) > suspended)
