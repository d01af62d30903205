"""What automations ask for comes true as often as it was asked, wherever they are and however long they take."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from evse_host.simulator import Board, Car, Charger
from evse_host.simulator.interpreter import Subscription
from tests.consumers.conftest import House
from tools.build import node as nodes

REFUSED = "on_write_failed"


@pytest.fixture(scope="session")
def automations_program() -> Path:
    return nodes.build(Path(__file__).with_name("automations.yaml"))


@pytest.fixture
def house(automations_program, tmp_path) -> Iterator[House]:
    house = House(automations_program, tmp_path / "home", Charger(board=Board(proximity=True), car=Car()))
    house.start()
    house.node.run(6)
    yield house
    assert not house.node.dropped
    house.node.close()


# --- relative steps ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap_ms", [0, 5, 20, 60, 300])
def test_ten_steps_of_an_automation_are_ten_steps_however_fast(house: House, gap_ms: int) -> None:
    house.charger.set("CHCUR", 100)
    house.node.wait_for("Charging current", 10.0, 6)
    house.node.call_service("steps_up", count=10, gap_ms=gap_ms)
    house.node.run(5)
    assert house.charger.value("CHCUR") == (110,)
    assert house.node.value("Charging current") == 11.0


def test_steps_beyond_the_maximum_and_back(house: House) -> None:
    """Ten steps up reach the maximum after five, and the three steps back begin there."""
    house.charger.set("CHCUR", 315)
    house.node.wait_for("Charging current", 31.5, 6)
    house.node.call_service("steps_there_and_back", up=10, down=3)
    house.node.run(5)
    assert house.charger.value("CHCUR") == (317,)
    assert house.node.value("Charging current") == 31.7


@pytest.mark.parametrize("gap_ms", [0, 300, 1500])
def test_ten_steps_of_what_is_held_back_for_the_flash(house: House, gap_ms: int) -> None:
    house.charger.set("DEFCHCUR", 100)
    house.node.wait_for("Default current", 10.0, 6)
    seen = len(house.node.changes)
    house.node.call_service("default_steps_up", count=10, gap_ms=gap_ms)
    house.node.wait_for("Default current", 11.0, 40)
    assert house.charger.value("DEFCHCUR") == (110,)
    assert len(house.charger.journal.writes("DEFCHCUR")) <= 3
    shown = [round(value * 10) for value in house.since(seen, "Default current")]
    written = [int(line.partition("=")[2]) for line in house.charger.journal.writes("DEFCHCUR")]
    assert shown == written, "a wish was shown before the charger held it"


@pytest.mark.parametrize(("count", "gap_ms"), [*itertools.product((2, 3), (0, 20, 1500))])
def test_as_many_toggles_as_asked_for_decide_the_state(house: House, count: int, gap_ms: int) -> None:
    house.node.call_service("toggles", count=count, gap_ms=gap_ms)
    house.node.run(20)
    assert house.charger.value("REQAUTH") == (count % 2,)
    assert house.node.value("Require authorization") is bool(count % 2)


@pytest.fixture
def refusing_once(house: House):
    """The charger refuses what is written until it has refused ``name``; returns what it refused."""

    def make(name: str) -> None:
        write = house.charger.device.write

        def refuse(*arguments) -> bool:
            return False

        house.charger.device.write = refuse
        house.node.wait_for_log(f"{REFUSED} {name}", 10)
        house.charger.device.write = write

    return make


@pytest.mark.parametrize("after_s", [0, 0.05, 0.3, 0.9])
def test_steps_while_a_refused_value_is_unknown(house: House, refusing_once, after_s: float) -> None:
    """A step began at NaN, and was lost; a select began with its first option."""
    house.charger.set("CHCUR", 100)
    house.charger.set("TZ", "Europe/Berlin")
    house.node.wait_for("Charging current", 10.0, 6)
    house.node.wait_for("Time zone", "Europe/Berlin", 6)
    house.node.command("Charging current", 12.0)
    house.node.command("Time zone", "Etc/UTC")
    house.node.command("Require authorization", True)
    refusing_once("request_authorization")
    house.node.run(after_s)
    house.node.call_service("steps_up", count=2, gap_ms=0)
    house.node.call_service("next_zone")
    house.node.call_service("toggles", count=1, gap_ms=0)
    house.node.run(8)
    assert house.charger.value("CHCUR") == (102,)
    assert house.charger.value("TZ") == ("Europe/Paris",)
    assert house.charger.value("REQAUTH") == (1,)
    shown = {name: house.node.value(name) for name in ("Charging current", "Time zone", "Require authorization")}
    assert shown == {"Charging current": 10.2, "Time zone": "Europe/Paris", "Require authorization": True}


def test_steps_in_the_trigger_that_tells_of_a_refusal(house: House, refusing_once) -> None:
    """They began at the wish, or at nothing: the charger's value is where it is."""
    house.charger.set("CHCUR", 100)
    house.node.wait_for("Charging current", 10.0, 6)
    house.charger.set("TZ", "Europe/Berlin")
    house.node.wait_for("Time zone", "Europe/Berlin", 6)
    house.node.call_service("step_back")
    refusing_once("charging_current")
    house.node.run(8)
    assert house.charger.value("CHCUR") == (99,)
    assert house.charger.value("TZ") == ("Europe/Paris",)
    assert house.charger.value("REQAUTH") == (1,)


@pytest.mark.parametrize(("action", "current"), [("set_and_step", 161), ("step_and_set", 89)])
def test_steps_begin_with_what_an_action_has_asked_for(house: House, action: str, current: int) -> None:
    house.charger.set("CHCUR", 100)
    house.node.wait_for("Charging current", 10.0, 6)
    house.node.call_service(action)
    house.node.run(5)
    assert house.charger.value("CHCUR") == (current,)
    assert house.charger.value("ENABLE") == (1,)
    assert (house.node.value("Charging current"), house.node.value("Enable")) == (current / 10, True)


def test_steps_while_a_wish_outlasts_an_outage(house: House) -> None:
    """The wish waits for the flash; its charger was silent, and its state was NaN afterwards."""
    house.charger.set("DEFCHCUR", 100)
    house.node.wait_for("Default current", 10.0, 6)
    house.node.call_service("default_steps_up", count=1, gap_ms=0)
    house.node.wait_for("Default current", 10.1, 6)
    house.faults.silence(7)
    house.node.call_service("default_steps_up", count=1, gap_ms=0)
    house.node.wait_for("Connected", False, 20)
    house.node.wait_for("Connected", True, 20)
    house.node.wait_for("Default current", 10.1, 3)
    house.node.call_service("default_steps_up", count=1, gap_ms=0)
    house.node.run(25)
    assert house.charger.value("DEFCHCUR") == (103,)


@pytest.mark.parametrize(
    ("name", "entered", "held"),
    [
        ("Charging current", 10.04, 10.0),
        ("Default current", 10.04, 10.0),
        ("Energy limit", 3.0004, 3.0),
        ("Default energy limit", 2.9996, 3.0),
        ("Meter voltage", 230.3, 230.0),
    ],
)
def test_a_value_that_is_rounded_to_the_one_before_is_a_change(house: House, name, entered, held) -> None:
    """Home Assistant shows what a person has entered until a state changes."""
    house.node.command(name, held)
    house.node.wait_for(name, held, 6)
    house.node.run(12)
    seen = len(house.node.changes)
    house.node.command(name, entered)
    house.node.run(6)
    values = house.since(seen, name)
    assert values == [None, held]
    assert not any(REFUSED in line for line in house.node.log), "it is what a person wants"


def test_a_control_loop_on_one_number_leaves_what_a_person_enters_in_another_visible(house: House) -> None:
    """How often rounding is shown was once a matter of all numbers together."""
    house.node.command("Charging current", 10.0)
    house.node.wait_for("Charging current", 10.0, 6)
    house.node.call_service("set_number", value=10.02)
    house.node.run(5)
    house.node.call_service("set_number", value=10.04)
    held = house.node.value("Meter voltage")
    seen = len(house.node.changes)
    house.node.command("Meter voltage", held + 0.3)
    house.node.run(5)
    assert house.since(seen, "Meter voltage") == [None, held]
    assert house.since(seen, "Charging current") == []


def test_a_control_loop_that_does_not_round_leaves_the_number_alone(house: House) -> None:
    house.node.command("Charging current", 10.0)
    house.node.wait_for("Charging current", 10.0, 6)
    house.node.call_service("set_number", value=10.02)
    house.node.run(5)
    seen = len(house.node.changes)
    for value in (10.04, 9.97, 10.01, 10.0, 10.03, 12.02, 12.04, 10.3):
        house.node.call_service("set_number", value=value)
        house.node.run(5)
    assert house.since(seen, "Charging current") == [12.0, pytest.approx(10.3)]


def test_steps_to_and_fro_are_not_rounded(house: House) -> None:
    """The steps are floats, and ten of them are not quite 1."""
    house.node.command("Charging current", 10.0)
    house.node.wait_for("Charging current", 10.0, 6)
    seen = len(house.node.changes)
    for steps in ((3, 3), (7, 7)):
        house.node.call_service("steps_there_and_back", up=steps[0], down=steps[1])
        house.node.run(3)
    # Told again, for what was wished for meanwhile and then taken back, but never unknown.
    assert house.since(seen, "Charging current") == [10.0, 10.0]


@pytest.mark.parametrize("firmware", ["head", "v2.1.1"])
@pytest.mark.parametrize(
    ("enabled", "address", "dns"),
    [(False, "0.0.0.0", ""), (False, "0.0.0.0", "0.0.0.0"), (True, "10.0.0.5", "0.0.0.0")],
)
def test_no_address_is_written_once(automations_program, tmp_path, firmware, enabled, address, dns) -> None:
    """The head shows none for 0.0.0.0: nothing proved the write, and the flash was written three times."""
    if firmware == "v2.1.1":
        dns = ""
    house = House(automations_program, tmp_path / "home", Charger(firmware))
    house.start()
    house.charger.device.write("WIFISTASTATIC", [1, "192.168.1.5", "192.168.1.1", "255.255.255.0"])
    house.node.run(8)
    house.charger.journal.clear()
    house.node.call_service("set_address", enabled=enabled, address=address, dns=dns)
    house.node.run(20)
    assert len(house.charger.journal.writes("WIFISTASTATIC")) == 1
    shown = "" if firmware == "head" else "0.0.0.0"
    assert house.charger.value("WIFISTASTATIC")[:2] == (int(enabled), shown if address == "0.0.0.0" else address)
    assert not any(REFUSED in line for line in house.node.log)
    house.node.close()


def test_a_step_that_is_refused_is_a_change_however_long_the_api_collects(house: House) -> None:
    house.charger.device.write = lambda *_: False
    wishes = {"Charging current": 9.0, "Time zone": "Europe/Paris", "Host name": "other", "Meter voltage": 111.0}
    held = {name: house.node.value(name) for name in wishes}
    seen = len(house.node.changes)
    for name, wish in wishes.items():
        house.node.command(name, wish)
    house.node.run(15)
    for name in wishes:
        values = house.since(seen, name)
        assert values == [None, held[name]], name


def test_an_automation_that_tries_the_impossible_again_ends(house: House) -> None:
    """It is refused within the attempt itself, and on_write_failed would be told within on_write_failed, for ever."""
    house.node.call_service("try_in_vain")
    house.node.wait_for("Charging current", 7.0, 10)
    assert len([line for line in house.node.log if f"{REFUSED} host_name: too few or too many bytes" in line]) == 1
    assert len([line for line in house.node.log if "on_command_result 0" in line]) == 1


def test_a_refusal_behind_a_wish_that_is_held_back(house: House) -> None:
    """It stayed unknown until the flash could be written again, for ten seconds."""
    house.node.command("Host name", "first")
    house.node.wait_for("Host name", "first", 2)
    house.node.command("Host name", "second")
    house.node.run(1)
    house.node.command("Host name", "x" * 31)
    house.node.wait_for("Host name", None, 2)
    house.node.wait_for("Host name", "first", 3)
    house.node.wait_for("Host name", "second", 15)


# --- one script -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("firmware", ["head", "v2.1.1"])
def test_one_script_sets_everything(automations_program, tmp_path, firmware: str) -> None:
    house = House(automations_program, tmp_path / "home", Charger(firmware))
    house.start()
    house.node.call_service("commission")
    house.node.run(20)
    charger = house.charger
    live = {"CHCUR": 110, "CONSUMLIM": 10_000, "CHTIMELIM": 7200, "UNDERPOWERLIM": 1000, "ENABLE": 0, "REQAUTH": 1}
    stored = {"MAXCHCUR": 25, "DEFCHCUR": 120, "DEFCONSUMLIM": 11_000, "DEFCHTIMELIM": 10_800, "DEFUNDERPOWERLIM": 2000}
    texts = {"HOSTNAME": "garage", "INSTNAME": "Garage left", "EMETERACVOLTAGE": 231}
    for name, value in (live | stored | texts).items():
        assert charger.value(name) == (value,), name
    assert charger.value("WIFISTACFG")[:2] == (1, "network")
    assert charger.value("WIFISTASTATIC")[:4] == (1, "10.0.0.5", "10.0.0.1", "255.255.255.0")
    failed = {line.partition(f"{REFUSED} ")[2].partition(":")[0] for line in house.node.log if REFUSED in line}
    assert failed == (set() if firmware == "head" else {"timezone"})
    house.node.close()


# --- currents ---------------------------------------------------------------------------------------------------------


def set_current(house: House, current: float) -> None:
    house.node.call_service("set_current", current=current)
    house.node.run(3)


def test_a_pause_holds_as_often_as_it_is_asked_for(house: House) -> None:
    """A control loop asks every few seconds. Somebody else, or a write that was lost, must not end the pause."""
    set_current(house, 3.0)
    assert house.charger.value("ENABLE") == (0,)
    house.charger.set("ENABLE", 1)
    house.node.run(5)
    set_current(house, 3.0)
    assert house.charger.value("ENABLE") == (0,)
    set_current(house, 8.0)
    assert (house.charger.value("ENABLE"), house.charger.value("CHCUR")) == ((1,), (80,))
    house.faults.cable_out()
    set_current(house, 3.0)
    house.node.run(60)
    house.faults.cable_in()
    house.node.wait_for("Connected", True, 20)
    set_current(house, 3.0)
    assert house.charger.value("ENABLE") == (0,)


@pytest.mark.parametrize("known", [True, False])
def test_a_pause_of_somebody_outlasts_that_of_a_control_loop(house: House, known: bool) -> None:
    """Also while the charger is silent, and nobody knows what it holds."""
    house.node.command("Enable", False)
    house.node.run(3)
    if not known:
        house.faults.silence(10)
        house.node.wait_for("Connected", False, 20)
    house.node.call_service("set_current", current=3.0)
    house.node.wait_for("Connected", True, 20)
    set_current(house, 8.0)
    assert (house.charger.value("ENABLE"), house.charger.value("CHCUR")) == ((0,), (80,))


def test_a_number_that_means_a_pause_is_a_change(house: House) -> None:
    """The charger's current stays as it is, and the field that somebody has filled in must not show another one."""
    house.charger.set("CHCUR", 80)
    house.node.wait_for("Charging current", 8.0, 6)
    seen = len(house.node.changes)
    house.node.command("Charging current", 5.0)
    house.node.run(5)
    assert house.charger.value("ENABLE") == (0,)
    shown = house.since(seen, "Charging current")
    assert shown == [None, 8.0]


def test_maximum_and_current_in_one_script(house: House) -> None:
    house.node.call_service("set_maximum_and_current", maximum=16.0, current=20.0)
    house.node.run(5)
    assert house.charger.value("CHCUR") == (160,)
    house.node.run(12)
    house.node.call_service("set_maximum_and_current", maximum=32.0, current=32.0)
    house.node.run(5)
    assert house.charger.value("CHCUR") == (320,)


@pytest.mark.parametrize("starting", [False, True])
def test_a_maximum_that_is_not_known_yet(house: House, starting: bool) -> None:
    """Somebody else has just lowered it, or the charger starts: the old current, the higher one, must not stay."""
    house.charger.set("CHCUR", 320)
    house.charger.set("DEFCHCUR", 320)
    house.node.run(5)
    if starting:
        house.charger.power_off(house.charger.now)
        house.charger.flash["MAXCHCUR"] = 16
        house.charger.power_on(house.charger.now)
    else:
        house.charger.set("MAXCHCUR", 16)
    set_current(house, 20.0)
    house.node.run(5)
    assert house.charger.value("CHCUR") == (160,)


def test_a_current_that_is_no_number_leaves_the_one_before_as_it_is(house: House) -> None:
    """A sensor of the control loop is unknown for a moment, just when the charger refuses what is above its maximum."""
    house.charger.set("CHCUR", 320)
    house.node.run(5)
    house.charger.set("MAXCHCUR", 16)
    for current in (20.0, math.nan):
        house.node.call_service("set_current", current=current)
    house.node.run(8)
    assert house.charger.value("CHCUR") == (160,)


def test_a_current_refused_before_an_outage_is_not_written_after_it(house: House) -> None:
    """Its maximum, which tells what would have been possible, comes only then, and nobody asks any more."""
    house.charger.set("MAXCHCUR", 16)
    house.node.call_service("set_current", current=20.0)
    while not any("did not take CHCUR" in line for line in house.node.log):
        house.node.run(0.002)
    house.charger.power_off(house.charger.now)
    house.node.run(60)
    house.charger.journal.clear()
    house.charger.power_on(house.charger.now)
    house.node.run(30)
    assert house.node.value("Connected")
    assert set(house.charger.journal.writes("CHCUR")) <= {"AT+CHCUR=320"}, "keep_settings puts back what was held"


@pytest.mark.parametrize("count", [2, 3, 4, 6])
@pytest.mark.parametrize(("name", "wrong", "held"), [("ENABLE", 0, 1), ("AVAILABLE", 0, 1), ("CHCUR", 60, 160)])
def test_a_burst_of_equal_noise_is_not_written_back(house: House, name: str, wrong: int, held: int, count: int) -> None:
    house.charger.set("CHCUR", 160)
    house.node.run(6)
    house.faults.to_client_now(f"\n+{name}={wrong}\n".encode() * count)
    house.node.run(0.01)
    house.charger.reboot(house.charger.now)
    house.node.run(15)
    assert house.charger.value(name) == (held,)


def flap(house: House, on_s: float, off_s: float) -> None:
    """Its power is gone for ``off_s``, then there until ``on_s`` after RDY."""
    house.charger.power_off(house.charger.now)
    house.node.run(off_s)
    house.charger.power_on(house.charger.now)
    assert house.node.wait_until(lambda: house.charger.ready)
    house.node.run(on_s)


@pytest.mark.parametrize(
    "flaps",
    [
        [(1.0, 3), (0.0, 60)],
        [(0.05, 1), (1.25, 1), (1.3, 2)],
        [(2, 2), (3, 40), (4, 2)],
        [(1.26, 5), (0.6, 90), (1.28, 5)],
    ],
)
def test_settings_are_put_back_however_power_flaps(house: House, flaps: list[tuple[float, float]]) -> None:
    house.node.command("Enable", False)
    house.node.command("Charging current", 10.0)
    house.node.run(6)
    for on_s, off_s in flaps:
        flap(house, on_s, off_s)
    house.node.run(20)
    assert (house.charger.value("ENABLE"), house.charger.value("CHCUR")) == ((0,), (100,))
    assert (house.node.value("Enable"), house.node.value("Charging current")) == (False, 10.0)
    assert [violation for violation in house.charger.journal.violations if violation.kind != "overrun"] == []


@pytest.mark.parametrize("phase_s", [0.0, 1.1, 2.3, 3.4])
def test_what_somebody_set_at_the_charger_five_seconds_before_a_power_cut_is_put_back(house, phase_s: float) -> None:
    """At any phase of the slow subscriptions."""
    house.node.run(phase_s)
    for name, value in (("CHCUR", 130), ("ENABLE", 0), ("CONSUMLIM", 7000)):
        house.charger.set(name, value)
    house.node.run(5)
    flap(house, 12, 3)
    assert [house.charger.value(name)[0] for name in ("CHCUR", "ENABLE", "CONSUMLIM")] == [130, 0, 7000]


@pytest.mark.parametrize("spoilt", [rb"\1", rb"\1\2\2"], ids=["lost", "doubled"])
def test_an_uptime_of_which_a_digit_is_wrong_twice_is_no_restart(house: House, spoilt: bytes) -> None:
    """On a bad line that happened once in ten minutes; settings were looked for, and written again."""
    answers = iter(range(2))

    def spoil(request, data: bytes, delay: float) -> tuple[bytes, float]:
        if request.name == "+UPTIME" and next(answers, None) is not None:
            data = re.sub(rb"(\d+)(\d)\n", spoilt + b"\n", data)
        return data, delay

    house.node.run(40)
    house.faults.noise()
    house.charger.answer_hook = spoil
    house.node.run(20)
    assert next(answers, None) is None
    assert not [line for line in house.node.log if "Charger restarted" in line]


def test_a_text_with_a_filter_that_knows_no_past_is_published_when_it_changes(house: House) -> None:
    """The state is pushed four times a second, and as often a filter made a message, and ran on_value."""
    house.node.run(60)
    house.charger.car.plug(wants_charge=False)
    house.charger.set("ENABLE", 0)
    house.node.run(60)
    assert house.node.history("State in words")[-2:] == ["free!", "waiting!"]
    assert len(house.node.history("State in words")) <= 4


# --- automations that take their time ---------------------------------------------------------------------------------

PLACES = ("power", "number", "on_state", "on_disconnect", "on_connect", "on_ready", "on_write_failed")


def provoke(house: House, place: str) -> None:
    if place in ("number", "on_write_failed"):
        house.charger.device.write = lambda *_, real=house.charger.device.write: place == "number" and real(*_)
        house.node.command("Charging current", 9.0)
    elif place == "on_state":
        house.charger.car.plug()
    elif place == "on_ready":
        house.charger.reboot(house.charger.now)
    elif place != "power":
        house.faults.cable_out()
        if place == "on_connect":
            house.node.wait_for("Connected", False, 20)
            house.faults.cable_in()


@pytest.mark.parametrize(("place", "ms"), [*itertools.product(PLACES, range(1900, 3000, 150))])
def test_nothing_is_written_after_an_automation_behind_which_the_charger_has_started(house, place, ms) -> None:
    """It was told something by the component itself, in the middle of its turn, with further wishes waiting."""
    node, charger = house.node, house.charger
    node.call_service("block_in", place=place, ms=ms)
    provoke(house, place)
    for name, wish in (("Available", False), ("Enable", False), ("Energy limit", 3.0), ("Host name", "new")):
        node.command(name, wish)
    node.wait_for_log(f"blocked in {place}", 30)
    charger.reboot(charger.now)
    house.faults.cable_in()
    node.run(20)
    assert [violation for violation in charger.journal.violations if violation.kind != "overrun"] == []
    assert charger.crashes == 0
    node.wait_for("Connected", True, 20)


def test_a_pause_while_an_automation_takes_ten_seconds_is_left_alone(house) -> None:
    """What the charger has said of its uptime meanwhile is old, and no restart after which something is put back."""
    node, charger = house.node, house.charger
    node.run(10)
    node.call_service("block_in", place="number", ms=10_000)
    charger.set("CHCUR", 90)
    node.wait_for_log("blocked in number", 30)
    charger.subscriptions[:] = [Subscription("+UPTIME", 1000)]  # all that fits into the node's buffer
    node.run(6)
    charger.set("ENABLE", 0)
    node.run(30)
    assert charger.value("ENABLE") == (0,)
    assert node.value("Enable") is False
    assert not [line for line in node.log if "Charger restarted" in line]
