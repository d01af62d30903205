"""`evse-host generate`: just what a charger supports, secrets that are never lost, and ESPHome takes the result."""

from __future__ import annotations

import base64
import json
import shutil
import stat
import subprocess
import sys

import pexpect
import pytest

from evse_host.catalog import COMMANDS, ENTITIES, ENTITY
from evse_host.cli import run
from evse_host.errors import UsageError
from evse_host.files import capabilities as capability
from evse_host.files import node_config
from evse_host.files.capabilities import Capabilities, ask, choose, format_answers, parse_answers
from evse_host.files.node_config import Node, add_secrets, find_components, left_out, render, supported
from evse_host.line.client import Evse
from evse_host.simulator import Charger
from evse_host.simulator.board import Board
from tests.examples import configs

FULL = Capabilities(
    True, True, True, True, "current_voltage", True, True, True, capability.FIRMWARES["head"], "Board", "v2.2.0-dev"
)
BARE = Capabilities(False, False, False, False, "none")
BARE_BOARD = Board(
    socket_lock=False, proximity=False, temperature_sensors=0, emeter=0, emeter_three_phase=False,
    aux_inputs=(), aux_outputs=(), aux_analog_inputs=(),
)  # fmt: skip
ANSWERS = (
    "--offline",
    "--single-phase",
    "--no-temperature-sensor",
    "--socket-lock",
    "--no-proximity",
    "--meter",
    "current",
)
ESP32 = ("--board", "esp32dev", "--tx", "GPIO17", "--rx", "GPIO16")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current directory of the commands."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ask_charger(start_charger):
    def answer(**options) -> Capabilities:
        with Evse.open(start_charger(Charger(**options), baud_rate=None).path) as evse:
            return ask(evse)

    return answer


def node(**changes) -> Node:
    values = {"board": "esp32dev", "tx_pin": "GPIO17", "rx_pin": "GPIO16", "components": find_components(None)}
    return Node(**values | changes)


def keys(capabilities: Capabilities) -> set[tuple[str, str]]:
    return {(platform, entity.key) for platform, rows in supported(capabilities).items() for entity in rows}


def entities(config: dict) -> set[tuple[str, str]]:
    return {
        (platform, key)
        for platform in supported(FULL)
        for block in config.get(platform, [])
        for key in set(block) - {"platform", "esp32evse_id"}
    }


# --- what a charger can do


def test_a_charger_with_everything_gets_every_entity(ask_charger):
    assert keys(ask_charger()) == set(ENTITY)


def test_a_bare_board_on_older_firmware(ask_charger):
    asked = ask_charger(firmware="v2.1.1", board=BARE_BOARD)
    absent = {key for platform, key in set(ENTITY) - keys(asked)}
    assert absent == {
        "voltage_l1", "voltage_l2", "voltage_l3", "current_l1", "current_l2", "current_l3", "active_phases",
        "three_phase_meter", "emeter_mode", "socket_lock_min_break_time", "lock_fault", "unlock_fault", "socket_outlet",
        "temperature", "temperature_high", "temperature_low", "temperature_sensor_count", "temperature_high_fault",
        "temperature_sensor_fault", "timezone", "timezone_rule", "aux_inputs", "aux_outputs", "aux_analog_inputs",
    }  # fmt: skip
    assert ("binary_sensor", "temperature_sensor") in keys(asked)  # the fact that there is none
    assert asked.version == "v2.1.1"


@pytest.mark.parametrize(
    ("board", "absent"),
    [
        ({"emeter_three_phase": False}, "voltage_l2 voltage_l3 current_l2 current_l3 active_phases three_phase_meter"),
        ({"emeter": 1}, "voltage_l1 voltage_l2 voltage_l3"),
        (
            {"temperature_sensors": 0},
            "temperature temperature_high temperature_low temperature_sensor_count temperature_high_fault "
            "temperature_sensor_fault",
        ),
        ({"socket_lock": False}, "socket_lock_min_break_time lock_fault unlock_fault"),
        ({"proximity": False}, "socket_outlet"),
        ({"aux_inputs": ()}, "aux_inputs"),
    ],
)
def test_each_part_of_the_board_brings_its_entities(ask_charger, board, absent):
    asked = ask_charger(board=Board(**board))
    assert {key for _, key in set(ENTITY) - keys(asked)} == set(absent.split())


def test_asking_writes_nothing(start_charger):
    charger = Charger()
    with Evse.open(start_charger(charger, baud_rate=None).path) as evse:
        ask(evse)
    assert charger.journal.writes() == []
    assert charger.journal.violations == []


def test_the_tables_name_what_exists():
    assert set(capability.PART_OF_COMMAND) | set(capability.QUESTIONS.values()) <= {c.name for c in COMMANDS}
    assert set(capability.PART_OF_ENTITY) <= {entity.key for entity in ENTITIES}
    parts = set(capability.PART_OF_COMMAND.values()) | set(capability.PART_OF_ENTITY.values())
    assert parts == set(capability.ABSENT)
    assert all(hasattr(FULL, part) for part in parts)


def test_what_is_left_out_has_its_reason():
    reasons = left_out(BARE)
    assert reasons["no socket lock"] == [
        "sensor socket_lock_min_break_time", "binary_sensor lock_fault", "binary_sensor unlock_fault",
    ]  # fmt: skip
    assert reasons["the firmware lacks TZ"] == ["text_sensor timezone", "select timezone"]
    assert sum(map(len, reasons.values())) + len(keys(BARE)) == len(ENTITIES)


@pytest.mark.parametrize("capabilities", [FULL, BARE])
def test_answers_survive_their_file(capabilities):
    assert choose(parse_answers(format_answers(capabilities))) == capabilities


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1]", "no list of names and values"),
        ("a: [", "no YAML"),
        ("three_phases: true", "three_phases: no such answer"),
        ("three_phase: 3", "three_phase: 3 is not true or false"),
        ("meter: all", "meter: 'all' is not none, current, current_voltage"),
        ("commands: STATE", "commands: 'STATE' is not a list of names"),
        ("socket_lock: true", "three_phase, temperature_sensor, proximity, meter: not given"),
    ],
)
def test_a_wrong_answer_says_what_is_allowed(text, says):
    with pytest.raises(UsageError, match=says.replace("[", r"\[")):
        choose(parse_answers(text))


# --- the node


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"board": "esp 32"}, "board: 'esp 32'"),
        ({"board": "x\nota:"}, "board: "),
        ({"name": "My_EVSE"}, "name: 'My_EVSE': 1 to 31 of a-z"),
        ({"name": "x" * 32}, "name: "),
        ({"tx_pin": "17: 3"}, "tx_pin: "),
        ({"rx_pin": "17"}, "rx_pin: GPIO17 is the tx_pin already"),
    ],
)
def test_a_node_that_cannot_be(changes, says):
    with pytest.raises(UsageError) as raised:
        node(**changes)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("components", "source"),
    [
        ("/a/components", {"type": "local", "path": "/a/components"}),
        ("github://me/evse", {"type": "git", "url": "https://github.com/me/evse"}),
        ("github://me/evse@v1", {"type": "git", "url": "https://github.com/me/evse", "ref": "v1"}),
        ("https://git.example/me/evse@feat/x", {"type": "git", "url": "https://git.example/me/evse", "ref": "feat/x"}),
        ("ssh://git@git.example/evse", {"type": "git", "url": "ssh://git@git.example/evse"}),
    ],
)
def test_the_component_is_taken_from_where_it_was_said(components, source):
    assert node(components=components).source == source


def test_a_directory_without_the_component_is_refused(tmp_path):
    with pytest.raises(UsageError, match="there is no esp32evse in it"):
        find_components(str(tmp_path))


@pytest.mark.parametrize(
    ("board", "pins", "platform", "shared"),
    [
        ("esp32dev", ("17", "16"), "esp32", False),
        ("esp32dev", ("1", "3"), "esp32", True),
        ("d1_mini", ("15", "13"), "esp8266", True),
        ("rpipicow", ("0", "1"), "rp2040", False),
    ],
)
def test_the_board_tells_the_platform_and_the_log_its_pins(board, pins, platform, shared):
    made = node(board=board, tx_pin=pins[0], rx_pin=pins[1])
    assert (made.platform, made.shares_log_pins) == (platform, shared)
    assert ("baud_rate: 0" in render(node_config.TEMPLATE, made, FULL)) is shared


# --- secrets


def test_secrets_are_fresh_and_nobody_elses(tmp_path):
    config = "a: !secret api_encryption_key\nb: {c: !secret ota_password, d: !secret wifi_ssid} # !secret no\n"
    first, second = tmp_path / "1.yaml", tmp_path / "2.yaml"
    assert add_secrets(first, config) == ["api_encryption_key", "ota_password", "wifi_ssid"]
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    made = configs.load(first.read_text())
    assert len(base64.b64decode(made["api_encryption_key"], validate=True)) == 32
    assert len(made["ota_password"]) == 32
    assert made["wifi_ssid"] == node_config.PLACEHOLDER
    add_secrets(second, config)
    other = configs.load(second.read_text())
    assert other["api_encryption_key"] != made["api_encryption_key"]
    assert other["ota_password"] != made["ota_password"]


@pytest.mark.parametrize(
    "before", [b"", b"# mine\r\nota_password: old # keep", b"ota_password: 'old'\nwifi_ssid: caf\xc3\xa9\n"]
)
def test_secrets_that_are_there_stay_byte_by_byte(tmp_path, before):
    file = tmp_path / "secrets.yaml"
    file.write_bytes(before)
    config = "!secret ota_password\n!secret wifi_ssid\n!secret api_encryption_key\n"
    add_secrets(file, config)
    after = file.read_bytes()
    assert after.startswith(before)
    assert set(configs.load(after.decode())) == {"ota_password", "wifi_ssid", "api_encryption_key"}
    assert add_secrets(file, config) == []
    assert file.read_bytes() == after


def test_included_secrets_count(tmp_path):
    (tmp_path / "common.yaml").write_text("ota_password: shared\n")
    file = tmp_path / "secrets.yaml"
    file.write_text("<<: !include common.yaml\n")
    assert add_secrets(file, "!secret ota_password !secret wifi_ssid") == ["wifi_ssid"]


@pytest.mark.parametrize("text", ["- a\n", "a: [\n"])
def test_a_secrets_file_that_cannot_be_understood_stays(tmp_path, text):
    file = tmp_path / "secrets.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"secrets\.yaml"):
        add_secrets(file, "!secret ota_password")
    assert file.read_text() == text


# --- templates


def test_the_template_can_be_copied_and_changed(here, capsys):
    assert run(["generate", "--show-template"]) == 0
    template = capsys.readouterr().out
    assert template == node_config.TEMPLATE.read_text()
    (here / "mine.j2").write_text(template + "\n# made for {{ capabilities.meter }}\n")
    assert run(["generate", *ESP32, *ANSWERS, "--template", "mine.j2", "--no-check"]) == 0
    assert (here / "evse.yaml").read_text().endswith("\n# made for current\n")


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("a\n{% if %}\n", "mine.j2: line 2: "),
        ("{{ nod }}", "mine.j2: 'nod' is undefined"),
        (None, "mine.j2: cannot be read"),
    ],
)
def test_a_wrong_template_writes_nothing(here, capsys, template, says):
    if template:
        (here / "mine.j2").write_text(template)
    assert run(["generate", *ESP32, *ANSWERS, "--template", "mine.j2"]) == 2
    assert says in capsys.readouterr().err
    assert {file.name for file in here.iterdir()} <= {"mine.j2"}


# --- the command


def test_a_file_is_not_overwritten_unless_forced(here, capsys):
    (here / "evse.yaml").write_text("mine")
    assert run(["generate", *ESP32, *ANSWERS, "--no-check"]) == 2
    assert (here / "evse.yaml").read_text() == "mine"
    assert not (here / "secrets.yaml").exists()
    assert run(["generate", *ESP32, *ANSWERS, "--no-check", "--force"]) == 0
    assert "esp32evse:" in (here / "evse.yaml").read_text()


def test_a_charger_is_asked_and_its_answers_can_be_kept(here, start_charger, capsys):
    path = start_charger(Charger("v2.1.1", Board(socket_lock=False)), baud_rate=None).path
    assert run(["--port", path, "--json", "generate", *ESP32, "--save-answers", "answers.yaml", "--no-check"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["left_out"]["no socket lock"] and told["checked"] is False
    again = ["--json", "generate", *ESP32, "--offline", "answers.yaml", "--output", "again.yaml", "--no-check"]
    assert run(again) == 0
    assert (here / "again.yaml").read_text() == (here / "evse.yaml").read_text()
    assert json.loads(capsys.readouterr().out)["secrets_added"] == []


def test_answers_without_offline_are_refused(here, capsys):
    assert run(["generate", *ESP32, "--meter", "none"]) == 2
    assert "meter: the charger itself is asked" in capsys.readouterr().err


def test_with_nobody_to_ask_missing_answers_are_named(here, capsys):
    assert run(["generate", *ESP32, "--offline", "--meter", "none"]) == 2
    assert "three_phase, temperature_sensor, socket_lock, proximity: not given" in capsys.readouterr().err


def test_a_person_is_asked_for_what_is_missing(here):
    words = ["-m", "evse_host.cli", "generate", *ESP32, *ANSWERS[:-2], "--no-check"]
    terminal = pexpect.spawn(sys.executable, words, encoding="utf-8", timeout=20)
    terminal.expect_exact("What does the meter measure")
    terminal.sendline("current")
    terminal.expect(pexpect.EOF)
    assert terminal.wait() == 0
    assert "current_l1:" in (here / "evse.yaml").read_text()


# --- ESPHome's own word


@pytest.mark.parametrize(
    ("board", "pins", "capabilities"),
    [
        ("esp32dev", ("17", "16"), FULL),
        ("esp32-c3-devkitm-1", ("5", "4"), BARE),
        ("d1_mini", ("15", "13"), FULL),
        ("rpipicow", ("0", "1"), BARE),
    ],
)
def test_esphome_takes_it_and_finds_just_those_entities(tmp_path, board, pins, capabilities):
    file = tmp_path / "evse.yaml"
    made = node(board=board, tx_pin=pins[0], rx_pin=pins[1], friendly_name='Say "hi": {no}')
    file.write_text(render(node_config.TEMPLATE, made, capabilities))
    add_secrets(tmp_path / "secrets.yaml", file.read_text())
    config = configs.resolved(file)
    assert entities(config) == keys(capabilities)
    assert config["esphome"]["friendly_name"] == 'Say "hi": {no}'
    assert (
        config["api"]["encryption"]["key"]
        == configs.load((tmp_path / "secrets.yaml").read_text())["api_encryption_key"]
    )
    assert "web_server" not in config


def test_esphome_takes_the_component_from_git(here, capsys):
    repository = here / "repository"
    shutil.copytree(node_config.CHECKOUT, repository / "components", ignore=shutil.ignore_patterns("__pycache__"))
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.invalid", "-C", str(repository)]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "component"]):
        subprocess.run([*git, *words], check=True)
    source = f"file://{repository}@main"
    assert run(["generate", *ESP32, *ANSWERS, "--components", source]) == 0, capsys.readouterr().err
    assert "evse.yaml: " in (told := capsys.readouterr().out) and "checked by ESPHome" in told
    assert 'type: "git"' in (here / "evse.yaml").read_text()


def test_what_esphome_refuses_is_told(here, capsys):
    template = here / "mine.j2"
    template.write_text(node_config.TEMPLATE.read_text() + "    emeter_powr:\n      name: Typo\n")
    assert run(["generate", *ESP32, *ANSWERS, "--template", str(template)]) == 1
    error = capsys.readouterr().err
    assert "emeter_powr" in error
    assert error.splitlines()[-1] == "evse-host: evse.yaml: ESPHome refuses it, see above"


def test_without_esphome_it_says_so(here, capsys, monkeypatch):
    monkeypatch.setattr(node_config, "find_esphome", list)
    assert run(["generate", *ESP32, *ANSWERS]) == 0
    assert "not checked by ESPHome" in capsys.readouterr().out
