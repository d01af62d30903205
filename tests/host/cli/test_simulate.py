"""Orders to simulated chargers, and `evse-host simulate`."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from evse_host.line.client import Evse
from evse_host.simulator import Charger, Faults
from evse_host.simulator.orders import VERBS, OrderError, help_text, parse, parse_script
from tests.host.commands import Command, run

# --- orders -----------------------------------------------------------------------------------------------------------


def obey(charger: Charger, text: str) -> str | None:
    return parse(text).action(Faults(charger))


def test_the_car_can_be_played():
    charger = Charger()
    obey(charger, "plug")
    obey(charger, "draw 10")
    obey(charger, "phases 1")
    charger.advance_to(30)
    assert charger.value("STATE") == (4,) and charger.value("EMETERCURRENT")[0] == 10_000
    assert charger.value("EMETERPOWER") == (2300,)
    assert obey(charger, "show").startswith("state C2, a car that wants energy, 2300 W, offers 32 A")
    obey(charger, "stop")
    charger.advance_to(60)
    assert charger.value("STATE") == (2,)
    obey(charger, "unplug")
    charger.advance_to(61)
    assert charger.value("STATE") == (0,)


def test_faults_come_and_go():
    charger = Charger()
    obey(charger, "fault temperature_high")
    charger.advance_to(1)
    assert charger.value("ERROR") == (64,) and charger.value("STATE") == (7,)
    obey(charger, "clear")
    charger.advance_to(2)
    assert charger.value("ERROR") == (0,)


def test_settings_change_behind_the_clients_back():
    charger = Charger()
    assert obey(charger, "set chcur 100") is None and charger.value("CHCUR") == (100,)
    obey(charger, "set MAXCHCUR 16")
    assert "refuses" in obey(charger, "set CHCUR 200")


def test_power_and_cable_can_be_taken_away_by_a_word():
    charger = Charger()
    obey(charger, "off")
    charger.receive(b"AT\n", 1.0)
    assert charger.advance(1.5) == b""
    obey(charger, "on")
    assert charger.advance(5.0).startswith(b"\n\nRDY\n")
    faults = Faults(charger)
    parse("cable out").action(faults)
    faults.receive(b"AT\n", 6.0)
    assert faults.advance(6.5) == b""
    parse("cable in").action(faults)
    faults.receive(b"AT\n", 7.0)
    assert faults.advance(7.5) == b"\nOK\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jump", "jump: no order; known are plug"),
        ("draw", "usage: draw AMPERE"),
        ("draw 99", "draw 99: 0 to 63 A are allowed"),
        ("draw nan", "draw nan: 0 to 63 A are allowed"),
        ("plug now", "usage: plug"),
        ("fault fire", "fault fire: none of pilot"),
        ("cable up", "cable up: out or in"),
        ("set STATE 1", "set STATE: no setting"),
        ("set CHCUR x", "set: value x: 60 to 630 A/10 are allowed"),
        ("3: plug", "charger 3: 1 to 2 are there"),
        ("2:", "nothing: no order"),
    ],
)
def test_what_is_no_order_is_said_in_one_line(text, message):
    with pytest.raises(OrderError) as error:
        parse(text, chargers=2)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_a_script_has_times_and_comments():
    script = parse_script(["# a day", "", "0 plug # at once", "12.5 2: draw 8"], "day", chargers=2)
    assert [(seconds, order.text, order.charger) for seconds, order in script] == [
        (0, "plug", 0),
        (12.5, "2: draw 8", 2),
    ]
    with pytest.raises(OrderError, match="day:2: time 1: the lines must be in order"):
        parse_script(["2 plug", "1 unplug"], "day")
    with pytest.raises(OrderError, match="day:1: time plug: 0 to 1e"):
        parse_script(["plug"], "day")


def test_every_order_is_explained():
    assert len(help_text().splitlines()) == len(VERBS)


# --- the command ------------------------------------------------------------------------------------------------------


def test_several_chargers_each_with_its_car(tmp_path):
    link = str(tmp_path / "evse")
    with Command("simulate", "--link", link, "--count", "2", "--time-scale", "20", stdin=True) as command:
        command.wait_for(f"{link}2")
        command.order("2: plug")
        command.order("nonsense")
        command.wait_for("nonsense: no order", err=True)
        command.order("show")
        command.wait_for(f"{link}1: state A, no car")
        with Evse.open(f"{link}1") as one, Evse.open(f"{link}2") as two:
            one.set("CHCUR", 90)
            assert two.get("CHCUR") == (320,)
            for _ in range(500):
                if two.get("STATE") == (4,):
                    break
            assert two.get("STATE") == (4,) and one.get("STATE") == (0,)
        assert command.end() == 130 and "Traceback" not in "\n".join(command.err)
    assert not Path(f"{link}1").is_symlink() and not Path(f"{link}2").is_symlink()


def test_an_order_without_an_end_takes_no_memory(tmp_path):
    """As from `simulate < /dev/zero`."""
    with Command("simulate", "--link", str(tmp_path / "evse"), stdin=True) as command:
        command.order("show")
        command.wait_for("state A")
        before = resident_kb(command.process.pid)
        for _ in range(64):
            command.process.stdin.write("x" * 2**20)
        command.order("")
        command.order("show")
        command.wait_for("an order has at most 1000 characters", err=True)
        command.order("plug")
        command.order("show")
        command.wait_for("a car that wants energy")
        assert resident_kb(command.process.pid) < before + 20_000


def resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def test_a_script_on_tcp_goes_on_without_standard_input(tmp_path):
    script = tmp_path / "day.txt"
    script.write_text("0 plug\n5 draw 6\n30 fault lock\n")
    with Command("simulate", "--tcp", "0", "--script", str(script), "--time-scale", "20") as command:
        url = command.wait_for("socket://")
        command.wait_for("30 fault lock")
        with Evse.open(url) as evse:
            assert evse.get("ERROR") == (4,)
        assert command.end(signal.SIGTERM) == 130


def test_each_charger_has_addresses_of_its_own_and_keeps_them(tmp_path):
    """Who remembers a charger, such as its lifetime energy, knows it by its MAC address."""

    def addresses(link: str) -> set[str]:
        with Command("simulate", "--link", str(tmp_path / link), "--count", "2") as command:
            found = {mac(command.wait_for(f"{link}{number}")) for number in (1, 2)}
            command.end()
            return found

    def mac(place: str) -> str:
        with Evse.open(place) as evse:
            return str(evse.get("WIFISTAMAC")[0])

    garage, carport = addresses("garage"), addresses("carport")
    assert len(garage | carport) == 4
    assert addresses("garage") == garage


def test_several_on_tcp_have_ports_of_their_own():
    with Command("--json", "simulate", "--tcp", "0", "--count", "3") as command:
        urls = json.loads(command.wait_for("socket://"))
        assert len(set(urls)) == 3
        for url in urls:
            with Evse.open(url) as evse:
                assert evse.get("STATE") == (0,)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--link", "/tmp/a", "--tcp", "0"), 2, "--link and --tcp: choose one"),
        (("--script", "/nowhere"), 2, "/nowhere: no such file"),
        (("--tcp", "x"), 2, "--tcp x: no TCP port, 0 to 65535 are allowed"),
        (("--link", "/nowhere/evse"), 3, "--link /nowhere/evse: no such file"),
        (("--link", "/etc/hostname"), 3, "something else is there"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(arguments, code, message):
    ran = run("simulate", *arguments)
    assert ran.code == code and message in ran.err and ran.err.count("\n") == 1
