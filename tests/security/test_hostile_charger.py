"""Names that others choose: of networks in the air, of a charger that somebody else has named, of a backup from
elsewhere. They are data wherever they are shown or kept."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml

from evse_host.files import backup, capabilities, node_config
from evse_host.files.capabilities import FIRMWARES, Capabilities
from evse_host.files.node_config import Node
from evse_host.simulator import Board, Charger
from evse_host.simulator.board import Network
from tests.examples import configs
from tests.host.commands import run

#: At most 31 bytes, as a charger holds them; "\udcXX" is a byte that is not UTF-8.
NAMES = {
    "clears the screen": "\u009b2Jx",
    "title of the terminal": "\u009d0;owned\u009c",
    "right to left": "\u202egnp.exe",
    "invisible": "a\u200b\u2060b",
    "line end": "x\nOK\n+STATE=4",
    "closes the quote": 'x"\nesphome: {name: owned}\n#',
    "breaks out of the remark": "x\nesphome:\n  name: owned",
    "secret": "!secret wifi_password",
    "lambda": "!lambda return 1;",
    "include": "!include /etc/passwd",
    "jinja": "{{ ''.__class__ }}{% raw %}",
    "substitution": "${wifi} ${1/0}",
    "yaml document": "--- x\n... \n%TAG",
    "rich markup": "[red]x[/red][link=file:///]",
    "format": "%s%n{0}{x!r}",
    "not UTF-8": "caf\udce9",
    "cut inside a character": "x" * 30 + "\udcc3",
    "backslashes": "\\\\\\n\\",
    "remark": "x # y",
    "empty": "",
}
EVERY_NAME = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
DANGEROUS = ("clears the screen", "title of the terminal", "right to left", "line end", "rich markup", "not UTF-8")
FOR_A_TERMINAL = pytest.mark.parametrize("name", [NAMES[key] for key in DANGEROUS], ids=DANGEROUS)
BOARD = {"three_phase": True, "temperature_sensor": True, "socket_lock": False, "proximity": False, "meter": "current"}


def is_harmless(text: str) -> bool:
    """Only printable characters and line ends reach a terminal."""
    return all(char == "\n" or char.isprintable() for char in text)


# --- the terminal -----------------------------------------------------------------------------------------------------


def hostile(start_charger, name: str):
    networks = (Network(name, 1, -50), Network("home", 1, -60))
    server = start_charger(Charger(board=Board(networks=networks)), baud_rate=None)

    def call_names(charger) -> None:
        for command in ("INSTNAME", "HOSTNAME", "DEVNAME", "VER", "TZ"):
            charger.override(command, name)
        charger.override("WIFISTACFG", 1, name, "")

    server.call(call_names)
    return server


COMMANDS = ["info", "get instance_name device_name wifi_sta_ssid", "wifi scan", "raw AT+INSTNAME?", "backup"]


@FOR_A_TERMINAL
def test_no_name_controls_the_terminal(start_charger, name: str) -> None:
    server = hostile(start_charger, name)
    done = [run("--port", server.path, "--verbose", *command.split()) for command in COMMANDS]
    done.append(run("--port", server.path, "shell", input="AT+INSTNAME?\nget device_name\nAT+WIFIAPSCAN\n"))
    for each in done:
        assert is_harmless(each.out), repr(each.out)
        assert is_harmless(each.err), repr(each.err)
    scan = done[COMMANDS.index("wifi scan")]
    assert len(scan.out.splitlines()) == 2  # a name never makes a line of its own


@FOR_A_TERMINAL
def test_json_holds_the_name_as_it_is(start_charger, name: str) -> None:
    server = hostile(start_charger, name)
    done = run("--port", server.path, "--json", "wifi", "scan")
    assert is_harmless(done.out)
    assert [network["ssid"] for network in json.loads(done.out)] == [name, "home"]


# --- files ------------------------------------------------------------------------------------------------------------


@EVERY_NAME
def test_a_backup_holds_the_name_as_data(name: str) -> None:
    import datetime

    saved = backup.Backup({"device_name": name, "version": name}, {"INSTNAME": (name,), "HOSTNAME": ("evse",)})
    text = backup.format_backup(saved, datetime.datetime.now(datetime.UTC))
    document = yaml.safe_load(text)
    assert set(document) == {"charger", "settings"}
    assert document["settings"]["INSTNAME"] == name == document["charger"]["device_name"]


def test_a_backup_from_elsewhere_controls_no_terminal(start_charger, tmp_path) -> None:
    file = tmp_path / "backup.yaml"
    file.write_text('charger: {device_name: "\\x9b2J\\e[2Jx\\ny"}\nsettings: {INSTNAME: "\\x9b2Jx"}\n')
    done = run("--port", start_charger(baud_rate=None).path, "restore", "--dry-run", str(file))
    assert done.code == 0, done.err
    assert is_harmless(done.out + done.err)
    assert len(done.out.splitlines()) == 2


@EVERY_NAME
def test_a_name_stays_in_the_remark_of_a_generated_configuration(name: str) -> None:
    known = Capabilities(**BOARD, commands=FIRMWARES["head"], device_name=name, version=name or "v")
    node = Node(board="esp32dev", tx_pin="GPIO17", rx_pin="GPIO16", components="/components", friendly_name="EVSE")
    text = node_config.render(node_config.TEMPLATE, node, known)
    plain = Capabilities(**BOARD, commands=FIRMWARES["head"], device_name="plain", version="v1")
    usual = node_config.render(node_config.TEMPLATE, node, plain)
    assert text.encode()  # it can be written
    assert text.splitlines()[0].startswith("# Made by `evse-host generate`")
    assert text.split("\n")[1:] == usual.split("\n")[1:]
    assert configs.load(text) == configs.load(usual)


@EVERY_NAME
def test_a_name_of_a_person_is_quoted(name: str) -> None:
    node = Node(board="esp32dev", tx_pin="GPIO17", rx_pin="GPIO16", components="/c", friendly_name=name * 60)
    text = node_config.render(node_config.TEMPLATE, node, Capabilities(**BOARD))
    assert configs.load(text)["esphome"] == {"name": "evse", "friendly_name": name * 60}


@EVERY_NAME
def test_saved_answers_hold_the_name_as_data(name: str) -> None:
    known = Capabilities(**BOARD, device_name=name, version=name)
    answers = capabilities.parse_answers(capabilities.format_answers(known))
    assert capabilities.choose(answers) == known


def test_a_hostile_charger_generates_a_valid_configuration(start_charger, tmp_path) -> None:
    """All of it, ESPHome's own check included."""
    server = hostile(start_charger, NAMES["closes the quote"])
    done = run(
        "--port", server.path, "generate", "--board", "esp32dev", "--tx", "17", "--rx", "16", cwd=tmp_path,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert is_harmless(done.out + done.err)
    assert configs.load((tmp_path / "evse.yaml").read_text())["esphome"]["name"] == "evse"
